"""Jobs through the page: what its process holds after each round of them."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.soak.jobs import Files
from tests.soak.run import Held

QUICK = {"crop": True, "size": 128, "fps": 10, "duration": 0.5, "separate": "filter"}
PATIENCE = 60.0  # seconds in which the page is there, and in which a job's process ends


def soak_page(folder: Path, enough: Callable[[int], bool]) -> Iterator[Held]:
    """Do rounds of jobs through a page until `enough` says so; yield what it holds after each.

    A round is a video, a preview, one that is refused before work, one that fails in it, and one
    that is cancelled. Needs the extra `ui`, and Linux.
    """
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    temporary, fetched = folder / "temporary", folder / "fetched"
    for place in (temporary, fetched):
        place.mkdir()
    files = Files.made(folder)
    words = [sys.executable, "-m", "stylehead", "ui", "--no-browser", "--port", "0"]
    variables = {**os.environ, "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    said = folder / "said.txt"  # no pipe, which would fill
    with said.open("w") as lines:
        page = subprocess.Popen(words, stderr=lines, env=variables)
    try:
        client = Client(_address(said), verbose=False, download_files=fetched)
        given: dict[str, Any] = {
            "image": handle_file(files.portrait),
            "audio": handle_file(files.voice),
            "options": QUICK,
            "api_name": "/animate",
        }
        done = 0
        while not enough(done):
            _fetched(client, given, fetched)
            _fetched(client, given | {"preview": True}, fetched)
            for wrong in ({"style": "nobody"}, {"audio": handle_file(files.broken)}):
                try:
                    client.predict(**given | wrong)
                except AppError:
                    continue
                raise AssertionError(f"{wrong} was not refused")
            long = client.submit(**given | {"options": QUICK | {"duration": 2.0, "fps": 60}})
            time.sleep(1)
            long.cancel()
            done += 5
            _wait(lambda: not _children(page.pid), "a job's process stayed")
            yield _held(done, page.pid, temporary)
    finally:
        page.kill()
        page.wait()


def _address(said: Path) -> str:
    """Return where the page is, once it has said so."""
    found: list[str] = []

    def is_told() -> bool:
        found[:] = re.findall(r"http://127\.0\.0\.1:\d+", said.read_text())
        return bool(found)

    _wait(is_told, "the page did not start")
    return found[0]


def _fetched(client: Any, given: dict[str, Any], fetched: Path) -> None:
    """Make a video and fetch it; the client's copies are no part of what is measured."""
    told, _ = client.predict(**given)
    assert told["state"] == "done", told
    for path in fetched.rglob("*.*"):
        path.unlink()


def _children(pid: int) -> list[str]:
    found: list[str] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            with contextlib.suppress(OSError):  # it has just ended
                found.append(Path(f"/proc/{child}/cmdline").read_text())
    return [line for line in found if "resource_tracker" not in line]


def _wait(what: Callable[[], bool], why: str) -> None:
    until = time.monotonic() + PATIENCE
    while not what():
        if time.monotonic() > until:
            raise TimeoutError(why)
        time.sleep(0.05)


def _held(done: int, pid: int, temporary: Path) -> Held:
    place = Path(f"/proc/{pid}")
    pages = int((place / "statm").read_text().split()[1])
    files = [path for path in temporary.rglob("*") if path.is_file()]
    return Held(
        done,
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        len(list((place / "fd").iterdir())),
        len(list((place / "task").iterdir())),
        len(files),
    )
