"""What a run says of itself: its plan, its log, its events, its result."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stylehead import __version__
from tests.conftest import FILTERED, Command
from tests.stand_ins import media


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


def test_a_dry_run_says_what_would_be_made_and_makes_nothing(
    animate: Command, output: Path, glance: tuple[object, ...]
) -> None:
    words = (*glance, "--size", 202, "--save-motion", output.with_suffix(".npz"))
    outcome = animate(*words, "--dry-run")
    assert (outcome.code, outcome.stdout) == (0, "")
    assert re.search(r"^3 frames of 202 x 202 .* about 1 s on \w+$", outcome.stderr, re.MULTILINE)
    last = outcome.stderr.strip().splitlines()[-1]
    assert last.startswith(f"Nothing was written: {output} and {output.with_suffix('.npz')} would")
    assert not files(output.parent)

    plan = json.loads(animate(*words, "--dry-run", "--json").stdout)
    made = json.loads(animate(*words, "--json").stdout)
    for name in ("frames", "fps", "seconds", "width", "height"):
        assert plan[name] == made[name], name
    assert plan["writes"] == [str(output), str(output.with_suffix(".npz"))]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--face", 3), "no face 3"),
        (("--motion", "none.npz"), "none.npz does not exist"),
        (("--style", "nobody"), "nobody"),
        (("--style-video", "none.mp4"), "none.mp4 does not exist"),
    ],
)
def test_a_dry_run_refuses_what_the_run_would(
    animate: Command, output: Path, words: tuple[object, ...], said: str
) -> None:
    outcome = animate(*words, "--dry-run")
    assert outcome.code == 1
    assert said in outcome.stderr.strip().splitlines()[-1]
    assert not files(output.parent)


def test_a_dry_run_refuses_a_silent_recording_too(
    animate: Command, call: Command, tmp_path: Path, output: Path
) -> None:
    silent = media.save_sound(tmp_path / "silent.wav", np.zeros(16_000, np.float32))
    for outcome in (
        animate("--dry-run", audio=silent),
        call("motion", "--audio", silent, "-o", tmp_path / "m.npz", "--dry-run"),
    ):
        assert outcome.code == 1
        assert "is silent" in outcome.stderr


def test_motion_has_a_dry_run_and_a_description(
    call: Command, speech: Path, tmp_path: Path
) -> None:
    path = tmp_path / "take.npz"
    words = ("motion", "--audio", speech, "-o", path, "--duration", 1, "--fps", 20, *FILTERED)
    outcome = call(*words, "--dry-run")
    assert (outcome.code, outcome.stdout) == (0, "")
    assert f"{path} would be, 20 frames at 20 a second" in outcome.stderr
    assert not path.exists()
    assert call(*words, "--dry-run", "--style", "nobody").code == 1

    outcome = call(*words, "--json")
    said = json.loads(outcome.stdout)
    assert (said["output"], said["frames"], said["fps"]) == (str(path), 20, 20)
    assert (said["style"], said["encoder"], said["separator"]) == ("plain", "whisper", "filter")
    assert 0.3 < said["voice_fraction"] <= 1
    assert "Made with style plain, speech encoder whisper, a voice in " in outcome.stderr


def test_events_tell_another_program_how_far_a_video_is(
    animate: Command, output: Path, glance: tuple[object, ...]
) -> None:
    outcome = animate(*glance, "--json-lines")
    assert outcome.code == 0
    events = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert {event["output"] for event in events} == {str(output)}
    assert (events[0]["event"], events[-1]["event"]) == ("started", "finished")
    rendering = [event for event in events if event.get("stage") == "Rendering"]
    assert rendering[0]["total"] == 3
    facts = events[-1]["facts"]
    assert (facts["frames"], facts["renderer"], facts["encoder"]) == (3, "embedded", "saved motion")

    events = [json.loads(line) for line in animate(*glance, "--json-lines").stdout.splitlines()]
    assert events[-1]["event"] == "failed"
    assert "exists already" in events[-1]["problem"] and "--overwrite" in events[-1]["remedy"]


def test_a_log_keeps_what_was_said_run_after_run(
    animate: Command, output: Path, glance: tuple[object, ...], tmp_path: Path
) -> None:
    log = tmp_path / "run.log"
    outcome = animate(*glance, "--log", log, "-v")
    assert outcome.code == 0
    text = log.read_text()
    assert text.startswith(f"stylehead log of {__version__}, Python 3.")
    assert re.search(r"torch \d.*numpy \d.*av \d", text)
    for line in text.splitlines()[1:]:
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d ", line)
    assert "Rendering (3)" in text and f" {output}\n" in text
    assert "Made from a saved motion with renderer embedded" in text
    assert text.endswith("Ended with exit code 0.\n")

    assert animate(*glance, "--log", log, "-q").code == 1
    again = log.read_text()
    assert again.startswith(text)
    assert f"Error: {output} exists already." in again
    assert again.endswith("Ended with exit code 1.\n")


def test_a_log_goes_into_no_other_file(
    animate: Command, portrait: Path, output: Path, glance: tuple[object, ...], tmp_path: Path
) -> None:
    other = tmp_path / "mine.txt"
    other.write_text("my words")
    for path, code in ((other, 1), (portrait, 1), (output, 2), (tmp_path / "no" / "x.log", 1)):
        before = path.read_bytes() if path.exists() else None
        outcome = animate(*glance, "--log", path)
        assert outcome.code == code, outcome
        assert outcome.stderr.startswith("Error: ") or code == 2
        assert (path.read_bytes() if path.exists() else None) == before


def test_a_preset_reaches_the_video(
    call: Command,
    portrait: Path,
    speech: Path,
    glance: tuple[object, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("stylehead.toml").write_text("[animate]\nfps = 10\n[preset.s]\ncrop = true\nsize = 130\n")
    words = ("animate", "--image", portrait, "--audio", speech, *glance, "--preset", "s", "--json")
    said = json.loads(call(*words).stdout)
    assert (said["width"], said["height"], Fraction(said["fps"])) == (130, 130, 10)
