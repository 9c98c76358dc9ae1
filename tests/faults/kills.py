"""Signals at random moments."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import Outcome
from tests.faults.scene import OLD, Command, Scene
from tests.stand_ins.server import FileServer, serving

SIGNALS = {"SIGKILL": -9, "SIGTERM": 143, "SIGINT": 130, "SIGHUP": 129}
"""Signal -> exit code of a run that it ends."""
SHARES = {"animate": 6, "extract-style": 3, "weights get": 4, "evaluate": 2, "finetune-style": 1}
"""Command -> how often it is killed, of SHARES' sum."""
CONTENT = b"numbers " * 1_000_000
PATIENCE = 180.0  # seconds until a run that was killed must have ended


def kills(scene: Scene, count: int, seed: int) -> None:
    """Kill so many runs, each at a moment of its own, and check what is left of each."""
    chance = random.Random(seed)
    lengths: dict[str, float] = {}
    with serving(CONTENT) as server:
        server.pause = 0.01
        for number, name in enumerate(_chosen(count)):
            command = scene.commands()[name]
            if name not in lengths:
                lengths[name] = _length(scene, command, server)
            fate = tuple(SIGNALS)[number % len(SIGNALS)]
            _kill(scene, command, server, fate, lengths[name] * chance.random(), chance)


def _chosen(count: int) -> Iterator[str]:
    """Yield the commands, each by its share, well mixed."""
    order = [name for name, share in SHARES.items() for _ in range(share)]
    random.Random(0).shuffle(order)
    for number in range(count):
        yield order[number % len(order)]


def _line(command: Command, server: FileServer) -> list[str]:
    if command.name != "weights get":
        return command.line
    return [sys.executable, "-m", "tests.faults.fetch", server.url]


def _started(scene: Scene, command: Command, server: FileServer) -> subprocess.Popen[str]:
    return subprocess.Popen(
        _line(command, server),
        env=scene.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=scene.root,
        preexec_fn=_hang_up_as_usual,
    )


def _hang_up_as_usual() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _length(scene: Scene, command: Command, server: FileServer) -> float:
    """Return how long an undisturbed run takes, and clear what it made."""
    began = time.monotonic()
    with _started(scene, command, server) as child:
        _, said = child.communicate()
    if child.returncode:
        scene.find(command.name, f"undisturbed, yet exit {child.returncode}: {said[-600:]}")
    _clear(command)
    return time.monotonic() - began


def _clear(command: Command) -> None:
    for path in command.outputs:
        path.unlink(missing_ok=True)


def _kill(
    scene: Scene,
    command: Command,
    server: FileServer,
    fate: str,
    after: float,
    chance: random.Random,
) -> None:
    """End a run with a signal after some seconds; half of the time, once its result has begun."""
    old = command.name != "weights get" and chance.random() < 0.5
    for path in command.outputs if old else ():
        path.write_bytes(OLD)
    writing = chance.random() < 0.5
    with _started(scene, command, server) as child:
        _wait(child, after, command.outputs[0].parent if writing else None)
        ended = child.poll() is not None
        if not ended:
            child.send_signal(getattr(signal, fate))
        told, said = _last_words(scene, child, f"{command.name}, {fate} after {after:.1f} s")
    outcome = Outcome(child.returncode, told, said)
    fault = f"{command.name}, {fate} after {after:.1f} s"
    if not ended:
        scene.count(f"{command.name}: {fate}")
    print(f"{fault}{', ended before' if ended else ''}: exit {outcome.code}", flush=True)
    # Who is killed when the work is done has done it; and tuning writes its best so far. Who is
    # killed before Python has loaded the command has not begun.
    not_begun = () if told or said else (-getattr(signal, fate),)
    scene.check_talk(fault, outcome, (0, SIGNALS[fate], *not_begun))
    scene.check_files(fault, command, swept=fate != "SIGKILL")
    for path in command.outputs if old else ():
        if not path.exists():
            scene.find(fault, f"{path.name} was there before, and is gone")
    if command.name == "weights get":
        with _started(scene, command, server) as child:
            told, said = child.communicate()
        scene.check_talk(f"{fault}, next run", Outcome(child.returncode, told, said), (0,))
        if command.outputs[0].read_bytes() != CONTENT:
            scene.find(fault, "the next download is not what was sent")
    else:
        scene.check_next(fault, command)
    _clear(command)
    for left in (scene.root / "tmp").glob("stylehead-*"):  # swept a minute later: others may be new
        left.rename(left.with_name(f"swept-{left.name}"))


def _last_words(scene: Scene, child: subprocess.Popen[str], fault: str) -> tuple[str, str]:
    """Return what a run said; one that does not end is a finding, and is ended."""
    try:
        return child.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        scene.find(fault, "hang")
        child.kill()
        return child.communicate()


def _wait(child: subprocess.Popen[str], seconds: float, folder: Path | None) -> None:
    """Wait so long, but no longer than until something partial lies in the folder."""
    ends = time.monotonic() + seconds
    while child.poll() is None and time.monotonic() < ends:
        if folder and folder.is_dir() and any(folder.glob(".*.part*")):
            return
        time.sleep(0.01)
