"""Every kind of bad or odd input: refused in one clear line, or handled and the result checked."""

from __future__ import annotations

import io
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from av.stream import Disposition
from PIL import Image, ImageFile

from stylehead.errors import StyleheadError
from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import angles_from_rotation, rotation_from_angles
from stylehead.motion.file import load_motion
from stylehead.options import AudioRange, Options
from stylehead.pipeline import run as pipeline
from stylehead.pipeline.run import learn_from_clip
from stylehead.style.file import load_style
from stylehead.tracking.portrait import find_portrait
from stylehead.weights import store
from stylehead.weights.store import PACKAGE, resolve
from tests.conftest import FILTERED, QUICK, Command, Outcome, command, environment
from tests.stand_ins import media

TALK = re.compile(
    r"(Looking for music|Listening|A voice in|Tracking|Rendering|Animating face|Downloading"
    r"|\d+ frames of|\S+ is scaled down|\S+ was damaged|Note:|The style of \S+ was learned) ?.*"
)
"""Progress, which may stand before the one line that says what went wrong."""


def refused(outcome: Outcome, *words: object, code: int = 1) -> str:
    """Check that a run ended in one line for the user which holds these words, and return it."""
    lines = outcome.stderr.strip().splitlines()
    assert outcome.code == code, outcome
    assert outcome.stdout == ""
    assert "Traceback" not in outcome.stderr
    assert lines and lines[-1].startswith("Error: "), outcome.stderr
    others = [line for line in lines[:-1] if not TALK.fullmatch(line)]
    assert not others, f"more than one line: {others}"
    for word in words:
        assert str(word) in lines[-1], f"{word!r} is not in {lines[-1]!r}"
    return lines[-1]


def worked(outcome: Outcome) -> Outcome:
    assert outcome.code == 0, outcome
    assert "Error" not in outcome.stderr
    return outcome


def first_face(video: Path) -> np.ndarray:
    """Track the first frame of a result: mesh points in pixels."""
    frames, _ = media.read_video(video)
    return find_portrait(frames[0], name=str(video)).face.mesh[:, :2]


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean distance of two meshes in pixels."""
    return float(np.linalg.norm(one - other, axis=1).mean())


@pytest.fixture(scope="module")
def upright_face(
    portrait: Path,
    speech: Path,
    glance: tuple[object, ...],
    tmp_path_factory: pytest.TempPathFactory,
):
    """What a picture without any oddity leads to: the face in the first frame."""
    path = tmp_path_factory.mktemp("upright") / "talk.mp4"
    options = Options(crop=True, size=128, fps=10, duration=0.3)  # as in QUICK and glance
    motion = load_motion(Path(str(glance[1])))
    pipeline.animate(portrait, speech, path, motion=motion, options=options)
    return first_face(path)


@pytest.fixture
def no_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every loading of networks fail the test: the first may fetch large files."""
    for name in ("load_renderer", "load_predictor"):
        monkeypatch.setattr(pipeline, name, lambda *_, **__: pytest.fail("networks were loaded"))


# ---- pictures -------------------------------------------------------------------------------


def test_a_picture_without_a_face_is_refused_in_one_line(
    animate: Command, tmp_path: Path, output: Path, no_networks: None
) -> None:
    image = media.save_picture(tmp_path / "field.png", media.landscape())
    refused(animate(image=image), image, "shows no face", "turned to the camera")
    assert not output.exists()


@pytest.mark.slow
def test_refusals_are_one_line_in_a_process_of_its_own_too(
    run: Command, tmp_path: Path, speech: Path, output: Path
) -> None:
    image = media.save_picture(tmp_path / "field.png", media.landscape())
    outcome = run("animate", "--image", image, "--audio", speech, "-o", output)
    refused(outcome, image, "shows no face")
    assert len(outcome.stderr.splitlines()) == 1
    assert not output.exists()


@pytest.mark.parametrize(("left", "right", "largest"), [(512, 360, 1), (360, 512, 2)])
def test_of_several_faces_the_largest_is_animated_and_that_is_said(
    animate: Command,
    tmp_path: Path,
    output: Path,
    glance: tuple[object, ...],
    left: int,
    right: int,
    largest: int,
) -> None:
    image = media.save_picture(tmp_path / "two.png", media.two_faces(left, right))
    outcome = worked(animate(*glance, image=image))
    assert f"Animating face {largest} of 2, the largest; --face takes another" in outcome.stderr
    assert output.is_file()


@pytest.mark.parametrize("name", ["image", "audio"])
def test_an_output_that_is_an_input_is_refused_and_the_input_stays(
    animate: Command, output: Path, portrait: Path, speech: Path, name: str
) -> None:
    given = {"image": portrait, "audio": speech}[name]
    content = given.read_bytes()
    output.hardlink_to(given)
    refused(animate("--overwrite"), output, "is one of the inputs")
    assert given.read_bytes() == content
    output.unlink()


@pytest.mark.parametrize("number", [1, 2])
def test_a_face_is_chosen_by_its_number_from_left_to_right(
    animate: Command, tmp_path: Path, output: Path, glance: tuple[object, ...], number: int
) -> None:
    pixels = media.two_faces(512, 400)
    # The right copy is green, so that the crop tells which face it holds.
    pixels[:, 512:] = (pixels[:, 512:] * [0.5, 1, 0.5]).astype(np.uint8)
    image = media.save_picture(tmp_path / "two.png", pixels)
    outcome = worked(animate("--face", number, *glance, image=image))
    assert f"Animating face {number} of 2" in outcome.stderr
    assert "largest" not in outcome.stderr
    red, green, _ = media.read_video(output)[0][0][40:90, 40:90].mean((0, 1))
    assert (green > red) == (number == 2)


def test_a_face_that_is_not_there_is_refused_with_the_number_of_faces(
    animate: Command, tmp_path: Path, output: Path
) -> None:
    image = media.save_picture(tmp_path / "two.png", media.two_faces(512, 480))
    refused(animate("--face", 3, image=image), image, "2 faces", "--face 1 to --face 2")
    assert not output.exists()


def test_faces_are_counted_from_one(animate: Command, output: Path) -> None:
    assert animate("--face", 0).code == 2
    assert not output.exists()


@pytest.mark.parametrize(("pitch", "yaw"), [(0.0, 60.0), (0.0, -60.0), (50.0, 0.0)])
def test_a_face_turned_away_is_refused_in_one_line(
    animate: Command, portrait: Path, output: Path, monkeypatch, pitch: float, yaw: float
) -> None:
    # No picture made by code shows a profile; the pose is what decides, so the pose is changed.
    turned = rotation_from_angles(np.array([pitch, yaw, 0.0]))
    real = FaceModel.pose
    monkeypatch.setattr(
        FaceModel, "pose", lambda self, mesh: real(self, mesh)._replace(rotation=turned)
    )
    found = "60 degrees to the side" if yaw else "up or down"
    refused(animate(), portrait, "is turned", found, "both eyes and the whole mouth")
    assert not output.exists()


@pytest.mark.parametrize("side", [8, 32])
def test_a_picture_of_a_few_pixels_is_refused_in_one_line(
    animate: Command, tmp_path: Path, output: Path, side: int
) -> None:
    image = media.save_picture(tmp_path / "dot.png", media.resized(media.portrait(), (side, side)))
    refused(animate(image=image), image)
    assert not output.exists()


