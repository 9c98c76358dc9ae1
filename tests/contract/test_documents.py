"""docs/architecture.md agrees with the tree and with the rules that tests check."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

from tests.contract.test_floors import DOORS, FLOORS, PACKAGE

ROOT = PACKAGE.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def named(tree: str) -> Iterator[Path]:
    """Yield the paths that a tree names: two spaces a level, then the names, then their purpose."""
    folders: list[Path] = []
    for line in filter(None, tree.splitlines()):
        level = (len(line) - len(line.lstrip())) // 2
        folder = folders[level - 1] if level else Path()
        names = re.split(r"\s{2,}", line.strip())[0].split()
        yield from (folder / name for name in names)
        folders[level:] = [folder / names[0]]


def tree() -> set[Path]:
    (block,) = re.findall(r"^```\n(stylehead/.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return set(named(block))


def rooms() -> set[Path]:
    """Return the package's folders and its files on the first level."""
    return {
        path.relative_to(ROOT)
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path.is_dir() and path.name != "__pycache__")
    }


def test_a_tree_is_read_as_it_is_drawn():
    drawn = "a/   first\n  b.py c.py   second\n  d/\n    e.py\nf.toml\n"
    assert [path.as_posix() for path in named(drawn)] == [
        "a",
        "a/b.py",
        "a/c.py",
        "a/d",
        "a/d/e.py",
        "f.toml",
    ]


def test_what_the_tree_names_is_there():
    paths = tree()
    assert len(paths) > 50
    assert not {path.as_posix() for path in paths if not (ROOT / path).exists()}


def test_every_room_is_in_the_tree():
    assert len(rooms()) > 20
    assert not {path.as_posix() for path in rooms() - tree()}


def test_the_floors_are_those_that_are_checked():
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.MULTILINE)
    shown = {int(floor): set(re.findall(r"`(\w+)`", names)) for floor, names in rows}
    assert shown == {floor: set(names.split()) for floor, names in enumerate(FLOORS, 1)}


def test_the_doors_are_those_that_are_checked():
    rows = re.findall(r"^\| (`[^|]*) \| `([\w/]+)` \|$", PAGE, re.MULTILINE)
    shown = {library: door for names, door in rows for library in re.findall(r"`(\w+)`", names)}
    assert shown
    assert shown == {library: DOORS.get(library) for library in shown}
    assert set(shown.values()) == set(DOORS.values())


def test_the_figures_of_the_scaling_page_are_those_that_are_kept():
    written = runpy.run_path(str(ROOT / "docs" / "make_scaling.py"))["page"]()
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    assert page == written, "run python docs/make_scaling.py"


def test_the_gallery_is_what_its_script_writes_and_small():
    script = runpy.run_path(str(ROOT / "docs" / "make_gallery.py"))
    written = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert written == script["page"](), "run python docs/make_gallery.py --page"
    shown = [ROOT / "docs" / name for name in re.findall(r"!\[.*\]\((.*)\)", written)]
    assert len(shown) == len(set(shown)) >= 12
    kept = set((ROOT / "docs" / "gallery").iterdir())
    assert kept == set(shown)
    assert sum(path.stat().st_size for path in kept) < 1_500_000
    for path in shown:
        assert b"AI-generated" in path.read_bytes()
