import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from stylehead.errors import StyleError
from stylehead.finetuning import run as run_module
from stylehead.finetuning.holdout import (
    HoldoutTest,
    Row,
    crossings,
    distance_ratio,
    lip_crossings,
    rejection_reasons,
    style_distances,
    unstyled,
)
from stylehead.finetuning.plot import bars, curves
from stylehead.finetuning.run import finetune_style, tune
from stylehead.finetuning.transfer import TransferConfig
from stylehead.models.adapter import Adapter
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.motion.models import generator_digest, tuning_of
from stylehead.speech.encoders import LogMelEncoder
from stylehead.speech.listen import speech_features
from stylehead.style.file import load_style, save_style
from stylehead.style.learn import STYLE_FPS
from tests.stand_ins.faces import (
    Recording,
    gape,
    make_style,
    performed_motion,
    predictor,
    syllables,
)

BEFORE = Row(2.0, 0.4, 20.0, 3.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.5)
SAID = Recording(syllables(6.0))


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    config = MotionConfig(encoder="whisper", features=LogMelEncoder.width, hidden=16, components=4)
    net = MotionGenerator(config)
    net.components.normal_(0, 0.05)
    net.components[0] = torch.from_numpy(gape(2.0)).flatten()
    return predictor(net.eval())


def holdout(models, style, sound=None):
    return HoldoutTest(models, SAID, [style.motion], sound)


# ---- numbers --------------------------------------------------------------------------------


def test_a_motion_is_no_distance_from_itself():
    motion = performed_motion(6.0)
    found = style_distances(motion, motion)
    assert (found.sld, found.slv, found.smd) == pytest.approx((0, 0, 0), abs=1e-6)


def test_a_turned_head_counts_only_when_asked():
    motion = performed_motion(6.0, degrees=(0.0, 8.0, 0.0))
    still = motion.with_(rotation=np.repeat(np.eye(3, dtype=np.float32)[None], len(motion), 0))
    assert style_distances(motion, still).sld == pytest.approx(0, abs=1e-6)
    assert style_distances(motion, still, posed=True).sld > 0.3


def test_nearer_is_the_mean_of_three_ratios():
    after = replace(BEFORE, sld=1.0, slv=0.4, smd=24.0)
    assert distance_ratio(BEFORE, after) == pytest.approx((0.5 + 1.0 + 1.2) / 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sld": 1.0}, None),
        ({"sld": 1.0, "lmd": float("nan")}, None),
        ({}, "style distance"),
        ({"sld": 1.0, "sync": 0.89}, "at 0.89 only"),
        ({"sld": 1.0, "lmd": 1.66}, "rose from 1.50 to 1.66"),
    ],
)
def test_what_did_not_come_nearer_or_lost_its_lips_is_objected_to(change, words):
    found = rejection_reasons({"un-tuned": BEFORE, "tuned": replace(BEFORE, **change)})
    assert (not found) if words is None else (len(found) == 1 and words in found[0])


def test_lips_that_would_cross_are_counted(models):
    pressed = MotionGenerator(models.networks.generator.config)
    pressed.components[0] = torch.from_numpy(gape(-5.0)).flatten()
    for value in pressed.head.parameters():
        torch.nn.init.zeros_(value)
    assert lip_crossings(pressed.eval(), SAID, models) == 0
    torch.nn.init.ones_(pressed.head[-1].bias)
    assert lip_crossings(pressed, SAID, models) == 1


def test_rows_judge_three_ways_of_moving(models):
    style = make_style(performed_motion(8.0))
    digest = generator_digest("whisper")
    style = replace(style, tuning=tuning_of(Adapter(models.networks.generator), "whisper", digest))
    rows = holdout(models, style, SAID).rows(style)
    assert list(rows) == ["un-tuned", "statistics", "tuned"]
    assert rows["un-tuned"].sync == pytest.approx(1)
    assert rows["un-tuned"].opening == pytest.approx(1)
    assert all(np.isfinite(list(asdict(row).values())).all() for row in rows.values())
    assert np.isnan(holdout(models, style).rows(style)["tuned"].lmd)


def test_without_style_lips_move_alone(models):
    made = holdout(models, make_style()).moved(None, SAID)
    assert made.rotation.std(0).max() == 0
    assert made.landmarks.std() > 1e-3
    assert len(unstyled(made.landmarks, STYLE_FPS)) == len(made)


# ---- tuning as a whole ----------------------------------------------------------------------

HOW = TransferConfig(warm_up=2, steps=4, every=2, batch=2, window=60, frames=16)


