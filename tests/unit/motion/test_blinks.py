from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from stylehead.motion.eyes import (
    CLOSING,
    OPENING,
    SHORTEST_GAP,
    SHUT,
    USUAL,
    USUAL_CLOSURE,
    USUAL_RATE,
    blink_habit,
    sample_blinks,
)
from tests.stand_ins.faces import make_style, performed_motion

LENGTH = USUAL_CLOSURE / (CLOSING / 2 + SHUT + OPENING / 2)


def blinks(rate, *, seconds=600, fps=60, seed=0, voice=None, **habits):
    frames = round(seconds * fps)
    voice = np.ones(frames, np.float32) if voice is None else voice
    habit = USUAL._replace(rate=rate, **habits)
    return sample_blinks(frames, voice, Fraction(fps), habit, np.random.default_rng(seed))


def spans(closure):
    """First and last+1 frame of every closure."""
    edges = np.diff(np.concatenate([[0], closure > 0, [0]]).astype(int))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def talk_with_pauses(seconds, fps, *, every=1.3, pause=0.35):
    times = np.arange(round(seconds * fps)) / fps
    return (times % every > pause).astype(np.float32)


@pytest.mark.parametrize("rate", [6.0, 17.0, 30.0])
def test_there_are_as_many_blinks_a_minute_as_asked_for(rate):
    counts = [len(spans(blinks(rate, seed=seed))[0]) / 10 for seed in range(4)]
    assert np.mean(counts) == pytest.approx(rate, rel=0.12)


@pytest.mark.parametrize("rate", [0, 0.0])
def test_a_rate_of_zero_gives_no_blink(rate):
    assert blinks(rate).max() == 0


@pytest.mark.parametrize("fps", [25, 30, 60])
def test_lids_close_fully_and_open_again(fps):
    closure = blinks(20.0, fps=fps, seconds=120)
    assert closure.min() == 0
    for first, end in zip(*spans(closure), strict=True):
        assert closure[first:end].max() > 0.9


def test_lids_shut_faster_than_they_open():
    closure = blinks(15.0, fps=240, seconds=120)
    for first, end in zip(*spans(closure), strict=True):
        shut = first + np.flatnonzero(closure[first:end] == closure[first:end].max())
        closing, opening = shut[0] - first, end - 1 - shut[-1]
        assert 0 < closing < opening
        assert (np.diff(closure[first : shut[0]]) > 0).all()
        assert (np.diff(closure[shut[-1] : end]) < 0).all()


def test_a_blink_lasts_a_third_of_a_second():
    first, end = spans(blinks(15.0, fps=240, seconds=120))
    np.testing.assert_allclose((end - first) / 240, LENGTH, atol=0.01)


@pytest.mark.parametrize("closure", [0.1, 0.25])
def test_lids_are_shut_for_as_long_as_the_habit_says(closure):
    lids = blinks(15.0, fps=240, seconds=120, closure=closure)
    assert lids.sum() / 240 / len(spans(lids)[0]) == pytest.approx(closure, rel=0.02)


@pytest.mark.parametrize("rate", [17.0, 40.0, 60.0])
def test_blinks_never_run_into_each_other(rate):
    voice = talk_with_pauses(120, 60)
    for seed in range(6):
        first, end = spans(blinks(rate, seconds=120, seed=seed, voice=voice))
        assert (end - first).max() / 60 <= LENGTH + 2 / 60
        assert (first[1:] - end[:-1]).min() / 60 >= SHORTEST_GAP - 2 / 60


def test_the_last_blink_is_over_when_the_sound_is():
    voice = np.ones(180, np.float32)
    voice[-2:] = 0  # the quietest moment is the end
    ends = [blinks(60.0, seconds=3, seed=seed, voice=voice)[-1] for seed in range(40)]
    assert max(ends) < 0.1


def test_blinks_prefer_pauses():
    voice = talk_with_pauses(600, 60, every=1.0, pause=0.25)
    first, _ = spans(blinks(17.0, voice=voice))
    share = (voice[first] < 0.5).mean()
    assert share > 0.6  # a quarter of the time is pause


def test_without_a_pause_in_reach_a_blink_stays_where_it_is():
    talking = np.ones(600 * 60, np.float32)
    np.testing.assert_array_equal(blinks(17.0), blinks(17.0, voice=0.9 * talking))


