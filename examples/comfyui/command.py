"""Runs `stylehead animate` of another environment: nothing is imported here but Python itself."""

from __future__ import annotations

import json
import os
import queue
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
import wave
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

POLL = 0.2  # seconds between two looks for whether the user has had enough
GRACE = 10.0  # seconds in which an ended command cleans up


class CommandError(RuntimeError):
    """The command failed: what is wrong, and what to do."""


def command() -> list[str]:
    """Return the command's words: of the environment variable STYLEHEAD, or found on the PATH."""
    if chosen := os.environ.get("STYLEHEAD"):
        return shlex.split(chosen, posix=os.name == "posix")
    found = shutil.which("stylehead")
    if found is None:
        raise CommandError(
            "There is no command stylehead. Install it in an environment of its own, and set the "
            "environment variable STYLEHEAD to the path of the command."
        )
    return [found]


def animate(
    words: Sequence[str],
    *,
    progress: Callable[[int, int], None],
    check: Callable[[], None],
) -> dict[str, Any]:
    """Run `animate` with these words, and return what `--json` says of the video.

    `progress` hears steps that are done and their number; `check` is called several times a second
    and ends the command by raising. Raises CommandError for a failure.
    """
    clean = {key: value for key, value in os.environ.items() if key[:6] != "PYTHON"}
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said,
        subprocess.Popen(
            [*command(), "-q", "animate", "--json-lines", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            env={**clean, "PYTHONUTF8": "1"},
            encoding="utf-8",
        ) as child,
    ):
        try:
            facts = _followed(child, progress, check)
        except BaseException:
            child.terminate()  # it removes its own unfinished files
            try:
                child.wait(GRACE)
            except subprocess.TimeoutExpired:
                child.kill()
            raise
        if child.wait() or facts is None:
            said.seek(0)
            raise CommandError(
                _complaint(said.read()) or f"stylehead ended with exit code {child.returncode}."
            )
    return facts


def _followed(
    child: subprocess.Popen[str], progress: Callable[[int, int], None], check: Callable[[], None]
) -> dict[str, Any] | None:
    """Follow a command to its end; returns the facts of the video, None without one."""
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(child.stdout, lines), daemon=True).start()
    facts: dict[str, Any] | None = None
    while True:
        check()
        try:
            line = lines.get(timeout=POLL)
        except queue.Empty:
            continue
        if line is None:
            return facts
        event = json.loads(line)
        if event["event"] == "progressed" and event["total"]:
            progress(event["done"], event["total"])
        elif event["event"] == "failed":
            raise CommandError(f"{event['problem']} {event['remedy']}")
        elif event["event"] == "finished":
            facts = event["facts"]


def _complaint(text: str) -> str:
    """Return what is wrong: the last line, or what stands in the frame of a wrong use."""
    framed = " ".join(re.sub(r"[\u2500-\u257f]", " ", text).split())
    usage, _, wrong = framed.rpartition(" Error ")
    return wrong if usage else "".join(text.strip().splitlines()[-1:])


def _read(stream: Iterable[str], lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def write_wav(path: Path, channels: Sequence[bytes], rate: int) -> None:
    """Write a WAV file of 16 bits from each channel's samples, little-endian."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        frames = bytearray(sum(map(len, channels)))
        step = 2 * len(channels)
        for place, samples in enumerate(channels):
            for byte in range(2):
                frames[2 * place + byte :: step] = samples[byte::2]
        file.writeframes(bytes(frames))
