"""Entries -> intact files in the folder: several at once, resumed, each fetched by one process."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from pathlib import Path

from stylehead.errors import WeightsError
from stylehead.files import digest
from stylehead.progress import Reporter
from stylehead.weights import sources
from stylehead.weights.cache import alone, incoming, is_intact, quarantine, record
from stylehead.weights.manifest import Source, WeightsEntry
from stylehead.weights.partial import (
    MEGABYTE,
    SPARE,
    Meter,
    Part,
    Patience,
    SourceError,
    StoppedError,
    disk_trouble,
    free_bytes,
    lacks_room,
)
from stylehead.weights.sources import Fetching, offline, read

AT_ONCE = 4
"""Files fetched side by side."""
USUAL = Patience()


def fetch(
    entries: Sequence[WeightsEntry],
    folder: Path,
    *,
    reporter: Reporter,
    patience: Patience = USUAL,
) -> None:
    """Fetch files into the folder, side by side.

    Every file appears under its name only when its sha256 is right; one whose sha256 nobody has
    published is taken as it comes, and its sha256 noted. One that fails keeps no other from
    coming. Raises WeightsError when any is missing in the end.
    """
    _check_offline(entries)
    _check_room(entries, incoming(folder))
    _fetch_side_by_side(entries, folder, reporter, patience)


def licence_line(entry: WeightsEntry) -> str:
    """Return what a user should know before a file comes."""
    terms = {"no": ", not for commercial use", "unknown": ", commercial use unclear"}
    size = "size unknown" if entry.size is None else f"{entry.size / MEGABYTE:.1f} MB"
    return (
        f"Fetching {entry.file} ({size}). Licence: {entry.licence}"
        f"{terms.get(entry.commercial, '')}. From: {entry.origin}."
    )


def _check_offline(entries: Sequence[WeightsEntry]) -> None:
    if offline():
        raise WeightsError(
            f"{_listed(entries)} could not be fetched (HF_HUB_OFFLINE forbids it).",
            remedy="Unset HF_HUB_OFFLINE, or bring the files with stylehead weights import.",
        )


def _check_room(entries: Sequence[WeightsEntry], place: Path) -> None:
    """Refuse to begin what the disk cannot take."""
    parts = [place / f"{entry.file}.part" for entry in entries]
    there = sum(part.stat().st_size for part in parts if part.is_file())
    needed = sum(entry.size or 0 for entry in entries) - there + SPARE
    if free_bytes(place) < needed:
        raise lacks_room(place.parent, needed)


def _listed(entries: Sequence[WeightsEntry]) -> str:
    return ", ".join(entry.file for entry in entries)


def _fetch_side_by_side(
    entries: Sequence[WeightsEntry], folder: Path, reporter: Reporter, patience: Patience
) -> None:
    title = entries[0].file if len(entries) == 1 else f"{len(entries)} files"
    for entry in entries:
        reporter.say(licence_line(entry))
    meter = Meter(title, [entry.size for entry in entries], reporter)
    leaving, turns = threading.Event(), threading.Semaphore(AT_ONCE)
    jobs: list[Future[None]] = []

    def work(job: Future[None], entry: WeightsEntry) -> None:
        with turns:
            try:
                job.set_result(_fetch_one(entry, folder, meter, patience, leaving))
            except BaseException as error:  # noqa: BLE001 (the main thread raises it)
                job.set_exception(error)

    try:
        for entry in entries:
            jobs.append(Future())
            # Daemons: an interrupted program does not wait for a server that says nothing.
            threading.Thread(target=work, args=(jobs[-1], entry), daemon=True).start()
        while wait(jobs, timeout=0.2).not_done:  # wakes up now and then for signals
            pass
    finally:
        leaving.set()
        wait(jobs, timeout=1.0)
    _raise_failures(jobs)


def _raise_failures(jobs: Sequence[Future[None]]) -> None:
    failures: list[WeightsError] = []
    for job in jobs:
        error = job.exception()
        if isinstance(error, WeightsError):
            failures.append(error)
        elif error:
            raise error
    if len(failures) == 1:
        raise failures[0]
    if failures:
        told = " ".join(str(failure) for failure in failures)
        raise WeightsError(
            f"{len(failures)} of {len(jobs)} files could not be fetched: {told}",
            remedy="Check the connection and try again; what has come so far is kept.",
        )


def _fetch_one(
    entry: WeightsEntry, folder: Path, meter: Meter, patience: Patience, leaving: threading.Event
) -> None:
    place, path = incoming(folder), folder / entry.file
    with alone(folder, entry.file, say=meter.say, leaving=leaving):
        if is_intact(entry, path):  # another process was quicker
            return
        if path.is_file():
            aside = quarantine(path, entry.file, digest(path))
            meter.say(f"{path} was damaged; it is set aside as {aside.name}.")
        with Part(place / f"{entry.file}.part") as part:
            job = Fetching(entry, part, meter, patience, leaving)
            _ask_in_rounds(job, folder)
        with disk_trouble(path):
            if entry.sha256 is None:
                record(path, part.sha256)
            part.path.replace(path)


def _ask_in_rounds(job: Fetching, folder: Path) -> None:
    """Ask every source once, quickly; then those that may still answer, with growing pauses."""
    entry, patience = job.entry, job.patience
    reasons: dict[Source, str] = {}
    waiting = list(entry.sources)
    for number in range(patience.rounds):
        pauses: list[float] = []
        for asked, source in enumerate(list(waiting)):
            if asked:
                job.meter.say(f"{list(reasons.values())[-1]}. Next: {sources.title(source)}.")
            try:
                _read_and_check(source, job, folder)
                return
            except SourceError as failure:
                reasons[source] = f"{sources.title(source)}: {failure}"
                if failure.final:
                    waiting.remove(source)
                else:
                    pauses.append(failure.pause)
        if not waiting or number + 1 == patience.rounds:
            break
        pause = max(patience.first_pause * 2**number, min(pauses))
        pause = min(pause, patience.longest_pause)
        job.meter.say(f"{'; '.join(reasons.values())}. Asking again in {pause:.0f} s.")
        if job.leaving.wait(pause):
            raise StoppedError
    raise _not_fetched(entry, folder / entry.file, list(reasons.values()))


def _read_and_check(source: Source, job: Fetching, folder: Path) -> None:
    """AlignedFeatures the file from one source. Raises SourceError; wrong bytes are set aside."""
    entry, part = job.entry, job.part
    part.mixed = part.size > 0
    read(source, job)
    if not _is_right(entry, part) and part.mixed:
        part.restart()  # the first half was of another try: all of it from this source
        read(source, job)
    if not _is_right(entry, part):
        wrong = f"wrong sha256 {part.sha256[:12]}"
        _set_aside(job, folder)
        raise SourceError(wrong, final=True)
    part.finish()


def _is_right(entry: WeightsEntry, part: Part) -> bool:
    """Check the hash. Raises SourceError when the file is not whole."""
    if entry.bytes is not None and part.size != entry.bytes:
        raise SourceError(f"{part.size} bytes instead of {entry.bytes}")
    return part.sha256.startswith(entry.sha256 or entry.sha256_start or "")


def _set_aside(job: Fetching, folder: Path) -> None:
    """Move wrong bytes out of the way, under a name that nothing loads."""
    job.part.finish()
    aside = folder / f"{job.entry.file}.wrong-{job.part.sha256[:12]}"
    job.part.move_to(aside)
    job.meter.say(f"The bytes are set aside as {aside}.")


def _not_fetched(entry: WeightsEntry, path: Path, reasons: list[str]) -> WeightsError:
    told = "; ".join(reasons) or "no address is known"
    fits = f"sha256 {entry.sha256}" if entry.sha256 else f"from: {entry.origin}"
    return WeightsError(
        f"{entry.file} could not be fetched ({told}).",
        remedy=f"Check the connection and try again, or put the file at {path} yourself ({fits}).",
    )
