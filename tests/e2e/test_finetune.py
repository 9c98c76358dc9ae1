"""finetune-style: what it writes, what it refuses, and what becomes of it when it is stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from stylehead.face.landmarks import mouth_opening
from stylehead.motion.file import load_motion
from stylehead.style.file import load_style
from stylehead.types import Floats
from tests.conftest import Command, command, environment
from tests.stand_ins import media

STYLE = "lively"
ROWS = ["un-tuned", "statistics", "tuned"]


def opening(call: Command, style: object, folder: Path, *words: object) -> Floats:
    """Return the mouth's opening (T,) of the demo voice in a style."""
    path = folder / "motion.npz"
    outcome = call(
        "motion", "--audio", media.VOICE, "-o", path, "--style", style, "--overwrite", *words
    )
    assert outcome.code == 0, outcome
    motion = load_motion(path)
    return mouth_opening(motion.landmarks + motion.neutral)


@pytest.mark.slow
def test_a_style_is_tuned_proved_written_and_used(call: Command, tmp_path: Path) -> None:
    output = tmp_path / "my singer.style"
    asked = ("--style", STYLE, "--audio", media.VOICE, "--steps", 20, "-o", output)
    outcome = call("finetune-style", *asked)
    assert (outcome.code, outcome.stdout.splitlines()[-1]) == (0, str(output)), outcome
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"my singer.style", "my singer.report.json", "my singer.report.png"}

    report = json.loads((tmp_path / "my singer.report.json").read_text())
    assert list(report["rows"]) == ROWS and not report["rejection_reasons"]
    assert report["held_out_style_distance"] < 1
    assert report["rows"]["tuned"]["sync"] >= 0.9
    assert report["rows"]["tuned"]["sld"] < report["rows"]["un-tuned"]["sld"]
    assert load_style(output).name == "my singer"
    with safe_open(output, "np") as file:
        assert any("tuning" in name for name in file.keys())  # noqa: SIM118

    lips = {style: opening(call, style, tmp_path) for style in (STYLE, output)}
    assert not np.allclose(lips[STYLE], lips[output])
    assert np.corrcoef(lips[STYLE], lips[output])[0, 1] > 0.8
    plain, own = (
        opening(call, style, tmp_path, "--style-strength", 0) for style in ("plain", output)
    )
    np.testing.assert_allclose(own, plain, atol=1e-4)  # without strength any style is none

    before = output.read_bytes()
    again = call("finetune-style", *asked)
    assert again.code == 1 and output.name in again.stderr and "--overwrite" in again.stderr
    assert output.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "clips, or --style"),
        (("a.mp4", "--style", STYLE), "clips, or --style"),
        (("a.mp4", "b.mp4", "--audio", "c.wav"), "one clip"),
        (("--style", STYLE, "--steps", "0"), "--steps"),
    ],
)
def test_words_that_do_not_go_together_are_named(
    call: Command, words: tuple[str, ...], said: str
) -> None:
    outcome = call("finetune-style", *words)
    assert outcome.code == 2
    assert said in " ".join(outcome.stderr.replace("│", " ").split())


@pytest.fixture(scope="session")
def bad_clips(made: Path, brief_clip: Path) -> dict[str, tuple[Path, str]]:
    """Clips nobody can learn from, and what is to be said of them."""
    frames = np.stack([media.landscape()] * 6)
    crowd = np.stack([media.two_faces()] * 6)
    few, _ = media.read_video(brief_clip)
    text = made / "no video.mp4"
    text.write_text("hello")
    return {
        "missing": (made / "missing.mp4", "missing.mp4"),
        "text": (text, "no video.mp4"),
        "no face": (media.save_video(made / "hills.mp4", frames), "face"),
        "crowd": (media.save_video(made / "crowd.mp4", crowd), "several people"),
        "short": (media.save_video(made / "short.mp4", few[:6]), "s of"),
    }


@pytest.mark.parametrize("kind", ["missing", "text", "no face", "crowd", "short"])
def test_a_clip_nobody_can_learn_from_is_one_line_and_no_file(
    call: Command, bad_clips: dict[str, tuple[Path, str]], tmp_path: Path, kind: str
) -> None:
    path, said = bad_clips[kind]
    outcome = call("finetune-style", path, "-o", tmp_path / "s.style")
    assert (outcome.code, outcome.stdout) == (1, "")
    assert said in outcome.stderr and path.name in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_ctrl_c_keeps_the_best_so_far_and_the_work_goes_on_from_there(tmp_path: Path) -> None:
    output = tmp_path / "s.style"
    words = ("finetune-style", "--style", STYLE, "-o", output)
    with subprocess.Popen(
        command(*words, "--steps", 3000),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        log = tmp_path / "s.tuning" / "log.csv"
        ends = time.monotonic() + 240
        while not log.exists() and time.monotonic() < ends and process.poll() is None:
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        said, told = process.communicate(timeout=240)
    assert process.returncode == 0, told
    assert said.splitlines()[-1] == str(output)
    assert load_style(output).name == "s"
    assert log.exists()  # what was done is kept for another run
