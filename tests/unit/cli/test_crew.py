"""Processes film the segments that one process films."""

from dataclasses import dataclass

import pytest

from stylehead.cli.crew import ProcessCrew, process_crew
from stylehead.errors import MediaError, StyleheadError
from stylehead.media.segment import SEGMENT
from stylehead.options import Options
from stylehead.pipeline.film import Shot, film_segment
from tests.unit.pipeline.test_film import moving, scene


@dataclass
class Source:
    """What can be sent to another process, and filmed there."""

    fails: bool = False
    options: Options = Options()  # noqa: RUF009 (frozen)

    def shot(self, renderer):
        if self.fails:
            raise MediaError("The film tore.", remedy="Splice it.")
        return Shot(scene(), [moving(2 * SEGMENT + 9)], self)


def test_what_goes_wrong_there_is_raised_here():
    with pytest.raises(StyleheadError, match=r"The film tore\.") as failure:
        list(ProcessCrew(1, []).film(Source(fails=True), [0]))
    assert failure.value.remedy == "Splice it."


@pytest.mark.parametrize(
    ("segments", "parallel", "suits"), [(8, True, True), (7, True, False), (8, False, False)]
)
def test_few_segments_and_a_renderer_with_a_device_of_its_own_stay_in_one_process(
    segments, parallel, suits
):
    shot = Shot(scene(parallel=parallel), [moving(8)])
    assert ProcessCrew(2, []).suits(shot, range(segments)) is suits


def test_processes_wait_for_a_long_video_alone_and_film_the_same():
    with process_crew(2, 8 * SEGMENT) as crew:
        assert crew is not None
        assert len(crew.waiting) == 2
        made = dict(crew.film(Source(), [0, 2]))
    assert {number: segment.data for number, segment in made.items()} == {
        number: film_segment(Source().shot(None), number).data for number in (0, 2)
    }
    assert not any(one.process.is_alive() for one in crew.waiting)
    for processes, frames in ((2, 8 * SEGMENT - 1), (1, 100 * SEGMENT)):
        with process_crew(processes, frames) as crew:
            assert crew is None
