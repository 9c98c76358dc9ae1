"""The jobs: small ones of every kind that a program may ask for through the Python interface."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stylehead import AudioRange, MotionOptions, Options, animate, make_motion
from stylehead.errors import StyleheadError
from stylehead.motion.file import load_motion, save_motion
from stylehead.pipeline.run import learn_from_clip
from stylehead.style.file import find_style
from stylehead.style.mix import mix_styles
from tests.stand_ins import media
from tests.stand_ins.faces import performed_motion

QUICK = Options(crop=True, size=128, fps=10, duration=0.5, overwrite=True)
Job = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Files:
    """What the jobs read, and the folder they write to."""

    portrait: Path
    voice: Path
    clip: Path
    broken: Path
    motion: Path
    results: Path

    @classmethod
    def made(cls, folder: Path) -> Files:
        """Make them in a folder."""
        results = folder / "results"
        results.mkdir()
        portrait = media.save_picture(folder / "portrait.png", media.portrait())
        voice = media.save_sound(folder / "voice.wav", media.voice(2))
        face = media.resized(media.portrait(), (256, 256))
        clip = media.save_video(folder / "clip.mp4", [face] * 20, sound=media.voice(0.8))
        broken = folder / "broken.wav"
        broken.write_bytes(voice.read_bytes()[:20])
        motion = folder / "motion.npz"
        save_motion(performed_motion(0.5, fps=10, blinks=0), motion)
        return cls(portrait, voice, clip, broken, motion, results)


def jobs(files: Files) -> dict[str, Job]:
    """Return the jobs by name."""

    def render() -> object:
        motion = load_motion(files.motion)
        video = files.results / "saved.mp4"
        return animate(files.portrait, files.voice, video, motion=motion, options=QUICK)

    def speak() -> object:
        return animate(files.portrait, files.voice, files.results / "spoken.mp4", options=QUICK)

    def move() -> object:
        mix = mix_styles([(find_style("plain"), 1.0), (find_style("lively"), 1.0)], {})
        motion = make_motion(files.voice, style=mix, options=MotionOptions(duration=1.0))
        save_motion(motion, files.results / "motion.npz")
        return motion

    def learn() -> object:
        with contextlib.suppress(StyleheadError):  # a still face may have too little to learn
            learn_from_clip(files.clip, clip=AudioRange())
        return None

    def refuse() -> object:
        with contextlib.suppress(StyleheadError):
            animate(files.portrait, files.broken, files.results / "none.mp4", options=QUICK)
        with contextlib.suppress(StyleheadError):
            animate(files.voice, files.voice, files.results / "none.mp4", options=QUICK)
        return None

    return {
        "render a saved motion": render,
        "speak": speak,
        "make a motion": move,
        "learn a style": learn,
        "refuse": refuse,
    }
