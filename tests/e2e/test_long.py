"""Minutes: sound and picture stay together, and memory stays flat."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import interocular, mouth_opening, to_68
from stylehead.media.audio import open_audio
from stylehead.media.image import read_image, write_image
from stylehead.media.video import read_frames
from stylehead.motion.file import save_motion
from stylehead.tracking.detector import faces_in, landmarker
from stylehead.types import Motion
from stylehead.weights.store import demo_files

FPS = 25
RATE = 16_000
JAW_OPEN = 25  # place of the score in the tracker's list
LONG = 180  # seconds: a frame kept back in memory, or lost, shows after far fewer
EVERY = 30  # seconds between clicks

pytestmark = pytest.mark.slow


def write_clicks(path: Path, seconds: int, every: int) -> None:
    """A click of 2 ms at the start of each `every` seconds, from the first second on."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono")
        for second in range(seconds):
            samples = np.zeros((1, RATE), np.int16)
            if second % every == 1:
                samples[0, :32] = 30_000
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate = RATE
            frame.pts = second * RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def clicking_motion(seconds: int, every: int) -> Motion:
    """The mouth opens wide for a fifth of a second at each click and is shut otherwise."""
    model = FaceModel.embedded()
    wide = 0.8 * to_68(model.basis[JAW_OPEN].reshape(478, 3))
    frames = seconds * FPS
    landmarks = np.zeros((frames, 68, 3), np.float32)
    for start in range(FPS, frames, every * FPS):
        landmarks[start : start + 5] = wide
    rotation = np.broadcast_to(np.eye(3, dtype=np.float32), (frames, 3, 3)).copy()
    still = np.zeros((frames, 3), np.float32)
    shut = np.zeros(frames, np.float32)
    return Motion(landmarks, rotation, still, shut, Fraction(FPS), to_68(model.mean))


def animate(image: Path, audio: Path, output: Path, *more: str) -> float:
    """Run the command in a process of its own; return its peak memory in MB."""
    command = [sys.executable, "-m", "stylehead", "-q", "animate", "--image", str(image)]
    command += ["--audio", str(audio), "-o", str(output), "--crop", "--fps", str(FPS), *more]
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status  # it has been waited for, which Popen does not know
    assert status == 0
    return usage.ru_maxrss / 1024


def assert_together(output: Path, seconds: int, every: int = EVERY) -> float:
    """Check that a video is as long as its sound, and its mouth open at each click, to a frame.

    Returns the seconds by which they are apart at most.
    """
    with av.open(str(output)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        picture_seconds = float(video.duration * video.time_base)
        sound_seconds = float(sound.duration * sound.time_base)
    assert abs(picture_seconds - sound_seconds) < 1 / FPS

    heard: list[float] = []
    with av.open(str(output)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.3)
            moment = frame.time + loud[0] / frame.sample_rate if len(loud) else None
            if moment is not None and (not heard or moment - heard[-1] > 1):
                heard.append(moment)
    seen: list[float] = []
    with landmarker(video=False) as task:
        for frame in read_frames(output):
            near = frame.seconds % every
            if not 0.8 < near < 1.4 or (seen and frame.seconds - seen[-1] < 1):
                continue
            points = to_68(faces_in(task, frame.pixels, None)[0].mesh)[:, :2]
            if mouth_opening(points) / interocular(points) > 0.15:
                seen.append(frame.seconds)
    assert len(heard) == len(seen) == seconds // every
    apart = float(np.abs(np.array(heard) - np.array(seen)).max())
    assert apart < 1 / FPS
    return apart


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "portrait.png"
    write_image(path, read_image(demo_files()[0]))
    return path


def test_picture_and_sound_stay_together_for_minutes(portrait: Path, tmp_path: Path) -> None:
    seconds = LONG
    clicks, motion, output = tmp_path / "c.flac", tmp_path / "m.npz", tmp_path / "v.mp4"
    write_clicks(clicks, seconds, EVERY)
    save_motion(clicking_motion(seconds, EVERY), motion)
    animate(portrait, clicks, output, "--motion", str(motion), "--size", "192")

    assert_together(output, seconds)


def test_memory_is_the_same_for_ten_seconds_and_minutes(portrait: Path, tmp_path: Path) -> None:
    voice = np.concatenate(list(open_audio(demo_files()[1]).blocks()))
    peaks: list[float] = []
    for seconds in (10, LONG):
        sound = tmp_path / f"{seconds}.flac"
        with av.open(str(sound), "w") as container:
            stream = container.add_stream("flac", rate=RATE, layout="mono")
            for second in range(seconds):
                rows = (np.arange(RATE) + second * RATE) % len(voice)
                block = (voice[rows] * 32_767).astype(np.int16)[None]
                frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
                frame.sample_rate, frame.pts = RATE, second * RATE
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        peaks.append(animate(portrait, sound, tmp_path / f"{seconds}.mp4", "--size", "192"))
    assert max(peaks) < 1500
    assert peaks[1] < 1.05 * peaks[0]