def test_pictures_of_hardly_any_pixel_are_refused_in_one_line(tmp_path: Path) -> None:
    # A process of its own: the tracker's native code has failed and hung on pictures like these.
    code = "\n".join(
        (
            "import sys; from pathlib import Path",
            "from stylehead.errors import FaceError; from stylehead.media.image import read_image",
            "from stylehead.tracking.portrait import find_portrait",
            "for path in sys.argv[1:]:",
            "    try: find_portrait(read_image(Path(path)), name=path)",
            "    except FaceError as error: print(error)",
        )
    )
    images = [
        media.save_picture(tmp_path / f"{side}.png", media.resized(media.portrait(), (side, side)))
        for side in (1, 3)
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, images)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    for image, line in zip(images, done.stdout.splitlines(), strict=True):
        assert f"{image} has only" in line


def test_a_tiny_face_is_refused_with_the_least_size(
    animate: Command, tmp_path: Path, output: Path
) -> None:
    image = media.save_picture(tmp_path / "tiny.png", media.resized(media.portrait(), (90, 90)))
    refused(animate(image=image), image, "too small", "at least 18 are needed")
    assert not output.exists()


@pytest.mark.parametrize("side", [12_000, 20_000])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(
    animate: Command, tmp_path: Path, output: Path, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One bit a pixel and nothing in it: a small file with a huge header.
    image = tmp_path / "huge.png"
    Image.new("1", (side, side)).save(image)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("it was decoded"))
    refused(animate(image=image), image, "more than the 100 million pixels", "3840 pixels")
    assert not output.exists()


@pytest.mark.slow
def test_a_large_photograph_is_searched_for_its_face() -> None:
    pixels = np.full((4000, 6000, 3), 120, np.uint8)
    pixels[1000:2500, 2000:3500] = media.resized(media.portrait(), (1500, 1500))
    found = find_portrait(pixels, name="large")
    small = find_portrait(media.portrait(), name="small")
    expected = small.face.mesh[:, :2] * (1500 / 512) + [2000, 1000]
    assert found.count == 1
    assert apart(found.face.mesh[:, :2], expected) < 6


def test_a_long_narrow_banner_does_not_take_the_memory_of_a_square(
    animate: Command, tmp_path: Path, output: Path
) -> None:
    # The search pads a picture before it cuts it up; a strip must not become a square.
    image = media.save_picture(tmp_path / "banner.png", np.full((60, 60_000, 3), 200, np.uint8))
    tracemalloc.start()
    try:
        refused(animate(image=image), image)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200e6
    assert not output.exists()


@pytest.mark.parametrize("kind", ["rgba", "palette", "16-bit", "float", "cmyk", "turned", "mpo"])
def test_an_odd_picture_gives_the_same_face_as_the_plain_one(
    animate: Command,
    tmp_path: Path,
    output: Path,
    upright_face: np.ndarray,
    glance: tuple[object, ...],
    kind: str,
) -> None:
    pixels = media.portrait()
    path = tmp_path / "odd.png"
    picture = Image.fromarray(pixels)
    if kind == "rgba":
        picture.putalpha(255)
        picture.save(path)
    elif kind == "palette":
        picture.quantize(256).save(path)
    elif kind == "16-bit":
        Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257).save(path)
    elif kind == "float":
        path = path.with_suffix(".tif")
        Image.fromarray(np.asarray(picture.convert("L"), np.float32)).save(path)
    elif kind == "cmyk":
        path = path.with_suffix(".jpg")
        picture.convert("CMYK").save(path, quality=95)
    elif kind == "turned":
        media.save_turned(path := path.with_suffix(".jpg"), pixels)
    else:  # a phone's photograph with its depth map
        path = path.with_suffix(".jpg")
        picture.save(path, format="MPO", save_all=True, append_images=[picture], quality=95)
    worked(animate(*glance, image=path))
    assert apart(first_face(output), upright_face) < 1.5


def test_a_grey_picture_gives_a_grey_video_of_the_same_face(
    animate: Command,
    tmp_path: Path,
    output: Path,
    upright_face: np.ndarray,
    glance: tuple[object, ...],
) -> None:
    image = tmp_path / "grey.png"
    Image.fromarray(media.portrait()).convert("L").save(image)
    worked(animate(*glance, image=image))
    assert apart(first_face(output), upright_face) < 1.5
    frame = media.read_video(output)[0][0].astype(int)
    # Mouth and teeth are painted in, everything else must stay grey.
    assert np.percentile(np.ptp(frame, axis=2), 90) <= 6


@pytest.fixture
def animate_whole(call: Command, output: Path, glance: tuple[object, ...]) -> Command:
    """Animate the whole picture instead of the crop."""

    def go(image: Path) -> Outcome:
        words = ("-o", output, "--fps", 10, *glance)
        return call("animate", "--image", image, "--audio", media.VOICE, *words)

    return go


def test_transparency_is_laid_on_white(
    animate_whole: Command, tmp_path: Path, output: Path
) -> None:
    image = tmp_path / "cut-out.png"
    picture = Image.fromarray(media.portrait())
    alpha = np.full((512, 512), 255, np.uint8)
    alpha[:, :60] = 0
    picture.putalpha(Image.fromarray(alpha))
    picture.save(image)
    worked(animate_whole(image))
    assert media.read_video(output)[0][0][:, 4:56].min() > 240


def test_a_turned_photograph_gives_an_upright_video_of_the_whole_picture(
    animate_whole: Command, tmp_path: Path, output: Path
) -> None:
    # Wider than high, so that a turn would show in the size as well.
    pixels = np.concatenate([media.portrait(), np.full((512, 100, 3), 90, np.uint8)], axis=1)
    image = media.save_turned(tmp_path / "phone.jpg", pixels)
    worked(animate_whole(image))
    frames, _ = media.read_video(output)
    assert frames.shape[1:] == (512, 612, 3)
    found = find_portrait(frames[0], name="result").face.mesh[:, :2]
    wanted = find_portrait(pixels, name="picture").face.mesh[:, :2]
    assert apart(found, wanted) < 5  # the portrait's smile is taken off, hence not less


def test_an_animated_picture_is_refused_with_its_number_of_pictures(
    animate: Command, tmp_path: Path, output: Path
) -> None:
    image = tmp_path / "moving.gif"
    one, two = Image.fromarray(media.portrait()), Image.fromarray(media.portrait()[::-1])
    one.save(image, save_all=True, append_images=[two], duration=100)
    refused(animate(image=image), image, "animation of 2 pictures", "as PNG")
    assert not output.exists()


def test_a_gif_of_one_picture_works(
    animate: Command,
    tmp_path: Path,
    output: Path,
    upright_face: np.ndarray,
    glance: tuple[object, ...],
) -> None:
    image = tmp_path / "still.gif"
    Image.fromarray(media.portrait()).save(image)
    worked(animate(*glance, image=image))
    assert apart(first_face(output), upright_face) < 1.5


KINDS = ("png", "jpeg", "gif", "tiff", "webp", "bmp")


@cache
def sound_picture(kind: str) -> bytes:
    """Return the portrait as a file of a kind."""
    buffer = io.BytesIO()
    Image.fromarray(media.portrait()).save(buffer, kind.upper())
    return buffer.getvalue()


