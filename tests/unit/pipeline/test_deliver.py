"""What is asked of a video is refused before work where it cannot be, and written where it can."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageColor

from stylehead.errors import ConfigError, MediaError, StyleheadError
from stylehead.media.audio import open_audio
from stylehead.media.outside import try_outside, write_outside
from stylehead.options import Options, Piped, Renderer, named
from stylehead.pipeline import deliver
from stylehead.pipeline.deliver import check_delivery, title_of, written_to
from stylehead.pipeline.film import Shot
from stylehead.pipeline.frames import frames_of
from tests.stand_ins import media
from tests.unit.pipeline.test_film import moving, scene


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("a.mp4", Options(alpha=True), "holds no alpha channel"),
        ("a.avi", Options(), r"\.mp4 .*\.webm .*\.apng or /"),
        ("a.webm", Options(alpha=True, background="red"), "--background puts one there"),
        ("a.mp4", Options(background="nowhere.png"), "neither a colour nor a picture"),
        ("a.mp4", Options(background="red", renderer=Renderer.VID2VID), "vid2vid does not tell"),
        ("a.mp4", Options(frame="9:16", crop=True), "--crop shows"),
        ("a.mp4", Options(frame="1081x1920"), "no frame"),
        ("a.mp4", Options(frame="1:5"), "no frame"),
        ("a.mp4", Options(frame="wide"), "no frame"),
        ("a.mp4", Options(extend="edge"), "nothing is there"),
        ("a.mp4", Options(extend="edge", frame="1:1", background="red"), "nothing is there"),
        ("a.mp4", Options(extend="sideways", frame="1:1"), "neither blur nor edge"),
        ("a.mp4", Options(format=Piped.MKV), "is a file"),
        ("a/", Options(encoder_args="-c:v hap"), "makes one file"),
        ("a.mov", Options(encoder_args="-c:v 'hap"), "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path, name, options, words):
    with pytest.raises(StyleheadError, match=words) as failure:
        check_delivery(f"{tmp_path}/{name}", options)
    assert "\n" not in str(failure.value) and failure.value.remedy
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.MOV", Options(alpha=True)),
        ("a.strange", Options(encoder_args="-f matroska")),
        ("a.mp4", Options(frame="1080x1920", extend="#fff")),
        ("a.gif", Options(background="teal", frame="9:16")),
    ],
)
def test_what_can_be_is_let_through(tmp_path, name, options):
    assert check_delivery(tmp_path / name, options) == tmp_path / name


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(), "does not say what"),
        (Options(format=Piped.MKV, alpha=True), "--alpha needs a file"),
        (Options(format=Piped.Y4M, encoder_args="-c:v hap"), "--encoder-args needs a file"),
    ],
)
def test_standard_output_takes_some_formats(options, words):
    with pytest.raises(ConfigError, match=words):
        check_delivery("-", options)


def test_a_name_that_ends_in_a_slash_is_a_folder_of_pictures(tmp_path):
    output = check_delivery(f"{tmp_path}/shot/", Options(alpha=True))
    assert output == tmp_path / "shot" / "%05d.png" == named(f"{tmp_path}/shot/")
    assert written_to(output) == tmp_path / "shot" and title_of(output) == "shot"
    assert title_of(Path("a.webm")) == "a"


def test_a_folder_with_other_files_is_never_replaced(tmp_path):
    folder = tmp_path / "shot"
    folder.mkdir()
    check_delivery(f"{folder}/", Options())
    (folder / "00001.png").touch()
    with pytest.raises(MediaError, match="exists already"):
        check_delivery(f"{folder}/", Options())
    check_delivery(f"{folder}/", Options(overwrite=True))
    with pytest.raises(MediaError, match="would be lost"):
        check_delivery(
            f"{folder}/", Options(overwrite=True), inputs=[folder / "00001.png", None, "plain"]
        )
    (folder / "me.png").touch()
    with pytest.raises(MediaError, match=r"me\.png, which would be lost"):
        check_delivery(f"{folder}/", Options(overwrite=True))


def test_any_number_of_workers_draws_the_same_frames_in_order():
    shot = Shot(scene(), [moving(45)])
    alone = list(frames_of(shot, workers=1))
    assert len(alone) == 45 and alone[0].shape == (48, 64, 3)
    for workers in (2, 5):
        for one, other in zip(alone, frames_of(shot, workers=workers), strict=True):
            np.testing.assert_array_equal(one, other)


def test_whoever_stops_listening_stops_the_drawing():
    drawn = []

    def draw(motions):
        drawn.append(1)
        yield from [np.zeros((32, 40, 3), np.uint8)] * len(motions[0])

    frames = frames_of(Shot(scene(draw), [moving(4000)]), workers=2)
    next(frames)
    frames.close()
    assert len(drawn) <= 6


def outside(path, arguments, channels, tmp_path):
    sound = open_audio(media.save_sound(tmp_path / "voice.wav", media.voice(0.4)))
    frames = (np.full((32, 48, channels), 40 + 10 * number, np.uint8) for number in range(10))
    write_outside(
        path, frames, arguments, size=(48, 32), fps=Fraction(25), sound=sound,
        metadata={"comment": "AI-generated"},
    )  # fmt: skip


def test_an_ffmpeg_outside_encodes_what_is_not_built_in(tmp_path):
    outside(tmp_path / "a.mov", "-c:v hap -format hap_alpha", 4, tmp_path)
    with av.open(str(tmp_path / "a.mov")) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.frames) == ("hap", 10)
        assert container.metadata["comment"] == "AI-generated"
        assert float(sound.duration * sound.time_base) == pytest.approx(0.4, abs=0.05)
        frames = [frame.to_ndarray(format="rgba") for frame in container.decode(video)]
    for number, frame in enumerate(frames):
        assert np.abs(frame.astype(int) - (40 + 10 * number)).mean() < 3


@pytest.mark.parametrize("arguments", ["-c:v nonsense", "-vf scale=0:x"])
def test_what_ffmpeg_says_is_told_and_nothing_is_left(tmp_path, arguments):
    with pytest.raises(MediaError, match="ffmpeg says") as failure:
        outside(tmp_path / "a.mov", arguments, 3, tmp_path)
    assert "\n" not in str(failure.value)
    assert [path.name for path in tmp_path.iterdir()] == ["voice.wav"]


@pytest.mark.parametrize("alpha", [False, True])
def test_what_ffmpeg_refuses_is_told_before_any_frame_is_drawn(tmp_path, alpha):
    tried = {"size": (64, 48), "fps": Fraction(30000, 1001), "alpha": alpha}
    path = tmp_path / "a.mov"
    try_outside(path, "-c:v hap -format hap_alpha", **tried)
    for wrong in ("-c:v nonsense", "-vf scale=0:x", "-c:a nonsense"):
        with pytest.raises(MediaError, match="ffmpeg says"):
            try_outside(path, wrong, **tried)
    with pytest.raises(MediaError, match="ffmpeg says"):
        try_outside(tmp_path / "a.strange", "-c:v libx264", **tried)
    assert not list(tmp_path.iterdir())


def test_a_background_is_decoded_once_and_again_when_it_was_changed(tmp_path, monkeypatch):
    read = []
    original = deliver.read_image
    monkeypatch.setattr(deliver, "read_image", lambda path: read.append(path) or original(path))
    path = tmp_path / "office.png"
    for number, colour in enumerate(("red", "lime"), 1):
        Image.new("RGB", (8, 8), colour).save(path)
        os.utime(path, ns=(number, number))
        options = Options(background=str(path))
        check_delivery(tmp_path / "a.mp4", options)
        check_delivery(tmp_path / "a.mp4", options)
        behind = deliver.backdrop(options)
        assert behind is not None and behind[0, 0].tolist() == list(ImageColor.getrgb(colour))
        assert len(read) == number


def test_a_colour_that_is_a_file_is_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        check_delivery("a.mp4", Options(background="office"))
    Image.new("RGB", (8, 8), "red").save("office", format="PNG")
    check_delivery("a.mp4", Options(background="office"))
