"""Any number of workers makes the same video, in order, in bounded memory, and stops as one."""

import gc
import signal
import threading
import time
from contextlib import closing
from itertools import count

import numpy as np
import pytest
import torch

from stylehead.media.segment import SEGMENT, EncoderPicture
from stylehead.pipeline import film as module
from stylehead.pipeline import frames
from stylehead.pipeline.film import Shot, film, film_segment
from stylehead.pipeline.frames import frames_of
from stylehead.progress import Noting
from stylehead.provenance.mark import Mark
from stylehead.rendering.mesh_renderer import load_mouth_networks
from stylehead.rendering.renderer import LoadedRenderer, Scene
from tests.stand_ins.faces import drawn_portrait, make_style, performed_motion

CPU = torch.device("cpu")
WORKERS = (1, 2, 3, 8)


def moving(frames):
    motion = performed_motion(2, degrees=(6, 8, 4), hertz=1.5, blinks=1, opening=0.2)
    return motion[np.arange(frames) % len(motion)]


def scene(draw=None, *, batch=4, parallel=True):
    """A picture of 64 x 48 whose inner part takes a frame's brightness from the motion."""
    picture = np.full((48, 64, 3), 30, np.uint8)

    def drawn(motions):
        for angle in motions[0].rotation[:, 0, 1]:
            part = picture[8:40, 10:50].copy()
            part[4:20, 4:30] = np.uint8(128 + 120 * angle)
            yield part

    return Scene(
        picture=picture, area=np.s_[8:40, 10:50], draw=draw or drawn, patterns=[], batch=batch,
        parallel=parallel, trial_frames=0, device=CPU,
    )  # fmt: skip


class Counter:
    def __init__(self):
        self.total, self.steps = None, 0

    def start(self, stage, total):
        self.total = total

    def advance(self):
        self.steps += 1

    def say(self, message):
        pass


def filmed(shot, workers, reporter=None):
    reporter = reporter or Counter()
    return [segment.data for segment in film(shot, workers=workers, reporter=reporter)]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    # One that an interrupt kept from being waited for ends by itself, but perhaps not at once.
    given_up = time.monotonic() + 60
    while (left := set(threading.enumerate()) - before) and time.monotonic() < given_up:
        time.sleep(0.01)
    assert not left


