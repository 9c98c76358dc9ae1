"""Entries -> intact files in the folder: one after the other, resumed, each by one process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from stylehead.errors import WeightsError
from stylehead.files import digest
from stylehead.progress import Reporter
from stylehead.weights import sources
from stylehead.weights.cache import (
    MEGABYTE,
    FileProgress,
    check_room,
    incoming,
    is_intact,
    locked,
    matches,
    partial,
    put_in_place,
    set_aside,
)
from stylehead.weights.manifest import Source, WeightsEntry
from stylehead.weights.sources import Download, RetryPolicy, SourceError, size_of

USUAL = RetryPolicy()


def fetch(
    entries: Sequence[WeightsEntry],
    folder: Path,
    *,
    reporter: Reporter,
    policy: RetryPolicy = USUAL,
) -> None:
    """Fetch files into the folder.

    Every file appears under its name only when its sha256 is right; one whose sha256 nobody has
    published is taken as it comes, and its sha256 noted. One that fails keeps no other from
    coming. Raises WeightsError when any is missing in the end.
    """
    if sources.offline():
        raise WeightsError(
            f"{', '.join(entry.file for entry in entries)} could not be downloaded "
            "(HF_HUB_OFFLINE forbids it).",
            remedy="Unset HF_HUB_OFFLINE, or bring the files with stylehead weights import.",
        )
    here = sum(size_of(partial(folder, entry)) for entry in entries)
    check_room(incoming(folder), sum(entry.size or 0 for entry in entries) - here)
    failures: list[WeightsError] = []
    for entry in entries:
        try:
            _fetch_one(entry, folder, reporter, policy)
        except WeightsError as failure:
            failures.append(failure)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise WeightsError(
            f"{len(failures)} of {len(entries)} files could not be downloaded: "
            f"{' '.join(str(failure) for failure in failures)}",
            remedy="Check the connection and try again; what has arrived so far is kept.",
        )


def licence_line(entry: WeightsEntry) -> str:
    """Return what a user should know before a file comes."""
    terms = {"no": ", not for commercial use", "unknown": ", commercial use unclear"}
    size = "size unknown" if entry.size is None else f"{entry.size / MEGABYTE:.1f} MB"
    return (
        f"Downloading {entry.file} ({size}). Licence: {entry.licence}"
        f"{terms.get(entry.commercial, '')}. From: {entry.origin}."
    )


def _fetch_one(entry: WeightsEntry, folder: Path, reporter: Reporter, policy: RetryPolicy) -> None:
    path, part = folder / entry.file, partial(folder, entry)
    reporter.say(licence_line(entry))
    with locked(folder, entry.file, reporter):
        if is_intact(entry, path):  # another process was quicker
            return
        if path.is_file():
            aside = set_aside(path, path)
            reporter.say(f"{path} was damaged; it is set aside as {aside.name}.")
        if entry.bytes and size_of(part) > entry.bytes:
            part.unlink()
        progress = FileProgress(f"Downloading {entry.file}", entry.size, reporter)
        download = Download(entry=entry, path=path, part=part, progress=progress, policy=policy)
        put_in_place(entry, part, path, _ask_in_turn(download, reporter))


def _ask_in_turn(download: Download, reporter: Reporter) -> str:
    """Ask every source once, quickly; then those that may still answer, with growing pauses.

    Returns the sha256 of what came.
    """
    entry, policy = download.entry, download.policy
    reasons: dict[Source, str] = {}
    remaining = list(entry.sources)
    for attempt in range(policy.attempts):
        pauses: list[float] = []
        reason = ""
        for source in list(remaining):
            if reason:
                reporter.say(f"{reason}. Trying {sources.title(source)}.")
            try:
                return _read_and_check(source, download, reporter)
            except SourceError as failure:
                reasons[source] = reason = f"{sources.title(source)}: {failure}"
                if failure.final:
                    remaining.remove(source)
                else:
                    pauses.append(failure.pause)
        if not remaining or attempt + 1 == policy.attempts:
            break
        pause = min(max(policy.first_pause * 2**attempt, *pauses), policy.longest_pause)
        reporter.say(f"{'; '.join(reasons.values())}. Trying again in {pause:.0f} s.")
        time.sleep(pause)
    causes = "; ".join(reasons.values()) or "no address is known"
    fits = f"sha256 {entry.sha256}" if entry.sha256 else f"from: {entry.origin}"
    raise WeightsError(
        f"{entry.file} could not be downloaded ({causes}).",
        remedy=f"Check the connection and try again, or put the file at {download.path} yourself "
        f"({fits}).",
    )


def _read_and_check(source: Source, download: Download, reporter: Reporter) -> str:
    """Bring the file from one source; return its sha256.

    Raises SourceError; wrong bytes are set aside.
    """
    entry, part = download.entry, download.part
    if entry.sha256 is None:
        part.unlink(missing_ok=True)  # nothing would tell whether an older half belongs to it
    resumed = download.position > 0
    sources.read(source, download)
    sha256 = digest(part)
    if resumed and not matches(entry, sha256):
        part.unlink()  # the first half was of another try: all of it from this source
        sources.read(source, download)
        sha256 = digest(part)
    if not matches(entry, sha256):
        aside = set_aside(part, download.path)
        reporter.say(f"What arrived is set aside as {aside}.")
        raise SourceError(f"wrong sha256 {sha256[:12]}", final=True)
    return sha256