def damaged_picture(name: str) -> bytes:
    """Return a picture that breaks a decoder in one of several ways."""
    way, kind = name.split(".")
    if way == "text":
        return b"not a picture at all\n"
    if way == "zeros":
        return bytes(5000)
    content = sound_picture(kind)
    if way == "scrambled":
        return content[:2000] + bytes(100) + content[2100:]
    return content[: len(content) // 3] if way == "cut" else content[:30]


@pytest.mark.parametrize(
    "name",
    [
        *("text.png", "zeros.jpg", "scrambled.png"),
        *(f"{way}.{kind}" for kind in KINDS for way in ("cut", "stub")),
    ],
)
def test_a_damaged_picture_is_refused_in_one_line(
    animate: Command, tmp_path: Path, output: Path, name: str, no_networks: None
) -> None:
    image = tmp_path / name
    image.write_bytes(damaged_picture(name))
    refused(animate(image=image), image, "PNG or JPEG")
    assert not output.exists()


def test_a_recording_given_as_picture_is_refused(
    animate: Command, speech: Path, output: Path
) -> None:
    refused(animate(image=speech), speech, "not a picture", "PNG or JPEG")
    assert not output.exists()


@pytest.mark.parametrize("given", ["-", "pipe"])
def test_a_recording_may_come_from_a_pipe(
    call: Command, tmp_path: Path, speech: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    content = speech.read_bytes()
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(content,))
    if given == "-":
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    else:
        os.mkfifo(tmp_path / given)
        writer.start()
        given = str(tmp_path / given)
    motions = []
    for name, audio in (("piped", given), ("read", speech)):
        path = tmp_path / f"{name}.npz"
        worked(call("motion", "--audio", audio, "-o", path, "--fps", 10, *FILTERED))
        motions.append(load_motion(path))
    np.testing.assert_array_equal(motions[0].landmarks, motions[1].landmarks)
    if writer.ident:
        writer.join()


@pytest.mark.parametrize("which", ["image", "audio"])
def test_a_file_that_is_not_there_an_empty_one_and_a_folder_are_refused(
    animate: Command, tmp_path: Path, output: Path, which: str
) -> None:
    empty, missing = tmp_path / "empty.x", tmp_path / "missing.x"
    empty.touch()
    refused(animate(**{which: empty}), empty, "0 bytes")
    refused(animate(**{which: missing}), missing, "does not exist", "Check")
    refused(animate(**{which: tmp_path}), tmp_path, "is a folder", "Name one")
    assert not output.exists()


# ---- recordings -----------------------------------------------------------------------------


def test_a_recording_without_samples_is_refused(
    animate: Command, tmp_path: Path, output: Path
) -> None:
    audio = media.save_sound(tmp_path / "nothing.wav", np.zeros(0, np.float32))
    refused(animate(audio=audio), audio, "0.00 s of sound", "at least 0.1 s")
    assert not output.exists()


def test_a_start_behind_the_end_is_refused(animate: Command, speech: Path, output: Path) -> None:
    refused(animate("--start", 100), speech, "0.00 s of sound after 1:40.0")
    assert not output.exists()


@pytest.mark.parametrize("amount", [0.0, 1e-4])
def test_a_silent_recording_is_refused_in_one_line_before_any_work(
    animate: Command,
    call: Command,
    tmp_path: Path,
    output: Path,
    amount: float,
    no_networks: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "find_faces", lambda *_: pytest.fail("the picture was searched"))
    samples = amount * np.random.default_rng(0).uniform(-1, 1, 32_000).astype(np.float32)
    audio = media.save_sound(tmp_path / "silent.flac", samples)
    refused(animate(audio=audio), audio, "is silent", "a voice can be heard")
    assert not output.exists()
    motion = tmp_path / "m.npz"
    refused(call("motion", "--audio", audio, "-o", motion), audio, "is silent")
    assert not motion.exists()


def test_of_a_silent_part_the_times_are_named(
    animate: Command, tmp_path: Path, output: Path
) -> None:
    samples = np.concatenate([np.zeros(32_000, np.float32), media.voice(1)])
    audio = media.save_sound(tmp_path / "late.flac", samples)
    refused(animate("--duration", 1, audio=audio), "is silent from 0:00.0 to 0:01.0", "--start")
    assert not output.exists()


@pytest.mark.parametrize("name", ["text.wav", "scrambled.mp3", "cut.m4a", "stub.wav", "picture"])
def test_a_file_that_is_no_recording_is_refused_in_one_line(
    animate: Command, tmp_path: Path, portrait: Path, output: Path, name: str
) -> None:
    audio = tmp_path / name
    if name == "text.wav":
        audio.write_text("These are words.\n" * 50)
    elif name == "scrambled.mp3":
        audio.write_bytes(np.random.default_rng(1).bytes(20_000))
    elif name == "cut.m4a":  # its table of contents is at the end
        media.save_sound(audio, media.voice(2))
        audio.write_bytes(audio.read_bytes()[:8000])
    elif name == "stub.wav":
        media.save_sound(audio, media.voice(1))
        audio.write_bytes(audio.read_bytes()[:20])
    else:
        audio = portrait
    refused(animate(audio=audio), audio)
    assert not output.exists()


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".ogg", ".wav"])
def test_of_a_recording_that_breaks_off_the_whole_part_is_used(
    animate: Command, tmp_path: Path, output: Path, suffix: str
) -> None:
    audio = media.save_sound(tmp_path / f"half{suffix}", media.voice(4))
    content = audio.read_bytes()
    audio.write_bytes(content[: len(content) // 2])
    worked(animate(audio=audio))
    late, alike = media.lag(media.voice(1), media.read_sound(output))
    assert abs(late) < 0.1
    assert alike > 0.9


@pytest.mark.parametrize("damage", ["zeros", "noise"])
@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".ogg", ".m4a"])
def test_a_recording_damaged_in_the_middle_works_or_is_refused(
    call: Command, tmp_path: Path, suffix: str, damage: str
) -> None:
    audio = media.save_sound(tmp_path / f"damaged{suffix}", media.voice(4))
    content = bytearray(audio.read_bytes())
    middle = len(content) // 2
    noise = np.random.default_rng(2).bytes(1500)
    content[middle : middle + 1500] = bytes(1500) if damage == "zeros" else noise
    audio.write_bytes(content)
    outcome = call("motion", "--audio", audio, "-o", tmp_path / "m.npz")
    if outcome.code == 0:
        assert load_motion(tmp_path / "m.npz").seconds > 1
    else:
        refused(outcome, audio)


@pytest.mark.parametrize(("rate", "channels"), [(22_050, 1), (16_000, 2)])
def test_a_recording_that_changes_its_format_midway_works_or_is_refused(
    call: Command, tmp_path: Path, rate: int, channels: int
) -> None:
    # Jingle, talk, jingle: radio recordings are put together like this.
    one = media.save_sound(tmp_path / "one.mp3", media.voice(2))
    rows = np.repeat(media.voice(2, rate)[:, None], channels, 1)
    two = media.save_sound(tmp_path / "two.mp3", rows, rate)
    both = tmp_path / "both.mp3"
    both.write_bytes(one.read_bytes() + two.read_bytes())
    outcome = call("motion", "--audio", both, "-o", tmp_path / "m.npz")
    if outcome.code == 0:
        assert load_motion(tmp_path / "m.npz").seconds > 1.9
    else:
        refused(outcome, both)


