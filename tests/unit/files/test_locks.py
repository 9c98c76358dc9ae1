"""A temporary folder goes with its process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from stylehead.files.locks import ALIVE, PREFIX, YOUNG, temporary_folder
from tests.conftest import environment

HOLD = """
from stylehead.files.locks import temporary_folder
with temporary_folder() as folder:
    (folder / "upload.png").write_text("a face")
    print(folder, flush=True)
    input()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_process_left_goes_and_a_living_ones_stays(temporary: Path) -> None:
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
    with temporary_folder():
        assert (folders[0] / "upload.png").exists(), "its process may not have locked it yet"
    for folder in folders:
        long_ago = time.time() - 2 * YOUNG
        os.utime(folder / ALIVE, (long_ago, long_ago))
    with temporary_folder() as folder:
        assert folder.parent == temporary
        assert not folders[0].exists()
        assert (folders[1] / "upload.png").exists()
    assert not folder.exists()
    living.communicate("\n")
    assert not folders[1].exists()


def test_what_no_process_has_locked_is_left_alone(temporary: Path) -> None:
    other = temporary / f"{PREFIX}other"
    other.mkdir()
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ALIVE).touch()
    os.utime(elsewhere / ALIVE, (0, 0))
    (temporary / f"{PREFIX}link").symlink_to(elsewhere)
    with temporary_folder():
        assert other.is_dir() and (elsewhere / ALIVE).exists()
