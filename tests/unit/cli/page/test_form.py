"""The form has what the command line has, and takes nothing that does not fit."""

from __future__ import annotations

from dataclasses import fields, replace
from enum import Enum
from fractions import Fraction
from pathlib import Path

import pytest

from stylehead.cli.page.form import ELSEWHERE, entries, read
from stylehead.errors import ConfigError
from stylehead.options import Effort, Options
from stylehead.options.choices import Renderer, StyleEffort


def upload(value: object, use: str) -> Path:
    if not str(value).startswith("up/"):
        raise ConfigError(f"{use} is no upload.", remedy="Upload it.")
    return Path(str(value))


def test_every_option_has_a_field_or_a_reason():
    declared = {one.name: one for group in (Options, Effort) for one in fields(group)}
    shown = {one.name: one for one in entries()}
    assert shown.keys() | ELSEWHERE.keys() == declared.keys()
    assert not shown.keys() & ELSEWHERE.keys()
    for name, one in shown.items():
        about = declared[name].metadata
        assert (one.help, one.low, one.high) == (about["help"], about["low"], about["high"])
        assert one.default == declared[name].default


def test_an_untouched_form_asks_for_the_defaults():
    values = {
        one.name: one.default.value if isinstance(one.default, Enum) else one.default
        for one in entries()
    }
    assert read({}, upload) == (Options(), Effort())
    options, effort = read(values, upload)
    assert (replace(options, fps=30), effort) == (Options(), Effort())
    assert options.rate == Options().rate


def test_values_are_read_as_what_they_are():
    values = {
        "pose": 2,
        "fps": 29.97,
        "seed": 4.0,
        "duration": "1.5",
        "blinks_per_minute": "",
        "crop": True,
        "renderer": "vid2vid",
        "style_effort": "fast",
        "vocals": "up/voice.wav",
        "background": "green",
    }
    options, effort = read(values, upload)
    assert options == Options(
        pose=2.0,
        fps=Fraction(30000, 1001),
        seed=4,
        duration=1.5,
        crop=True,
        renderer=Renderer.VID2VID,
        vocals=Path("up/voice.wav"),
        background="green",
    )
    assert isinstance(options.seed, int)
    assert effort == Effort(style_effort=StyleEffort.FAST)
    assert read({"background": "up/office.jpg"}, upload)[0].background == "up/office.jpg"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("pose", 3.5, "Pose cannot be 3.5"),
        ("pose", float("nan"), "Pose cannot be nan"),
        ("pose", True, "Pose cannot be True"),
        ("seed", 1.5, "Seed cannot be 1.5"),
        ("fps", 70, "Fps cannot be 70"),
        ("fps", "fast", "Fps cannot be 'fast'"),
        ("duration", float("inf"), "Duration cannot be inf"),
        ("start", "1e400", "Start cannot be inf"),
        ("start", 10**400, "Start cannot be 1"),
        ("duration", "soon", "Duration cannot be 'soon'"),
        ("crop", "yes", "Crop cannot be 'yes'"),
        ("renderer", "other", "Renderer cannot be 'other'"),
        ("frame", 3, "Frame cannot be 3"),
        ("vocals", "/etc/passwd", "Vocals is no upload"),
        ("background", "/etc/passwd", "Background is no upload"),
        ("encoder_args", "-y /tmp/x", "encoder_args is no option of the page: they could"),
        ("nothing", 1, "nothing is no option of the page"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, value: object, said: str):
    with pytest.raises(ConfigError, match=said):
        read({name: value}, upload)
