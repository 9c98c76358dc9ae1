"""What finetune-style does with a style file: small networks, little speech, a given verdict."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from stylehead.errors import ConfigError, MediaError, StyleError
from stylehead.finetuning import run as run_module
from stylehead.finetuning import target as target_module
from stylehead.finetuning.config import TransferConfig
from stylehead.finetuning.holdout import HoldoutTest
from stylehead.finetuning.run import finetune_style, tune
from stylehead.finetuning.speech import learn_own_voice
from stylehead.options import TuningOptions
from stylehead.progress import SILENT
from stylehead.style.file import load_style, save_style
from stylehead.style.learn import STYLE_FPS
from stylehead.training.data.speakers import AlignedFeatures
from tests.stand_ins.faces import RememberingReporter, make_style, performed_motion

CONFIG = TransferConfig(warm_up=2, steps=4, every=2, batch=2, window=60, frames=16)


@pytest.fixture
def tuning(small, spoken, tmp_path):
    """Tune a style in the folder."""

    def run(style, aligned=(), own_voice=None):
        test = HoldoutTest(networks=small.networks, speech=spoken, held_out=[style.motion])
        replay = [spoken.features]
        return tune(style, list(aligned), replay, test, CONFIG, own_voice=own_voice, run=tmp_path)

    return run


def test_a_tuned_style_moves_the_face(small, recording, tuning, tmp_path):
    tuned = tuning(make_style(performed_motion(8.0)))
    assert tuned.tuning is not None
    save_style(tuned, tmp_path / "tuned.style")
    again = load_style(tmp_path / "tuned.style")
    motions = [small.predict(recording, style, fps=STYLE_FPS) for style in (tuned, again)]
    # Motion is kept in half precision: what is played of it differs by as much.
    np.testing.assert_allclose(motions[0].landmarks, motions[1].landmarks, atol=2e-3)
    assert (tmp_path / "log.csv").read_text().startswith("step,")


def test_a_run_of_another_clip_is_not_gone_on_with(tuning):
    tuning(make_style(performed_motion(8.0)))
    with pytest.raises(ConfigError, match="other settings"):
        tuning(replace(make_style(), provenance={"source_sha256": "cd" * 32}))


def test_features_are_brought_to_the_own_voice_before_tuning(tuning, spoken):
    style = make_style(performed_motion(8.0))
    pair = AlignedFeatures(spoken.features.half(), torch.zeros(len(spoken.features), 68, 3))
    voice = learn_own_voice([pair], 0.5)
    assert voice is not None
    tuned = tuning(style, [pair], voice).tuning
    assert tuned is not None
    assert tuned.projection == 0.5
    np.testing.assert_array_equal(tuned.own_voice["base"], voice.base.numpy())


def test_a_run_with_another_projection_is_not_gone_on_with(tuning, spoken):
    style = make_style(performed_motion(8.0))
    pair = AlignedFeatures(spoken.features.half(), torch.zeros(len(spoken.features), 68, 3))
    tuning(style, [pair])
    with pytest.raises(ConfigError, match="other settings"):
        tuning(style, [pair], learn_own_voice([pair], 0.5))


# ---- the command ----------------------------------------------------------------------------


class Stopping:
    """A Ctrl-C that comes after so many questions, or never."""

    def __init__(self, after=10**9):
        self.left = after

    def __enter__(self):
        def asked():
            self.left -= 1
            return self.left < 0

        return asked

    def __exit__(self, *_):
        pass


@pytest.fixture
def work(small, recording, monkeypatch, tmp_path):
    """Do the command's work on a style file and six seconds of speech, with a given verdict."""
    save_style(make_style(performed_motion(9.0), name="sung"), tmp_path / "sung.style")
    monkeypatch.setattr(run_module, "load_predictor", lambda *_, **__: small)
    for speech in ("replayed_speech", "unheard_speech"):
        monkeypatch.setattr(target_module, speech, lambda: recording)

    def run(reasons=(), stopping=None, reporter=SILENT, **choices):
        monkeypatch.setattr(run_module, "rejection_reasons", lambda result: list(reasons))
        options = TuningOptions(style=str(tmp_path / "sung.style"), **{"steps": 4, **choices})
        stopping = stopping or Stopping()
        output = tmp_path / "out.style"
        return finetune_style([], output, options=options, stopping=stopping, reporter=reporter)

    return run


