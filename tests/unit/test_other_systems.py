"""Windows and macOS, as far as stand-ins can tell: what they lack, refuse and write otherwise."""

from __future__ import annotations

import ast
import io
import signal
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest

import stylehead
from stylehead import files
from stylehead.cli import app as app_module
from stylehead.cli import console, signals
from stylehead.cli.signals import leave_in_order
from stylehead.errors import MediaError
from stylehead.types import TEMPLATES
from stylehead.weights.store import read_manifest
from tests.conftest import environment

OPTIONAL = {"gradio"}
"""What an extra brings; a module of its room may need it."""

# ---- what is not there ----------------------------------------------------------------------


def test_every_module_is_imported_without_the_modules_of_unix() -> None:
    package = Path(stylehead.__file__).parent
    names = [
        ".".join(("stylehead", *path.relative_to(package).with_suffix("").parts))
        for path in sorted(package.rglob("*.py"))
        if path.stem not in ("__init__", "__main__")
    ]
    assert len(names) > 200
    code = f"""
import builtins, sys
real, missing = builtins.__import__, {{"fcntl", "resource", "pwd", "grp", "termios"}}
def without(name, globals=None, *more, **named):
    who = (globals or {{}}).get("__name__", "")
    if name in missing and who.startswith("stylehead"):
        raise ImportError(name)
    return real(name, globals, *more, **named)
builtins.__import__ = without
import importlib
for name in {names!r}:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in {OPTIONAL!r}:
            raise
from stylehead import files
assert files.fcntl is None
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-800:]


def test_signals_that_are_not_there_are_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    answered: list[int] = []
    monkeypatch.setattr(signals.signal, "signal", lambda number, _: answered.append(number))
    monkeypatch.setattr(signals.atexit, "register", lambda *_: None)
    monkeypatch.delattr(signal, "SIGHUP")
    leave_in_order()
    assert answered == [signal.SIGINT, signal.SIGTERM]


# ---- files ----------------------------------------------------------------------------------


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """No locks; an open file can be neither renamed nor removed. Returns what is open."""
    monkeypatch.setattr(files, "fcntl", None)
    opened: list[Path] = []

    def guarded(name: str) -> None:
        original = getattr(Path, name)

        def check(self: Path, *args: object, **options: object) -> object:
            if self in opened or (args and args[0] in opened):
                raise PermissionError(13, "The process cannot access the file", str(self))
            return original(self, *args, **options)

        monkeypatch.setattr(Path, name, check)

    for name in ("replace", "unlink", "rename"):
        guarded(name)
    return opened


def test_a_result_is_written_without_locks(tmp_path: Path, windows: list[Path]) -> None:
    path = tmp_path / "a.txt"
    for text in ("one", "two"):
        with files.atomic(path) as part:
            part.write_text(text)
    assert path.read_text() == "two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_result_that_somebody_has_open_is_refused_and_stays(
    tmp_path: Path, windows: list[Path]
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("being played")
    windows.append(path)
    with pytest.raises(MediaError, match="cannot access the file"), files.atomic(path) as part:
        part.write_text("new")
    assert path.read_text() == "being played"
    assert list(tmp_path.iterdir()) == [path]


def test_a_partial_file_that_a_scanner_holds_is_left_and_no_error_hides_the_first(
    tmp_path: Path, windows: list[Path]
) -> None:
    with pytest.raises(ValueError, match="the real cause"), files.atomic(tmp_path / "a.x") as part:
        windows.append(part)
        raise ValueError("the real cause")


# ---- names ----------------------------------------------------------------------------------


def test_names_of_files_that_are_listed_are_names_everywhere() -> None:
    reserved = {"con", "prn", "aux", "nul", *(f"com{i}" for i in range(1, 10))}
    for entry in read_manifest().values():
        name = PureWindowsPath(entry.file)
        assert (name.name, name.drive) == (entry.file, "")
        assert name.stem.lower() not in reserved
    # macOS and Windows do not tell capitals apart.
    listed = [entry.file.lower() for entry in read_manifest().values()]
    assert len(listed) == len(set(listed)) and len({each.lower() for each in TEMPLATES}) == 4


def test_partial_names_have_no_letter_that_windows_refuses(tmp_path: Path) -> None:
    with files.atomic(tmp_path / "talk.mp4") as part:
        assert not set(part.name) & set('<>:"/\\|?*')
        assert not part.name.endswith((".", " "))


# ---- consoles -------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["cp1252", "ascii", "cp437", "utf-8"])
def test_any_console_takes_what_is_said(monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    told, said = (io.TextIOWrapper(io.BytesIO(), encoding=page) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", told)
    monkeypatch.setattr(sys, "stderr", said)
    words = ("animate", "--image", "你好 🎤.png", "--audio", "x")
    monkeypatch.setattr(sys, "argv", ["stylehead", *words])
    with pytest.raises(SystemExit) as leaving:
        app_module.main()
    console.result("你好.mp4")
    told.flush()
    said.flush()
    assert leaving.value.code == 1
    assert b"Error: " in said.buffer.getvalue()
    assert told.buffer.getvalue().endswith(b".mp4\n")


def test_texts_are_read_and_written_in_utf_8_everywhere() -> None:
    package = Path(stylehead.__file__).parent
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr in ("read_text", "write_text"):
                named = [keyword.arg for keyword in node.keywords]
                assert "encoding" in named, f"{path}:{node.lineno}"
