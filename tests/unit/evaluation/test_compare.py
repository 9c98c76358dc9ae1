from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylehead.errors import MediaError
from stylehead.evaluation import compare as comparing
from stylehead.evaluation import ravdess
from stylehead.evaluation.compare import (
    WORST,
    Comparison,
    compare,
    compare_folders,
    compare_style,
)
from stylehead.evaluation.measurements import (
    FPS,
    SeamMeter,
    VideoMeasurements,
    jitter,
    lag_of,
    measure_video,
)
from stylehead.evaluation.ravdess import find_videos
from stylehead.evaluation.report import write_report
from stylehead.evaluation.run import evaluate, evaluate_ravdess
from stylehead.media.video import read_frames
from stylehead.options import Device, Encoder
from tests.conftest import Command
from tests.stand_ins import media

RATE = float(FPS)


@pytest.fixture(autouse=True)
def _each_video_is_measured_once(
    monkeypatch: pytest.MonkeyPatch, measured: dict[Path, VideoMeasurements]
) -> None:
    def once(path: Path, **more: Any) -> VideoMeasurements:
        file = path.resolve()  # most are links to the one clip
        if file not in measured:
            measured[file] = measure_video(file, **more)
        return replace(measured[file], name=path.name)

    monkeypatch.setattr(comparing, "measure_video", once)


@pytest.fixture(scope="module")
def measured() -> dict[Path, VideoMeasurements]:
    return {}


def test_the_lag_of_a_shifted_curve_is_its_shift() -> None:
    curve = np.random.default_rng(1).normal(size=400).cumsum()
    best, lag = lag_of(curve[6:300], curve[:294])
    assert best == pytest.approx(1)
    assert lag == pytest.approx(6 / RATE)
    assert np.isnan(lag_of(curve[:100], np.zeros(100))[0])


def test_jitter_sees_trembling_and_not_slow_motion() -> None:
    face = np.random.default_rng(2).uniform(100, 300, (1, 68, 2))
    times = np.arange(150) / RATE
    slow = face + 5 * np.sin(2 * np.pi * 1.0 * times)[:, None, None]
    shaking = face + 5 * np.sin(2 * np.pi * 10.0 * times)[:, None, None]
    assert jitter(shaking) > 20 * jitter(slow)
    assert jitter(2 * shaking) == pytest.approx(jitter(shaking), rel=1e-6)


@pytest.fixture
def compared(clip: Path, kept: list[Comparison]) -> Comparison:
    """The clip against itself, compared once."""
    if not kept:
        kept.append(compare(clip, clip))
    return kept[0]


@pytest.fixture(scope="module")
def kept() -> list[Comparison]:
    return []


def test_a_video_is_at_no_distance_from_itself(compared: Comparison) -> None:
    rows = compared.measures.rows
    for name in ("LMD", "D-L", "D-V", "D-A", "SLD", "SLV", "SMD"):
        assert rows["result"][name].value == pytest.approx(0, abs=1e-9)
        assert rows["held first frame"][name].value > 0
    assert rows["result"]["opening r"].value == pytest.approx(1)
    assert rows["result"]["opening lag, s"].value == 0
    assert rows["result"]["D-L"].half_interval is not None


