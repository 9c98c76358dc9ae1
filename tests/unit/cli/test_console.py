from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from stylehead.cli import console
from stylehead.cli.app import app


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    console.configure(quiet=False, verbose=False)
    root.setLevel(level)
    root.handlers[:] = handlers


def run(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stylehead", *words.split()])
    assert CliRunner().invoke(app, words.split()).exit_code == 0


@pytest.mark.parametrize("words", ["-q styles", "styles -q"])
def test_quiet_holds_before_and_after_the_commands_name(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(words, monkeypatch)
    capsys.readouterr()
    console.say("a fact")
    assert capsys.readouterr().err == ""
    run("styles", monkeypatch)
    console.say("a fact")
    assert "a fact" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["-v styles", "styles -v"])
def test_verbose_holds_before_and_after_the_commands_name(
    words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(words, monkeypatch)
    assert logging.getLogger("stylehead").isEnabledFor(logging.DEBUG)
    run("styles", monkeypatch)
    assert not logging.getLogger("stylehead").isEnabledFor(logging.DEBUG)


def test_what_a_file_brings_does_not_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("a style called \x1b[2Jx\x07\r\x9by")
    console.error("no \x1b]0;title\x07", "\x1b[31m")
    console.drawing("t", ("a",), [("\x1b[31mcell",)])
    told, said = capsys.readouterr()
    assert not {character for character in told + said if character < " "} - {"\n", "\t"}
    assert "\x9b" not in said
    assert "[2Jx" in said and "[31mcell" in told


def test_results_go_to_stdout_and_what_others_print_does_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with console.own_stdout(), contextlib.redirect_stdout(sys.stderr):
        console.result("a result")
        sys.stdout.write("a stranger's line\n")
    console.result("another")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("a result\nanother\n", "a stranger's line\n")
