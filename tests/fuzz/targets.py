"""What is done with a broken file: read by the product's readers, or given to a command."""

from __future__ import annotations

import contextlib
import io
import itertools
import random
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from stylehead.errors import StyleheadError
from tests.fuzz import checkpoints, seeds
from tests.fuzz.made_up import MADE
from tests.fuzz.mutations import mutated
from tests.stand_ins import media
from tests.stand_ins.faces import Recording, performed_motion, predictor, syllables

MOST_FRAMES = 200  # that are read of a clip


class FindingError(Exception):
    """Something that no file may bring about."""


Use = Callable[[Path], object]
"""Takes a broken file; may raise StyleheadError and nothing else."""


@dataclass(frozen=True, slots=True)
class Target:
    """One way in for broken files."""

    suffix: str
    use: Use
    make: Callable[[Path, random.Random], bytes] | None = None
    """Draws a case from seeds in a folder; None: hypothesis draws it (`made_up`)."""
    costly: bool = False
    """A whole command for each case: drawn less often."""


# ---- readers --------------------------------------------------------------------------------


def picture(path: Path) -> None:
    from stylehead.media.image import read_image

    read_image(path)


def recording(path: Path) -> None:
    from stylehead.media.audio import open_audio

    for _ in itertools.islice(open_audio(path, duration=600).blocks(44_100, 2), 10_000):
        pass


def clip(path: Path) -> None:
    from stylehead.media.video import count_frames, read_frames

    with contextlib.suppress(StyleheadError):
        count_frames(path)
    for start in (0.0, 0.1):
        with contextlib.suppress(StyleheadError):
            for _ in itertools.islice(read_frames(path, start=start), MOST_FRAMES):
                pass
    recording(path)


def cues(path: Path) -> None:
    from stylehead.media.cues import read_cues, subtitles
    from stylehead.pipeline.song import within

    subtitles(within(read_cues(path), 0.0, 60.0))


def motion(path: Path) -> None:
    from stylehead.motion.file import load_motion
    from stylehead.motion.finishing import at_rate

    found = load_motion(path)
    if found.seconds < 60:
        at_rate(found, Fraction(30))


def style(path: Path) -> None:
    from stylehead.style.file import load_style
    from stylehead.style.mix import as_mix

    loaded = load_style(path)
    sound: Any = Recording(syllables(1.0))
    predictor().predict(sound, as_mix(loaded), fps=Fraction(30))


def recipe(path: Path) -> None:
    from stylehead.training.config import read_config
    from stylehead.training.motion_generator import MotionTraining

    read_config(str(path), MotionTraining)


def manifest(path: Path) -> None:
    from stylehead.weights.store import read_manifest

    read_manifest(path)


def checkpoint(path: Path) -> None:
    from stylehead.weights.checkpoints import load_state

    entry: Any = SimpleNamespace(
        name="x",
        file=path.name,
        format="safetensors" if path.suffix == ".safetensors" else "pth",
        sha256=f"{zlib.crc32(path.read_bytes()):064x}",
        sections={},
        prefix="",
    )
    try:
        load_state(entry, path, None)
    finally:
        if Path("ran").exists():
            Path("ran").unlink()
            raise FindingError("a checkpoint ran code")


def converter(path: Path) -> None:
    """Read as the scripts do that convert published models; they may stop, and no more."""
    from docs import make_spleeter, make_whisper_encoder

    with contextlib.suppress(Exception):
        if path.suffix == ".ctranslate2":
            make_whisper_encoder.read_arrays(path)
        else:
            make_spleeter.arrays(path.read_bytes())


# ---- commands -------------------------------------------------------------------------------


def command(*words: object, output: Path) -> None:
    """Run the command line in this process: a result or one line, and nothing left behind."""
    from stylehead.cli.app import main

    output.unlink(missing_ok=True)
    before = set(output.parent.iterdir())
    told, said = io.StringIO(), io.StringIO()
    argv, sys.argv = sys.argv, ["stylehead", *map(str, words), "-o", str(output), "--overwrite"]
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(said):
            main()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    finally:
        sys.argv = argv
    errors = said.getvalue().count("Error:")
    if (code, output.exists(), errors) not in ((0, True, 0), (1, False, 1)):
        raise FindingError(f"exit {code}, output {output.exists()}, said {said.getvalue()[-500:]}")
    if left := set(output.parent.iterdir()) - before - {output}:
        raise FindingError(f"left behind: {left}")


