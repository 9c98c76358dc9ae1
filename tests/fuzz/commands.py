"""Whole commands, given broken files: a result or one line, and nothing left behind."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.fuzz import seeds, wishes
from tests.stand_ins import media
from tests.stand_ins.faces import performed_motion


class FindingError(Exception):
    """Something that no file may bring about."""


def talk(*words: object) -> tuple[int, str]:
    """Run the command line in this process; return its exit code and what it said."""
    from stylehead.cli.app import main

    told, said = io.StringIO(), io.StringIO()
    argv, sys.argv = sys.argv, ["stylehead", *map(str, words)]
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(said):
            main()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    finally:
        sys.argv = argv
    return code, said.getvalue()


def command(*words: object, output: Path) -> None:
    """Run a command that makes a file: the file or one line, and nothing left behind."""
    output.unlink(missing_ok=True)
    before = set(output.parent.iterdir())
    code, said = talk(*words, "-o", output, "--overwrite")
    if (code, output.exists(), said.count("Error:")) not in ((0, True, 0), (1, False, 1)):
        raise FindingError(f"exit {code}, output {output.exists()}, said {said[-500:]}")
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
    heard = given.keys() & {"style", "cues"}
    if heard:
        del words["motion"]
    flags = [word for name, value in words.items() for word in (f"--{name}", value)]
    quick = ("--duration", 0.3, "--crop", "--size", 128, "--fps", 10)
    filtered = ("--separate", "filter") if heard else ()
    command("animate", *flags, *quick, *filtered, output=folder / "out.mp4")


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


@contextmanager
def at_work(place: Path) -> Generator[Path]:
    """Work in a new folder with the files that settings and lists name; no partial one may stay."""
    kept = place / "kept"
    if not kept.is_dir():
        wishes.lay(kept)
    folder, before = place / "deep" / "work", Path.cwd()
    shutil.copytree(kept, folder)
    os.chdir(folder)
    try:
        yield folder
        hidden = [path for path in folder.rglob(".*") if ".stylehead" not in path.parts]
        if hidden:
            raise FindingError(f"left behind: {hidden}")
    finally:
        os.chdir(before)
        shutil.rmtree(folder.parent)


def _checked(code: int, said: str, codes: tuple[int, ...]) -> None:
    """Raise FindingError for another exit code, or one without a word of why."""
    if code not in codes or (code in (1, 2) and "Error:" not in said):
        raise FindingError(f"exit {code}, said {said[-500:]}")


def animate_settings(path: Path) -> None:
    with at_work(path.parent) as folder:
        path.replace(folder / "stylehead.toml")
        words = ("--image", wishes.FACE, "--audio", wishes.VOICE, "--duration", 0.3, "--crop")
        quick = ("--size", 128, "--fps", 10, "-o", "out.mp4", "--preset", wishes.PRESET)
        code, said = talk("animate", *words, *quick)
        _checked(code, said, (0, 1, 2))
        if (code == 0) != Path("out.mp4").exists():
            raise FindingError(f"exit {code}, said {said[-500:]}")


def plan_batch(path: Path) -> None:
    with at_work(path.parent) as folder:
        path.replace(folder / path.name)
        code, said = talk("batch", path.name, "-o", "out", "--dry-run")
        _checked(code, said, (0, 1, 2))


def animate_lyrics(path: Path) -> None:
    _animate(path.parent, cues=path)


def animate_take(path: Path) -> None:
    """Use a motion that another program wrote, or one of a kind that is only written."""
    _animate(path.parent, motion=path)


def verify(path: Path) -> None:
    if path.suffix == ".c2pa":  # it lies beside its video
        shutil.copy(path.parent / "signed/case.webm", path.with_suffix(""))
    code, said = talk("verify", path.with_suffix("") if path.suffix == ".c2pa" else path)
    if code not in (0, 1, 3) or said.count("Error:") > (code == 1):
        raise FindingError(f"exit {code}, said {said[-500:]}")