def test_a_tuned_style_moves_the_face(models, tmp_path):
    style = make_style(performed_motion(8.0))
    replay = [speech_features(SAID, models.listener)]
    tuned = tune(style, [], replay, holdout(models, style), HOW, tmp_path)
    assert tuned.tuning is not None
    save_style(tuned, tmp_path / "tuned.style")
    again = load_style(tmp_path / "tuned.style")
    made = [models.predict(SAID, one, fps=STYLE_FPS) for one in (tuned, again)]
    # Motion is kept in half precision: what is played of it differs by as much.
    np.testing.assert_allclose(made[0].landmarks, made[1].landmarks, atol=2e-3)
    assert (tmp_path / "log.csv").read_text().startswith("step,")
    assert crossings(tuned, SAID, models)[1] <= 1


def test_a_run_of_another_clip_is_not_gone_on_with(models, tmp_path):
    one = make_style(performed_motion(8.0))
    other = replace(one, provenance={"source_sha256": "cd" * 32})
    replay = [speech_features(SAID, models.listener)]
    tune(one, [], replay, holdout(models, one), HOW, tmp_path)
    with pytest.raises(Exception, match="other settings"):
        tune(other, [], replay, holdout(models, other), HOW, tmp_path)


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
def work(models, monkeypatch, tmp_path):
    """Run the command's work on a style file, with small networks and six seconds of speech."""
    save_style(make_style(performed_motion(9.0), name="sung"), tmp_path / "sung.style")
    monkeypatch.setattr(run_module, "load_predictor", lambda *_, **__: models)
    monkeypatch.setattr(run_module.media, "open_audio", lambda *_, **__: SAID)

    def run(**changes):
        options = {
            "style": str(tmp_path / "sung.style"),
            "audio": None,
            "run": None,
            "force": False,
            "overwrite": False,
            "encoder": None,
            "how": HOW,
            "stopping": Stopping(),
            **changes,
        }
        return finetune_style([], tmp_path / "out.style", **options)

    return run


def test_style_report_and_picture_are_written(work, monkeypatch, tmp_path):
    monkeypatch.setattr(run_module, "rejection_reasons", lambda rows: [])
    done = work()
    assert load_style(done.path).tuning is not None
    assert float(load_style(done.path).provenance["held_out_style_distance"]) > 0
    report = json.loads((tmp_path / "out.report.json").read_text())
    assert report["rows"]["tuned"]["lmd"] is None
    assert report["settings"]["steps"] == 4
    assert (tmp_path / "out.report.png").stat().st_size > 5000
    assert not (tmp_path / "out.tuning").exists()
    _, columns, rows = done.table()
    assert columns == ("", "un-tuned", "statistics", "tuned")
    assert rows[0][0] == "sld"


def test_a_style_that_did_not_come_nearer_is_not_written(work, monkeypatch, tmp_path):
    monkeypatch.setattr(run_module, "rejection_reasons", lambda rows: ["it went away"])
    with pytest.raises(StyleError, match=r"out\.style is not written: it went away"):
        work()
    assert not (tmp_path / "out.style").exists()
    assert json.loads((tmp_path / "out.report.json").read_text())["rejection_reasons"] == [
        "it went away"
    ]
    work(force=True, overwrite=True)
    assert (tmp_path / "out.style").exists()


def test_an_interrupted_work_keeps_its_checkpoint_and_goes_on(work, monkeypatch, tmp_path):
    monkeypatch.setattr(run_module, "rejection_reasons", lambda rows: [])
    with pytest.raises(StyleError, match="before it had learned"):
        work(stopping=Stopping(after=1))
    assert (tmp_path / "out.tuning" / "checkpoint.pt").exists()
    resumed = load_style(work().path)
    whole = load_style(work(overwrite=True).path)
    for name, array in whole.tuning.arrays.items():
        np.testing.assert_array_equal(resumed.tuning.arrays[name], array)


# ---- the picture ----------------------------------------------------------------------------


def test_a_nearer_style_has_a_shorter_bar():
    rows = {"un-tuned": BEFORE, "statistics": BEFORE, "tuned": replace(BEFORE, sld=1.0)}
    drawn = bars(rows)
    plain = bars({**rows, "tuned": BEFORE})
    red = [(np.abs(one.astype(int) - (196, 64, 42)).sum(-1) == 0).sum() for one in (drawn, plain)]
    assert red[0] < red[1]


def test_curves_are_drawn_for_every_row():
    wave = np.sin(np.arange(240) / 10)
    canvas = curves("mouth", {"un-tuned": wave, "tuned": wave * 2}, wave * 0.5, 30.0)
    colours = {tuple(pixel) for pixel in canvas.reshape(-1, 3).tolist()}
    assert {(150, 150, 146), (196, 64, 42)} <= colours