@pytest.mark.parametrize(
    ("name", "rate", "channels"),
    [
        ("phone.wav", 8_000, 1),
        ("surround.wav", 48_000, 6),
        ("surround.flac", 44_100, 6),
        ("stereo.mp3", 44_100, 2),
        ("stereo.ogg", 22_050, 2),
        ("stereo.m4a", 48_000, 2),
        ("studio.wav", 96_000, 2),
        ("odd.wav", 37_800, 1),
    ],
)
def test_sound_of_any_rate_and_number_of_channels_comes_out_as_it_went_in(
    animate: Command, tmp_path: Path, output: Path, name: str, rate: int, channels: int
) -> None:
    voice = media.voice(2, rate)
    # Each channel has a loudness of its own, so that a mix-up of places would show.
    rows = np.stack([voice * (0.4 + 0.1 * i) for i in range(channels)], 1)
    if channels == 6:
        rows[:, 3] = 0.05 * voice  # what the low-frequency channel loses is not compared
    audio = media.save_sound(tmp_path / name, rows if channels > 1 else rows[:, 0], rate)
    worked(animate(audio=audio))
    with av.open(str(output)) as container:
        track = container.streams.audio[0]
        assert track.channels == channels
        known = rate in (8_000, 22_050, 44_100, 48_000, 96_000)
        assert track.rate == (rate if known else 48_000)
        parts = [frame.to_ndarray() for frame in container.decode(track)]
    late, alike = media.lag(media.voice(1), media.read_sound(output))
    assert abs(late) <= 0.1
    assert alike > 0.9
    loud = np.sqrt(np.square(np.concatenate(parts, 1)).mean(1))
    if channels > 1:
        wanted = np.sqrt(np.square(rows[:rate]).mean(0))
        compared = [i for i in range(channels) if channels != 6 or i != 3]
        assert loud[compared] / loud[0] == pytest.approx(wanted[compared] / wanted[0], rel=0.15)


def test_clipped_sound_works_and_moves_the_mouth(animate: Command, tmp_path: Path) -> None:
    audio = tmp_path / "clipped.wav"
    soundfile.write(audio, (20 * media.voice(2)).clip(-1, 1), 16_000, subtype="PCM_16")
    worked(animate("--save-motion", tmp_path / "m.npz", audio=audio))
    assert np.ptp(load_motion(tmp_path / "m.npz").landmarks) > 0.02


@pytest.mark.parametrize("kind", ["beyond full scale", "not a number", "infinite"])
def test_floating_point_sound_with_odd_samples_works(
    animate: Command, tmp_path: Path, kind: str
) -> None:
    samples = media.voice(2)
    if kind == "beyond full scale":
        samples *= 20
    else:  # a plug-in that failed for a moment
        samples[1000:1010] = np.nan if kind == "not a number" else np.inf
    audio = media.save_sound(tmp_path / "float.wav", samples, subtype="FLOAT")
    worked(animate("--save-motion", tmp_path / "m.npz", audio=audio))
    assert np.ptp(load_motion(tmp_path / "m.npz").landmarks) > 0.02


def test_a_video_lends_its_sound(animate: Command, tmp_path: Path, output: Path) -> None:
    video = media.save_video(
        tmp_path / "source.mp4", [media.landscape()] * 50, sound=media.voice(2)
    )
    worked(animate(audio=video))
    late, alike = media.lag(media.voice(1), media.read_sound(output))
    assert abs(late) <= 0.1
    assert alike > 0.9


def test_sound_that_starts_later_than_its_picture_keeps_its_place(
    animate: Command, tmp_path: Path, output: Path
) -> None:
    video = media.save_video(
        tmp_path / "late.mp4", [media.landscape()] * 50, sound=media.voice(1.5), late=0.5
    )
    assert animate("--duration", 2, audio=video).code == 0
    assert len(media.read_video(output)[0]) == 20
    late, alike = media.lag(media.voice(1.5), media.read_sound(output))
    assert late == pytest.approx(0.5, abs=0.1)
    assert alike > 0.9


def test_a_video_without_sound_given_as_recording_is_refused(
    animate: Command, tmp_path: Path, output: Path
) -> None:
    video = media.save_video(tmp_path / "mute.mp4", [media.landscape()] * 5)
    refused(animate(audio=video), video, "has no sound", "a recording of a voice")
    assert not output.exists()


