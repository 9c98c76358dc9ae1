"""Formats, transparency, backgrounds and frames, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Command, Outcome
from tests.stand_ins import media


@pytest.fixture
def make(
    call: Command, tmp_path: Path, portrait: Path, speech: Path, glance: tuple[object, ...]
) -> Command:
    """Make a video of three frames."""
    words = ("animate", "--image", portrait, "--audio", speech, "--fps", 10, *glance)

    def go(*more: object) -> Outcome:
        outcome = call(*words, "-o", f"{tmp_path}/{more[0]}", *more[1:])
        assert outcome.code == 0, outcome
        return outcome

    return go


def test_transparent_pictures_in_a_folder_are_of_the_frame_that_was_asked_for(
    make: Command, tmp_path: Path
) -> None:
    outcome = make("shot/", "--alpha", "--frame", "270x480", "--json")
    facts = json.loads(outcome.stdout)
    assert (facts["output"], facts["width"], facts["height"]) == (f"{tmp_path}/shot", 270, 480)
    assert "is silent" in outcome.stderr
    pictures = sorted((tmp_path / "shot").iterdir())
    assert [path.name for path in pictures] == ["00001.png", "00002.png", "00003.png"]
    with Image.open(pictures[0]) as picture:
        assert picture.size == (270, 480)
        alpha = np.array(picture)[..., 3]
    face = alpha[150:200, 115:155]  # the eyes are at 30 to 45 % of the height
    assert (face == 255).all() and (alpha[:40] == 0).all()
    make("shot/", "--overwrite")


def test_a_background_is_there_where_nobody_is(make: Command, tmp_path: Path) -> None:
    make("green.mp4", "--background", "#00b140")
    frames, _ = media.read_video(tmp_path / "green.mp4")
    corner = frames[:, 8:40, 8:60].reshape(-1, 3).mean(0)
    assert np.abs(corner - [0, 0xB1, 0x40]).max() < 4


def test_the_picture_of_an_opaque_video_is_the_same_in_every_container(
    make: Command, tmp_path: Path
) -> None:
    for name in ("a.mp4", "a.mkv", "a.webm"):
        make(name)
    one, other, third = (
        media.read_video(tmp_path / name)[0].astype(int) for name in ("a.mp4", "a.mkv", "a.webm")
    )
    np.testing.assert_array_equal(one, other)
    assert np.abs(one - third).mean() < 4


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_wrong_arguments_of_an_encoder_are_told_before_the_recording_is_heard(
    call: Command, tmp_path: Path, portrait: Path, speech: Path, more: tuple[str, ...]
) -> None:
    words = ("animate", "--image", portrait, "--audio", speech, "-o", tmp_path / "a.mov", *more)
    outcome = call(*words, "--encoder-args", "-c:v nonsense")
    assert outcome.code == 1
    assert "ffmpeg says" in outcome.stderr and "Listening" not in outcome.stderr
    assert not list(tmp_path.iterdir())


def test_an_unknown_ending_is_refused_with_those_that_are_known(
    call: Command, tmp_path: Path, portrait: Path, speech: Path
) -> None:
    words = ("animate", "--image", portrait, "--audio", speech, "-o", tmp_path / "a.avi")
    outcome = call(*words)
    assert outcome.code == 1
    said = " ".join(outcome.stderr.split())
    assert "a.avi does not end in .mp4" in said and ".webm" in said and ".apng" in said
