"""What `ui` and `serve` refuse before anything is served."""

from __future__ import annotations

import socket
import sys

import pytest

from tests.conftest import Command


def test_sharing_is_refused_with_the_reason(call: Command) -> None:
    outcome = call("ui", "--share")
    assert outcome.code == 2
    said = " ".join(outcome.stderr.replace("│", " ").split())
    assert "--share is refused" in said
    assert "ssh -L" in said


@pytest.mark.parametrize("command", ["ui", "serve"])
def test_without_the_extra_one_line_says_how_to_get_it(
    call: Command, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    outcome = call(command)
    assert outcome.code == 1
    assert outcome.stderr.strip() == (
        "Error: The page needs Gradio, which is not installed. "
        "In the folder of stylehead's repository run pip install -c constraints.txt '.[ui]'"
    )


def test_a_port_that_is_taken_is_named(call: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from stylehead.cli.page import app

    monkeypatch.setattr(app, "_check_extra", lambda: None)
    with socket.socket() as other:
        other.bind((app.HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        outcome = call("serve", "--port", port)
    assert outcome.code == 1
    assert f"Port {port} cannot be used" in outcome.stderr
    assert len(outcome.stderr.strip().splitlines()) == 1


def test_a_word_comes_before_what_takes_long(
    call: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylehead.cli.page import app

    def stop() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "_check_extra", lambda: None)
    monkeypatch.setattr(app, "_uvicorn", stop)
    outcome = call("ui", "--port", 0, "--no-browser")
    assert outcome.stderr.startswith("The page is being set up, which takes some seconds.\n")