def test_a_cover_picture_in_a_song_changes_nothing(call: Command, tmp_path: Path) -> None:
    plain, covered = tmp_path / "plain.mp3", tmp_path / "covered.mp3"
    media.save_sound(plain, media.voice(2))
    with av.open(str(plain)) as source, av.open(str(covered), "w") as target:
        sound = target.add_stream_from_template(source.streams.audio[0])
        cover = target.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "rgb24"
        cover.disposition = Disposition.attached_pic
        pixels = media.resized(media.portrait(), (64, 64))
        for packet in cover.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
            target.mux(packet)
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = sound
                target.mux(packet)
    for audio in (plain, covered):
        worked(call("motion", "--audio", audio, "-o", audio.with_suffix(".npz"), *FILTERED))
    one, two = (load_motion(audio.with_suffix(".npz")) for audio in (plain, covered))
    assert len(one) == len(two)
    np.testing.assert_allclose(one.landmarks, two.landmarks, atol=1e-5)


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour of sound at 8 kHz: 40 s of speech, then 20 s of silence, sixty times."""
    path = tmp_path_factory.mktemp("hour") / "hour.flac"
    minute = np.resize(media.voice(rate=8_000), 40 * 8_000)
    minute = np.concatenate([minute, np.zeros(20 * 8_000, np.float32)])
    with soundfile.SoundFile(path, "w", 8_000, 1) as file:
        for _ in range(60):
            file.write(minute)
    return path


@pytest.mark.parametrize("start", [0, 3540])
def test_a_part_of_an_hour_is_cut_out_quickly(
    call: Command, hour: Path, tmp_path: Path, start: int
) -> None:
    out = tmp_path / "part.npz"
    worked(
        call("motion", "--audio", hour, "-o", out, "--start", start, "--duration", 10, *FILTERED)
    )
    assert len(load_motion(out)) == 300


@pytest.mark.slow
def test_an_hour_of_sound_is_animated_in_flat_memory(hour: Path, tmp_path: Path) -> None:
    out = tmp_path / "hour.npz"
    with subprocess.Popen(
        command("motion", "--audio", hour, "-o", out), env=environment(), stderr=subprocess.DEVNULL
    ) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    assert usage.ru_maxrss < 1_500_000, "kilobytes"
    motion = load_motion(out)
    assert len(motion) == 3600 * 30
    still = motion.landmarks.reshape(60, 60 * 30, 68, 3)[:, 42 * 30 : 58 * 30]
    moving = motion.landmarks.reshape(60, 60 * 30, 68, 3)[:, 5 * 30 : 35 * 30]
    assert still.std(1).mean() < 0.2 * moving.std(1).mean()


# ---- style clips ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def frames(clip: Path) -> np.ndarray:
    """Two seconds of the talking head at 25 fps, at a size that is tracked quickly."""
    decoded, _ = media.read_video(clip)
    return np.stack([media.resized(one, (256, 256)) for one in decoded[:50]])


@pytest.fixture(scope="module")
def upright_style(frames: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    folder = tmp_path_factory.mktemp("upright-style")
    video = media.save_video(folder / "upright.mp4", frames, sound=media.voice(2))
    return learn_from_clip(video, "clip", clip=AudioRange())[0].statistics


def statistics(call: Command, video: Path) -> dict[str, float]:
    path = video.with_suffix(".style")
    worked(call("extract-style", video, "-o", path))
    return load_style(path).statistics


RANGES = ("mouth_opening_range", "mouth_width_range", "pitch_range_degrees", "roll_range_degrees")


def assert_alike(found: dict[str, float], wanted: dict[str, float]) -> None:
    # Ranges of two seconds: the same frames with an edge beside them are up to 10 % apart.
    for name in RANGES:
        assert found[name] == pytest.approx(wanted[name], rel=0.25), name


def test_a_turned_style_clip_gives_the_style_of_the_upright_one(
    call: Command, tmp_path: Path, frames: np.ndarray, upright_style: dict[str, float]
) -> None:
    # Wider than high, so that a turn shows in the size too; the tracker follows faces that lie on
    # their side, so the heads of the references must stand upright.
    wide = np.concatenate([frames, np.full((len(frames), 256, 64, 3), 90, np.uint8)], axis=2)
    video = media.save_video(tmp_path / "turned.mp4", wide, turned=True)
    assert media.read_video(video)[0].shape == (50, 320, 256, 3), "stored askew"
    found = statistics(call, video)
    assert found["seconds"] == pytest.approx(upright_style["seconds"], abs=0.05)
    assert_alike(found, upright_style)
    style = load_style(video.with_suffix(".style"))
    assert style.provenance["frame_size"] == "320x256"
    for one in style.references:
        assert np.abs(angles_from_rotation(one.rotation)).max() < 30, one.template


def test_a_variable_frame_rate_gives_the_right_duration_and_style(
    call: Command, tmp_path: Path, frames: np.ndarray, upright_style: dict[str, float]
) -> None:
    # Every other frame, every third is missing as well: gaps of 40 and 80 ms at true times.
    kept = [i for i in range(50) if i % 3]
    video = media.save_video(tmp_path / "vfr.mp4", frames[kept], times=[i / 25 for i in kept])
    gaps = np.diff(media.read_video(video)[1])
    assert gaps.min() == pytest.approx(0.04)
    assert gaps.max() == pytest.approx(0.08)
    found = statistics(call, video)
    assert found["seconds"] == pytest.approx((kept[-1] - kept[0]) / 25, abs=0.05)
    assert_alike(found, upright_style)


def test_frames_less_than_a_millisecond_apart_are_tracked(
    call: Command, tmp_path: Path, frames: np.ndarray
) -> None:
    # Screen recorders and stream dumps write such stamps; the tracker counts whole milliseconds.
    times = [i // 2 * 0.08 + i % 2 * 0.0003 for i in range(50)]
    video = media.save_video(tmp_path / "bursts.mp4", frames, times=times)
    assert statistics(call, video)["seconds"] == pytest.approx(times[-1], abs=0.1)


def test_a_style_clip_needs_no_sound(
    animate: Command, tmp_path: Path, output: Path, frames: np.ndarray
) -> None:
    video = media.save_video(tmp_path / "mute.mp4", frames)
    worked(animate("--style-video", video))
    with av.open(str(output)) as container:
        assert '"name": "mute"' in container.metadata["stylehead_style"]


def test_a_style_clip_with_a_damaged_tail_is_used_as_far_as_it_goes(
    call: Command, tmp_path: Path, clip: Path
) -> None:
    video = tmp_path / "tail.mp4"
    content = clip.read_bytes()  # its table of contents is at the front
    video.write_bytes(content[: len(content) * 2 // 3])
    found = statistics(call, video)
    assert 1 < found["seconds"] < 2.9


def test_a_style_clip_damaged_in_the_middle_works_or_is_refused(
    call: Command, tmp_path: Path, clip: Path
) -> None:
    video = tmp_path / "middle.mp4"
    content = bytearray(clip.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = np.random.default_rng(3).bytes(3000)
    video.write_bytes(content)
    outcome = call("extract-style", video, "-o", tmp_path / "x.style")
    if outcome.code:
        refused(outcome, video)
    else:
        assert load_style(tmp_path / "x.style").statistics["seconds"] > 0.5


@pytest.mark.parametrize("kind", ["noise", "cut", "sound", "text"])
def test_a_file_that_is_no_clip_is_refused_in_one_line(
    call: Command, tmp_path: Path, frames: np.ndarray, speech: Path, kind: str
) -> None:
    video = tmp_path / "clip.mp4"
    if kind == "noise":
        video.write_bytes(np.random.default_rng(4).bytes(30_000))
    elif kind == "cut":  # its table of contents is at the end
        media.save_video(video, frames[:20])
        video.write_bytes(video.read_bytes()[:9000])
    elif kind == "sound":
        video = speech
    else:
        video.write_text("These are words.\n")
    refused(call("extract-style", video, "-o", tmp_path / "x.style"), video)
    assert not (tmp_path / "x.style").exists()


def test_a_clip_of_one_frame_is_refused_by_name(
    call: Command, animate: Command, tmp_path: Path, output: Path, frames: np.ndarray
) -> None:
    video = media.save_video(tmp_path / "one.mp4", frames[:1])
    line = refused(call("extract-style", video, "-o", tmp_path / "x.style"), video, "at least 5")
    assert "1 frame" in line
    refused(animate("--style-video", video), video)
    assert not (tmp_path / "x.style").exists()
    assert not output.exists()


def test_a_style_clip_without_a_face_is_refused_by_name(
    call: Command, animate: Command, tmp_path: Path, output: Path
) -> None:
    video = media.save_video(tmp_path / "field.mp4", [media.landscape()] * 8)
    words = (video, "no face in any of its 8 frames", "faces the camera")
    refused(call("extract-style", video, "-o", tmp_path / "x.style"), *words)
    refused(animate("--style-video", video), *words)
    assert not (tmp_path / "x.style").exists()
    assert not output.exists()


# ---- disk and output ------------------------------------------------------------------------


def small_files_only() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))


@pytest.mark.slow
def test_a_full_disk_leaves_one_line_and_no_half_video(
    run: Command, portrait: Path, output: Path, glance: tuple[object, ...]
) -> None:
    words = ("animate", "--image", portrait, "--audio", media.VOICE, "-o", output)
    outcome = run(*words, *QUICK, *glance, preexec_fn=small_files_only)
    refused(outcome, output, "cannot be written", "free some space on the disk")
    assert not output.exists()


@pytest.mark.slow
def test_a_disk_that_fills_up_at_any_moment_leaves_no_half_video(
    animate: Command, output: Path, glance: tuple[object, ...]
) -> None:
    # The last bytes are written after the last frame, when the table of contents moves to the
    # front: a failure there must be noticed too.
    worked(animate(*glance))
    size = output.stat().st_size
    output.unlink()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for share in (0.3, 0.8, 0.97, 1.0):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * size) - 10, before[1]))
        try:
            outcome = animate(*glance)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        refused(outcome, output, "cannot be written", "free some space on the disk")
        assert not output.exists()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A file system of 192 KB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if not shutil.which("mount"):
        pytest.skip("no mount command")
    words = ["mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("mounting needs rights that this process lacks")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_small_file_system_that_fills_up_keeps_what_it_held(
    call: Command, portrait: Path, mounted: Path, glance: tuple[object, ...]
) -> None:
    output, filling = mounted / "talk.mp4", mounted / "filling"
    output.write_bytes(b"an older video")
    filling.write_bytes(bytes(180 * 1024))
    words = ("animate", "--image", portrait, "--audio", media.VOICE, "-o", output, "--overwrite")
    outcome = call(*words, *QUICK, *glance, "--size", 256)
    refused(outcome, output, "cannot be written", "No space left", "free some space on the disk")
    assert {path.name for path in mounted.iterdir()} == {"filling", "talk.mp4"}
    assert output.read_bytes() == b"an older video"


@pytest.mark.slow
def test_a_motion_and_a_sheet_that_do_not_fit_leave_nothing(
    call: Command, mounted: Path, clip: Path, tmp_path: Path
) -> None:
    motion, sheet = mounted / "m.npz", mounted / "sheet.png"
    refused(call("motion", "--audio", media.VOICE, "-o", motion, "--fps", 60), motion, "No space")
    style = tmp_path / "x.style"
    refused(call("extract-style", clip, "-o", style, "--sheet", sheet), sheet, "No space")
    assert list(mounted.iterdir()) == []


def test_a_style_file_that_does_not_fit_leaves_nothing(
    call: Command, mounted: Path, clip: Path
) -> None:
    style, filling = mounted / "x.style", mounted / "filling"
    filling.write_bytes(bytes(160 * 1024))
    outcome = call("extract-style", clip, "-o", style)
    refused(outcome, style, "cannot be written", "free some space on the disk")
    assert list(mounted.iterdir()) == [filling]


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every beginning of long work fail the test."""
    from stylehead.pipeline import run

    for name in ("open_song", "find_faces", "load_renderer", "load_predictor", "track_video"):
        monkeypatch.setattr(run, name, lambda *_, **__: pytest.fail("work had begun"))


