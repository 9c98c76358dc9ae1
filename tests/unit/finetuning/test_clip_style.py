"""The style of a clip: which of ranges and transfer it gets, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from stylehead.errors import FaceError
from stylehead.finetuning import clip_style as module
from stylehead.finetuning.clip_style import extract_style, frames_of, nearness
from stylehead.finetuning.holdout import HoldoutResult, HoldoutScores
from stylehead.options import AudioRange, Encoder, StyleEffort
from stylehead.types import Tuning
from tests.stand_ins.faces import RememberingReporter, make_style, performed_motion

TUNING = Tuning("whisper", "ab" * 32, {"down/x": np.ones((2, 3), np.float32)})


def scores(distance: float, *, lmd: float = 1.0, sync: float = 0.97) -> HoldoutScores:
    return HoldoutScores(
        sld=distance,
        slv=distance,
        smd=distance,
        posed_sld=distance,
        posed_slv=distance,
        sync=sync,
        opening=1.0,
        style_opening=1.0,
        opening_range=1.0,
        jerk=1.0,
        lmd=lmd,
        own_sync=float("nan"),
    )


def outcome(tuned: HoldoutScores) -> HoldoutResult:
    rows = {"un-tuned": scores(1.0), "statistics": scores(1.0), "tuned": tuned}
    return HoldoutResult(scores=rows, motions={})


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """A clip that is learned without work; what is learned, and how often, can be set."""
    monkeypatch.setenv("STYLEHEAD_HOME", str(tmp_path / "home"))
    path = tmp_path / "singer.mp4"
    path.write_bytes(b"a clip")
    made = SimpleNamespace(
        path=path, learned=0, steps=[], warnings=(), tuned=scores(0.8), track=None
    )
    made.frames, made.usable, made.unfit = 50, 40, {"blink": 3}
    made.failure = None

    def learn_from_clip(video, name, *, clip, reporter):
        made.learned += 1
        track = SimpleNamespace(seconds=np.array([clip.start, clip.start + 5.0]))
        made.track = None
        return make_style(performed_motion(2.0), name=name), made, track

    def learn_target_clip(track, sound, predictor, name, digest):
        made.track = track
        if made.failure:
            raise made.failure
        return "target"

    def tried(target, predictor, steps, reporter):
        made.steps.append(steps)
        return outcome(made.tuned), replace(make_style(), tuning=TUNING)

    monkeypatch.setattr(module, "learn_from_clip", learn_from_clip)
    monkeypatch.setattr(module, "learn_target_clip", learn_target_clip)
    monkeypatch.setattr(module, "load_predictor", lambda *_, **__: None)
    monkeypatch.setattr(module, "_tried", tried)
    monkeypatch.setattr(module, "replace", _replaced)
    return made


def _replaced(value, **changes):
    """`replace`, for stand-ins too."""
    if isinstance(value, SimpleNamespace):
        return SimpleNamespace(**{**vars(value), **changes})
    return replace(value, **changes)


# ---- ranges or transfer ---------------------------------------------------------------------


def test_a_transfer_that_is_nearer_is_used_and_said(clip):
    reporter = RememberingReporter()
    style = extract_style(clip.path, reporter=reporter)
    assert style.name == "singer"
    assert style.tuning is not None
    np.testing.assert_array_equal(style.tuning.arrays["down/x"], TUNING.arrays["down/x"])
    (said,) = reporter.said
    assert "15% nearer" in said  # three distances at 0.8, LMD at 1
    assert style.provenance["transfer"] == said


@pytest.mark.parametrize(
    ("tuned", "why"),
    [
        (scores(1.2), "15% further"),
        (scores(1.0, lmd=1.001), "0% further"),
        (scores(0.5, sync=0.89), "too little (r 0.89)"),
    ],
)
def test_a_transfer_that_is_not_nearer_is_left_out_and_that_is_said(clip, tuned, why):
    clip.tuned = tuned
    reporter = RememberingReporter()
    style = extract_style(clip.path, reporter=reporter)
    assert style.tuning is None
    (said,) = reporter.said
    assert "ranges alone" in said
    assert why in said


def test_a_clip_too_short_to_hold_anything_out_has_its_ranges(clip):
    clip.failure = FaceError("It shows a face for only 1.0 s.", remedy="Give a longer one.")
    reporter = RememberingReporter()
    assert extract_style(clip.path, reporter=reporter).tuning is None
    assert "only 1.0 s" in reporter.said[0]


@pytest.mark.parametrize(
    ("effort", "steps"),
    [(StyleEffort.FAST, []), (StyleEffort.NORMAL, [100]), (StyleEffort.FULL, [300])],
)
def test_effort_is_steps(clip, effort, steps):
    style = extract_style(clip.path, effort=effort)
    assert clip.steps == steps
    assert (style.tuning is None) == (effort is StyleEffort.FAST)


def test_a_part_of_a_clip_has_its_sound_at_its_own_beginning(clip):
    extract_style(clip.path, clip=AudioRange(start=12.0, duration=5.0))
    assert clip.track.seconds.tolist() == [0.0, 5.0]


def test_nearness_is_the_mean_ratio_with_lmd_where_there_is_one():
    assert nearness(outcome(scores(0.8, lmd=0.4))) == pytest.approx(0.7)
    assert nearness(outcome(scores(0.8, lmd=float("nan")))) == pytest.approx(0.8)


# ---- what is kept ---------------------------------------------------------------------------


def test_a_clip_is_learned_once_and_the_second_time_is_the_same(clip):
    clip.warnings = ("The mouth hardly moves.",)
    first, reporter = extract_style(clip.path), RememberingReporter()
    second = extract_style(clip.path, "other", reporter=reporter)
    assert clip.learned == 1
    np.testing.assert_array_equal(first.motion.landmarks, second.motion.landmarks)
    assert (first.name, second.name) == ("singer", "other")
    assert frames_of(first) == frames_of(second) == {"frames": 50, "blink": 3, "usable": 40}
    assert "learned before" in reporter.said[0]
    assert reporter.said[1] == "Note: The mouth hardly moves."
    assert "nearer" in reporter.said[2]


def test_what_a_style_depends_on_has_it_learned_anew(clip):
    extract_style(clip.path)
    extract_style(clip.path, effort=StyleEffort.FAST)
    extract_style(clip.path, encoder=Encoder.APC)
    extract_style(clip.path, clip=AudioRange(start=1.0))
    clip.path.write_bytes(b"another clip")
    extract_style(clip.path)
    assert clip.learned == 5


def test_a_damaged_copy_is_learned_anew(clip, tmp_path):
    extract_style(clip.path)
    (kept,) = (tmp_path / "home" / "clips").glob("*.style")
    kept.write_bytes(b"damaged")
    assert extract_style(clip.path).tuning is not None
    assert clip.learned == 2


def test_a_home_that_cannot_be_written_does_not_matter(clip, tmp_path):
    (tmp_path / "home").write_text("a file where the folder should be")
    style = extract_style(clip.path)
    again = extract_style(clip.path)
    assert clip.learned == 2
    np.testing.assert_array_equal(style.motion.landmarks, again.motion.landmarks)


def test_only_the_newest_are_kept(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    for number in range(3):
        clip.path.write_bytes(f"clip {number}".encode())
        extract_style(clip.path)
    assert len(list((tmp_path / "home" / "clips").glob("*.style"))) == 2