def test_other_lengths_and_rates_are_said(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    frames = [frame.pixels for frame in read_frames(clip)][:50]
    media.save_video(other, frames, fps=30)
    comparison = compare(clip, other)
    notes = comparison.measures.notes
    assert [note.split()[0] for note in notes if "differ" in note] == ["Frame", "Lengths"]
    assert any("has no sound" in note for note in notes)
    assert len(comparison.reference.landmarks) < len(comparison.result.landmarks)


def test_a_style_is_compared_by_windows_only(clip: Path) -> None:
    rows = compare_style(clip, clip).measures.rows
    assert "LMD" not in rows["result"]
    assert rows["copied reference"]["SLD"].value == pytest.approx(0, abs=1e-9)


def test_a_talking_head_is_measured(clip: Path) -> None:
    numbers = comparing.measure_video(clip).numbers
    assert numbers["face found"] == 1
    assert 0 < numbers["CPBD"] < 1
    assert numbers["likeness to first frame"] > 0.5
    assert numbers["mouth opening range"] > 0.02
    assert numbers["mouth flicker"] > 0


def test_folders_are_compared_by_name(clip: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for name in ("one.mp4", "two.mp4"):
            (tmp_path / folder / name).symlink_to(clip)
    (tmp_path / "a" / "alone.mp4").symlink_to(clip)
    measures = compare_folders(tmp_path / "a", tmp_path / "b")
    assert measures.notes[0].startswith("Mean over 2 videos")
    assert measures.rows["result"]["LMD"].value == pytest.approx(0, abs=1e-9)


def test_the_page_is_one_file_that_fetches_nothing(
    compared: Comparison, clip: Path, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    write_report(page, compared, clip, clip)
    text = page.read_text(encoding="utf-8")
    assert "http://" not in text
    assert "https://" not in text
    assert "<script" not in text
    assert text.count("<svg") == 4
    assert text.count('class="loudness"') == 1
    assert "{" not in text.split("</style>")[1]
    assert text.count("data:image/jpeg;base64,") == 2 * WORST


def test_names_on_the_page_are_text_and_not_markup(clip: Path, tmp_path: Path) -> None:
    named = tmp_path / "<b>&.mp4"
    named.symlink_to(clip)
    page = tmp_path / "report.html"
    write_report(page, compare(named, clip), named, clip)
    assert f"<h1>&lt;b&gt;&amp;.mp4 against {clip.name}</h1>" in page.read_text(encoding="utf-8")


def test_a_pasted_part_with_a_hard_border_is_seen() -> None:
    rng = np.random.default_rng(4)
    still = rng.uniform(0, 255, (256, 256))
    hard, smooth = SeamMeter(), SeamMeter()
    bump = np.exp(-np.square(np.linspace(-2.5, 2.5, 160)))
    for _ in range(30):
        change = rng.normal(0, 20)
        frame = still.copy()
        frame[48:208, 48:208] += change
        hard.add(frame.clip(0, 255).astype(np.uint8))
        frame = still.copy()
        frame[48:208, 48:208] += change * bump[:, None] * bump
        smooth.add(frame.clip(0, 255).astype(np.uint8))
    assert hard.visibility() > 8 * smooth.visibility()


@pytest.mark.slow
def test_the_published_protocol_runs_and_goes_on_where_it_stopped(
    brief_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "Actor_07"
    folder.mkdir()
    (folder / "01-01-01-01-01-01-07.mp4").symlink_to(brief_clip)
    (folder / "02-01-01-01-01-01-07.mp4").symlink_to(brief_clip)  # picture without sound
    assert len(find_videos(tmp_path, None)) == 1
    with pytest.raises(MediaError, match="no RAVDESS videos"):
        find_videos(tmp_path, ["08"])
    cache = tmp_path / "scores"
    chosen = {"actors": ["07"], "cache": cache, "device": Device.CPU, "encoder": Encoder.APC}
    measures = evaluate_ravdess(tmp_path, **chosen)
    lines = list(measures.transposed().table("method"))
    assert lines[0][:3] == ("method", "CPBD", "LMD")
    assert [line[0] for line in lines[1:3]] == ["result", "ground truth"]
    assert lines[-1][:4] == ("published: the paper", "", "1.83", "2.65")
    assert measures.notes[0].startswith("1 clips")
    monkeypatch.setattr(ravdess, "evaluate_video", None)  # must not be needed again
    assert list(evaluate_ravdess(tmp_path, **chosen).transposed().table("method")) == lines


def test_a_page_for_folders_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="is a folder"):
        evaluate(tmp_path, reference=tmp_path, page=tmp_path / "x.html")


def test_the_command_writes_table_page_and_csv(call: Command, clip: Path, tmp_path: Path) -> None:
    page, table = tmp_path / "r.html", tmp_path / "r.csv"
    done = call(
        "evaluate", "--result", clip, "--reference", clip, "--html", page, "--csv", table, "--json"
    )
    assert done.code == 0, done.stderr
    rows = json.loads(done.stdout.splitlines()[-1])["rows"]
    assert rows["result"]["LMD"]["value"] == pytest.approx(0, abs=1e-9)
    assert page.exists()
    assert table.read_text().startswith("measure,result,ground truth,held first frame,mean face")