def test_the_same_seed_gives_the_same_blinks_and_another_others():
    np.testing.assert_array_equal(blinks(17.0, seed=3), blinks(17.0, seed=3))
    assert (blinks(17.0, seed=3) != blinks(17.0, seed=4)).any()


def test_a_long_clip_blinks_at_its_own_rate():
    style = make_style(performed_motion(240, blinks=140))
    assert blink_habit(style).rate == pytest.approx(35, rel=0.05)


def test_a_short_clip_leans_on_the_usual_rate():
    style = make_style(performed_motion(3, blinks=0))
    assert 0.5 * USUAL_RATE < blink_habit(style).rate < USUAL_RATE


def test_narrowed_eyes_do_not_count_as_endless_blinking():
    assert blink_habit(make_style(performed_motion(60, blinks=120))).rate <= 60


def test_closure_is_one_float32_between_zero_and_one_for_each_frame():
    closure = blinks(30.0, seconds=7, fps=25)
    assert closure.shape == (175,)
    assert closure.dtype == np.float32
    assert 0 <= closure.min() <= closure.max() <= 1


# ---- habits ---------------------------------------------------------------------------------


def blinker(onsets, *, seconds=60.0, contour=None, shut=0.2):
    """Return a style that blinks at moments in seconds, for `shut` of them each."""
    motion = performed_motion(seconds, blinks=0)
    times = np.arange(len(motion)) / 30
    blink = np.zeros(len(motion), np.float32)
    for onset in onsets:
        blink[(times >= onset) & (times < onset + shut)] = 1
    contour = np.ones((len(motion), 3), np.float32) if contour is None else contour
    return replace(make_style(motion.with_(blink=blink)), contour=contour)


def test_double_blinks_are_learned_and_come():
    single = blink_habit(blinker(np.arange(2, 58, 3.0)))
    firsts = np.arange(2, 58, 6.0)
    double = blink_habit(blinker(np.concatenate([firsts, firsts + 0.5])))
    assert single.double == 0
    assert double.double > 0.3
    first, end = spans(blinks(20.0, double=double.double))
    assert ((first[1:] - end[:-1]) / 60 < 0.3).mean() == pytest.approx(double.double, abs=0.07)
    assert len(first) / 10 == pytest.approx(20.0, rel=0.15)


def test_who_does_not_wait_for_pauses_blinks_anywhere():
    times = np.arange(1800) / 30
    contour = np.ones((1800, 3), np.float32)
    contour[times % 2 < 0.4, 1] = 0
    waits = blink_habit(blinker(np.arange(2.1, 58, 2.0), contour=contour))
    never = blink_habit(blinker(np.arange(2.6, 58, 2.0), contour=contour))
    assert never.pausing < 0.3
    assert waits.pausing > 0.9
    voice = talk_with_pauses(600, 60, every=1.0, pause=0.25)
    shares = [
        (voice[spans(blinks(17.0, voice=voice, pausing=habit.pausing))[0]] < 0.5).mean()
        for habit in (waits, never)
    ]
    assert shares[0] > shares[1] + 0.2


def test_a_style_without_a_contour_has_the_usual_habit():
    old = replace(blinker([1.0, 1.5]), contour=None)
    assert blink_habit(old)[1:] == USUAL[1:]


def test_slow_blinks_of_a_clip_are_slow_in_the_style():
    onsets = np.arange(2, 58, 2.0)
    quick, slow = (blink_habit(blinker(onsets, shut=shut)).closure for shut in (0.1, 0.25))
    assert quick == pytest.approx(0.11, abs=0.01)
    assert slow == pytest.approx(0.25, abs=0.01)


def test_few_blinks_lean_on_how_long_people_blink():
    one = blink_habit(blinker([5.0], shut=0.3)).closure
    assert USUAL_CLOSURE < one < 0.22


def test_eyes_shut_for_long_are_no_blink_habit():
    assert blink_habit(blinker(np.arange(2, 58, 4.0), shut=2.0)).closure <= 0.3


def test_without_a_frame_there_is_no_blink():
    assert len(blinks(20.0, seconds=0)) == 0
