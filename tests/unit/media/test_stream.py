"""Every format reads back: all frames, the whole length, what is transparent, what it says."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence

from stylehead.errors import MediaError
from stylehead.media.audio import open_audio
from stylehead.media.cues import Subtitle
from stylehead.media.formats import FORMATS, MATROSKA, MOV, MP4, PICTURES, PRORES, WEBM, format_of
from stylehead.media.muxer import write_video
from stylehead.media.segment import EncoderPicture, SegmentEncoder
from stylehead.media.stream import write_pictures, write_stream, write_y4m
from tests.stand_ins import media

FPS, SIDE, FRAMES = Fraction(25), 64, 30
SAYS = {"title": "disc (AI-generated)", "comment": "AI-generated: über", "software": "stylehead"}
STREAMS = [kind for kind in (*FORMATS, PRORES) if not kind.segmented and kind is not PICTURES]


def discs(channels):
    """A disc that moves, with a soft edge; around it other colours, or what is transparent."""
    y, x = np.mgrid[:SIDE, :SIDE]
    for number in range(FRAMES):
        away = np.hypot(x - 20 - number / 2, y - 32)
        cover = (255 * (16 - away).clip(0, 4) / 4).round().astype(np.uint8)
        frame = np.empty((SIDE, SIDE, channels), np.uint8)
        frame[..., :3] = (200, 120, 60)
        if channels == 4:
            frame[..., 3] = cover
        else:
            frame[cover == 0] = (30, 60, 120)
        yield frame


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "voice.wav"
    return open_audio(media.save_sound(path, media.voice(FRAMES / 25)))


def written(path, kind, channels, sound):
    write_stream(
        path, discs(channels), kind, size=(SIDE, SIDE), fps=FPS, sound=sound, metadata=SAYS
    )
    return path


def decoded(path, alpha):
    """Return the frames of a file (T, H, W, C), and its length in seconds."""
    if path.suffix in (".gif", ".webp"):
        with Image.open(path) as image:
            frames, lengths = [], []
            for one in ImageSequence.Iterator(image):
                frames.append(np.array(one.convert("RGBA" if alpha else "RGB")))
                lengths.append(one.info["duration"])
        return np.stack(frames), sum(lengths) / 1000
    frames = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = stream.codec_context
        if path.suffix == ".webm":  # FFmpeg's own decoder leaves out what is transparent
            decoder = av.CodecContext.create("libvpx-vp9", "r")
        for packet in container.demux(stream):
            frames += [media_rgb(frame, alpha) for frame in decoder.decode(packet)]
        length = (container.duration or 0) / 1e6
    return np.stack(frames), length


def media_rgb(frame, alpha):
    colours = {}
    if frame.format.name.startswith("yuv"):
        colours = {
            "src_colorspace": "ITU709",
            "src_color_range": "MPEG",
            "dst_color_range": "JPEG",
        }
    return frame.reformat(format="rgba" if alpha else "rgb24", **colours).to_ndarray()


@pytest.mark.parametrize("kind", STREAMS, ids=lambda kind: kind.name)
def test_frames_and_length_read_back(tmp_path, kind, sound):
    if kind is PRORES:
        pytest.skip("it is written for its transparency alone")
    frames, seconds = decoded(written(tmp_path / f"a{kind.endings[0]}", kind, 3, sound), False)
    assert frames.shape == (FRAMES, SIDE, SIDE, 3)
    if kind.container != "apng":  # it says no length
        assert seconds == pytest.approx(FRAMES / 25, abs=0.03)
    wanted = np.stack(list(discs(3)))
    assert np.abs(frames.astype(int) - wanted).mean() < (12 if kind.container == "gif" else 4)


@pytest.mark.parametrize("kind", [one for one in STREAMS if one.transparent], ids=lambda k: k.name)
def test_what_is_transparent_reads_back(tmp_path, kind, sound):
    frames, _ = decoded(written(tmp_path / f"a{kind.endings[0]}", kind, 4, sound), True)
    wanted = np.stack(list(discs(4)))
    away = np.abs(frames[..., 3].astype(int) - wanted[..., 3])
    assert away.mean() < (3 if kind is WEBM else 1)
    opaque = wanted[..., 3] == 255
    assert np.abs(frames[opaque][:, :3].astype(int) - wanted[opaque][:, :3]).mean() < 6


def test_pictures_are_exact_numbered_from_one_and_say_what_they_are(tmp_path):
    write_pictures(tmp_path / "shot" / "s_%03d.png", discs(4), metadata=SAYS)
    names = sorted(path.name for path in (tmp_path / "shot").iterdir())
    assert names == [f"s_{number:03d}.png" for number in range(1, FRAMES + 1)]
    for name, wanted in zip(names, discs(4), strict=True):
        with Image.open(tmp_path / "shot" / name) as image:
            np.testing.assert_array_equal(np.array(image), wanted)
            assert image.info["Comment"] == SAYS["comment"]


def test_a_folder_of_pictures_that_fails_is_not_there(tmp_path):
    def broken():
        yield next(discs(3))
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        write_pictures(tmp_path / "shot" / "%05d.png", broken(), metadata={})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", STREAMS, ids=lambda kind: kind.name)
def test_the_same_frames_give_the_same_bytes(tmp_path, kind, sound):
    channels = 4 if kind.transparent else 3
    one, other = (
        written(tmp_path / f"{name}{kind.endings[0]}", kind, channels, sound) for name in "ab"
    )
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("kind", STREAMS, ids=lambda kind: kind.name)
def test_every_format_says_that_a_machine_has_made_it(tmp_path, kind, sound):
    path = written(tmp_path / f"a{kind.endings[0]}", kind, 4 if kind is PRORES else 3, sound)
    if kind.container in ("gif", "webp", "apng"):
        with Image.open(path) as image:
            for _ in ImageSequence.Iterator(image):  # to the last, where some formats say it
                pass
            info = {**image.info, **getattr(image, "text", {})}
        said = " ".join(
            value.decode() if isinstance(value, bytes) else str(value) for value in info.values()
        )
    else:
        with av.open(str(path)) as container:
            said = " ".join(container.metadata.values())
    assert SAYS["comment"] in said and SAYS["title"] in said


@pytest.mark.parametrize(
    ("kind", "codec"), [(MATROSKA, "aac"), (WEBM, "opus"), (PRORES, "pcm_s16le")]
)
def test_sound_is_as_long_as_the_picture(tmp_path, kind, codec, sound):
    path = tmp_path / f"a{kind.endings[0]}"
    if kind is MATROSKA:
        encoder = SegmentEncoder(SIDE, SIDE, FPS)
        for frame in discs(3):
            encoder.add(EncoderPicture(frame))
        segments, shown = [encoder.finish()], [Subtitle(0.2, 0.8, "la la")]
        for _ in range(2):
            before = path.read_bytes() if path.exists() else b""
            write_video(
                path, segments, size=(SIDE, SIDE), fps=FPS, sound=sound, metadata=SAYS, shown=shown
            )
        assert path.read_bytes() == before
    else:
        written(path, kind, 4, sound)
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.name == codec
        samples = sum(
            frame.samples / frame.sample_rate for frame in container.decode(container.streams.audio)
        )
    assert samples == pytest.approx(FRAMES / 25, abs=0.05)
    if kind is MATROSKA:
        frames, _ = decoded(path, False)
        assert len(frames) == FRAMES
        with av.open(str(path)) as container:
            words = [bytes(packet) for packet in container.demux(container.streams.subtitles)]
        assert b"la la" in words


def test_the_ending_decides(tmp_path):
    assert format_of(tmp_path / "a.MP4") is format_of(tmp_path / "a.m4v") is MP4
    assert format_of(tmp_path / "a.mov") is MOV
    assert format_of(tmp_path / "a.mov", alpha=True) is PRORES
    assert format_of(tmp_path / "f" / "%05d.png", alpha=True) is PICTURES


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.gif"])
def test_what_holds_no_alpha_is_refused(tmp_path, name):
    with pytest.raises(MediaError, match="holds no alpha") as failure:
        format_of(tmp_path / name, alpha=True)
    assert ".webm" in failure.value.remedy


class OneWay(io.BytesIO):
    """A pipe: it cannot be sought in, and is broken after some bytes."""

    def __init__(self, most=1 << 30):
        super().__init__()
        self.most = most

    def seekable(self):
        return False

    def write(self, data):
        if self.tell() + len(data) > self.most:
            raise BrokenPipeError
        return super().write(data)


def piped(pipe, kind, sound):
    encoder = SegmentEncoder(SIDE, SIDE, FPS)
    for frame in discs(3):
        encoder.add(EncoderPicture(frame))
    write_video(
        Path("-"), [encoder.finish()], size=(SIDE, SIDE), fps=FPS, sound=sound, metadata=SAYS,
        kind=kind, to=pipe,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [MP4, MATROSKA], ids=lambda kind: kind.name)
def test_a_pipe_gets_all_frames_and_the_sound(kind, sound):
    pipe = OneWay()
    piped(pipe, kind, sound)
    with av.open(io.BytesIO(pipe.getvalue())) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert sum(1 for _ in container.decode(video=0)) == FRAMES
        assert SAYS["comment"] in container.metadata.values() or kind is MATROSKA


@pytest.mark.parametrize("kind", [MP4, MATROSKA], ids=lambda kind: kind.name)
def test_a_pipe_that_nobody_reads_any_more_is_said_to_be_one(kind, sound):
    with pytest.raises(BrokenPipeError):
        piped(OneWay(most=2000), kind, sound)


def test_plain_frames_have_the_bytes_that_they_should():
    pipe = OneWay()
    write_y4m(pipe, discs(3), size=(SIDE, SIDE), fps=FPS)
    head = pipe.getvalue().partition(b"\n")[0]
    assert head.startswith(b"YUV4MPEG2 W64 H64 F25:1 ")
    assert len(pipe.getvalue()) == len(head) + 1 + FRAMES * (6 + SIDE * SIDE * 3 // 2)
    pipe.seek(0)
    with av.open(io.BytesIO(pipe.getvalue())) as container:
        frames = [media_rgb(frame, False) for frame in container.decode(video=0)]
    wanted = np.stack(list(discs(3)))
    assert np.abs(np.stack(frames).astype(int) - wanted).mean() < 4
