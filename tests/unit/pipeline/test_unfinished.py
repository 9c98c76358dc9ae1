"""A repeated call makes only the segments that are not kept, and the same video."""

import shutil
from contextlib import closing

import pytest

from stylehead.errors import UnfinishedError
from stylehead.media.segment import SEGMENT
from stylehead.options import Options
from stylehead.pipeline.film import Shot, film
from stylehead.pipeline.staging import Staging
from stylehead.pipeline.unfinished import Unfinished, film_on
from tests.unit.pipeline.test_film import Counter, moving, scene

FRAMES = 2 * SEGMENT + 7


@pytest.fixture(scope="module")
def wanted():
    return [segment.data for segment in film(Shot(scene(), [moving(FRAMES)]), workers=1)]


NOTHING = Staging(
    portraits=[],
    references=[],
    motions=[],
    frame=None,
    behind=None,
    options=Options(),
)


def made(folder, workers=2, frames=FRAMES, **how):
    """Return the video's segments, and how many frames were drawn for them."""
    reporter = Counter()
    unfinished = Unfinished(folder=folder, **how) if folder else None
    shot = Shot(scene(), [moving(frames)], NOTHING)
    segments = film_on(shot, unfinished, workers=workers, reporter=reporter)
    return [segment.data for segment in segments], reporter.steps


def test_without_a_folder_nothing_is_kept(wanted):
    assert made(None) == (wanted, FRAMES)


def test_what_was_made_before_is_not_made_again(wanted, tmp_path):
    folder = tmp_path / "job" / "segments"
    shot = Shot(scene(), [moving(FRAMES)])
    with closing(film_on(shot, Unfinished(folder=folder), workers=1)) as segments:
        next(segments)
    assert len(list(folder.iterdir())) == 1
    assert made(folder) == (wanted, FRAMES - SEGMENT)
    assert made(folder) == (wanted, 0)


@pytest.mark.parametrize("damage", [b"", b"no segment", None])
def test_a_damaged_segment_is_made_again(wanted, tmp_path, damage):
    made(tmp_path)
    place = sorted(tmp_path.iterdir())[1]
    place.write_bytes(place.read_bytes()[:-200] if damage is None else damage)
    assert made(tmp_path) == (wanted, SEGMENT)


def test_a_segment_that_turns_out_to_be_damaged_is_made_again(wanted, tmp_path):
    made(tmp_path)
    place = sorted(tmp_path.iterdir())[1]
    place.write_bytes(
        bytes(byte ^ 255 if 2000 < n < 2100 else byte for n, byte in enumerate(place.read_bytes()))
    )
    assert made(tmp_path) == (wanted, 0)


def test_segments_that_another_run_has_laid_together_are_waited_for_no_more(tmp_path):
    made(tmp_path)
    shot = Shot(scene(), [moving(FRAMES)])
    with closing(film_on(shot, Unfinished(folder=tmp_path), workers=1)) as segments:
        next(segments)
        shutil.rmtree(tmp_path)
        with pytest.raises(UnfinishedError, match="another run"):
            next(segments)


def test_a_segment_of_another_length_is_made_again(tmp_path):
    made(tmp_path)
    again, drawn = made(tmp_path, frames=SEGMENT + 5)
    assert (len(again), drawn) == (2, 5)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_parts_are_made_by_several_and_laid_together_by_the_last(wanted, tmp_path, order):
    with pytest.raises(UnfinishedError, match="of 3 segments are still to be made"):
        made(tmp_path, part=order[0], parts=2)
    found, drawn = made(tmp_path, part=order[1], parts=2)
    assert found == wanted
    assert drawn == {1: SEGMENT + 7, 2: SEGMENT}[order[1]]
    assert made(tmp_path, part=order[0], parts=2) == (wanted, 0)


def test_a_crew_films_what_is_missing(wanted, tmp_path):
    asked = []

    class Crew:
        def suits(self, shot, numbers):
            return len(numbers) > 1

        def film(self, source, numbers):
            """The last one is there first."""
            asked.append((source, list(numbers)))
            made = film(Shot(scene(), [moving(FRAMES)]), numbers, workers=1)
            yield from list(zip(numbers, made, strict=True))[::-1]

    with pytest.raises(UnfinishedError):
        made(tmp_path, part=2, parts=3)
    assert made(tmp_path, crew=Crew()) == (wanted, FRAMES - SEGMENT)
    assert asked == [(NOTHING, [0, 2])]
    shutil.rmtree(tmp_path)
    with pytest.raises(UnfinishedError):
        made(tmp_path, part=2, parts=3, crew=Crew())
    assert len(asked) == 1  # one segment is made here