def test_a_read_only_disk_is_refused_before_any_work(
    animate: Command, mounted: Path, call: Command, portrait: Path, speech: Path, no_work: None
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    output = mounted / "talk.mp4"
    outcome = call("animate", "--image", portrait, "--audio", speech, "-o", output)
    refused(outcome, output, "Read-only file system", "a folder you can write to")
    refused(animate("--save-motion", mounted / "m.npz"), mounted / "m.npz", "Read-only")


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing can be made."""
    folder = tmp_path / "locked"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)
        return
    # Permission bits do not stop the superuser, the immutable flag does.
    done = shutil.which("chattr") and subprocess.run(["chattr", "+i", str(folder)], check=False)
    if not done or done.returncode:
        pytest.skip("the superuser can write everywhere here")
    yield folder
    subprocess.run(["chattr", "-i", str(folder)], check=True)


def test_a_folder_that_may_not_be_written_to_is_refused_before_any_work(
    call: Command, portrait: Path, locked: Path, no_work: None
) -> None:
    output = locked / "talk.mp4"
    outcome = call("animate", "--image", portrait, "--audio", media.VOICE, "-o", output)
    refused(outcome, output, "cannot be written", "a folder you can write to")
    assert list(locked.iterdir()) == []


def test_an_output_folder_that_does_not_exist_is_refused(call: Command, tmp_path: Path) -> None:
    output = tmp_path / "nowhere" / "m.npz"
    refused(call("motion", "--audio", media.VOICE, "-o", output), output.parent, "does not exist")
    below_a_file = tmp_path / "file"
    below_a_file.write_text("x")
    output = below_a_file / "m.npz"
    refused(call("motion", "--audio", media.VOICE, "-o", output), below_a_file)


def test_an_output_that_is_a_folder_is_refused(call: Command, tmp_path: Path) -> None:
    output = tmp_path / "folder.npz"
    output.mkdir()
    for words in ((), ("--overwrite",)):
        outcome = call("motion", "--audio", media.VOICE, "-o", output, *words)
        refused(outcome, output, "is a folder", "the name of a file")


def test_an_output_of_another_kind_is_refused(
    call: Command, portrait: Path, clip: Path, tmp_path: Path
) -> None:
    # A picture's or sheet's name on a video would be believed by every other program.
    words = ("animate", "--image", portrait, "--audio", media.VOICE)
    refused(call(*words, "-o", tmp_path / "a.png"), "a.png", "does not end in", ".mp4")
    refused(call("motion", "--audio", media.VOICE, "-o", tmp_path / "a.mp4"), "a.mp4", ".npz")
    words = ("extract-style", clip, "-o", tmp_path / "a.style")
    refused(call(*words, "--sheet", tmp_path / "a.npz"), "a.npz", ".png")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_too_long_is_refused(
    call: Command, animate: Command, tmp_path: Path
) -> None:
    output = tmp_path / f"{'x' * 300}.npz"
    refused(call("motion", "--audio", media.VOICE, "-o", output), "xxx", "too long")
    refused(animate(image=output), "xxx", "too long")
    refused(animate(audio=output), "xxx", "too long")
    assert list(tmp_path.glob("*.npz")) == []


def test_a_long_title_in_another_script_is_a_name(
    animate: Command, tmp_path: Path, glance: tuple[object, ...]
) -> None:
    # 246 of the 255 bytes that disks allow: the partial file's longer name must not be too long.
    motion = tmp_path / f"{'月' * 80}ab.npz"
    worked(animate(*glance, "--save-motion", motion))
    assert [path.name for path in tmp_path.glob("*ab*")] == [motion.name]


def test_an_existing_output_is_refused_before_any_work_and_stays(
    animate: Command, output: Path
) -> None:
    output.write_bytes(b"precious")
    refused(animate(), output, "exists already", "--overwrite")
    assert output.read_bytes() == b"precious"


def test_an_existing_output_stays_when_overwriting_fails(
    animate: Command, tmp_path: Path, output: Path, glance: tuple[object, ...]
) -> None:
    output.write_bytes(b"precious")
    silent = media.save_sound(tmp_path / "silent.wav", np.zeros(16_000, np.float32))
    refused(animate("--overwrite", audio=silent), silent)
    assert output.read_bytes() == b"precious"
    worked(animate("--overwrite", *glance))
    assert len(media.read_video(output)[0]) == 3


def test_every_second_output_is_refused_before_any_work_too(
    animate: Command, call: Command, tmp_path: Path, clip: Path, output: Path, no_work: None
) -> None:
    names = ("m.npz", "x.style", "x.png", "M.png")
    motion, style, sheet, pattern = every = [tmp_path / name for name in names]
    for path in every:
        path.write_bytes(b"precious")
    refused(animate("--save-motion", motion), motion, "exists already")
    refused(animate("--save-patterns", tmp_path), pattern, "exists already")
    refused(animate("--save-patterns", pattern), pattern, "cannot be opened")
    refused(call("motion", "--audio", media.VOICE, "-o", motion), motion, "exists already")
    refused(call("extract-style", clip, "-o", style), style, "exists already")
    words = ("extract-style", clip, "-o", tmp_path / "y.style", "--sheet", sheet)
    refused(call(*words), sheet, "exists already")
    assert {path.read_bytes() for path in every} == {b"precious"}
    assert not output.exists()


def test_a_picture_and_style_of_one_name_are_refused(
    call: Command, tmp_path: Path, clip: Path
) -> None:
    # The second would silently replace the first.
    both = tmp_path / "x.png"
    refused(call("extract-style", clip, "-o", both, "--sheet", both), both)
    assert not both.exists()


# ---- killed ---------------------------------------------------------------------------------


def hang_up_as_usual() -> None:
    """Undo nohup, which tests may run under."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def killed_midway(
    portrait: Path, output: Path, number: signal.Signals, glance: tuple[object, ...]
) -> Outcome:
    """Start a long job, send the signal once there is a partial video, and wait for its end.

    Not once it has content: what is written stays in memory at first, perhaps until the end.
    """
    words = ("--crop", "--size", 256, "--fps", 60, *glance, "--duration", 9)
    line = command("animate", "--image", portrait, "--audio", media.VOICE, "-o", output, *words)
    with subprocess.Popen(
        line,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hang_up_as_usual,
    ) as child:
        stuck = time.monotonic() + 600
        while not any(output.parent.glob(".talk.*.part.mp4")):
            assert child.poll() is None, "it ended before it was killed"
            if time.monotonic() > stuck:
                pytest.fail("no partial video appeared")
            time.sleep(0.02)
        child.send_signal(number)
        stdout, stderr = child.communicate(timeout=30)
    return Outcome(child.returncode, stdout, stderr)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_leaves_nothing_behind(
    portrait: Path, output: Path, glance: tuple[object, ...], number: signal.Signals, code: int
) -> None:
    outcome = killed_midway(portrait, output, number, glance)
    assert outcome.code == code, outcome
    assert outcome.stdout == ""
    assert "Traceback" not in outcome.stderr
    assert "Exception" not in outcome.stderr
    assert list(output.parent.iterdir()) == []