def _animate(folder: Path, **given: Path) -> None:
    helpers = folder / "helpers"
    if not helpers.is_dir():
        from stylehead.motion.file import save_motion

        helpers.mkdir()
        seeds.with_face(helpers, "png")
        media.save_sound(helpers / "voice.wav", media.voice(0.3))
        save_motion(performed_motion(0.3, fps=10, blinks=0), helpers / "motion.npz")
    words = {
        "image": helpers / "face.png",
        "audio": helpers / "voice.wav",
        "motion": helpers / "motion.npz",
        **given,
    }
    if "style" in given:
        del words["motion"]
    flags = [word for name, value in words.items() for word in (f"--{name}", value)]
    quick = ("--duration", 0.3, "--crop", "--size", 128, "--fps", 10)
    command("animate", *flags, *quick, output=folder / "out.mp4")


def animate_picture(path: Path) -> None:
    _animate(path.parent, image=path)


def animate_recording(path: Path) -> None:
    _animate(path.parent, audio=path)


def animate_motion(path: Path) -> None:
    _animate(path.parent, motion=path)


def animate_style(path: Path) -> None:
    _animate(path.parent, style=path)


def learn(path: Path) -> None:
    command("extract-style", path, output=path.parent / "learned.style")


# ---- all of them ----------------------------------------------------------------------------


def _from_seeds(kind: str) -> Callable[[Path, random.Random], bytes]:
    def make(folder: Path, chance: random.Random) -> bytes:
        own = folder / "seeds" / kind
        if not own.is_dir():
            seeds.seeds(own, (kind,))
        return mutated(chance.choice(sorted(own.iterdir())).read_bytes(), kind, chance)

    return make


def _faces(kind: str) -> Callable[[Path, random.Random], bytes]:
    def make(folder: Path, chance: random.Random) -> bytes:
        own = folder / "faces"
        own.mkdir(exist_ok=True)
        path = own / f"face.{kind}"
        source = path if path.is_file() else seeds.with_face(own, kind)
        return mutated(source.read_bytes(), kind, chance)

    return make


def _checkpoints(form: str) -> Callable[[Path, random.Random], bytes]:
    def make(folder: Path, chance: random.Random) -> bytes:
        del folder
        return checkpoints.broken(form, chance)

    return make


USES: dict[str, Use] = {
    "made-up motion": motion,
    "made-up style": style,
    "made-up lrc": cues,
    "made-up srt": cues,
    "made-up recipe": recipe,
    "made-up manifest": manifest,
}
TARGETS: dict[str, Target] = {
    **{name: Target(MADE[name][0], use) for name, use in USES.items()},
    **{kind: Target(kind, picture, _from_seeds(kind)) for kind in seeds.PICTURES},
    **{kind: Target(kind, recording, _from_seeds(kind)) for kind in seeds.RECORDINGS},
    **{kind: Target(kind, clip, _from_seeds(kind)) for kind in seeds.CLIPS},
    **{kind: Target(kind, cues, _from_seeds(kind)) for kind in seeds.LYRICS},
    seeds.TABLES: Target(seeds.TABLES, motion, _from_seeds(seeds.TABLES)),
    **{
        form: Target(
            form.replace(" ", "."),
            converter if form in ("ckpt", "ctranslate2") else checkpoint,
            _checkpoints(form),
        )
        for form in checkpoints.FORMS
    },
    **{
        f"animate {kind}": Target(kind, animate_picture, _faces(kind), costly=True)
        for kind in ("png", "jpg", "webp")
    },
    **{
        f"animate {kind}": Target(kind, animate_recording, _from_seeds(kind), costly=True)
        for kind in ("wav", "mp3", "m4a", "ts")
    },
    "animate motion": Target("npz", animate_motion, costly=True),
    "animate style": Target("style", animate_style, costly=True),
    "extract-style mp4": Target("mp4", learn, _from_seeds("mp4"), costly=True),
}
"""Name -> way in."""
DRAWN_AS = {"animate motion": "made-up motion", "animate style": "made-up style"}
"""Targets whose files are drawn as another's are."""
