"""The house: rooms import downwards only, and each outside library has one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import stylehead
from tests.contract.trees import tree

PACKAGE = Path(stylehead.__file__).parent
FLOORS = [
    "types errors options progress version",
    "compute files models",
    "media weights batch",
    "face provenance",
    "tracking style speech motion rendering",
    "pipeline",
    "training evaluation",
    "finetuning",
    "cli",
    "__main__",
]
"""From the ground up. A room imports from lower floors only; rooms of one floor do not know each
other. The public __init__ stands outside: it only hands names on."""
DOORS = {
    "av": "media",
    "PIL": "media",
    "pi_heif": "media",
    "soundfile": "media",
    "imageio_ffmpeg": "media",
    "librosa": "motion",
    "mediapipe": "tracking",
    "typer": "cli",
    "rich": "cli",
    "huggingface_hub": "weights",
    "httpx2": "weights",
    "filelock": "files",
    "ray": "batch",
    "c2pa": "provenance",
    "cryptography": "provenance",
    "gradio": "cli/page",
    "fastapi": "cli/page",
    "uvicorn": "cli/page",
}
FLOOR = {room: level for level, rooms in enumerate(FLOORS) for room in rooms.split()}


def imports() -> Iterator[tuple[Path, str, str]]:
    """Yield (file, its room, a dotted name it imports), anywhere in the file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(tree(path)):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                start = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
                yield from ((path, room, f"{start}{alias.name}") for alias in node.names)


def test_rooms_import_downwards_only():
    for path, room, name in imports():
        target = name.split(".")[1] if name.startswith("stylehead.") else room
        if room != "__init__" and target != room:
            assert FLOOR[target] < FLOOR[room], f"{path} imports {name}"


def test_each_library_has_one_door():
    for path, room, name in imports():
        door = DOORS.get(name.split(".")[0], room)
        assert path.is_relative_to(PACKAGE / door) or door == room, f"{path} imports {name}"


def test_a_room_of_the_corridor_has_eleven_files_at_most_and_a_file_360_lines():
    for path in sorted(PACKAGE.rglob("*.py")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 360, f"{path} has {lines} lines"
    for room in FLOORS[4].split():
        files = [path for path in (PACKAGE / room).glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= 11, f"{room} has {len(files)} files"
