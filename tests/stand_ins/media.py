"""Pictures, recordings and clips made by code, and independent readers to check results with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
from av.container import OutputContainer
from numpy.typing import NDArray
from PIL import Image
from scipy.signal import correlate, resample_poly

from stylehead.weights.store import PACKAGE, demo_files

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

VOICE = PACKAGE / "assets" / "demo_voice.ogg"
"""Nine seconds of real speech, mono, 48 kHz."""


# ---- pictures -------------------------------------------------------------------------------


def portrait() -> Pixels:
    """Return a 512 x 512 portrait with one frontal face of about 110 pixels."""
    with Image.open(demo_files()[0]) as picture:
        return np.array(picture.convert("RGB"))


def resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Return a picture at (width, height)."""
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS), np.uint8)


def two_faces(left: int = 512, right: int = 360) -> Pixels:
    """Return the portrait twice, side by side; the numbers are the sides of the two copies."""
    canvas = np.full((max(left, right), left + right, 3), 128, np.uint8)
    canvas[:left, :left] = resized(portrait(), (left, left))
    canvas[:right, left:] = resized(portrait(), (right, right))
    return canvas


def landscape(width: int = 320, height: int = 240) -> Pixels:
    """Return a picture without a face: sky over a field."""
    y, x = np.mgrid[0:height, 0:width]
    sky = np.stack([90 + y * 0.3, 140 + y * 0.2, 230 - y * 0.2], -1)
    field = np.stack([60 + 20 * np.sin(x / 9), 130 + 10 * np.sin(y / 5), 40 + 0 * x], -1)
    return np.where((y < height * 0.6)[..., None], sky, field).clip(0, 255).astype(np.uint8)


def save_picture(path: Path, pixels: NDArray[np.generic], **options: object) -> Path:
    """Write a picture in the format of its suffix."""
    Image.fromarray(pixels).save(path, **options)
    return path


