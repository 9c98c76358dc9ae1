"""A server's folder goes with the server."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from stylehead.cli.page.room import ALIVE, PREFIX, own_folder
from tests.conftest import environment

HOLD = """
from stylehead.cli.page.room import own_folder
with own_folder() as folder:
    (folder / "upload.png").write_text("a face")
    print(folder, flush=True)
    input()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_server_left_goes_and_a_living_ones_stays(temporary: Path) -> None:
    words = [sys.executable, "-c", HOLD]
    started = [
        subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment(), "TMPDIR": str(temporary)},
        )
        for _ in range(2)
    ]
    folders: list[Path] = []
    for one in started:
        assert one.stdout is not None
        folders.append(Path(one.stdout.readline().strip()))
    killed, living = started
    killed.kill()
    killed.communicate()
    assert (folders[0] / "upload.png").exists()
    with own_folder() as folder:
        assert folder.parent == temporary
        assert not folders[0].exists()
        assert (folders[1] / "upload.png").exists()
    assert not folder.exists()
    living.communicate("\n")
    assert not folders[1].exists()


def test_what_no_server_has_locked_is_left_alone(temporary: Path) -> None:
    other = temporary / f"{PREFIX}other"
    other.mkdir()
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ALIVE).touch()
    (temporary / f"{PREFIX}link").symlink_to(elsewhere)
    with own_folder():
        assert other.is_dir() and (elsewhere / ALIVE).exists()
