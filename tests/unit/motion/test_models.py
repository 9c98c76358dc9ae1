from dataclasses import replace

import numpy as np
import pytest
import torch

from stylehead.errors import StyleError
from stylehead.models.adapter import RANK, Adapter, tuned
from stylehead.models.manifold import Manifold
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.motion.models import generator_digest, tuned_generator, tuning_of
from stylehead.style.file import load_style, save_style
from tests.stand_ins.faces import make_style

CONFIG = MotionConfig(encoder="whisper", features=12, hidden=16, components=6)


@pytest.fixture
def generator():
    torch.manual_seed(0)
    net = MotionGenerator(CONFIG)
    net.components.normal_(0, 0.01)
    return net.eval()


@pytest.fixture
def adapter(generator):
    made = Adapter(generator)
    for value in made.parameters():
        torch.nn.init.normal_(value, 0, 0.1)
    return made


FEATURES = torch.linspace(-1, 1, 480).reshape(1, 40, 12)


def test_a_fresh_adapter_changes_nothing(generator):
    torch.testing.assert_close(
        Adapter(generator).run(generator, FEATURES)[0], generator(FEATURES)[0]
    )


def test_what_was_learned_is_what_is_used(generator, adapter):
    changed = tuned(generator, adapter)
    torch.testing.assert_close(changed(FEATURES)[0], adapter.run(generator, FEATURES)[0])
    assert (changed(FEATURES)[0] - generator(FEATURES)[0]).abs().max() > 1e-3


def test_only_the_adapter_learns(generator, adapter):
    adapter.run(generator, FEATURES)[0].square().sum().backward()
    assert all(value.grad is None for value in generator.parameters())
    assert all(value.grad.abs().sum() > 0 for value in adapter.up.values())


def test_the_change_of_a_matrix_is_of_low_rank(adapter):
    change = adapter.changes()["memory.weight_hh_l0"]
    assert change.shape == (64, 16)
    assert torch.linalg.matrix_rank(change) <= RANK


def test_statistics_of_the_generator_stay(generator, adapter):
    changed = tuned(generator, adapter)
    for name in ("mean", "scale", "spread"):
        torch.testing.assert_close(getattr(changed, name), getattr(generator, name))


# ---- in a style file ------------------------------------------------------------------------


@pytest.fixture
def style(adapter):
    tuning = tuning_of(adapter, "whisper", generator_digest("whisper"))
    return replace(make_style(name="sung"), tuning=tuning)


def test_a_style_file_carries_the_change(style, generator, adapter, tmp_path):
    save_style(style, tmp_path / "sung.style")
    found = load_style(tmp_path / "sung.style")
    assert found.tuning is not None
    assert (found.tuning.encoder, found.tuning.generator_sha256) == (
        "whisper",
        generator_digest("whisper"),
    )
    changed = tuned_generator(generator, found.tuning, found.name)
    torch.testing.assert_close(changed(FEATURES)[0], adapter.run(generator, FEATURES)[0])


def test_a_style_without_one_has_none(tmp_path):
    save_style(make_style(), tmp_path / "plain.style")
    assert load_style(tmp_path / "plain.style").tuning is None


def test_other_weights_are_refused(style, generator):
    tuning = replace(style.tuning, generator_sha256="0" * 64)
    with pytest.raises(StyleError, match="sung was tuned for other weights") as failure:
        tuned_generator(generator, tuning, "sung")
    assert "finetune-style again" in failure.value.remedy


def test_another_encoder_is_refused(style, generator):
    with pytest.raises(StyleError, match="for the encoder apc, not whisper"):
        tuned_generator(generator, replace(style.tuning, encoder="apc"), "sung")


def test_a_damaged_change_is_refused(style, generator):
    arrays = {key: value for key, value in style.tuning.arrays.items() if "up" not in key}
    with pytest.raises(StyleError, match="damaged tuning"):
        tuned_generator(generator, replace(style.tuning, arrays=arrays), "sung")
    wrong = {key: np.zeros((3, 3), np.float32) for key in style.tuning.arrays}
    with pytest.raises(StyleError, match="damaged tuning"):
        tuned_generator(generator, replace(style.tuning, arrays=wrong), "sung")


def own_voice(strength=0.6):
    known = torch.randn(40, FEATURES.shape[-1], generator=torch.Generator().manual_seed(3)).half()
    known = known.float()
    return Manifold(known, known.mean(0).half().float(), known.std(0).half().float(), strength)


def test_a_style_file_carries_the_persons_own_voice(generator, adapter, tmp_path):
    voice = own_voice()
    tuning = tuning_of(adapter, "whisper", generator_digest("whisper"), voice)
    save_style(replace(make_style(name="sung"), tuning=tuning), tmp_path / "sung.style")
    found = load_style(tmp_path / "sung.style").tuning
    assert found is not None
    assert found.projection == 0.6
    moved, _ = tuned_generator(generator, found, "sung")(FEATURES)
    wanted, _ = adapter.run(generator, voice.project(FEATURES[0])[None])
    torch.testing.assert_close(moved, wanted, rtol=0, atol=1e-5)
    assert (moved - adapter.run(generator, FEATURES)[0]).abs().max() > 5e-4


def test_a_lost_own_voice_is_refused(generator, adapter):
    tuning = tuning_of(adapter, "whisper", generator_digest("whisper"), own_voice())
    with pytest.raises(StyleError, match="damaged tuning"):
        tuned_generator(generator, replace(tuning, own_voice={}), "sung")


def test_a_change_of_endless_rank_takes_no_memory(style, generator):
    arrays = {
        name: np.zeros((10**6, 1), np.float32) if "down" in name else value
        for name, value in style.tuning.arrays.items()
    }
    with pytest.raises(StyleError, match="damaged tuning"):
        tuned_generator(generator, replace(style.tuning, arrays=arrays), "sung")


@pytest.mark.parametrize(
    "base",
    [
        {"base": np.ones((5, 7)), "mean": np.ones(7), "scale": np.ones(7)},
        {"base": np.ones((0, 12)), "mean": np.ones(12), "scale": np.ones(12)},
        {"base": np.ones(12), "mean": np.ones(12), "scale": np.ones(12)},
        {"base": np.ones((5, 12)), "mean": np.ones(12), "scale": np.ones(1)},
        {"base": np.ones((5, 12))},
    ],
    ids=["other features", "empty", "flat", "one scale", "no scale"],
)
def test_a_persons_own_sounds_must_fit_the_generator(style, generator, base):
    own = {name: value.astype(np.float32) for name, value in base.items()}
    tuning = replace(style.tuning, projection=0.5, own_voice=own)
    with pytest.raises(StyleError, match="damaged tuning"):
        tuned_generator(generator, tuning, "sung")
