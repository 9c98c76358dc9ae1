"""The ridge by another sum, and features in more pieces than one."""

from __future__ import annotations

import pytest
import torch

from stylehead.models import manifold
from stylehead.models.manifold import Manifold, weights_of


@pytest.mark.parametrize("ridge", [1e-3, 0.5, 20.0])
def test_the_ridge_pulls_towards_the_nearest(ridge: float) -> None:
    """The least squares with one more row for each weight that is not the nearest's."""
    generator = torch.Generator().manual_seed(4)
    neighbours = torch.randn(3, 5, 8, generator=generator, dtype=torch.float64)
    features = torch.randn(3, 8, generator=generator, dtype=torch.float64)
    for feature, near, found in zip(
        features, neighbours, weights_of(features, neighbours, ridge=ridge), strict=True
    ):
        across = (near[1:] - near[0]).T
        penalty = (ridge * across.square().sum(0).mean()).sqrt() * torch.eye(4)
        system = torch.cat([across, penalty.double()])
        wanted = torch.cat([feature - near[0], torch.zeros(4, dtype=torch.float64)])
        others = torch.linalg.lstsq(system, wanted[:, None]).solution[:, 0]
        torch.testing.assert_close(found[1:], others, rtol=1e-6, atol=1e-8)
        assert found[0] == pytest.approx(1 - others.sum().item())


def test_pieces_join_up(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(5)
    base, features = (torch.randn(count, 6, generator=generator) for count in (40, 25))
    known = Manifold(base, base.mean(0), base.std(0), 0.5)
    whole = known.project(features)
    monkeypatch.setattr(manifold, "CHUNK", 4)
    torch.testing.assert_close(known.project(features), whole, rtol=0, atol=1e-5)
