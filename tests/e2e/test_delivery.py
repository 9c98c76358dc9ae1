"""Formats, transparency, backgrounds and frames, from the command line."""

from __future__ import annotations

import json
import subprocess
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.conftest import Command, Outcome, command, environment
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


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_whole_recording_is_copied_the_same_with_any_number_of_workers(
    call: Command, tmp_path: Path, portrait: Path, glance: tuple[object, ...], name: str
) -> None:
    recording = media.save_sound(tmp_path / "voice.mp3", media.voice(0.5))
    words = ("animate", "--image", portrait, "--audio", recording, "--fps", 10, *glance[:2])
    words += ("-o", tmp_path / name, "--overwrite", "--json")
    made = [call(*words, "--workers", count) for count in (1, 2)]
    facts = [json.loads(outcome.stdout) for outcome in made]
    assert [fact["sound"] for fact in facts] == ["copied", "copied"]
    assert facts[0]["unsigned_sha256"] == facts[1]["unsigned_sha256"]
    assert "sound copied" in " ".join(made[0].stderr.split())
    with av.open(str(tmp_path / name)) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name == "mp3"


@pytest.mark.parametrize(
    ("name", "sound"), [("a.mp4", "encoded"), ("a.webm", "encoded"), ("a.gif", "none")]
)
def test_a_part_of_a_recording_is_encoded_and_what_is_silent_says_so(
    make: Command, name: str, sound: str
) -> None:
    outcome = make(name, "--json")
    assert json.loads(outcome.stdout)["sound"] == sound
    said = "no sound" if sound == "none" else f"sound {sound}"
    assert said in " ".join(outcome.stderr.split())


def test_played_in_a_loop_a_video_has_no_jump(clip: Path) -> None:
    frames = media.read_video(clip)[0].astype(np.float32)
    steps = [float(np.abs(later - before).mean()) for before, later in pairwise(frames)]
    assert np.abs(frames[0] - frames[-1]).mean() <= np.percentile(steps, 95)


def test_plain_frames_go_to_a_pipe_byte_by_byte_and_nothing_else(
    portrait: Path, speech: Path, glance: tuple[object, ...]
) -> None:
    words = ("animate", "--image", portrait, "--audio", speech, *glance, "--fps", 10)
    made = subprocess.run(
        command(*words, "-o", "-", "--format", "y4m"),
        capture_output=True,
        check=True,
        env=environment(),
    )
    head, _, frames = made.stdout.partition(b"\n")
    assert head.startswith(b"YUV4MPEG2 W512 H512 F10:1 ")
    assert len(frames) == 3 * (len(b"FRAME\n") + 512 * 512 * 3 // 2)


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