@pytest.mark.parametrize("frames", [1, SEGMENT - 1, SEGMENT, 2 * SEGMENT + 7])
def test_any_number_of_workers_makes_the_same_bytes(frames):
    shot = Shot(scene(), [moving(frames)])
    wanted = filmed(shot, 1)
    assert len(wanted) == shot.segments == -(-frames // SEGMENT)
    for workers in WORKERS[1:]:
        assert filmed(shot, workers) == wanted
    assert [film_segment(shot, number).data for number in range(shot.segments)] == wanted


def test_the_mark_is_that_of_each_frame_however_the_work_is_shared_out():
    plain = scene()
    mark = Mark.of(plain.picture, plain.area, moving(1).fps)
    frames = SEGMENT + 13
    shot = Shot(plain, [moving(frames)], mark=mark)
    wanted = filmed(shot, 1)
    assert wanted != filmed(Shot(plain, [moving(frames)]), 1)
    assert filmed(shot, 3) == wanted
    assert film_segment(shot, 1).data == wanted[1]
    drawn = list(frames_of(shot, workers=2))
    for number in (0, SEGMENT - 1, SEGMENT, frames - 1):
        (part,) = plain.draw([moving(frames)[np.arange(number, number + 1)]])
        assert (drawn[number][plain.area] == mark.on(part, number)).all()
        outside = drawn[number].copy()
        outside[plain.area] = plain.picture[plain.area]
        assert (outside == plain.picture).all()  # what never moves stays as it is


def test_a_portrait_gives_the_same_bytes_with_any_number_of_workers():
    loaded = LoadedRenderer(
        name="embedded", weights=(), mouths=load_mouth_networks(CPU), trial_frames=0, device=CPU
    )
    references = [make_style().references]
    for size in (96, None):
        portrait = drawn_portrait(side=161, unit=0.12)
        prepared = loaded.prepare([portrait], references, crop_size=size)
        shot = Shot(prepared, [moving(30)])
        wanted = filmed(shot, 1)
        for workers in WORKERS[1:]:
            assert filmed(shot, workers) == wanted


def test_every_frame_is_reported_once():
    for workers in WORKERS:
        counter = Counter()
        filmed(Shot(scene(), [moving(SEGMENT + 13)]), workers, counter)
        assert counter.total == counter.steps == SEGMENT + 13


class Onlooker(Counter):
    """Looks at every frame that is offered."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def view(self, frame):
        self.seen.append(frame())


@pytest.mark.parametrize("make", [film, frames_of])
@pytest.mark.parametrize("workers", [1, 3])
def test_whoever_looks_sees_frames_as_they_are_made(make, workers):
    onlooker = Onlooker()
    shot = Shot(scene(), [moving(24)])
    made = list(make(shot, workers=workers, reporter=Noting(onlooker)))
    assert made
    assert len(onlooker.seen) == 6  # one of each batch
    for pixels in onlooker.seen:
        assert pixels.shape == (48, 64, 3)
        assert np.abs(pixels[:6].astype(int) - 30).max() <= 2
    assert len({pixels.tobytes() for pixels in onlooker.seen}) > 1
    assert list(make(shot, workers=workers, reporter=Counter())), "nobody has to look"


@pytest.mark.parametrize("workers", [2, 8])
def test_what_is_drawn_waits_in_bounded_memory(monkeypatch, workers):
    made = count()

    class Counted(EncoderPicture):
        def __init__(self, picture):
            next(made)
            super().__init__(picture)

    monkeypatch.setattr(module, "EncoderPicture", Counted)
    add = module.SegmentEncoder.add

    def slowly(self, picture):
        time.sleep(0.001)
        add(self, picture)

    monkeypatch.setattr(module.SegmentEncoder, "add", slowly)
    shot = Shot(scene(), [moving(3 * SEGMENT)])
    filmed(shot, workers)
    batches = next(made) / shot.scene.batch
    assert batches <= workers + 1 + (workers - 1) // 4


def test_one_worker_at_a_time_draws_what_is_not_parallel():
    inside, most = [], []

    def draw(motions):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.001)
        yield from [np.zeros((32, 40, 3), np.uint8)] * len(motions[0])
        inside.pop()

    shot = Shot(scene(draw, parallel=False), [moving(90)])
    filmed(shot, 4)
    assert max(most) == 1


@pytest.mark.parametrize("workers", WORKERS)
def test_a_failure_in_a_worker_comes_out_and_stops_all(workers):
    drawn = count()

    def draw(motions):
        if next(drawn) == 20:
            raise ValueError("no such face")
        yield from [np.zeros((32, 40, 3), np.uint8)] * len(motions[0])

    with pytest.raises(ValueError, match="no such face"):
        filmed(Shot(scene(draw), [moving(40 * SEGMENT)]), workers)
    assert next(drawn) < 20 + 4 * workers + 8


@pytest.mark.parametrize("workers", WORKERS)
def test_whoever_stops_listening_stops_the_work(workers):
    shot = Shot(scene(), [moving(100 * SEGMENT)])
    with closing(film(shot, workers=workers)) as segments:
        assert next(segments).frames == SEGMENT
    gc.collect()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer that interrupts")
@pytest.mark.parametrize("make", [film, frames_of])
@pytest.mark.parametrize("workers", WORKERS)
def test_an_interrupt_at_any_moment_ends_all_workers(monkeypatch, workers, make):
    class Interrupted(BaseException):
        pass

    def interrupt(number, frame):
        raise Interrupted

    for each in (module, frames):
        monkeypatch.setattr(each, "PATIENCE", 5)
    filmed(Shot(scene(), [moving(1)]), 1)  # an interrupt of numba's compiler is another matter
    shot = Shot(scene(), [moving(100 * SEGMENT)])
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for tenth_milliseconds in range(5, 205, 5):
            with pytest.raises(Interrupted), closing(make(shot, workers=workers)) as made:
                # Some of it while threads start, most while they hand over what they made.
                signal.setitimer(signal.ITIMER_REAL, tenth_milliseconds / 1e4)
                for _ in made:
                    pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_thread_settings_are_as_before_when_all_is_filmed():
    torch.set_num_threads(2)
    try:
        filmed(Shot(scene(), [moving(20)]), 2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
