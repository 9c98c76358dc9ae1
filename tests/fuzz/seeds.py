"""Small real files of every kind that is read, made by code: what mutations begin with."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from PIL import Image
from PIL.ImageCms import ImageCmsProfile, createProfile

from stylehead import Options, animate
from stylehead.motion.file import load_motion, save_motion
from stylehead.options.choices import MotionFormat
from stylehead.types import Pixels
from tests.stand_ins import media
from tests.stand_ins.faces import performed_motion
from tests.stand_ins.pictures import save_heic

PICTURES = ("png", "jpg", "webp", "tiff", "heic", "gif", "bmp")
RECORDINGS = ("wav", "flac", "ogg", "mp3", "m4a", "opus")
CLIPS = ("mp4", "mov", "mkv", "ts", "webm", "avi")
TABLES, SCENE = "csv", "glb"
"""What motions are exchanged as."""
SIGNED = ("apng", "webp", "gif", "mp4", "webm.c2pa")
"""Signed videos, and a signature that lies beside one."""
FACE = 256
"""Pixels along the sides of a picture with a face."""
CODECS = {
    "mp4": ("libx264", "aac"),
    "mov": ("mpeg4", "pcm_s16le"),
    "mkv": ("libx264", "flac"),
    "ts": ("mpeg2video", "mp2"),
    "webm": ("libvpx", "libopus"),
    "avi": ("mjpeg", "libmp3lame"),
}
LYRICS = {
    "lrc": "[ar:Somebody]\n[offset:120]\n[00:00.20] 1=Anna: la <00:00.40> la\n[00:01.00]\n"
    "[00:01.20][00:02.50] 1+2: both of us\n",
    "srt": "1\n00:00:00,200 --> 00:00:01,000\n1=Anna: la la\n<i>and on</i>\n\n"
    "2\n00:00:01,200 --> 00:00:02,500\n1+2: both of us\n",
}
Rate = int


def seeds(folder: Path, kinds: tuple[str, ...]) -> dict[str, list[Path]]:
    """Write the files of some kinds into a folder; kind -> files, the same bytes every time."""
    folder.mkdir(parents=True, exist_ok=True)
    return {kind: list(_made(folder, kind)) for kind in kinds}


def _made(folder: Path, kind: str) -> Iterator[Path]:
    if kind in PICTURES:
        yield from _pictures(folder, kind)
    elif kind in RECORDINGS:
        yield _recording(folder / f"voice.{kind}", kind)
    elif kind in CLIPS:
        yield _clip(folder / f"clip.{kind}", kind)
    elif kind == TABLES:
        for form in (MotionFormat.LIVELINK, MotionFormat.CSV):
            path = folder / f"{form.value}.{kind}"
            save_motion(performed_motion(0.2), path, form)
            yield path
    elif kind == SCENE:
        save_motion(performed_motion(0.2), folder / f"moves.{kind}", MotionFormat.GLTF)
        yield folder / f"moves.{kind}"
    else:
        path = folder / f"words.{kind}"
        path.write_text(LYRICS[kind], encoding="utf-8")
        yield path


def _pictures(folder: Path, kind: str) -> Iterator[Path]:
    small = media.resized(media.portrait(), (48, 48))
    plain = folder / f"plain.{kind}"
    if kind == "heic":
        yield save_heic(plain, small)
        return
    options: dict[str, object] = {}
    if kind in ("png", "jpg", "webp", "tiff"):  # with what a photograph carries
        exif = Image.Exif()
        exif[0x0112] = 6
        options = {"exif": exif, "icc_profile": ImageCmsProfile(createProfile("sRGB")).tobytes()}
    if kind == "tiff":
        options["compression"] = "tiff_lzw"
    yield media.save_picture(plain, small, **options)
    if kind in ("png", "tiff"):
        deep = Image.fromarray((np.arange(48 * 48).reshape(48, 48) * 28).astype(np.uint16))
        deep.save(folder / f"deep.{kind}")
        yield folder / f"deep.{kind}"
    if kind in ("png", "gif"):
        palette = Image.fromarray(small).quantize(16)
        palette.save(folder / f"palette.{kind}", transparency=3)
        yield folder / f"palette.{kind}"


def with_face(folder: Path, kind: str) -> Path:
    """Write a picture that can be animated."""
    path = folder / f"face.{kind}"
    return media.save_picture(path, media.resized(media.portrait(), (FACE, FACE)))


def signed(folder: Path) -> None:
    """Make a short video of each kind, signed by a key of this home: never the same bytes."""
    folder.mkdir()
    face, moves = with_face(folder, "png"), folder / "moves.npz"
    save_motion(performed_motion(0.3, fps=10, blinks=0), moves)
    voice = media.save_sound(folder / "voice.wav", media.voice(0.3))
    small = Options(crop=True, size=128, fps=10, duration=0.3)
    for kind in SIGNED:
        video = folder / f"case.{kind}".removesuffix(".c2pa")
        animate(face, voice, video, motion=load_motion(moves), options=small)


def _recording(path: Path, kind: str) -> Path:
    if kind == "opus":
        with av.open(str(path), "w", format="ogg") as container:
            stream = container.add_stream("libopus", rate=48_000, layout="stereo")
            _encode(container, stream, media.voice(0.4, 48_000))
        return path
    samples = media.voice(0.4)
    return media.save_sound(path, np.column_stack([samples, samples]))


def _encode(container: OutputContainer, stream: av.AudioStream, samples: np.ndarray) -> None:
    rows = np.stack([samples, samples]).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(rows), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = stream.rate, 0, Fraction(1, stream.rate)
    for converted in av.AudioResampler(stream.format, "stereo", stream.rate).resample(frame):
        container.mux(stream.encode(converted))
    container.mux(stream.encode(None))


def _clip(path: Path, kind: str) -> Path:
    pictures, sounds = CODECS[kind]
    frames = [_moved(media.resized(media.portrait(), (64, 64)), step) for step in range(6)]
    with av.open(str(path), "w") as container:
        video = container.add_stream(pictures, rate=25)
        video.width = video.height = 64
        video.pix_fmt = "yuvj420p" if pictures == "mjpeg" else "yuv420p"
        if pictures == "libx264":
            video.options = {"preset": "veryfast", "threads": "1"}
        sound = container.add_stream(sounds, rate=48_000, layout="stereo")
        for pixels in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(video.encode(None))
        _encode(container, sound, media.voice(0.24, 48_000))
    return path


def _moved(pixels: Pixels, step: int) -> Pixels:
    return np.ascontiguousarray(np.roll(pixels, 2 * step, 1))
