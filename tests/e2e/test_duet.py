"""A picture of two people, their stems and their lyrics: from the command line to the video."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from stylehead.face.landmarks import mouth_opening
from stylehead.options import Options
from stylehead.pipeline import run as pipeline
from stylehead.provenance.verify import unsigned_sha256
from tests.conftest import FILTERED, Command, Outcome
from tests.stand_ins import media

LYRICS = "[00:00.00]1: la la\n[00:01.00]2: lo \u266a\n[00:02.00]\n"
PIECE = ("--fps", 10, "--duration", 2)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two faces, the right one greener."""
    return media.save_picture(tmp_path / "two.png", media.two_faces(240, 240))


@pytest.fixture
def animate(call: Command, output: Path, speech: Path) -> Command:
    def go(*words: object, image: Path) -> Outcome:
        return call("animate", "--image", image, "--audio", speech, "-o", output, *words)

    return go


def shown(video: Path) -> list[tuple[float, float, str]]:
    """Return the subtitles of a video: start, end and words."""
    with av.open(str(video)) as container:
        (stream,) = container.streams.subtitles
        assert stream.codec_context.name == "mov_text"
        packets = [packet for packet in container.demux(stream) if packet.size > 2]
    return [
        (
            float(packet.pts * packet.time_base),
            float((packet.pts + packet.duration) * packet.time_base),
            bytes(packet)[2:].decode(),
        )
        for packet in packets
    ]


def test_two_faces_sing_in_turn_and_the_lyrics_are_subtitles(
    animate: Command, tmp_path: Path, output: Path, speech: Path, two: Path
) -> None:
    cues = tmp_path / "song.lrc"
    cues.write_text(LYRICS, encoding="utf-8")
    words = ("--sing", f"2={speech}:lively", "--cues", cues, *PIECE, "--still", "--blink", 0)
    outcome = animate(*words, "--json", image=two)
    assert outcome.code == 0, outcome
    facts = json.loads(outcome.stdout)
    assert [(one["face"], one["sound"], one["style"]) for one in facts["singers"]] == [
        (1, str(speech), "plain"),
        (2, str(speech), "lively"),
    ]
    assert all(one["voice_fraction"] > 0.5 for one in facts["singers"])
    assert shown(output) == [(0.0, 1.0, "la la"), (1.0, 2.0, "lo \u266a")]
    assert media.read_video(output)[0].shape == (20, 240, 480, 3)


@pytest.mark.slow
def test_mouths_open_in_their_own_lines(tmp_path: Path, speech: Path, two: Path) -> None:
    cues = tmp_path / "song.lrc"
    cues.write_text(LYRICS, encoding="utf-8")
    options = Options(sing=[f"2={speech}:lively"], cues=cues, fps=10, duration=2, overwrite=True)
    made = pipeline.animate(two, speech, tmp_path / "song.mp4", options=options)
    left, right = (mouth_opening(take.motion.landmarks) for take in made.takes)
    early, late = slice(3, 9), slice(13, 18)  # a resting face may smile, and keeps its lips shut
    for sings, rests in ((left[early], left[late]), (right[late], right[early])):
        assert np.ptp(sings) > 3 * np.ptp(rests)


@pytest.mark.slow
def test_a_single_face_with_a_stem_gives_the_video_of_vocals(
    animate: Command, output: Path, speech: Path, tmp_path: Path
) -> None:
    picture = media.save_picture(tmp_path / "one.png", media.resized(media.portrait(), (256, 256)))
    words = ("--fps", 10, "--duration", 1, "--overwrite")
    assert animate("--sing", f"1={speech}", *words, image=picture).code == 0
    singing = unsigned_sha256(output)
    assert animate("--vocals", speech, *words, image=picture).code == 0
    assert unsigned_sha256(output) == singing


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sing", "3={speech}"), "2 faces, so there is no face 3"),
        (("--sing", "1=none.wav:lively"), "none.wav does not exist"),
        (("--sing", "1={speech}:nobody"), "nobody"),
        (("--sing", "{speech}"), "does not give a face a stem"),
        (("--cues", "none.lrc"), "none.lrc does not exist"),
        (("--cues", "{lyrics}"), "line 2: 'lo' has no time"),
        (("--sing", "1={speech}", "--crop"), "--crop shows one face"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    animate: Command,
    tmp_path: Path,
    output: Path,
    speech: Path,
    two: Path,
    words: tuple[str, ...],
    said: str,
) -> None:
    lyrics = tmp_path / "song.lrc"
    lyrics.write_text("[00:01]1: la\nlo\n")
    asked = [word.format(speech=speech, lyrics=lyrics) for word in words]
    outcome = animate(*asked, *PIECE, image=two)
    assert (outcome.code, outcome.stdout) == (1, "")
    line = outcome.stderr.strip().splitlines()[-1]
    assert said in line
    assert not output.exists()


def test_the_motion_of_several_faces_is_not_saved_as_one(
    animate: Command, tmp_path: Path, output: Path, speech: Path, portrait: Path
) -> None:
    for flag, path in (("--save-motion", "m.npz"), ("--save-patterns", "folder")):
        outcome = animate("--sing", f"1={speech}", flag, tmp_path / path, image=portrait)
        assert outcome.code == 2
        assert flag in outcome.stderr
        assert not output.exists()


@pytest.mark.slow
def test_two_faces_are_cut_out_together(
    animate: Command, tmp_path: Path, output: Path, speech: Path
) -> None:
    words = ("--sing", f"1={speech}", "--sing", f"2={speech}:lively", "--fps", 10)
    words = (*words, "--duration", 0.3, *FILTERED)
    two = media.save_picture(tmp_path / "two.png", media.two_faces())
    faces, between = ((slice(70, 90), slice(215, 235)), (slice(62, 80), slice(660, 678))), 436
    pictures = tmp_path / "pictures"
    assert animate(*words, "--alpha", "-o", f"{pictures}/", image=two).code == 0
    for path in sorted(pictures.iterdir()):
        with Image.open(path) as picture:
            alpha = np.asarray(picture)[..., 3]
        assert all((alpha[face] == 255).all() for face in faces)
        assert (alpha[:30, between - 8 : between + 8] == 0).all()
    outcome = animate(*words, "--background", "#00b140", image=two)
    assert outcome.code == 0, outcome
    frames, _ = media.read_video(output)
    corner = frames[:, 4:28, between - 8 : between + 8].reshape(-1, 3).mean(0)
    assert np.abs(corner - [0, 0xB1, 0x40]).max() < 6
