"""What `main` makes of failures that nobody foresaw."""

import errno
import os
import sys

import pytest

from stylehead.cli import app as app_module


@pytest.fixture
def failing(call, monkeypatch):
    def run(error: Exception):
        def fail(*, standalone_mode: bool) -> None:
            raise error

        monkeypatch.setattr(app_module, "app", fail)
        return call()

    return run


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "There is not enough memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "memory"),
        (RuntimeError("error: (-4:Insufficient memory) Failed to allocate"), "memory"),
        (OSError(errno.EIO, os.strerror(errno.EIO), "/x/face.png"), "/x/face.png cannot be read"),
        (OSError(errno.ESTALE, os.strerror(errno.ESTALE)), "A file cannot be read"),
        (ImportError("libGLESv2.so.2: cannot open shared object file"), "A system library"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_the_machine_lacks_is_one_line(failing, error, said) -> None:
    outcome = failing(error)
    assert outcome.code == 1
    assert outcome.stderr.startswith("Error: ") and said in outcome.stderr
    assert outcome.stderr.count("\n") == 1


@pytest.mark.parametrize("error", [ValueError("a mistake of ours"), RuntimeError("shapes")])
def test_our_own_mistakes_keep_their_traceback(failing, error) -> None:
    with pytest.raises(type(error)):
        failing(error)


def test_a_reader_that_has_had_enough_ends_the_command_quietly(failing, monkeypatch) -> None:
    monkeypatch.setattr(sys.stdout, "fileno", lambda: os.open(os.devnull, os.O_WRONLY))
    outcome = failing(BrokenPipeError())
    assert (outcome.code, outcome.stderr) == (141, "")
