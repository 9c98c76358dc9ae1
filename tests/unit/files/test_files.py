"""Outputs appear whole or not, never over an input or another run's work; pipes become files."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from stylehead import files
from stylehead.errors import MediaError

DAY = 86_400


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---- inputs are never replaced --------------------------------------------------------------


@pytest.mark.parametrize("way", ["same", "relative", "symlink", "hard link", "through a folder"])
def test_an_output_that_is_an_input_is_refused(tmp_path, monkeypatch, way):
    given = tmp_path / "clip.mp4"
    given.write_bytes(b"precious")
    output = tmp_path / "other.mp4"
    monkeypatch.chdir(tmp_path)
    if way == "symlink":
        output.symlink_to(given)
    elif way == "hard link":
        output.hardlink_to(given)
    elif way == "through a folder":
        (tmp_path / "here").symlink_to(tmp_path)
        output = tmp_path / "here" / "clip.mp4"
    else:
        output = Path("clip.mp4") if way == "relative" else given
    for overwrite in (True, False):
        with pytest.raises(MediaError, match="is one of the inputs"):
            files.check_output(output, overwrite=overwrite, inputs=(None, "no.wav", given))
    assert given.read_bytes() == b"precious"


def test_an_output_beside_the_inputs_is_allowed(tmp_path):
    given, output = tmp_path / "a.mp4", tmp_path / "b.mp4"
    given.write_bytes(b"same")
    output.write_bytes(b"same")
    assert files.check_output(output, overwrite=True, inputs=[given]) == output
    assert names(tmp_path) == ["a.mp4", "b.mp4"]


# ---- links ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dangling", [True, False])
def test_a_link_stays_a_link_and_its_target_is_written(tmp_path, dangling):
    (tmp_path / "disk").mkdir()
    target, link = tmp_path / "disk" / "film.mp4", tmp_path / "out.mp4"
    link.symlink_to(target)
    if not dangling:
        target.write_bytes(b"old")
    files.check_output(link, overwrite=not dangling)
    with files.atomic(link) as part:
        assert part.parent == target.parent
        part.write_bytes(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert names(tmp_path / "disk") == ["film.mp4"]


def test_a_link_into_a_folder_that_is_not_there_is_refused(tmp_path):
    link = tmp_path / "out.mp4"
    link.symlink_to(tmp_path / "gone" / "film.mp4")
    with pytest.raises(MediaError, match="does not exist"):
        files.check_output(link, overwrite=True)


# ---- several runs, one output ---------------------------------------------------------------


def test_threads_that_write_one_output_all_finish(tmp_path):
    output, failures, together = tmp_path / "o.mp4", [], threading.Barrier(6)

    def write(letter: bytes) -> None:
        try:
            together.wait()
            files.check_output(output, overwrite=True)
            with files.atomic(output) as part:
                for _ in range(20):
                    with part.open("ab") as file:
                        file.write(letter * 500)
        except BaseException as error:  # noqa: BLE001 (told below)
            failures.append(error)

    threads = [threading.Thread(target=write, args=(bytes([65 + n]),)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    content = output.read_bytes()
    assert len(content) == 10_000 and len(set(content)) == 1
    assert names(tmp_path) == ["o.mp4"]


def hold(output: Path, ready, done) -> None:
    with files.atomic(output) as part:
        part.write_bytes(b"theirs")
        ready.set()
        done.wait(30)


def test_another_process_may_finish_after_this_one(tmp_path):
    output, context = tmp_path / "o.mp4", get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(output, ready, done))
    other.start()
    assert ready.wait(30)
    with files.atomic(output) as part:
        part.write_bytes(b"ours")
    assert output.read_bytes() == b"ours"
    assert len(names(tmp_path)) == 2, "the other's partial file was taken"
    done.set()
    other.join(30)
    assert other.exitcode == 0
    assert output.read_bytes() == b"theirs"
    assert names(tmp_path) == ["o.mp4"]


@pytest.mark.parametrize(
    ("machine", "age", "stays"),
    [
        (None, 0, False),
        ("0badcafe", 60, True),
        ("0badcafe", 2 * DAY, False),
    ],
)
def test_what_a_killed_run_left_is_swept(tmp_path, monkeypatch, machine, age, stays):
    output = tmp_path / "o.mp4"
    with monkeypatch.context() as patch:
        if machine:
            patch.setattr(files, "_machine", lambda: machine)
        with files._part_of(output) as left:
            pass
    left.write_bytes(b"half")
    os.utime(left, (time.time() - age,) * 2)
    others = tmp_path / ".o.12345.part.mp4", tmp_path / ".o.part.mp4", tmp_path / ".p.mp4"
    for other in others:
        other.write_bytes(b"not ours")
    with files.atomic(output) as part:
        part.write_bytes(b"whole")
    assert left.exists() == stays
    assert all(other.exists() for other in others)


@pytest.mark.parametrize("moment", ["written", "old one moved", "new one moved"])
def test_a_folder_that_a_killed_run_left_is_swept(tmp_path, moment):
    output = tmp_path / "frames"
    output.mkdir()
    (output / "before.png").touch()
    with files._part_of(output, folder=True) as left:
        pass
    left.mkdir()
    (left / "half.png").touch()
    other = tmp_path / ".frames.12345.part"
    other.mkdir()
    if moment != "written":
        output.rename(left.with_name(f"{left.name}-old"))
    if moment == "new one moved":
        left.rename(output)
    held = {"new one moved": "half.png"}.get(moment, "before.png")
    with pytest.raises(KeyError), files.atomic_folder(output):
        assert names(output) == [held] if output.exists() else moment == "old one moved"
        assert len(names(tmp_path)) == 3, "what was left is still there"
        raise KeyError
    assert names(output) == [held]
    assert names(tmp_path) == [other.name, "frames"]


@pytest.mark.parametrize("begin", [files.atomic, files.atomic_folder])
def test_an_interrupt_before_anybody_has_the_name_leaves_nothing(tmp_path, monkeypatch, begin):
    def interrupted(part, *, wait):
        assert part.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "_locked", interrupted)
    with pytest.raises(KeyboardInterrupt), begin(tmp_path / "out"):
        pytest.fail("it was interrupted before")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_being_written_stays(tmp_path):
    output = tmp_path / "frames"
    with files.atomic_folder(output) as theirs:
        with files.atomic_folder(output) as ours:
            (ours / "ours.png").touch()
        assert names(output) == ["ours.png"]
        (theirs / "theirs.png").touch()
    assert names(output) == ["theirs.png"]
    assert names(tmp_path) == ["frames"]


def test_a_file_does_not_replace_a_folder(tmp_path):
    (tmp_path / "o.mp4").mkdir()
    with pytest.raises(MediaError, match="cannot be written"), files.atomic(tmp_path / "o.mp4"):
        pass
    assert names(tmp_path) == ["o.mp4"]


def test_a_name_in_any_script_works_where_files_are_forced_to_ascii(tmp_path):
    code = (
        "import sys; from pathlib import Path; from stylehead.files import atomic, check_output\n"
        "path = check_output(Path(sys.argv[1]), overwrite=False)\n"
        "with atomic(path) as part: part.write_bytes(b'x')\n"
    )
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for name in ("grüße 你.mp4", "ü" * 120 + ".mp4"):
        path = tmp_path / name
        subprocess.run([sys.executable, "-c", code, path], env=os.environ | ascii_only, check=True)
        assert path.read_bytes() == b"x"
    assert len(names(tmp_path)) == 2


# ---- pipes ----------------------------------------------------------------------------------


def piped(path: Path, content: bytes) -> threading.Thread:
    """Make a pipe that gives this content once."""
    os.mkfifo(path)
    thread = threading.Thread(target=path.write_bytes, args=(content,))
    thread.start()
    return thread


def test_a_pipe_can_be_read_twice(tmp_path):
    pipe, plain = tmp_path / "pipe.wav", tmp_path / "plain.wav"
    plain.write_bytes(b"plain")
    writer = piped(pipe, b"once" * 100_000)
    with files.seekable([plain, pipe]) as (same, copy):
        assert same == plain
        assert copy.read_bytes() == copy.read_bytes() == b"once" * 100_000
    writer.join()
    assert not copy.exists() and not copy.parent.exists()


def test_a_dash_is_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"sound")))
    with files.seekable([Path("-")]) as (copy,):
        assert copy.read_bytes() == b"sound"


@pytest.mark.parametrize("given", ["-", "pipe"])
def test_messages_name_what_was_given(tmp_path, monkeypatch, given):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    path, writer = Path("-"), None
    if given == "pipe":
        path = tmp_path / "pipe"
        writer = piped(path, b"")
    name = "standard input" if given == "-" else str(path)
    with (
        pytest.raises(MediaError, match=f"^{name} is empty"),
        files.seekable([path]) as (copy,),
    ):
        files.check_file(copy, "recording")
    if writer:
        writer.join()


def test_a_name_that_is_none_is_left_to_the_check_of_the_file():
    with files.seekable([Path("x" * 300)]) as (same,), pytest.raises(MediaError):
        files.check_file(same, "recording")


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "\ud800", "face.png/x"])
def test_what_no_file_can_be_called_is_no_file_and_said(tmp_path, name):
    (tmp_path / "face.png").touch()
    path = tmp_path / name
    assert not files.is_file(path)
    with pytest.raises(MediaError, match="cannot be opened"):
        files.check_file(path, "picture")
    with pytest.raises(MediaError, match=r"cannot be (opened|written)"):
        files.check_output(path, overwrite=False)
    with pytest.raises(MediaError, match="cannot be created"):
        files.make_folder(path)


def test_a_pipe_where_only_a_file_will_do_is_said(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MediaError, match="not a file but a pipe"):
        files.check_file(tmp_path / "pipe", "picture")
