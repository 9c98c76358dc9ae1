"""requirements.lock is constraints.txt with hashes, and lists all that stylehead needs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"^([\w.-]+)==([\w.+]+)(.*)", re.MULTILINE)


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def entries() -> dict[str, tuple[str, str]]:
    """Name -> version and what follows it, of the lock."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    return {plain(name): (version, rest) for name, version, rest in PIN.findall(text)}


def test_every_entry_has_hashes_and_none_an_address() -> None:
    found = entries()
    assert len(found) > 60
    for name, (_, rest) in found.items():
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", rest), name
        assert "://" not in rest and "@" not in rest, name


def test_versions_are_those_of_the_constraints() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {plain(name): version for name, version, _ in PIN.findall(text)}
    found = entries()
    differing = {
        name: (version, pinned[name])
        for name, (version, _) in found.items()
        if name in pinned and pinned[name] != version
    }
    assert not differing, "run python docs/make_lock.py"
    assert len(found.keys() & pinned.keys()) > 60


def test_all_that_is_needed_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {
        plain(re.split(r"[^\w.-]", line, maxsplit=1)[0])
        for line in project["dependencies"]
        if "python_version < '3.11'" not in line
    }
    assert needed <= entries().keys(), "run python docs/make_lock.py"
