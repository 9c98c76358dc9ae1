"""Clips of other programs: time stamps that start anywhere, flags for turning and pixel shape."""

from __future__ import annotations

import math
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
from av.stream import Disposition

from stylehead.errors import MediaError
from stylehead.media.audio import open_audio
from stylehead.media.video import count_frames, every_of, read_frames
from tests.stand_ins import media

RATE = 16_000
FPS = 25


def moving(count, width=64, height=48):
    """Return frames (H, W, 3) whose left end, top and brightness tell them apart."""
    y, x = np.mgrid[0:height, 0:width]
    red = np.where(x < width // 3, 220, 30)
    green = np.where(y < height // 3, 220, 30)
    return [
        np.stack([red, green, np.full_like(red, 20 + 200 * i // count)], -1).astype(np.uint8)
        for i in range(count)
    ]


def written(
    path, frames, *, kind=None, sound=None, sound_starts=0.0, offset=0.0, matrix=None, **codec
):
    """Write frames with a sound track at time stamps that begin at `offset` seconds."""
    tick = Fraction(1, 90_000)
    options = {"output_ts_offset": str(offset), "muxdelay": "0", "muxpreload": "0"}
    with av.open(str(path), "w", format=kind, options=options if offset else {}) as container:
        video = container.add_stream("libx264", rate=FPS)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv444p"
        video.options = {"preset": "veryfast", "crf": "10", "bf": "0", "sc_threshold": "0"}
        for name, value in codec.items():
            setattr(video.codec_context, name, value)
        if matrix is not None:
            video.set_display_matrix(matrix)
        audio = container.add_stream("aac", rate=RATE, layout="mono") if sound is not None else None
        for number, pixels in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts, picture.time_base = round(number / FPS / tick), tick
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
            frame.pts = round(sound_starts * RATE)
            container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def seconds_of(frames):
    return [round(frame.seconds, 3) for frame in frames]


# ---- times ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".ts", ".mts", ".mkv"])
@pytest.mark.parametrize("offset", [0.5, 20.0, 90_000.0])
def test_times_count_from_where_a_file_begins(tmp_path, suffix, offset):
    frames, sound = moving(50), media.bursts(2.0)
    kind = "mpegts" if suffix != ".mkv" else None
    plain = written(tmp_path / "plain.mp4", frames, sound=sound)
    path = written(tmp_path / f"clip{suffix}", frames, kind=kind, sound=sound, offset=offset)
    with av.open(str(path)) as container:
        assert container.start_time / 1e6 == pytest.approx(offset, abs=2.0)
    wanted = list(read_frames(plain))
    found = list(read_frames(path))
    assert len(found) == 50
    delays = [one.seconds - other.seconds for one, other in zip(found, wanted, strict=True)]
    assert max(delays) - min(delays) < 0.0021
    heard = np.concatenate(list(open_audio(path).blocks()))
    late, _ = media.lag(np.concatenate(list(open_audio(plain).blocks())), heard)
    assert abs(late - np.mean(delays)) < 0.003, "sound and picture are not together"
    assert abs(np.mean(delays)) < 0.07


@pytest.mark.parametrize(("start", "duration"), [(0.0, 0.4), (0.8, 0.4), (1.8, None)])
def test_a_part_of_a_transport_stream_is_that_part_of_the_mp4(tmp_path, start, duration):
    frames = moving(50)
    plain = written(tmp_path / "plain.mp4", frames)
    path = written(tmp_path / "clip.ts", frames, kind="mpegts", offset=20.0)
    wanted = list(read_frames(plain, start=start, duration=duration))
    found = list(read_frames(path, start=start, duration=duration))
    assert seconds_of(found) == seconds_of(wanted)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.pixels, other.pixels, atol=3)


@pytest.mark.parametrize("suffix", [".ts", ".mp4"])
def test_a_late_part_begins_on_time_where_key_frames_are_rare(tmp_path, suffix):
    frames = moving(600, 32, 32)
    kind = "mpegts" if suffix == ".ts" else None
    path = written(tmp_path / f"long{suffix}", frames, kind=kind, offset=7.0, gop_size=200)
    for start in (6.0, 13.96, 23.0):
        found = seconds_of(read_frames(path, start=start, duration=0.2))
        assert found[0] == pytest.approx(start, abs=0.005)
        assert len(found) == 5
    with pytest.raises(MediaError, match="after 0:30"):
        next(read_frames(path, start=30.0))


def test_sound_that_begins_well_before_the_picture_keeps_its_beginning(tmp_path):
    path = tmp_path / "late.ts"
    sound = media.bursts(3.0)
    with av.open(str(path), "w", format="mpegts", options={"output_ts_offset": "9"}) as container:
        video = container.add_stream("libx264", rate=FPS)
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        video.options = {"bf": "0"}
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
        for number, pixels in enumerate(moving(30)):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts, picture.time_base = number + 15, Fraction(1, FPS)  # 0.6 s later
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
    heard = np.concatenate(list(open_audio(path).blocks()))
    late, _ = media.lag(sound, heard)
    first = next(read_frames(path)).seconds
    assert first - late == pytest.approx(0.6, abs=0.003)
    assert late >= 0


# ---- how a picture is shown -----------------------------------------------------------------

TURNS = {  # what the display matrix's upper left is, and what it does to a picture
    "plain": ((1, 0, 0, 1), lambda p: p),
    "quarter": ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
    "half": ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
    "three quarters": ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
    "mirrored": ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
    "upside down": ((1, 0, 0, -1), lambda p: p[::-1]),
    "transposed": ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
    "transverse": ((0, -1, -1, 0), lambda p: p.transpose(1, 0, 2)[::-1, ::-1]),
    "nearly a quarter": ((0.1, 1, -1, 0.1), lambda p: np.rot90(p, -1)),
}


@pytest.mark.parametrize("turn", list(TURNS))
def test_a_display_matrix_turns_and_mirrors(tmp_path, turn):
    (a, b, c, d), act = TURNS[turn]
    frames = moving(3)
    path = written(tmp_path / "clip.mp4", frames)
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44
    entries = [round(x * 65536) for x in (a, b, 0, c, d, 0, 0, 0)] + [1 << 30]
    content[at : at + 36] = b"".join(x.to_bytes(4, "big", signed=True) for x in entries)
    path.write_bytes(content)
    found = next(read_frames(path)).pixels
    assert found.flags.c_contiguous
    wanted = act(frames[0])
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted).mean() < 4


@pytest.mark.parametrize(
    ("aspect", "shape"),
    [
        ((2, 1), (48, 128)),
        ((1, 2), (96, 64)),
        ((16, 15), (48, 68)),
        ((12, 11), (48, 70)),
        ((1, 1), (48, 64)),
        ((90, 1), (48, 64)),
    ],
)
def test_pixels_are_square(tmp_path, aspect, shape):
    frames = moving(3)
    path = written(tmp_path / "clip.mkv", frames, sample_aspect_ratio=Fraction(*aspect))
    found = next(read_frames(path)).pixels
    assert found.shape == (*shape, 3)
    wanted = media.resized(frames[0], shape[::-1])
    assert np.abs(found.astype(int) - wanted).mean() < 5


def test_pixels_are_made_square_before_the_picture_is_turned(tmp_path):
    path = written(
        tmp_path / "clip.mp4", moving(3), sample_aspect_ratio=Fraction(2), pix_fmt="yuv420p"
    )
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44
    entries = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    content[at : at + 36] = b"".join(x.to_bytes(4, "big", signed=True) for x in entries)
    path.write_bytes(content)
    assert next(read_frames(path)).pixels.shape == (128, 48, 3)


# ---- covers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cover_first", [True, False])
def test_a_still_cover_is_not_taken_for_the_film(tmp_path, cover_first):
    path = tmp_path / "covered.mkv"
    frames = moving(30)
    with av.open(str(path), "w") as container:
        streams = {}
        for name in ("cover", "film") if cover_first else ("film", "cover"):
            codec = "mjpeg" if name == "cover" else "libx264"
            streams[name] = container.add_stream(codec, rate=FPS)
            streams[name].height, streams[name].width = 48, 64
            streams[name].pix_fmt = "yuvj420p" if name == "cover" else "yuv420p"
            streams[name].disposition = Disposition(0)
        still = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
        still.pts, still.time_base = 0, Fraction(1, FPS)
        container.mux(streams["cover"].encode(still))
        container.mux(streams["cover"].encode(None))
        for number, pixels in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            container.mux(streams["film"].encode(picture))
        container.mux(streams["film"].encode(None))
    found = list(read_frames(path))
    assert len(found) == 30
    assert np.abs(found[0].pixels.astype(int) - frames[0]).mean() < 12
    assert count_frames(path) in (None, 30, 31)


@pytest.mark.parametrize("suffix", [".mp3", ".m4a"])
def test_a_song_with_a_cover_has_no_picture(tmp_path, suffix):
    samples = media.tone(1.0)
    path = tmp_path / f"song{suffix}"
    with av.open(str(path), "w", format="mp3" if suffix == ".mp3" else "mp4") as container:
        sound = container.add_stream("libmp3lame" if suffix == ".mp3" else "aac", rate=RATE)
        sound.layout = "mono"
        cover = container.add_stream("mjpeg")
        cover.height, cover.width, cover.pix_fmt = 48, 64, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        still = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
        for packet in (*cover.encode(still), *cover.encode(None)):
            container.mux(packet)
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    assert open_audio(path).seconds == pytest.approx(1.0, abs=0.1)
    with pytest.raises(MediaError, match="has no picture"):
        next(read_frames(path))


def test_a_sound_file_has_no_picture(tmp_path):
    path = tmp_path / "sound.wav"
    soundfile.write(path, media.tone(0.5), RATE)
    with pytest.raises(MediaError, match="has no picture"):
        next(read_frames(path))


@pytest.mark.parametrize(
    ("fps", "every"),
    [(25, 1), (30, 1), (47, 1), (48, 2), (50, 2), (Fraction(60000, 1001), 2), (60, 2), (120, 5)],
)
def test_of_a_fast_film_so_many_frames_are_enough(tmp_path, fps, every):
    clip = media.save_video(tmp_path / "clip.mp4", [media.landscape()] * 12, fps=fps)
    assert every_of(clip, 24.0) == every
    assert every_of(clip, math.inf) == 1


@pytest.mark.parametrize("start", [0.0, 1 / 60, 0.31])
def test_each_third_frame_is_the_same_wherever_a_part_begins(tmp_path, start):
    clip = media.save_video(tmp_path / "clip.mp4", [media.landscape()] * 40, fps=60)
    times = [frame.seconds for frame in read_frames(clip, start=start, every=3)]
    wanted = [number / 60 for number in range(0, 40, 3) if number / 60 >= start]
    assert times == pytest.approx(wanted, abs=1e-3)