LEAVES_LATE = """
import os, signal, sys
class Last:
    def __del__(self, kill=os.kill, here=os.getpid(), number={number}):
        kill(here, number)
last = Last()
sys.argv = ["stylehead", "--version"]
from stylehead.__main__ import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_does_not_undo_what_is_done(number: signal.Signals) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEAVES_LATE.format(number=int(number))],
        env=environment(),
        capture_output=True,
        text=True,
        preexec_fn=hang_up_as_usual,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("stylehead ")


@pytest.mark.slow
def test_after_a_kill_the_next_run_sweeps_up(
    animate: Command, portrait: Path, output: Path, glance: tuple[object, ...]
) -> None:
    assert killed_midway(portrait, output, signal.SIGKILL, glance).code == -signal.SIGKILL
    assert not output.exists()
    assert len(list(output.parent.glob(".talk.*.part.mp4"))) == 1
    worked(animate(*glance))
    assert [path.name for path in output.parent.iterdir()] == ["talk.mp4"]


# ---- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("with space", "Žluťoučký kůň 你好 🎤", "[bold]brackets[b]"),
        *("100%d done", 'it\'s "so"', ":x: 1", "-o"),
    ],
)
def test_any_name_works_and_is_printed_as_it_is(
    call: Command, tmp_path: Path, glance: tuple[object, ...], name: str
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    image = media.save_picture(folder / f"{name}.png", media.portrait())
    audio = media.save_sound(folder / f"{name}.wav", media.voice(1))
    output = folder / f"{name}.mp4"
    words = ("--image", image, "--audio", audio, "-o", output, *QUICK, *glance)
    outcome = worked(call("animate", *words))
    assert outcome.stdout == f"{output}\n"
    assert len(media.read_video(output)[0]) == 3
    with av.open(str(output)) as container:
        assert container.metadata["title"] == f"{name} (AI-generated)"
    assert len(list(folder.iterdir())) == 3


def test_an_error_names_the_file_as_it_is(call: Command, tmp_path: Path) -> None:
    audio = tmp_path / "[bold]no[b] 你好 :x:.wav"
    outcome = call("motion", "--audio", audio, "-o", tmp_path / "m.npz")
    refused(outcome, f"{audio} does not exist.")


def test_a_colon_in_a_name_is_not_taken_for_a_protocol(
    call: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: np.ndarray
) -> None:
    monkeypatch.chdir(tmp_path)
    media.save_picture(tmp_path / "a.png", media.portrait())
    media.save_sound(tmp_path / "a.wav", media.voice(1)).rename(tmp_path / "take:1.wav")
    media.save_video(tmp_path / "a.mp4", frames[:10]).rename(tmp_path / "clip:1.mp4")
    words = ("--image", "a.png", "--audio", "take:1.wav", "--style-video", "clip:1.mp4", *QUICK)
    worked(call("animate", *words, "-o", "talk:1.mp4"))
    assert (tmp_path / "talk:1.mp4").is_file()


@pytest.mark.slow
def test_a_name_that_is_no_text_works_or_is_refused(
    run: Command,
    tmp_path: Path,
    output: Path,
    glance: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = os.fsdecode(b"caf\xe9.png")  # Latin-1, from an old disk
    image = tmp_path / name
    try:
        media.save_picture(image, media.portrait())
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")  # as on a desktop
    words = ("--audio", media.VOICE, "-o", output, *QUICK, *glance)
    outcome = run("animate", "--image", image, *words)
    assert "Traceback" not in outcome.stderr, outcome.stderr[-400:]
    assert outcome.code == 0 or outcome.stderr.startswith("Error: ")
    assert output.is_file() == (outcome.code == 0)


def test_names_may_be_relative(
    call: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    portrait: Path,
    speech: Path,
    glance: tuple[object, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--image", portrait, "--audio", speech, *QUICK, *glance)
    outcome = worked(call("animate", *words))
    assert outcome.stdout == "talking.mp4\n"
    assert [path.name for path in tmp_path.iterdir()] == ["talking.mp4"]


# ---- motion files ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fields(clip: Path) -> dict[str, np.ndarray]:
    with np.load(clip.with_suffix(".npz")) as arrays:
        return dict(arrays)


def spoilt_motions(fields: dict[str, np.ndarray]) -> dict[str, tuple[dict[str, object], str]]:
    """Return name -> (fields of a wrong motion, what the message must say)."""
    bad = fields["landmarks"].copy()
    bad[3, 4, 1] = np.nan
    endless = fields["translation"].copy()
    endless[0] = np.inf
    return {
        "missing": ({key: value for key, value in fields.items() if key != "blink"}, "blink"),
        "shape": ({**fields, "landmarks": fields["landmarks"][:, :60]}, "landmarks"),
        "length": ({**fields, "rotation": fields["rotation"][:5]}, "rotation"),
        "nan": ({**fields, "landmarks": bad}, "landmarks"),
        "infinite": ({**fields, "translation": endless}, "translation"),
        "rate": ({**fields, "fps": np.array([25, 0])}, ""),
        "negative rate": ({**fields, "fps": np.array([-25, 1])}, "fps"),
        "text": ({**fields, "blink": np.array(["a"] * len(fields["blink"]))}, ""),
        "empty": ({**{k: v[:0] for k, v in fields.items()}, "fps": fields["fps"]}, ""),
        "objects": ({**fields, "blink": np.array([{}, None], object)}, ""),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("missing", "shape", "length", "nan", "infinite", "rate", "negative rate"),
        *("text", "empty", "objects"),
    ],
)
def test_a_wrong_motion_is_refused_by_its_field(
    animate: Command, tmp_path: Path, output: Path, fields: dict[str, np.ndarray], name: str
) -> None:
    path = tmp_path / "wrong.npz"
    arrays, word = spoilt_motions(fields)[name]
    with path.open("wb") as file:
        np.savez(file, allow_pickle=True, **arrays)
    refused(animate("--motion", path), path, word)
    assert not output.exists()


@pytest.mark.parametrize("kind", ["text", "npy", "cut", "scrambled", "zip", "empty", "folder"])
def test_a_file_that_is_no_motion_is_refused_in_one_line(
    animate: Command, tmp_path: Path, output: Path, clip: Path, kind: str
) -> None:
    path = tmp_path / "wrong.npz"
    content = bytearray(clip.with_suffix(".npz").read_bytes())
    if kind == "text":
        path.write_text("no motion")
    elif kind == "npy":
        with path.open("wb") as file:
            np.save(file, np.zeros((5, 68, 3)))
    elif kind == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "scrambled":
        content[5000:5200] = bytes(200)
        path.write_bytes(content)
    elif kind == "zip":
        shutil.make_archive(str(path.with_suffix("")), "zip", tmp_path, ".")
        path.with_suffix(".zip").rename(path)
    elif kind == "empty":
        path.touch()
    else:
        path.mkdir()
    refused(animate("--motion", path), path)
    assert not output.exists()


@pytest.mark.filterwarnings("error")
def test_a_wild_motion_is_rendered_or_refused(
    animate: Command, tmp_path: Path, fields: dict[str, np.ndarray]
) -> None:
    path = tmp_path / "wild.npz"
    np.savez(path, allow_pickle=True, **{**fields, "landmarks": fields["landmarks"] * 1e6})
    outcome = animate("--motion", path)
    if outcome.code:
        refused(outcome, path)


# ---- styles ---------------------------------------------------------------------------------


def test_an_unknown_style_is_refused_with_the_known_ones(animate: Command, output: Path) -> None:
    refused(animate("--style", "operatic"), "operatic", "plain", "lively", "extract-style")
    assert not output.exists()


@pytest.mark.parametrize("kind", ["text", "cut", "other", "empty", "folder"])
def test_a_damaged_style_file_is_refused_in_one_line(
    animate: Command, tmp_path: Path, output: Path, kind: str
) -> None:
    path = tmp_path / "x.style"
    content = (PACKAGE / "assets" / "styles" / "plain.style").read_bytes()
    if kind == "text":
        path.write_text("no style")
    elif kind == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "other":  # the right container with other things in it
        shutil.copy(resolve("motion_apc"), path)
    elif kind == "empty":
        path.touch()
    else:
        path.mkdir()
    refused(animate("--style", path), path, "extract-style")
    assert not output.exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("statistics", {}),
        ("statistics", []),
        ("fps", "0"),
        ("fps", "x"),
        ("references", {}),
        ("references", None),
        ("provenance", 5),
    ],
)
def test_a_style_file_with_wrong_entries_is_refused_in_one_line(
    animate: Command, tmp_path: Path, output: Path, key: str, value: object
) -> None:
    from safetensors import safe_open
    from safetensors.numpy import save_file

    path = tmp_path / "x.style"
    source = PACKAGE / "assets" / "styles" / "plain.style"
    with safe_open(source, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = {**json.loads(file.metadata()["stylehead_style"]), key: value}
    save_file(arrays, path, metadata={"stylehead_style": json.dumps(about)})
    refused(animate("--style", path), path, "extract-style")
    assert not output.exists()


def test_a_style_file_with_numbers_that_are_none_is_refused(
    animate: Command, tmp_path: Path, output: Path
) -> None:
    from safetensors import safe_open
    from safetensors.numpy import save_file

    path = tmp_path / "x.style"
    source = PACKAGE / "assets" / "styles" / "plain.style"
    with safe_open(source, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        entries = file.metadata()
    arrays["motion.landmarks"] = arrays["motion.landmarks"] * np.float16(np.nan)
    save_file(arrays, path, metadata=entries)
    refused(animate("--style", path), path, "extract-style")
    assert not output.exists()


# ---- usage, device, model files -------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("--style", "plain", "--style-video", "x.mp4"),
        ("--style", "plain", "--motion", "x.npz"),
        ("--style-video", "x.mp4", "--motion", "x.npz"),
        ("--fps", "5"),
        ("--fps", "fast"),
        ("--size", "64"),
        ("--duration", "0"),
        ("--start", "-1"),
        ("--device", "tpu"),
        ("--encoder", "ears"),
        ("--pose", "-1"),
        ("--loudly",),
    ],
)
def test_a_wrong_use_ends_with_two(animate: Command, output: Path, words: tuple[str, ...]) -> None:
    outcome = animate(*words)
    assert outcome.code == 2
    assert outcome.stdout == ""
    assert words[0] in outcome.stderr
    assert outcome.stderr.startswith("Error: ") and outcome.stderr.count("\n") == 1
    assert outcome.stderr.endswith("animate --help.\n")
    assert not output.exists()


@pytest.mark.parametrize(
    "words",
    [
        *(("--start", "nan"), ("--duration", "nan"), ("--pose", "nan")),
        *(("--start", "inf"), ("--duration", "inf")),
    ],
)
def test_not_a_number_is_a_wrong_use(
    animate: Command, output: Path, words: tuple[str, ...]
) -> None:
    assert animate(*words).code == 2
    assert not output.exists()


def test_a_missing_option_is_a_wrong_use(call: Command, portrait: Path) -> None:
    outcome = call("animate", "--image", portrait)
    assert outcome.code == 2
    assert "--audio" in outcome.stderr


def test_a_gpu_that_is_not_there_is_refused(animate: Command, output: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    refused(animate("--device", "cuda"), "no CUDA GPU", "--device cpu")
    assert not output.exists()


def test_a_damaged_model_file_of_the_package_is_refused(
    animate: Command, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    shutil.copytree(PACKAGE / "assets", package / "assets")
    for folder in (PACKAGE, PACKAGE.parent):
        if (folder / "weights.toml").is_file():
            shutil.copy(folder / "weights.toml", package)
    damaged = package / "assets" / "motion_apc.safetensors"
    content = bytearray(damaged.read_bytes())
    content[-100:] = bytes(100)
    damaged.write_bytes(content)
    monkeypatch.setattr(store, "PACKAGE", package)
    outcome = animate("--encoder", "apc")
    refused(outcome, damaged, "missing or damaged", "Install stylehead again")
    assert not output.exists()


def test_a_home_that_cannot_be_made_is_refused(
    call: Command, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x")
    monkeypatch.setenv("STYLEHEAD_HOME", str(blocked))
    refused(call("extract-style", clip), blocked, "cannot be created", "STYLEHEAD_HOME")


def test_debugging_shows_the_traceback(
    call: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STYLEHEAD_DEBUG", "1")
    with pytest.raises(StyleheadError):
        call("motion", "--audio", tmp_path / "x.wav", "-o", tmp_path / "m.npz")
