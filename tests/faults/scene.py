"""Inputs, the commands that read them, and what must hold after any fault."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stylehead.files import digest
from stylehead.media.image import read_image
from stylehead.motion.file import load_motion, save_motion
from stylehead.style.file import load_style
from tests.conftest import Outcome, environment
from tests.stand_ins import media
from tests.stand_ins.faces import performed_motion

QUICK = ("--crop", "--size", "128", "--fps", "10", "--overwrite")
OLD = b"what was there before"


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, and the files that it makes."""

    name: str
    words: tuple[str, ...]
    outputs: tuple[Path, ...]

    @property
    def line(self) -> list[str]:
        """The words that start it in a process of its own."""
        return [sys.executable, "-m", "stylehead", *self.words]


@dataclass(slots=True)
class Scene:
    """A folder of inputs, one of results, and a home of its own."""

    root: Path
    findings: list[str] = field(default_factory=list[str])
    injected: dict[str, int] = field(default_factory=dict[str, int])
    """Kind of fault -> times."""
    _inputs: dict[Path, str] = field(default_factory=dict[Path, str])

    @classmethod
    def made(cls, root: Path) -> Scene:
        """Make the inputs in a folder."""
        scene = cls(root)
        for name in ("in", "out", "home", "tmp"):
            (root / name).mkdir()
        media.save_picture(root / "in/face.png", media.portrait())
        media.save_sound(root / "in/voice.wav", media.voice(2))
        save_motion(performed_motion(1, fps=10), root / "in/motion.npz")
        _clip(root / "in/clip.mp4")
        _clip(root / "in/other.mp4", gain=0.5)
        scene._inputs = {path: digest(path) for path in (root / "in").iterdir()}
        return scene

    def path(self, name: str) -> str:
        return str(self.root / "in" / name)

    def commands(self, out: Path | None = None) -> dict[str, Command]:
        """Return the commands by name, with their results in a folder."""
        out = out or self.root / "out"
        video, motion, style = out / "talk.mp4", out / "moves.npz", out / "x.style"
        table = out / "measures.csv"
        face, voice = ("--image", self.path("face.png")), ("--audio", self.path("voice.wav"))
        words = {
            "animate": (
                ("animate", *face, *voice, *QUICK, "--motion", self.path("motion.npz")),
                ("-o", str(video), "--save-motion", str(motion)),
                (video, motion),
            ),
            "extract-style": (
                ("extract-style", self.path("clip.mp4"), "--style-effort", "fast", "--overwrite"),
                ("-o", str(style), "--sheet", str(out / "x.png")),
                (style, out / "x.png"),
            ),
            "evaluate": (
                ("evaluate", "--result", self.path("other.mp4")),
                ("--reference", self.path("clip.mp4"), "--csv", str(table), "--overwrite"),
                (table,),
            ),
            "finetune-style": (
                ("finetune-style", "--style", "plain", "--steps", "100", "--force", "--overwrite"),
                ("-o", str(out / "tuned.style"), "--run", str(out / "run")),
                (out / "tuned.style",),
            ),
            "weights get": (
                ("weights", "get", "stand-in"),
                (),
                (self.root / "home/weights/stand-in.bin",),
            ),
        }
        return {name: Command(name, one + two, made) for name, (one, two, made) in words.items()}

    def environment(self) -> dict[str, str]:
        """Return the environment of a child: this home, these temporary files."""
        own = {"STYLEHEAD_HOME": str(self.root / "home"), "TMPDIR": str(self.root / "tmp")}
        return {**environment(), **own}

    def count(self, fault: str) -> None:
        """Note that a fault was injected."""
        self.injected[fault] = self.injected.get(fault, 0) + 1

    def find(self, fault: str, problem: str) -> None:
        """Note a finding."""
        self.findings.append(f"{fault}: {problem}")
        print(f"FINDING {fault}: {problem}", flush=True)

    # ---- what must hold ---------------------------------------------------------------------

    def check_talk(self, fault: str, outcome: Outcome, codes: tuple[int, ...]) -> None:
        """One line, no traceback, one of the exit codes."""
        if outcome.code not in codes:
            self.find(fault, f"exit code {outcome.code}: {outcome.stderr[-600:]}")
        elif re.search("Traceback|Exception|Error in sys", outcome.stderr):
            self.find(fault, f"a traceback: {outcome.stderr[-1500:]}")
        elif outcome.code == 1 and outcome.stderr.count("Error:") != 1:
            self.find(fault, f"no one line: {outcome.stderr[-600:]}")

    def check_files(self, fault: str, command: Command, *, swept: bool) -> None:
        """Inputs as they were; results whole, old or absent; nothing partial where swept."""
        for path, before in self._inputs.items():
            if not path.is_file() or digest(path) != before:
                self.find(fault, f"the input {path.name} changed")
        for path in command.outputs:
            if path.exists() and path.read_bytes() != OLD and (why := broken(path)):
                self.find(fault, f"{path.name} is half: {why}")
        if swept:
            for folder in {path.parent for path in command.outputs} | {self.root / "tmp"}:
                left = [each.name for each in folder.iterdir() if _partial(each)]
                if left:
                    self.find(fault, f"left in {folder.name}: {left}")

    def check_next(self, fault: str, command: Command) -> None:
        """The same command works afterwards, and sweeps up."""
        outcome = in_process(command, self)
        if outcome.code or not all(path.is_file() for path in command.outputs):
            self.find(fault, f"the next run: exit {outcome.code}, {outcome.stderr[-600:]}")
        self.check_files(f"{fault}, next run", command, swept=False)
        for folder in {path.parent for path in command.outputs}:
            if left := [each.name for each in folder.iterdir() if each.name.startswith(".")]:
                left = [name for name in left if name != ".incoming"]
                if left:
                    self.find(fault, f"not swept from {folder.name}: {left}")


