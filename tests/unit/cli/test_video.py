"""What a request for a video becomes."""

from __future__ import annotations

import pytest

from stylehead.cli.jobs import read_request
from stylehead.options import Options, StyleEffort

FACE = ["--image", "a.png", "--audio", "b.wav"]


def asked(*more):
    return read_request([*FACE, *more])


def test_a_preview_is_short_and_small():
    assert asked("--preview").options == Options(duration=3, crop=True, size=256)
    assert asked("--preview", "--duration", "2", "--crop", "--size", "128").options == Options(
        duration=2, crop=True, size=128
    )
    assert asked("--preview", "--duration", "60", "--start", "5").options.duration == 3


def test_a_preview_keeps_the_frame_that_is_asked_for():
    options = asked("--preview", "--frame", "9:16").options
    assert options == Options(duration=3, frame="9:16")


@pytest.mark.parametrize("preview", [True, False])
def test_a_preview_learns_no_more_of_a_clip_than_its_ranges(preview):
    more = ["--preview"] if preview else []
    asked_for = asked("--style-video", "c.mp4", "--style-effort", "full", *more)
    effort = StyleEffort.FAST if preview else StyleEffort.FULL
    assert asked_for.effort.style_effort is effort
    assert asked(*more).effort.style_effort is StyleEffort.NORMAL
