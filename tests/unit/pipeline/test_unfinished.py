"""A repeated call makes only the segments that are not kept, and the same video."""

from contextlib import closing

import numpy as np
import pytest

from stylehead.media.segment import SEGMENT
from stylehead.pipeline.film import Shot, film
from stylehead.pipeline.unfinished import film_on
from tests.unit.pipeline.test_film import Counter, moving, scene

FRAMES = 2 * SEGMENT + 7


@pytest.fixture(scope="module")
def wanted():
    return [segment.data for segment in film(Shot(scene(), [moving(FRAMES)]), workers=1)]


def made(folder, workers=2):
    """Return the video's segments, and how many frames were drawn for them."""
    reporter = Counter()
    segments = film_on(Shot(scene(), [moving(FRAMES)]), folder, workers=workers, reporter=reporter)
    return [segment.data for segment in segments], reporter.steps


def test_without_a_folder_nothing_is_kept(wanted):
    assert made(None) == (wanted, FRAMES)


def test_what_was_made_before_is_not_made_again(wanted, tmp_path):
    folder = tmp_path / "job" / "segments"
    shot = Shot(scene(), [moving(FRAMES)])
    with closing(film_on(shot, folder, workers=1)) as segments:
        next(segments)
    assert len(list(folder.iterdir())) == 1
    assert made(folder) == (wanted, FRAMES - SEGMENT)
    assert made(folder) == (wanted, 0)


@pytest.mark.parametrize("damage", [b"", b"no segment", None])
def test_a_damaged_segment_is_made_again(wanted, tmp_path, damage):
    made(tmp_path)
    place = sorted(tmp_path.iterdir())[1]
    place.write_bytes(place.read_bytes()[:-200] if damage is None else damage)
    assert made(tmp_path) == (wanted, FRAMES - SEGMENT)


def test_a_segment_of_another_length_is_made_again(tmp_path):
    made(tmp_path)
    shot = Shot(scene(), [moving(SEGMENT + 5)])
    again = [segment.frames for segment in film_on(shot, tmp_path, workers=1)]
    assert again == [SEGMENT, 5]
    assert np.sum(again) == SEGMENT + 5