def save_turned(path: Path, pixels: Pixels) -> Path:
    """Write a JPEG whose stored rows are a quarter turn off, with the EXIF flag that mends it."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by a quarter to see it upright
    stored = np.ascontiguousarray(np.rot90(pixels, 1))
    Image.fromarray(stored).save(path, exif=exif, quality=95)
    return path


# ---- sound ----------------------------------------------------------------------------------


def tone(seconds: float, rate: int = 16_000, pitch: float = 220.0) -> Floats:
    """Return a steady tone at half of full scale."""
    times = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * pitch * times)).astype(np.float32)


def bursts(seconds: float, rate: int = 16_000, *, seed: int = 0) -> Floats:
    """Return noise in the rhythm of speech: four syllables a second, a pause every two seconds."""
    generator = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate)) / rate
    noise = np.convolve(generator.standard_normal(len(times)), np.ones(8) / 8, "same")
    syllables = np.sin(np.pi * (times * 4 % 1)) ** 2 * (times % 2 < 1.6)
    return (0.6 * noise * syllables).clip(-1, 1).astype(np.float32)


def voice(seconds: float | None = None, rate: int = 16_000) -> Floats:
    """Return the demo voice as mono samples."""
    samples, own = soundfile.read(VOICE, dtype="float32")
    samples = samples if seconds is None else samples[: round(seconds * own)]
    step = np.gcd(rate, own)
    return resample_poly(samples, rate // step, own // step).astype(np.float32)


def save_sound(
    path: Path, samples: NDArray[np.floating], rate: int = 16_000, *, subtype: str | None = None
) -> Path:
    """Write samples (N,) or (N, channels) as wav, flac, ogg, mp3 or m4a, after the suffix."""
    if path.suffix != ".m4a":
        soundfile.write(path, samples, rate, subtype=subtype)
        return path
    with av.open(str(path), "w") as container:
        _encode_sound(container, _sound_stream(container, samples, rate), samples)
    return path


def _sound_stream(
    container: OutputContainer, samples: NDArray[np.floating], rate: int
) -> av.AudioStream:
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(np.atleast_2d(samples.T))]
    return container.add_stream("aac", rate=rate, layout=layout)


def _encode_sound(
    container: OutputContainer,
    stream: av.AudioStream,
    samples: NDArray[np.floating],
    start: float = 0.0,
) -> None:
    rows = np.atleast_2d(samples.T).astype(np.float32)
    rate, layout = stream.rate, stream.layout.name
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(rows), format="fltp", layout=layout)
    frame.sample_rate = rate
    frame.pts = round(start * rate)
    frame.time_base = Fraction(1, rate)
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def read_sound(path: Path, rate: int = 16_000) -> Floats:
    """Decode the sound of any file as mono, from time zero of the file on.

    Time stamps are believed, as players do: sound that starts late has silence before it.
    """
    resampler = av.AudioResampler("fltp", "mono", rate)
    frames: list[av.AudioFrame] = []
    start, expected = None, 0.0
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            assert frame.time is not None
            start = frame.time if start is None else start
            assert not frames or abs(frame.time - expected) < 0.002, "a gap or an overlap"
            expected = frame.time + frame.samples / frame.sample_rate
            frames += resampler.resample(frame)
    frames += resampler.resample(None)
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    lead = round((start or 0.0) * rate)
    return np.concatenate([np.zeros(max(0, lead), np.float32), samples[max(0, -lead) :]])


def lag(one: Floats, other: Floats, rate: int = 16_000) -> tuple[float, float]:
    """Return by how many seconds `other` is late, and the correlation there."""
    products = correlate(other.astype(np.float64), one.astype(np.float64), "full")
    best = int(np.argmax(products))
    size = np.linalg.norm(one) * np.linalg.norm(other)
    return (best - len(one) + 1) / rate, float(products[best] / size)


# ---- video ----------------------------------------------------------------------------------


def save_video(
    path: Path,
    frames: Iterable[Pixels],
    *,
    fps: int = 25,
    times: Sequence[float] | None = None,
    turned: bool = False,
    sound: NDArray[np.floating] | None = None,
    rate: int = 16_000,
    late: float = 0.0,
) -> Path:
    """Write an H.264 clip; its sound, if any, begins `late` seconds after its picture.

    `times` gives each frame a moment of its own, in seconds; `turned` stores the pictures a quarter
    turn off, with the container's flag that mends it, as phones do.
    """
    ticks = 10_000
    frames = [np.ascontiguousarray(np.rot90(one, 1)) if turned else one for one in frames]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "14", "bf": "0"}
        stream.codec_context.time_base = Fraction(1, ticks)
        track = None if sound is None else _sound_stream(container, sound, rate)
        for i, pixels in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts = round((i / fps if times is None else times[i]) * ticks)
            picture.time_base = Fraction(1, ticks)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
        if track is not None and sound is not None:
            _encode_sound(container, track, sound, late)
    if turned:
        _flag_quarter_turn(path)
    return path


def _flag_quarter_turn(path: Path) -> None:
    """Set the first track's display matrix: turn clockwise by a quarter."""
    content = bytearray(path.read_bytes())
    header = content.index(b"tkhd")
    assert content[header + 4] == 0, "a version 0 track header"
    width = int.from_bytes(content[header + 80 : header + 84], "big")
    height = int.from_bytes(content[header + 84 : header + 88], "big")
    one, two_thirty = 1 << 16, 1 << 30
    matrix = (0, one, 0, -one, 0, 0, height, 0, two_thirty)
    assert width, "a track with pictures"
    content[header + 44 : header + 80] = b"".join(x.to_bytes(4, "big", signed=True) for x in matrix)
    path.write_bytes(content)


def read_video(path: Path) -> tuple[Pixels, NDArray[np.float64]]:
    """Decode a clip: frames (T, H, W, 3) as stored, and their times in seconds."""
    with av.open(str(path)) as container:
        frames = [
            (frame.to_ndarray(format="rgb24"), frame.time) for frame in container.decode(video=0)
        ]
    return np.stack([pixels for pixels, _ in frames]), np.array([time for _, time in frames])
