"""Notes are found where they were put and held still, breaths come in time, and heads rise."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from stylehead.face.geometry import angles_from_rotation
from stylehead.face.landmarks import REGIONS, mouth_opening
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.motion import generate
from stylehead.motion.beat import Beats
from stylehead.motion.generate import predict_motion
from stylehead.motion.head import DOWN, PITCH, style_range
from stylehead.motion.models import Networks
from stylehead.motion.singing import (
    breathe,
    held_notes,
    hold,
    lift,
    open_vowels,
    sung_phrases,
)
from stylehead.motion.stream import UnstyledMotion
from stylehead.motion.styling import ABOVE
from stylehead.options import MotionControls
from stylehead.style.mix import as_mix
from stylehead.types import Speech
from tests.stand_ins.faces import gape, make_style, mean_face, performed_motion, tiny_pose

FPS = Fraction(30)
ROWS = 15
SECONDS = 20.0
NOTES = ((3.0, 4.0), (5.0, 6.0), (11.0, 12.4), (13.0, 13.8))
PHRASES = ((2.0, 7.0), (10.0, 15.0))
"""Seconds in which there is a voice, notes or syllables."""
NEUTRAL = mean_face()
SHUT = mouth_opening(NEUTRAL)


def inside(times, spans):
    """Return where times (T,) lie in one of the spans."""
    return np.any([(times >= first) & (times < last) for first, last in spans], axis=0)


def prosody(notes=NOTES, phrases=PHRASES, vibrato=0.0):
    """Return rows of a voice that changes all the time but in notes, and of silence between."""
    rng = np.random.default_rng(0)
    times = (np.arange(round(SECONDS * ROWS)) + 0.5) / ROWS
    rows = 0.45 + 0.15 * rng.standard_normal((len(times), 20)).repeat(4, 1)
    note = 0.5 + 0.1 * np.sin(np.arange(80) / 5)
    wave = vibrato * np.sin(2 * np.pi * 5.5 * times)[:, None] * np.tile([1, -1, -1, 1], 20)
    rows = np.where(inside(times, notes)[:, None], note + wave, rows)
    return np.where(inside(times, phrases)[:, None], rows, 0.05).astype(np.float32)


def voice(phrases=PHRASES, fps=FPS):
    """Return a gate that opens a fifth of a second before each phrase."""
    times = np.arange(round(SECONDS * fps)) / float(fps)
    return inside(times, [(first - 0.2, last + 0.2) for first, last in phrases]).astype(np.float32)


def babble(frequency=3.0, fps=FPS):
    """Return a mouth that opens so many times a second while there is a voice."""
    times = np.arange(round(SECONDS * fps)) / float(fps)
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * frequency * times)
    return ((0.3 + 0.7 * wave) * voice(fps=fps)).astype(np.float32)[:, None, None] * gape(0.2)


def opening(landmarks):
    return mouth_opening(landmarks + NEUTRAL) - SHUT


# ---- held notes -----------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [25, 30, 60])
def test_notes_are_found_where_they_were_put(fps):
    found = held_notes(prosody(), voice(fps=Fraction(fps)), Fraction(fps)) / fps
    assert len(found) == len(NOTES)
    np.testing.assert_allclose(found, NOTES, atol=0.14)


def test_vibrato_does_not_end_a_note():
    plain, shaken = (held_notes(prosody(vibrato=size), voice(), FPS) for size in (0.0, 0.1))
    np.testing.assert_array_equal(shaken, plain)


def test_speech_has_no_notes():
    assert held_notes(prosody(notes=((0, 0),)), voice(), FPS).shape == (0, 2)


def test_one_drawn_out_vowel_is_no_singing_but_two_are():
    one = prosody(notes=((3.0, 3.6),))
    two = prosody(notes=((3.0, 3.6), (5.0, 5.6)))
    far = prosody(notes=((3.0, 3.6), (13.0, 13.6)))
    assert [len(held_notes(rows, voice(), FPS)) for rows in (one, two, far)] == [0, 2, 0]


def test_a_steady_sound_is_a_note_only_where_it_is_a_loud_voice():
    steady = prosody(notes=((2.0, 7.0), (10.0, 15.0)))
    assert len(held_notes(steady, voice(phrases=PHRASES[:1]), FPS)) == 1
    steady[round(10 * ROWS) : round(15 * ROWS)] -= 0.25  # 25 dB softer
    assert len(held_notes(steady, voice(), FPS)) == 1


def test_a_recording_of_two_rows_has_no_notes():
    assert held_notes(prosody()[:2], voice()[:4], FPS).shape == (0, 2)


def test_a_held_note_is_still_and_as_open_as_before():
    notes = held_notes(prosody(), voice(), FPS)
    before, after = opening(babble()), opening(hold(babble(), notes, FPS, 1.0))
    for first, last in notes:
        inner = slice(first + 4, last - 4)
        assert after[inner].std() < 0.15 * before[first:last].std()
        assert after[inner].mean() == pytest.approx(before[first:last].mean(), abs=0.03)


def test_a_note_whose_ends_are_shut_stays_as_open_as_it_is():
    notes = np.array([[60, 78]])  # 0.6 s, begun and left with shut lips
    face = np.zeros((120, 68, 3), np.float32)
    face[60:78] = np.sin(np.linspace(0, np.pi, 18, dtype=np.float32))[:, None, None] * gape(0.2)
    before, after = opening(face)[60:78], opening(hold(face, notes, FPS, 1.0))[60:78]
    assert after.mean() == pytest.approx(before.mean(), rel=0.15)
    assert after[3:-3].std() < 0.02


def test_half_of_holding_is_half_way():
    notes = held_notes(prosody(), voice(), FPS)
    none, half, full = (hold(babble(), notes, FPS, amount) for amount in (0.0, 0.5, 1.0))
    np.testing.assert_array_equal(none, babble())
    np.testing.assert_allclose(half, (none + full) / 2, atol=1e-6)


def test_outside_notes_and_outside_the_mouth_nothing_is_held():
    notes = held_notes(prosody(), voice(), FPS)
    moving = babble() + np.random.default_rng(0).normal(0, 0.01, (600, 68, 3)).astype(np.float32)
    held = hold(moving, notes, FPS, 1.0)
    where = np.zeros(600, bool)
    for first, last in notes:
        where[first:last] = True
    np.testing.assert_array_equal(held[~where], moving[~where])
    upper = [*REGIONS["brows"], *REGIONS["eyes"]]
    np.testing.assert_array_equal(held[:, upper], moving[:, upper])
    assert not np.array_equal(held[where], moving[where])


def vowels(hertz):
    """Return the prosody of a voice whose vowels have their energy about that frequency."""
    rows = prosody()
    band = (hertz - 126) / 35.4
    return rows - (
        0.02 * np.abs(np.arange(80) - band) * (rows.mean(1, keepdims=True) > 0.2)
    ).astype(np.float32)


def nearly_shut():
    """Return a mouth that babbles, and hardly opens in the last note."""
    face = babble()
    face[(13 * 30) : round(13.8 * 30)] *= 0.2
    return face


def test_a_mouth_opens_for_a_held_open_vowel_and_not_for_a_closed_one():
    notes = held_notes(prosody(), voice(), FPS)
    before = opening(nearly_shut())
    open_, closed = (
        opening(open_vowels(nearly_shut(), NEUTRAL, voice(), vowels(hertz), notes, FPS, 1.0))
        for hertz in (950, 350)
    )
    first, last = notes[-1]
    inner = slice(first + 5, last - 5)
    wide = np.percentile(before[voice() > 0.5], 85)
    assert before[inner].max() < 0.5 * wide
    np.testing.assert_allclose(open_[inner], np.maximum(before[inner], wide), rtol=0.15)
    np.testing.assert_allclose(closed[inner], before[inner], atol=1e-4)
    outside = np.ones(len(before), bool)
    for first, last in notes:
        outside[first:last] = False
    np.testing.assert_array_equal(open_[outside], before[outside])
    assert (open_ >= before - 1e-5).all()


def test_half_of_an_open_vowel_is_half_way():
    notes = held_notes(prosody(), voice(), FPS)
    none, half, full = (
        open_vowels(nearly_shut(), NEUTRAL, voice(), vowels(950), notes, FPS, amount)
        for amount in (0.0, 0.5, 1.0)
    )
    np.testing.assert_array_equal(none, nearly_shut())
    np.testing.assert_allclose(half, (none + full) / 2, atol=1e-6)


# ---- phrases --------------------------------------------------------------------------------


def phrases():
    return sung_phrases(voice(), held_notes(prosody(), voice(), FPS), FPS)


def test_phrases_go_from_pause_to_pause():
    np.testing.assert_allclose(phrases() / 30, np.add(PHRASES, (-0.2, 0.2)), atol=0.04)


def test_a_gap_for_a_consonant_is_no_pause():
    cut = voice()
    cut[round(4.5 * 30) : round(4.65 * 30)] = 0
    notes = held_notes(prosody(), voice(), FPS)
    np.testing.assert_array_equal(sung_phrases(cut, notes, FPS), phrases())
    cut[round(4.5 * 30) : round(4.8 * 30)] = 0
    assert len(sung_phrases(cut, notes, FPS)) == len(PHRASES) + 1


def test_a_phrase_far_from_singing_is_spoken():
    notes = held_notes(prosody(), voice(), FPS)
    assert len(sung_phrases(voice(), notes[:2] - 60, FPS)) == 2
    assert len(sung_phrases(voice(), notes[:1] - 90, FPS)) == 1
    assert len(sung_phrases(voice(), notes[:0], FPS)) == 0


def test_a_breath_comes_a_third_of_a_second_before_the_phrase():
    before, after = (
        opening(breathe(babble(), NEUTRAL, voice(), phrases(), FPS, a)) for a in (0, 0.3)
    )
    widest = np.percentile(before[voice() > 0.5], 95)
    for first, _ in PHRASES:
        at = round(first * 30)
        assert after[: at - 16][270 if first > 9 else 0 :].max() < 1e-4
        drawn = after[at - 15 : at - 6] - before[at - 15 : at - 6]
        assert 0.2 <= (15 - int(drawn.argmax())) / 30 <= 0.4
        assert drawn.max() == pytest.approx(0.3 * widest, rel=0.05)
        np.testing.assert_allclose(after[at : at + 60], before[at : at + 60], atol=1e-5)


def test_twice_the_breath_parts_the_mouth_twice_as_far():
    one, two = (
        opening(breathe(babble(), NEUTRAL, voice(), phrases(), FPS, amount))[round(1.7 * 30)]
        for amount in (0.2, 0.4)
    )
    assert one > 0.03
    assert two == pytest.approx(2 * one, rel=0.05)


def test_without_singing_or_room_no_breath_is_drawn():
    np.testing.assert_array_equal(
        breathe(babble(), NEUTRAL, voice(), phrases()[:0], FPS, 1.0), babble()
    )
    early = phrases()[:1] - phrases()[0, 0]
    np.testing.assert_array_equal(breathe(babble(), NEUTRAL, voice(), early, FPS, 1.0), babble())


STYLE = make_style(performed_motion(12.0))
STILL = np.broadcast_to(np.eye(3, dtype=np.float32), (600, 3, 3)).copy()


def lifted(breath=0.0, phrasing=0.0):
    """Return how far up a still head is turned and moved, of the style's own range: (T,) each."""
    turned, moved = lift(
        STILL,
        np.zeros((600, 3), np.float32),
        phrases(),
        as_mix(STYLE),
        FPS,
        breath=breath,
        phrasing=phrasing,
    )
    ranges = style_range(STYLE)[0]
    return (
        -angles_from_rotation(turned)[:, PITCH] / ranges[PITCH],
        -moved[:, DOWN] / ranges[3 + DOWN],
    )


