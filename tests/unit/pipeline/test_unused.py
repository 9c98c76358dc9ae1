"""Options that would be ignored are told from those that act."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylehead.errors import ConfigError
from stylehead.motion.finishing import adjust
from stylehead.options import MotionControls, MotionOptions, Options, Separate
from stylehead.pipeline.run import animate, make_motion
from stylehead.pipeline.unused import RULES, check_options, unused
from stylehead.types import PER_FRAME
from tests.stand_ins.faces import performed_motion

MOVED = {
    "vocals": Path("a.wav"),
    "sing": ["1=a.wav"],
    "cues": Path("a.lrc"),
    "separate": Separate.OFF,
    "projection": 0.5,
    "style_strength": 0.5,
    "effort": 0.5,
    "hold": 0.5,
    "breath": 0.5,
    "beat": 0.5,
    "posture": 0.1,
    "phrasing": 0.5,
    "shapes": 0.5,
    "seed": 3,
}
"""What moves a face that is predicted, and none that was saved."""


def said(**values: Any) -> list[str]:
    """Return what is said of options that are all given."""
    return [one.said for one in unused(values, set(values))]


@pytest.mark.parametrize("name", MOVED)
def test_what_a_saved_motion_does_not_hear_is_refused_beside_one_and_taken_elsewhere(name):
    options = Options(**{name: MOVED[name]})
    check_options(options)
    with pytest.raises(ConfigError, match=f"^--{name.replace('_', '-')} changes nothing"):
        check_options(options, saved=True)


@pytest.mark.parametrize("name", sorted(MOVED.keys() & MotionControls.__dataclass_fields__))
def test_what_is_refused_beside_a_saved_motion_does_not_change_it(name):
    motion, usual = performed_motion(1), MotionControls()
    for controls in (usual, replace(usual, pose=0.5)):
        before, after = adjust(motion, controls), adjust(motion, replace(controls, **{name: 0}))
        for part in PER_FRAME:
            np.testing.assert_array_equal(getattr(after, part), getattr(before, part))


def test_shapes_and_seed_act_where_expression_and_blinks_are_changed():
    motion = performed_motion(2)
    bold = MotionControls(expression=3)
    assert np.any(
        adjust(motion, bold).landmarks != adjust(motion, replace(bold, shapes=0)).landmarks
    )
    often = MotionControls(blinks_per_minute=60)
    assert np.any(adjust(motion, often).blink != adjust(motion, replace(often, seed=1)).blink)


def test_what_acts_on_a_saved_motion_is_taken():
    check_options(Options(crop=True, size=128, fps=10, pose=2, duration=1, still=False), saved=True)
    check_options(Options(expression=2, shapes=0.5, blinks_per_minute=9, seed=3), saved=True)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"size": 256}, "--size changes nothing without --crop."),
        ({"sign_cert": Path("c.pem")}, "--sign-cert changes nothing without --sign-key."),
        ({"vocals_offset": 1.0}, "--vocals-offset changes nothing without --vocals or --sing."),
        ({"still": True, "pose": 2.0}, "--pose changes nothing with --still."),
        ({"still": True, "beat": 0.5}, "--beat changes nothing with --still."),
        ({"pose": 0.0, "phrasing": 1.0}, "--phrasing changes nothing with --pose 0."),
        ({"expression": 0.0, "hold": 0.5}, "--hold changes nothing with --expression 0."),
    ],
)
def test_what_another_option_makes_useless_is_named_with_it(given, wanted):
    with pytest.raises(ConfigError) as caught:
        check_options(Options(**given))
    assert str(caught.value) == wanted
    assert said(**given) == [wanted]


def test_what_happens_anyway_may_be_said():
    assert not said(still=True, pose=0.0, beat=0.0)
    assert not said(size=256, crop=True)
    assert not said(vocals_offset=1.0, sing=["1=a.wav"])


def test_styles_and_motions_exclude_each_other_in_words_of_their_own():
    assert said(style=["a"], style_video=Path("b")) == [
        "--style cannot be given together with --style-video."
    ]
    assert said(style_region="head=a", motion=Path("b")) == [
        "--style-region cannot be given together with --motion."
    ]
    assert said(cues=Path("a"), save_motion=Path("b")) == [
        "--save-motion cannot be given together with --sing or --cues."
    ]


def test_a_gif_is_not_marked_and_whoever_speaks_of_the_mark_hears_it(tmp_path):
    wanted = "--no-mark changes nothing in a GIF, which is never marked."
    for name in ("a.gif", "a.GIF"):
        with pytest.raises(ConfigError) as caught:
            check_options(Options(mark=False), output=tmp_path / name)
        assert str(caught.value) == wanted
    assert said(mark=False, output=Path("a.gif")) == [wanted]
    assert said(mark=True, output=Path("a.gif")) == [wanted.replace("no-", "")]
    check_options(Options(), output="a.gif")
    check_options(Options(mark=False), output="a.mp4")
    check_options(Options(mark=False, encoder_args="-f matroska"), output="a.gif")


def test_rules_speak_of_options_that_there_are():
    asked = {"style", "style_video", "style_region", "style_effort", "motion", "save_motion"}
    known = set(Options.__dataclass_fields__) | asked | {"save_patterns", "json"}
    for rule in RULES:
        assert known.issuperset(f"{rule.names} {rule.because}".split())


def test_python_refuses_them_before_anything_is_read():
    with pytest.raises(ConfigError, match="--size changes nothing without --crop"):
        animate("none.png", "none.wav", options=Options(size=256))
    with pytest.raises(ConfigError, match="--beat changes nothing with --motion"):
        animate("none.png", "none.wav", motion=performed_motion(1), options=Options(beat=0.5))
    with pytest.raises(ConfigError, match="--vocals-offset changes nothing without"):
        make_motion("none.wav", options=MotionOptions(vocals_offset=1.0))


def test_a_wrong_rate_is_refused_in_python_too():
    with pytest.raises(ConfigError, match="--fps is wrong: 5 is not from 10 to 60"):
        check_options(Options(fps=5))
