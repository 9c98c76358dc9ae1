"""What is drawn: styles, and jobs."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from stylehead.cli.page import show
from stylehead.cli.page.desk import LIVE, Job, State
from stylehead.cli.page.previews import known_styles, preview
from stylehead.cli.page.work import SIDE, small
from stylehead.errors import FaceError
from stylehead.face.landmarks import POLYLINES
from stylehead.style.file import list_styles


def test_every_known_style_has_a_preview_that_moves():
    known = known_styles()
    assert list(known) == [name for name, _, _ in list_styles()]
    styles = list(known.values())
    drawn = {preview(style, moves=False) for style in styles}
    assert len(drawn) == len(styles)
    lines = ElementTree.fromstring(preview(styles[0]))
    assert len(lines) == len(POLYLINES)
    values = lines[0][0].attrib["values"].split(";")
    assert values[0] == values[-1] == lines[0].attrib["d"], "no jump where it begins again"
    assert len(set(values)) > 10


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path, None, "cpu", "me", state=State.RUNNING)


def test_what_a_job_says_is_text(job: Job):
    job.state, job.problem = State.FAILED, "<script>x.png</script> is damaged."
    assert "<script>" not in show.status(job)
    job.state, job.said = State.DONE, ["Note: <b>", "not a note"]
    assert "Note: &lt;b&gt;" in show.status(job)
    assert "not a note" not in show.status(job)
    assert "&lt;b&gt; Turn" in show.failure(FaceError("<b>", remedy="Turn it."))
    page = job.folder / "report.html"
    page.write_text('<p class="a">"</p>')
    assert 'sandbox srcdoc="&lt;p class=&quot;a&quot;' in show.report(page)


def test_what_failed_goes_when_what_was_given_changes_and_nothing_else_does(job: Job):
    assert show.without_failure(show.failure(FaceError("No face.", remedy="Turn."))) == ""
    assert show.without_failure(None) == ""
    for state in set(State) - {State.FAILED}:
        job.state = state
        assert show.without_failure(show.status(job)) == show.status(job)
    job.state, job.problem = State.FAILED, "It is damaged."
    assert show.without_failure(show.status(job)) == ""


def test_a_running_job_shows_its_stage_its_time_and_a_picture(job: Job):
    assert "Starting" in show.status(job)
    job.stage, job.done, job.total = "Rendering", 20, 100
    assert "Rendering: 20 of 100" in show.status(job)
    assert "<img" not in show.status(job)
    (job.folder / LIVE).write_bytes(b"jpeg")
    assert "base64,anBlZw==" in show.status(job)
    job.state = State.WAITING
    assert "2 before this one" in show.status(job, 2)
    assert (show.time(8.2), show.time(150)) == ("9 s", "3 min")


def test_a_video_is_played_a_moving_picture_shown_and_others_are_offered():
    assert "<video" in show.player(Path("/a b/x.mp4"))
    assert "/gradio_api/file=/a%20b/x.mp4" in show.player(Path("/a b/x.mp4"))
    assert "<img" in show.player(Path("x.webp"))
    assert "download it" in show.player(Path("x.mkv"))
    assert show.player(None) == show.IDLE


def test_a_live_picture_is_small_and_transparency_is_laid_on_paper():
    frame = np.zeros((300, 600, 4), np.uint8)
    frame[:, 300:] = (10, 20, 30, 255)
    seen = small(frame)
    assert seen.shape == (SIDE // 2, SIDE, 3)
    assert (seen[:, 0] == 255).all()
    assert (seen[:, -1] == (10, 20, 30)).all()
