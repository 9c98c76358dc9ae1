"""What is done with a broken file: read by the product's readers, or given to a command."""

from __future__ import annotations

import contextlib
import itertools
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from stylehead.errors import StyleheadError
from tests.fuzz import checkpoints, commands, made_up, page, seeds, wishes
from tests.fuzz.commands import FindingError
from tests.fuzz.mutations import mutated
from tests.stand_ins.faces import Recording, predictor, syllables

MOST_FRAMES = 200  # that are read of a clip


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


def settings(path: Path) -> None:
    from stylehead.cli.jobs import read_request

    with commands.at_work(path.parent) as folder:
        path.replace(folder / "stylehead.toml")
        given = [f"--image={wishes.FACE}", f"--audio={wishes.VOICE}", "--output=out.mp4"]
        read_request([*given, f"--preset={wishes.PRESET}"])


def listed(path: Path) -> None:
    """Read a list of jobs, each row as far as it goes without its files."""
    from stylehead.batch.rows import read_rows
    from stylehead.cli.jobs import read_request, words_of

    problems: list[StyleheadError] = []
    rows = read_rows(path)
    for row in rows:
        try:
            read_request([*words_of(row), "--output=out.mp4"])
        except StyleheadError as problem:
            problems.append(problem)
    if len(problems) == len(rows):
        raise problems[0]


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


def _signed(kind: str) -> Callable[[Path, random.Random], bytes]:
    """Return what breaks a signed video, or the signature beside one."""

    def make(folder: Path, chance: random.Random) -> bytes:
        own = folder / "signed"
        if not own.is_dir():
            seeds.signed(own)
        return mutated((own / f"case.{kind}").read_bytes(), kind, chance)

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
    "made-up settings": settings,
    "made-up jobs csv": listed,
    "made-up jobs toml": listed,
    "made-up jobs jsonl": listed,
}
MADE = {**made_up.MADE, **wishes.MADE}
"""Target -> its files' ending, and what draws them."""
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
        f"animate {kind}": Target(kind, commands.animate_picture, _faces(kind), costly=True)
        for kind in ("png", "jpg", "webp")
    },
    **{
        f"animate {kind}": Target(kind, commands.animate_recording, _from_seeds(kind), costly=True)
        for kind in ("wav", "mp3", "m4a", "ts")
    },
    "animate motion": Target("npz", commands.animate_motion, costly=True),
    "animate style": Target("style", commands.animate_style, costly=True),
    "extract-style mp4": Target("mp4", commands.learn, _from_seeds("mp4"), costly=True),
    "animate settings": Target("toml", commands.animate_settings, costly=True),
    "page": Target("json", page.ask, costly=True),
    **{
        f"batch {kind}": Target(kind, commands.plan_batch, costly=True)
        for kind in ("csv", "toml", "jsonl")
    },
    **{
        f"animate {kind}": Target(kind, commands.animate_lyrics, costly=True)
        for kind in seeds.LYRICS
    },
    **{
        f"animate {kind}": Target(kind, commands.animate_take, _from_seeds(kind), costly=True)
        for kind in (seeds.TABLES, seeds.SCENE)
    },
    **{
        f"verify {kind}": Target(kind, commands.verify, _signed(kind), costly=True)
        for kind in seeds.SIGNED
    },
}
"""Name -> way in."""
DRAWN_AS = {
    "animate motion": "made-up motion",
    "animate style": "made-up style",
    "animate settings": "made-up settings",
    **{f"batch {kind}": f"made-up jobs {kind}" for kind in ("csv", "toml", "jsonl")},
    **{f"animate {kind}": f"made-up {kind}" for kind in seeds.LYRICS},
}
"""Targets whose files are drawn as another's are."""
