"""Lists of videos, through the command."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from stylehead.provenance.verify import unsigned_sha256
from tests.conftest import Command
from tests.stand_ins import media

QUICK = "crop,size,fps,duration,separate"
VALUES = "yes,128,10,0.4,filter"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    media.save_picture(tmp_path / "face.png", media.portrait())
    media.save_sound(tmp_path / "voice.wav", media.voice(2))
    return tmp_path


def write_list(folder: Path, *rows: str) -> Path:
    """Write a list of image, audio and seed; the rest is what makes small videos."""
    lines = [f"image,audio,seed,{QUICK}", *(f"{row},{VALUES}" for row in rows)]
    path = folder / "jobs.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def videos(folder: Path) -> dict[str, str]:
    return {path.name: unsigned_sha256(path) for path in folder.glob("*.mp4")}


def test_good_rows_are_made_bad_ones_listed_and_mended_ones_made_later(
    call: Command, folder: Path
) -> None:
    rows = ("face.png,voice.wav,1", "none.png,voice.wav,2", "face.png,voice.wav,3")
    jobs = write_list(folder, *rows)
    words = ("batch", jobs, "-o", folder / "out", "--name", "{number}", "--workers", 1)
    outcome = call(*words, "--json-lines")
    assert outcome.code == 1
    assert "Row 3: none.png does not exist. Check the picture's path." in outcome.stderr
    assert outcome.stderr.strip().split("\n")[-1].startswith("Error: 1 of 3 videos were not made.")
    events = [json.loads(line) for line in outcome.stdout.splitlines()]
    finished = [event for event in events if event["event"] == "finished"]
    assert [event["job"] for event in finished] == [2, 4]
    assert finished[0]["facts"]["frames"] == 4
    assert {"started", "progressed"} <= {event["event"] for event in events}
    made = videos(folder / "out")
    assert sorted(made) == ["2.mp4", "4.mp4"]

    media.save_picture(folder / "none.png", media.portrait())
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").glob("*.mp4")}
    outcome = call(*words, "--retry-failed")
    assert outcome.code == 0, outcome
    assert "1 of 3 videos are left" in outcome.stderr
    assert sorted(videos(folder / "out")) == ["2.mp4", "3.mp4", "4.mp4"]
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    assert "0 of 3" in call(*words).stderr


@pytest.mark.slow
def test_a_batch_makes_what_animate_makes(call: Command, folder: Path) -> None:
    jobs = write_list(folder, "face.png,voice.wav,5")
    assert call("batch", jobs, "-o", folder / "out", "--name", "{number}").code == 0
    options = zip(QUICK.split(","), VALUES.split(","), strict=True)
    flags = [f"--{name}" if value == "yes" else f"--{name}={value}" for name, value in options]
    inputs = ("--image", folder / "face.png", "--audio", folder / "voice.wav", "--seed", 5)
    assert call("animate", *inputs, *flags, "-o", folder / "2.mp4").code == 0
    alone, listed = (media.read_video(path)[0] for path in (folder / "2.mp4", folder / "out/2.mp4"))
    assert (alone == listed).all()


def test_folders_are_crossed_and_a_dry_run_makes_nothing(call: Command, folder: Path) -> None:
    for name in ("people", "lines"):
        (folder / name).mkdir()
    media.save_picture(folder / "people" / "a.png", media.portrait())
    for name in ("x", "y"):
        media.save_sound(folder / "lines" / f"{name}.wav", media.voice(2))
    pairs = zip(QUICK.split(","), VALUES.split(","), strict=True)
    given = [f"--set={name}={value}" for name, value in pairs]
    words = ("--images", folder / "people", "--audios", folder / "lines", *given)
    outcome = call("batch", *words, "-o", folder / "out", "--dry-run", "--shard", "2/2")
    assert outcome.code == 0, outcome
    assert "1 of 1 videos are left to make" in outcome.stderr
    assert "a_y.mp4" in outcome.stderr
    assert not videos(folder / "out")


def test_a_list_or_two_folders_are_needed(call: Command, folder: Path) -> None:
    for words in ((), ("--images", folder), (write_list(folder, "a,b,1"), "--audios", folder)):
        assert call("batch", *words).code == 2
    outcome = call("batch", "--images", folder / "none", "--audios", folder)
    assert outcome.code == 1
    assert "holds no file" in outcome.stderr


@pytest.mark.slow
def test_two_machines_make_one_video_by_its_segments(call: Command, folder: Path) -> None:
    media.save_sound(folder / "voice.wav", media.voice(6))
    jobs = write_list(folder)
    row = "face.png,voice.wav,1,yes,128,60,6,filter"
    jobs.write_text(jobs.read_text() + row + "\n")
    words = ("batch", jobs, "--name", "{number}", "-o")
    assert call(*words, folder / "whole", "--workers", 2).code == 0
    outcome = call(*words, folder / "parts", "--shard", "2/2")
    assert outcome.code == 0, outcome
    assert "1 of 2 segments are still to be made by others" in outcome.stderr
    assert not videos(folder / "parts")
    outcome = call(*words, folder / "parts", "--shard", "1/2")
    assert "1 of 2 segments were made before" in outcome.stderr
    assert videos(folder / "parts") == videos(folder / "whole")
    assert not list((folder / "parts").glob(".stylehead/*/segments-*"))


def children(process: int) -> list[int]:
    """Return the processes that one has started."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == process:
                found.append(int(stat.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_long_video_is_filmed_by_processes_one_of_which_may_die(folder: Path) -> None:
    media.save_sound(folder / "long.wav", np.tile(media.voice(8), 8))
    jobs = write_list(folder)
    jobs.write_text(jobs.read_text() + "face.png,long.wav,1,yes,128,60,40.1,filter\n")
    words = [sys.executable, "-m", "stylehead", "batch", str(jobs), "--name", "{number}"]
    by_two = [*words, "--workers", "2", "-o", str(folder / "processes")]
    run = subprocess.Popen(by_two, stderr=subprocess.PIPE, text=True)
    while not list((folder / "processes").glob(".stylehead/*/segments-*/*.npz")):
        assert run.poll() is None, run.communicate()
        time.sleep(0.02)
    filming = [each for job in children(run.pid) for each in children(job)]
    assert len(filming) == 2
    os.kill(filming[0], signal.SIGKILL)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "Row 2: The process that made it was ended" in said
    again = subprocess.run(by_two, check=True, capture_output=True, text=True)
    assert "of 9 segments were made before" in again.stderr
    subprocess.run(
        [*words, "--workers", "1", "-o", str(folder / "alone")], check=True, capture_output=True
    )
    assert videos(folder / "processes") == videos(folder / "alone")


def test_ray_is_named_where_it_is_not_installed(
    call: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    jobs = write_list(folder, "face.png,voice.wav,1")
    outcome = call("batch", jobs, "-o", folder / "out", "--engine", "ray")
    assert outcome.code == 1
    assert 'Run pip install "stylehead[ray]".' in outcome.stderr


@pytest.mark.slow
def test_a_killed_batch_goes_on_and_gives_the_same_videos(folder: Path) -> None:
    media.save_sound(folder / "long.wav", np.tile(media.voice(8), 4))
    rows = (f"face.png,long.wav,{seed},yes,128,25,25,filter" for seed in range(2))
    jobs = write_list(folder)
    jobs.write_text(jobs.read_text() + "\n".join(rows))
    words = [sys.executable, "-m", "stylehead", "batch", str(jobs), "--name", "{number}", "-o"]
    whole, parts = folder / "whole", folder / "parts"
    subprocess.run([*words, str(whole)], check=True, capture_output=True)
    run = subprocess.Popen([*words, str(parts)], stderr=subprocess.DEVNULL)
    while not list(parts.glob(".stylehead/*/segments-*/00001.npz")):
        assert run.poll() is None
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    kept = list(parts.glob(".stylehead/*/segments-*/*.npz"))
    assert kept
    again = subprocess.run([*words, str(parts)], check=True, capture_output=True, text=True)
    assert "segments were made before" in again.stderr
    assert videos(parts) == videos(whole)
    assert [path.name for path in parts.iterdir() if path.suffix != ".mp4"] == [".stylehead"]
    assert not list(parts.glob(".stylehead/*/segments-*"))
