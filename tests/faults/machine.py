"""A full disk, inputs that go away, clocks that jump, two runs at once, no home, no memory."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from tests.conftest import Outcome
from tests.faults.scene import OLD, Command, Scene, in_process

KILOBYTE = 1024
DISK = 4_000  # KB of the small file system
DAY = 86_400.0


# ---- disks ----------------------------------------------------------------------------------


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[bool]:
    """Mount a small file system; yields whether this process may."""
    folder.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK}k", "tmpfs", str(folder)]
    may = shutil.which("mount") and not subprocess.run(words, capture_output=True).returncode
    try:
        yield bool(may)
    finally:
        if may:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def full_disks(scene: Scene, steps: int) -> None:
    """Run each command where less and less fits, down to nothing."""
    folder = scene.root / "small"
    with mounted(folder) as may:
        if not may:
            print("full disks: mounting needs rights that this process lacks")
            return
        for name in ("animate", "extract-style"):
            command = scene.commands(folder)[name]
            needed = _needed(scene, command)
            for step in range(steps):
                room = needed * step // steps
                _fill(folder / "filling", room)
                for path in command.outputs:
                    path.write_bytes(b"")
                fault = f"{name}, {room // KILOBYTE} KB free"
                scene.count(f"{name}: full disk")
                before = {path.name for path in folder.iterdir()}
                scene.check_talk(fault, in_process(command, scene), (0, 1))
                whole = [path for path in command.outputs if path.stat().st_size]
                for path in command.outputs:
                    if path not in whole:
                        path.unlink()
                scene.check_files(fault, command, swept=True)
                if extra := {path.name for path in folder.iterdir()} - before:
                    scene.find(fault, f"left behind: {extra}")
            (folder / "filling").unlink()
            scene.check_next(f"{name}, after full disks", command)
            for path in command.outputs:
                path.unlink()


def _needed(scene: Scene, command: Command) -> int:
    outcome = in_process(command, scene)
    scene.check_talk(f"{command.name}, with room", outcome, (0,))
    sizes = sum(path.stat().st_size for path in command.outputs if path.exists())
    for path in command.outputs:
        path.unlink(missing_ok=True)
    return int(1.3 * sizes)  # a video is moved within its file before it ends


def _fill(filling: Path, room: int) -> None:
    """Fill a file system up to so many bytes."""
    filling.unlink(missing_ok=True)
    free = shutil.disk_usage(filling.parent).free
    with filling.open("wb") as file:
        file.write(bytes(max(free - room, 0)))


def read_only_home(scene: Scene) -> None:
    """Let the home be a disk that nobody may write to."""
    home = scene.root / "home"
    with mounted(home) as may:
        if not may:
            print("read-only home: mounting needs rights that this process lacks")
            return
        subprocess.run(["mount", "-o", "remount,ro", str(home)], check=True)
        for name, codes in {"animate": (0,), "extract-style": (0, 1)}.items():
            command = scene.commands()[name]
            scene.count("read-only home")
            scene.check_talk(f"{name}, read-only home", in_process(command, scene), codes)
            scene.check_files(f"{name}, read-only home", command, swept=True)
    scene.check_next("after a read-only home", scene.commands()["extract-style"])


# ---- inputs ---------------------------------------------------------------------------------


def reads_fail(scene: Scene) -> None:
    """Let a read of each input that Python opens fail midway, as a bad disk's do."""
    for name, given in {
        "animate": ("motion.npz", "face.png"),
        "extract-style": ("clip.mp4",),
    }.items():
        for victim in given:
            command = scene.commands()[name]
            fault = f"{name}, a read of {victim} fails"
            for after in (0, 100, 5000):
                scene.count(f"{name}: failing read")
                with mock.patch.object(Path, "open", _failing(victim, after)):
                    scene.check_talk(fault, in_process(command, scene), (0, 1))
                scene.check_files(fault, command, swept=True)
            scene.check_next(fault, command)


def _failing(victim: str, after: int) -> Callable[..., Any]:
    original = Path.open

    def opened(self: Path, *args: Any, **options: Any) -> Any:
        file = original(self, *args, **options)
        if self.name != victim:
            return file
        failing, read = mock.MagicMock(wraps=file), 0
        failing.__enter__.return_value = failing
        failing.__exit__.side_effect = lambda *_: file.close()

        def part(size: int = -1) -> Any:
            nonlocal read
            if read >= after:
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(self))
            found = file.read(min(size, after - read) if size >= 0 else after - read)
            read += len(found)
            return found

        failing.read.side_effect = part
        return failing

    return opened