def test_the_head_rises_into_a_phrase_and_settles_after_it():
    for up, full in zip(lifted(phrasing=0.5), (0.5, 0.25), strict=True):
        for first, last in PHRASES:
            middle = up[round((first + 1.2) * 30) : round((last - 0.4) * 30)]
            np.testing.assert_allclose(middle, full, rtol=0.03)
            assert np.abs(up[round((last + 1.4) * 30) : round((last + 1.9) * 30)]).max() < 1e-3
            risen = up[round((first - 0.6) * 30) : round((first + 0.8) * 30)]
            assert (np.diff(risen) >= -1e-5).all()


def test_the_head_lifts_with_a_breath_and_is_back_when_the_voice_comes():
    up, aside = lifted(breath=0.4)
    for first, _ in PHRASES:
        at = round(first * 30)
        assert 0.2 <= (15 - int(up[at - 15 : at].argmax())) / 30 <= 0.4
        assert up[at - 15 : at].max() == pytest.approx(0.2, rel=0.03)
        assert np.abs(up[at : at + 60]).max() < 1e-3
    np.testing.assert_allclose(aside, up / 2, atol=1e-4)


# ---- as options -----------------------------------------------------------------------------


def sung(monkeypatch, **controls):
    """Return the motion of a loud song by these controls."""
    nothing = Beats(np.zeros(0, np.float32), np.zeros(0, np.float32))
    loud = prosody()
    loud[:, ABOVE] += 0.1
    found = UnstyledMotion(
        [babble(), babble()], voice(), 0 * voice(), loud, 0 * voice(), nothing, voice()
    )
    monkeypatch.setattr(generate, "generate", lambda *_: found)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = MotionGenerator(MotionConfig(features=8, hidden=16, components=4, delay=3))
    return predict_motion(
        Speech(SECONDS, iter(())),
        as_mix(STYLE),
        Networks(net.eval(), tiny_pose()),
        fps=FPS,
        controls=MotionControls(**controls),
    )


NONE = {"effort": 0.0, "hold": 0.0, "breath": 0.0, "phrasing": 0.0}


@pytest.mark.parametrize(
    ("option", "face", "head"),
    [
        ("--effort", True, False),
        ("--hold", True, False),
        ("--breath", True, True),
        ("--phrasing", False, True),
    ],
)
def test_each_control_moves_what_it_says(monkeypatch, option, face, head):
    name = option.removeprefix("--")
    without, more = sung(monkeypatch, **NONE), sung(monkeypatch, **{**NONE, name: 1.0})
    assert np.array_equal(without.landmarks, more.landmarks) != face
    assert np.array_equal(without.rotation, more.rotation) != head
    np.testing.assert_array_equal(without.blink, more.blink)


def test_a_head_that_is_kept_still_neither_breathes_nor_rises(monkeypatch):
    still = sung(monkeypatch, still=True, breath=1.0, phrasing=1.0)
    assert np.abs(angles_from_rotation(still.rotation)).max() < 1e-4
    assert np.abs(still.translation).max() < 1e-6