def test_style_report_and_picture_are_written(work, tmp_path):
    finetuned = work()
    style = load_style(finetuned.path)
    assert style.tuning is not None
    assert float(style.provenance["held_out_style_distance"]) > 0
    report = json.loads((tmp_path / "out.report.json").read_text())
    assert report["rows"]["tuned"]["lmd"] is None
    assert report["settings"]["steps"] == 4
    assert set(report["lip_crossings"]) == {"un-tuned", "tuned"}
    assert (tmp_path / "out.report.png").stat().st_size > 5000
    assert not (tmp_path / "out.tuning").exists()
    _, columns, rows = finetuned.table()
    assert columns == ("", "un-tuned", "statistics", "tuned")
    assert rows[0][0] == "sld"


@pytest.mark.parametrize("dynamics", [True, False])
def test_a_user_chooses_steps_and_dynamics(dynamics):
    config = TransferConfig.from_options(TuningOptions(steps=7, dynamics=dynamics))
    assert config.steps == 7
    assert (config.dynamics > 0) == dynamics


REASON = ["it went away"]


@pytest.fixture(scope="module")
def refusals():
    """What the first refusal left and said: it is the same each time."""
    return []


@pytest.fixture
def refused(work, refusals, tmp_path, tmp_path_factory):
    """The command's work, done once and refused; and what it said."""
    if not refusals:
        with pytest.raises(StyleError, match=r"out\.style is not written: it went away") as failure:
            work(reasons=REASON)
        refusals += [tmp_path_factory.mktemp("refused") / "left", failure.value]
        shutil.copytree(tmp_path, refusals[0])
    left, said = refusals
    shutil.copytree(left, tmp_path, dirs_exist_ok=True)
    return said


def test_a_refused_style_is_kept_beside_its_report(refused, tmp_path):
    assert not (tmp_path / "out.style").exists()
    report = json.loads((tmp_path / "out.report.json").read_text())
    assert report["rejection_reasons"] == REASON
    assert load_style(tmp_path / "out.refused.style").tuning is not None
    assert "use out.refused.style as it is with --style" in refused.remedy
    assert "--force" in refused.remedy and "more --steps" in refused.remedy


def test_force_writes_the_kept_style_at_once(refused, work, tmp_path, monkeypatch):
    kept = load_style(tmp_path / "out.refused.style").tuning
    monkeypatch.setattr(run_module, "load_predictor", None)  # nothing may be learned
    finetuned = work(reasons=REASON, force=True)
    assert finetuned.table() is None
    style = load_style(tmp_path / "out.style")
    assert kept and style.tuning
    for name, array in kept.arrays.items():
        np.testing.assert_array_equal(style.tuning.arrays[name], array)
    assert "request" not in style.provenance
    assert {path.name for path in tmp_path.iterdir()} == {
        "sung.style",
        "out.style",
        "out.report.json",
        "out.report.png",
    }


def test_force_with_other_settings_tunes_as_asked(refused, work, tmp_path):
    with pytest.raises(MediaError, match="exists already"):
        work(reasons=REASON, force=True, steps=2)
    finetuned = work(reasons=REASON, force=True, steps=2, overwrite=True)
    assert finetuned.table() is not None
    assert json.loads((tmp_path / "out.report.json").read_text())["settings"]["steps"] == 2
    assert not (tmp_path / "out.refused.style").exists()


def test_force_writes_a_rejected_style_the_first_time(work, tmp_path):
    work(reasons=REASON, force=True)
    assert (tmp_path / "out.style").exists()
    assert not (tmp_path / "out.refused.style").exists()


def test_more_steps_after_a_refusal_go_on_from_there(refused, work, tmp_path):
    heard = RememberingReporter()
    work(steps=8, overwrite=True, reporter=heard)
    assert "Resumed at step 4." in heard.said
    assert not (tmp_path / "out.refused.style").exists()


def test_after_a_refusal_other_settings_begin_anew(refused, work):
    heard = RememberingReporter()
    work(dynamics=False, overwrite=True, reporter=heard)
    assert any("tuning begins anew" in line for line in heard.said)
    assert not any("Resumed" in line for line in heard.said)


@pytest.mark.slow
def test_an_interrupted_work_keeps_its_checkpoint_and_goes_on(work, tmp_path):
    with pytest.raises(StyleError, match="before it had learned"):
        work(stopping=Stopping(after=1))
    assert (tmp_path / "out.tuning" / "checkpoint.pt").exists()
    resumed = load_style(work().path).tuning
    whole = load_style(work(overwrite=True).path).tuning
    assert resumed and whole
    for name, array in whole.arrays.items():
        np.testing.assert_array_equal(resumed.arrays[name], array)


def test_projection_without_own_sound_is_refused(work, tmp_path):
    with pytest.raises(StyleError, match="own sounds"):
        work(projection=0.5)
    assert not (tmp_path / "out.style").exists()