def inputs_go(scene: Scene) -> None:
    """Remove, empty or cut an input while it is used."""
    deeds: dict[str, Callable[[Path], None]] = {
        "removed": lambda path: path.unlink(),
        "emptied": lambda path: os.truncate(path, 0),
        "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    }
    for name, victim in (("animate", "voice.wav"), ("extract-style", "clip.mp4")):
        for deed, do in deeds.items():
            for after in (0.05, 0.3, 1.0):
                command, path = scene.commands()[name], scene.root / "in" / victim
                kept = path.read_bytes()
                timer = threading.Timer(after, do, (path,))
                timer.start()
                outcome = in_process(command, scene)
                timer.join()
                path.write_bytes(kept)
                fault = f"{name}, {victim} {deed} after {after} s"
                scene.count(f"{name}: input {deed}")
                scene.check_talk(fault, outcome, (0, 1))
                scene.check_files(fault, command, swept=True)
        scene.check_next(f"{name}, after its input came back", scene.commands()[name])


# ---- time -----------------------------------------------------------------------------------


def clock_jumps(scene: Scene) -> None:
    """Let the wall clock jump back and forth by years while a command runs."""
    original = time.time
    for jump in (-3650 * DAY, -1.5 * DAY, 1.5 * DAY, 3650 * DAY):
        calls = 0

        def jumping(jump: float = jump) -> float:
            nonlocal calls
            calls += 1
            return original() + jump * (calls % 2)

        for name in ("animate", "extract-style"):
            command = scene.commands()[name]
            scene.count("clock jumps")
            with mock.patch.object(time, "time", jumping):
                outcome = in_process(command, scene)
            fault = f"{name}, the clock jumps by {jump / DAY:.0f} days"
            scene.check_talk(fault, outcome, (0,))
            scene.check_files(fault, command, swept=True)


# ---- others ---------------------------------------------------------------------------------


def two_at_once(scene: Scene) -> None:
    """Run each command twice on one output, cache and home."""
    for name in ("animate", "extract-style", "finetune-style"):
        command = scene.commands()[name]
        for path in command.outputs:
            path.write_bytes(OLD)
        fault = f"two of {name}"
        scene.count("two runs at once")
        outcomes = _both(command, scene)
        for outcome in outcomes:
            scene.check_talk(fault, outcome, (0, 1))
        if all(outcome.code for outcome in outcomes):
            scene.find(fault, "neither worked")
        scene.check_files(fault, command, swept=True)
        if any(path.read_bytes() == OLD for path in command.outputs):
            scene.find(fault, "an old result stayed")


def _both(command: Command, scene: Scene) -> list[Outcome]:
    pipe = subprocess.PIPE
    children = [
        subprocess.Popen(command.line, env=scene.environment(), stdout=pipe, stderr=pipe, text=True)
        for _ in range(2)
    ]
    ended: list[Outcome] = []
    for child in children:
        told, said = child.communicate()
        ended.append(Outcome(child.returncode, told, said))
    return ended


def no_memory(scene: Scene, megabytes: tuple[int, ...]) -> None:
    """Run where address space ends at so many MB (`ulimit -v`)."""
    for limit in megabytes:
        for name in ("animate", "extract-style"):
            command = scene.commands()[name]
            line = ["bash", "-c", f'ulimit -v {limit * 1000}; exec "$@"', "bash", *command.line]
            done = subprocess.run(line, env=scene.environment(), capture_output=True, text=True)
            fault = f"{name}, {limit} MB of address space"
            scene.count("out of memory")
            # Libraries in C end the process in their own way (-6, -11, 1); what counts is what
            # they leave. Where Python notices, it is one line.
            if done.returncode in (0, 1) and "libgomp" not in done.stderr:
                outcome = Outcome(done.returncode, done.stdout, done.stderr)
                scene.check_talk(fault, outcome, (0, 1))
            scene.check_files(fault, command, swept=done.returncode >= 0)
    scene.check_next("after too little memory", scene.commands()["animate"])
