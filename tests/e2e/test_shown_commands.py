"""Every command that README and the documents show does what they say: it is run.

Files of the names that the documents use are there, as small as they can be. The default run only
checks what makes videos (`--dry-run`, which refuses what `animate` would); the slow one makes them.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from stylehead.motion.file import save_motion
from stylehead.options.choices import MotionFormat
from stylehead.weights.store import asset
from tests.conftest import FILTERED, Command, command, environment
from tests.contract.test_public import PAGES, shell_lines
from tests.stand_ins import media
from tests.stand_ins.faces import performed_motion

NOT_RUN = {
    "finetune-style": "takes minutes: tests/e2e/test_finetune.py",
    "ui": "does not end: tests/e2e/test_page.py",
    "serve": "does not end: tests/e2e/test_page.py",
    "--install-completion": "writes to the user's shell",
    "batch jobs.csv -o videos --shard '$SLURM": "needs SLURM: tests/e2e/test_cluster.py",
    "batch jobs.csv -o videos --engine ray": "needs machines: tests/e2e/test_cluster.py",
    "weights get": "needs the network: tests/e2e/test_weights_commands.py",
    "weights remove": "of what was downloaded: tests/e2e/test_weights_commands.py",
    "weights export": "of what was downloaded: tests/e2e/test_weights_commands.py",
    "weights import": "of what was downloaded: tests/e2e/test_weights_commands.py",
    "evaluate ravdess": "needs a corpus: tests/unit/evaluation/test_ravdess.py",
    "prepare": "needs a corpus: tests/unit/training",
    "train": "needs a corpus: tests/unit/training",
}
"""Beginnings of commands that are only parsed, in tests/contract/test_public.py; and why."""
SHOWN = [page for page in PAGES if page.name != "gallery.md"]
"""docs/make_gallery.py runs what that page shows, to draw it."""
LINES = sorted({shlex.join(words) for page in SHOWN for words in shell_lines(page)})
RUN = [line for line in LINES if not line.startswith(tuple(NOT_RUN))]
VIDEOS = [line for line in RUN if line.startswith(("animate ", "motion "))]
QUICK = [line for line in RUN if line.startswith(("styles", "weights", "evaluate --motion"))]
LYRICS = "[00:00.00]1=Anna: la\n[00:00.20]2=Ben: lo\n[00:00.40]\n"
SUBTITLES = "1\n00:00:00,000 --> 00:00:00,400\n1=Anna: la\n"
LIST = "image,audio,fps,duration,motion\nme.jpg,speech.wav,10,0.3,speech.npz\n"
SETTINGS = """
[animate]
appearance = false

[preset.shorts]
crop = true
size = 128
style-video = "singer.mp4"
"""


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """Folder of all files that the documents name."""
    from stylehead.provenance import keys

    del home
    at = tmp_path_factory.mktemp("shown")
    face = media.resized(media.portrait(), (320, 320))
    for name in ("me.jpg", "you.jpg", "office.jpg"):
        media.save_picture(at / name, face)
    media.save_picture(at / "us.jpg", media.two_faces(320, 300))
    voice = media.voice(1.0)
    for name in ("song.mp3", "speech.wav", "lead.wav", "low.wav", "singer.wav", "voices.wav"):
        media.save_sound(at / name, voice)
    shutil.copy(at / "speech.wav", at / "a.wav")
    for name in ("singer.mp4", "made.mp4", "filmed.mp4"):
        media.save_video(at / name, [face] * 10, sound=voice)
    for name in ("singer.style", "tuned.style", "a.style", "b.style"):
        shutil.copy(asset("styles") / "lively.style", at / name)
    motion = performed_motion(0.5, fps=10, blinks=0)
    for name in ("speech.npz", "made.npz", "edited.npz"):
        save_motion(motion, at / name)
    save_motion(motion, at / "take.csv", MotionFormat.LIVELINK)
    points = (motion.landmarks + motion.neutral) * 100
    np.savez(at / "tracked.npz", landmarks_mm=points)
    (at / "lyrics.lrc").write_text(LYRICS, encoding="utf-8")
    (at / "lyrics.srt").write_text(SUBTITLES, encoding="utf-8")
    (at / "jobs.csv").write_text(LIST, encoding="utf-8")
    (at / "stylehead.toml").write_text(SETTINGS, encoding="utf-8")
    keys.own_key()
    shutil.copy(keys.folder() / keys.KEY, at / "key.pem")
    shutil.copy(keys.folder() / keys.CHAIN, at / "chain.pem")
    for name in ("people", "lines", "made", "filmed"):
        (at / name).mkdir()
    shutil.copy(at / "me.jpg", at / "people")
    shutil.copy(at / "speech.wav", at / "lines")
    return at


@pytest.fixture
def folder(stand_ins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own with those files, where one works."""
    at = tmp_path / "shown"
    shutil.copytree(stand_ins, at)
    monkeypatch.chdir(at)
    return at


def given(line: str) -> list[str]:
    """Return the words of a command, whose results may replace stand-ins."""
    words = shlex.split(line)
    results = {word for flag, word in pairwise(words) if flag == "-o"}
    return [*words, "--overwrite"] if any(Path(word).exists() for word in results) else words


def test_every_exception_is_of_a_command_that_is_shown() -> None:
    for beginning in NOT_RUN:
        assert any(line.startswith(beginning) for line in LINES), f"nobody shows {beginning}"


@pytest.mark.parametrize("line", VIDEOS)
def test_a_shown_video_could_be_made(call: Command, folder: Path, line: str) -> None:
    before = sorted(folder.rglob("*"))
    outcome = call(*given(line), "--dry-run")
    assert outcome.code == 0, outcome.stderr
    assert "Nothing was written" in outcome.stderr
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("line", QUICK)
def test_a_shown_command_runs(call: Command, folder: Path, line: str) -> None:
    del folder
    outcome = call(*shlex.split(line))
    assert outcome.code == 0, outcome.stderr
    assert outcome.stdout


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in RUN if line not in QUICK])
def test_a_shown_command_does_what_it_says(
    call: Command, folder: Path, brief_clip: Path, glance: tuple[object, ...], line: str
) -> None:
    words = given(line)
    for name in ("singer.mp4", "made.mp4", "filmed.mp4", "made/a.mp4", "filmed/a.mp4"):
        shutil.copy(brief_clip, folder / name)
    if line in VIDEOS:
        own = {"--vocals", "--sing", "--motion", "--cues"}.intersection(words)
        words += ["--fps", "10", "--duration", "0.5", *(() if own else FILTERED)]
    if line.startswith("verify"):
        made = ("--image", "me.jpg", "--audio", "speech.wav")
        assert call("animate", *made, *glance, "-o", "talking.mp4").code == 0
    results = [word for flag, word in pairwise(words) if flag == "-o"]
    if results == ["-"]:  # which is no text
        done = subprocess.run(command(*words), capture_output=True, check=True, env=environment())
        assert len(done.stdout) > 1000
        return
    outcome = call(*words)
    assert outcome.code == 0, outcome.stderr
    for result in results:
        assert (folder / result).exists()
