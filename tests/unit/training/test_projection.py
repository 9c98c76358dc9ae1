import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from stylehead.errors import DataError
from stylehead.options import Encoder, Encoding
from stylehead.speech.encoders import ProjectedEncoder
from stylehead.speech.listen import load_encoder
from stylehead.training import projection
from stylehead.training.data.audio import FULL_SCALE
from stylehead.training.projection import ProjectionTraining, make_base, train_projection
from stylehead.weights.networks import CPU, load_manifold
from tests.stand_ins.faces import syllables


def made(points, size, **more):
    return tuple(make_base(points, size, **more).values())


def unknown(count=25, width=6):
    spread = torch.randn(count, width, generator=torch.Generator().manual_seed(9))
    return 2 * spread + torch.arange(width)


def apart(some, others):
    return (some[:, None] - others).norm(dim=-1)


@pytest.fixture
def data(tmp_path):
    (tmp_path / "sounds").mkdir()
    samples = np.tile(syllables(6.0), 11)
    corpus = (samples / np.abs(samples).max() * FULL_SCALE).astype(np.int16)
    np.savez(tmp_path / "sounds" / "voice_test.npz", samples=corpus)
    return tmp_path


def test_a_base_is_learned_and_used(data, tmp_path):
    path = tmp_path / "base.safetensors"
    how = ProjectionTraining(centroids=9, minutes=0.5)
    metrics = train_projection(data, path, how, encoder=Encoder.APC, device=CPU)
    with safe_open(path, "pt") as file:
        assert file.metadata() == metrics
    assert json.loads(metrics["training"])["centroids"] == 9
    known = load_manifold(path, 1.0)
    assert known.base.shape == (9, 1024)
    plain = load_encoder(Encoding(encoder=Encoder.APC))
    voice = [syllables(1.0)]
    features = torch.cat(list(plain.encode(voice)))
    projected = torch.cat(list(ProjectedEncoder(plain, known).encode(voice)))
    assert projected.shape == features.shape
    near = apart(projected / known.scale, known.base / known.scale).amin(1)
    assert near.mean() < apart(features / known.scale, known.base / known.scale).amin(1).mean()


def test_minutes_say_how_much_is_listened_to(data, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        projection, "make_base", lambda known, *_, **__: seen.append(len(known)) or {}
    )
    for minutes in (1 / 3, 0.5):
        how = ProjectionTraining(minutes=minutes)
        train_projection(data, tmp_path / "base", how, encoder=Encoder.APC, device=CPU)
    assert seen[1] == seen[0] * 3 // 2


def test_without_voices_there_is_no_base(tmp_path):
    with pytest.raises(DataError):
        train_projection(
            tmp_path, tmp_path / "base", ProjectionTraining(), encoder=Encoder.APC, device=CPU
        )


# ---- the base -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [30, 99])
def test_a_base_with_room_for_all_points_is_the_points(size):
    points = unknown(30)
    base, mean, scale = made(points, size)
    assert base.shape == points.shape
    assert apart(base, points).amin(0).max() < 1e-4
    torch.testing.assert_close(mean, points.mean(0))
    torch.testing.assert_close(scale, points.std(0), rtol=1e-3, atol=1e-3)


def test_centroids_are_the_middles_of_clusters():
    middles = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    noise = 0.1 * torch.randn(3, 200, 2, generator=torch.Generator().manual_seed(1))
    base, *_ = made((middles[:, None] + noise).flatten(0, 1), 12)
    assert len(base) == 12
    assert apart(base, middles).amin(0).max() < 0.5
    assert apart(base, middles).amin(1).max() < 0.5


def test_the_same_seed_gives_the_same_base():
    points = unknown(200)
    assert torch.equal(made(points, 9, seed=4)[0], made(points, 9, seed=4)[0])
    assert not torch.equal(made(points, 9, seed=4)[0], made(points, 9, seed=5)[0])
