"""Tiny picture networks on made-up mouths: dark inside, where the map says that they are open."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from stylehead.models.discriminator import DiscriminatorConfig, MultiscaleDiscriminator
from stylehead.models.mouth_generator import CHANNELS, MouthGenerator, MouthGeneratorConfig
from stylehead.rendering.mouth.crop import CROP_SIZE
from stylehead.training.data.mouth_batches import Patches, batch_of
from stylehead.training.data.region_weights import region_weights
from stylehead.training.mouth_generator import (
    ADVERSARIAL,
    PictureTraining,
    adversarial_losses,
    fit_pictures,
    make_patterns,
    picture_losses,
    validate,
)
from tests.stand_ins.faces import Interrupting, RememberingReporter, mean_face

CPU = torch.device("cpu")
QUICK = PictureTraining(
    steps=30, batch=2, widths=(8, 12), every=10, learning_rate=5e-3, discriminator_from=1000
)


def mouths(count=4):
    """Return pairs whose film shows black where the inner lips' outline is filled."""
    face = mean_face()[:, :2]
    points = (face - face[48:68].mean(0)) * 110 + CROP_SIZE / 2
    points = np.concatenate([points, np.zeros((20, 2))]).astype(np.float32)
    turns = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    all_points, filmed = [], []
    for number in range(count):
        own = points.copy()
        own[68:] = CROP_SIZE / 2 + np.stack(
            [-20 * np.cos(turns), -(4 + 3 * number) * np.sin(turns)], 1
        )
        rows, columns = np.mgrid[:CROP_SIZE, :CROP_SIZE] - CROP_SIZE / 2
        inside = (columns / 20) ** 2 + (rows / (4 + 3 * number)) ** 2 < 1
        filmed.append(np.where(inside[..., None], 0, 180).astype(np.uint8).repeat(3, -1))
        all_points.append(own)
    skin = np.full((count, CROP_SIZE, CROP_SIZE, 3), 180, np.uint8)
    placed = np.stack(all_points)
    return Patches(
        skin,
        np.stack(filmed),
        placed,
        np.stack([region_weights(one, CROP_SIZE) for one in placed]),
        [f"person {number % 2}" for number in range(count)],
        np.arange(count) % 2,
        np.full((2, 4, CROP_SIZE, CROP_SIZE, 3), 90, np.uint8),
        placed[:2, None].repeat(4, 1),
    )


def fit(config, *, patterns=None, start=None, run=None, reporter=None):
    return fit_pictures(
        mouths(), patterns, config, held_out=mouths(2), held_out_patterns=patterns, start=start,
        features=None, device=CPU, run=run, reporter=reporter or RememberingReporter(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def mapper():
    return fit(replace(QUICK, patterns=False))


def test_training_learns_the_dark_of_open_mouths(mapper):
    fresh = MouthGenerator(mapper.config)
    before, after = (
        validate(net, mouths(2), None, CPU)["l1_against_warp"] for net in (fresh, mapper)
    )
    assert after < 0.8 * before
    assert mapper.config == MouthGeneratorConfig(0, True, (8, 12))


def test_the_same_seed_gives_the_same_network(mapper):
    again = fit(replace(QUICK, patterns=False)).state_dict()
    for name, value in mapper.state_dict().items():
        torch.testing.assert_close(again[name], value)


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(mapper, tmp_path):
    config = replace(QUICK, patterns=False)
    with pytest.raises(KeyboardInterrupt):
        fit(config, run=tmp_path, reporter=Interrupting(14))
    resumed = fit(config, run=tmp_path)
    for name, value in mapper.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value)


def test_the_log_names_every_loss_and_a_sheet_is_drawn(tmp_path):
    config = replace(QUICK, steps=20, every=10, patterns=False, discriminator_from=14)
    fit(config, run=tmp_path)
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["10", "20"]
    assert set(ADVERSARIAL) <= set(rows[0])
    assert float(rows[0]["discriminator/total"]) == 0 < float(rows[1]["discriminator/total"])
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_adversarial_losses_reach_the_network_that_they_are_of(mapper):
    batch = batch_of(mouths(), [0, 1])
    discriminator = MultiscaleDiscriminator(DiscriminatorConfig(CHANNELS + 3, 4))
    completed = batch.warped.clone().requires_grad_()
    losses = adversarial_losses(completed, batch, discriminator, QUICK)
    losses["discriminator/total"].backward()
    assert completed.grad is None
    assert all(value.grad is not None for value in discriminator.parameters())
    losses = adversarial_losses(completed, batch, discriminator, QUICK)
    (losses["mouth/adversarial"] + losses["mouth/matching"]).backward()
    assert completed.grad is not None
    assert completed.grad.abs().max() > 0


def test_the_discriminator_s_rate_is_its_own(mapper):
    """A discriminator that stands still, and one that learns, give different generators."""
    config = replace(QUICK, steps=3, patterns=False, discriminator_from=0)
    slow, same, quick = (
        fit(replace(config, discriminator_rate=rate)).state_dict() for rate in (1e-9, 1e-9, 1e-2)
    )
    assert all(torch.equal(slow[name], same[name]) for name in slow)
    assert any(not torch.equal(slow[name], quick[name]) for name in slow)


def test_the_style_aware_generator_starts_as_the_intermediate_one(mapper):
    patterns = make_patterns(mouths(), mapper, CPU)
    assert patterns.shape == (2, 4, CROP_SIZE, CROP_SIZE, 3)
    config = replace(QUICK, steps=1, learning_rate=1e-9)
    net = fit(config, patterns=patterns, start=mapper)
    own = net.state_dict()
    for name, value in mapper.state_dict().items():
        torch.testing.assert_close(own[name], value, atol=1e-6, rtol=1e-4)
    assert any(name.startswith("memory") for name in own)


def test_without_the_style_loss_patterns_are_still_looked_at():
    config = replace(QUICK, style=0.0)
    batch = batch_of(mouths(), [0, 1])
    assert "mouth/style" not in picture_losses(batch.warped, batch, config, None)
    assert "mouth/style" in picture_losses(batch.warped, batch, QUICK, None)
    net = MouthGenerator(MouthGeneratorConfig(4, True, (8, 12)))
    assert net.config.patterns == 4


def test_a_pretrained_network_s_features_count_when_given():
    batch = batch_of(mouths(), [0, 1])
    config = replace(QUICK, perceptual=10.0, patterns=False)
    losses = picture_losses(batch.warped, batch, config, lambda picture: [picture.mean((2, 3))])
    away = (batch.warped.mean((2, 3)) - batch.filmed.mean((2, 3))).abs().mean()
    assert losses["mouth/perceptual"].item() == pytest.approx(10 * away.item())