def _clip(path: Path, gain: float = 1.0) -> None:
    """Film the portrait, 1.2 s, nodding a little."""
    face = media.resized(media.portrait(), (256, 256))
    frames = [face[row : row + 248, 4:252] for row in (0, 2, 4, 6, 8, 6, 4, 2) * 4]
    media.save_video(path, frames, sound=gain * media.voice(1.28))


def _partial(path: Path) -> bool:
    return path.name.startswith((".", "stylehead-")) and path.name != ".incoming"


def broken(path: Path) -> str | None:
    """Return what is wrong with a result, None when it is whole."""
    try:
        if path.suffix == ".mp4":
            return None if len(media.read_video(path)[0]) else "no frame"
        if path.suffix == ".npz":
            load_motion(path)
        elif path.suffix == ".style":
            load_style(path)
        elif path.suffix == ".png":
            read_image(path)
    except Exception as error:  # noqa: BLE001 (whatever it is, the file is broken)
        return repr(error)
    return None if path.stat().st_size else "empty"


@contextlib.contextmanager
def at_home(scene: Scene) -> Iterator[None]:
    """Let this process use the scene's home and folder of temporary files."""
    before, folder = os.environ.get("STYLEHEAD_HOME"), tempfile.tempdir
    os.environ["STYLEHEAD_HOME"] = str(scene.root / "home")
    tempfile.tempdir = str(scene.root / "tmp")
    try:
        yield
    finally:
        tempfile.tempdir = folder
        del os.environ["STYLEHEAD_HOME"]
        if before is not None:
            os.environ["STYLEHEAD_HOME"] = before


def in_process(command: Command, scene: Scene) -> Outcome:
    """Run a command in this process: libraries are loaded once."""
    from stylehead.cli.app import main

    told, said = io.StringIO(), io.StringIO()
    argv, sys.argv = sys.argv, ["stylehead", *command.words]
    code = 0
    with at_home(scene):
        try:
            with contextlib.redirect_stdout(told), contextlib.redirect_stderr(said):
                main()
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        except Exception as error:  # noqa: BLE001 (it would have reached the user)
            code = -1
            said.write(f"Traceback: {error!r}")
        finally:
            sys.argv = argv
    return Outcome(code, told.getvalue(), said.getvalue())
