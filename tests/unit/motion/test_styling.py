from fractions import Fraction

import numpy as np
import pytest

from stylehead.face.landmarks import mouth_opening
from stylehead.motion.styling import match_opening, without_own_look
from stylehead.style.learn import STYLE_FPS
from tests.stand_ins.faces import gape, performed_motion

SECONDS = 8.0


def said(fps, share=0.3):
    """A style's own motion, opened less wide, resampled to a rate."""
    motion = performed_motion(SECONDS)
    times = np.arange(int(SECONDS * fps) - int(fps)) / float(fps) * float(motion.fps)
    low = times.astype(int)
    part = (times - low)[:, None, None]
    moved = motion.landmarks[low] * (1 - part) + motion.landmarks[low + 1] * part
    return (share * moved).astype(np.float32), motion


@pytest.mark.parametrize("fps", [STYLE_FPS, Fraction(60)])
def test_a_mouth_that_opens_too_little_comes_to_the_styles_openings(fps):
    landmarks, motion = said(fps)
    before = mouth_opening(landmarks + motion.neutral)
    wanted = np.percentile(mouth_opening(motion.landmarks + motion.neutral), 90)
    opened = match_opening(landmarks, np.ones(len(landmarks)), motion, motion.neutral, fps)
    after = mouth_opening(opened + motion.neutral)
    assert np.percentile(before, 90) < 0.6 * wanted
    assert np.percentile(after, 90) > 0.8 * wanted
    assert np.corrcoef(before, after)[0, 1] > 0.97


def test_silence_and_short_voices_are_left_alone():
    landmarks, motion = said(STYLE_FPS)
    voice = np.zeros(len(landmarks))
    voice[: int(STYLE_FPS) - 2] = 1
    short = match_opening(landmarks, voice, motion, motion.neutral, STYLE_FPS)
    np.testing.assert_array_equal(short, landmarks)
    voice[: 3 * int(STYLE_FPS)] = 1
    opened = match_opening(landmarks, voice, motion, motion.neutral, STYLE_FPS)
    spoken = voice > 0
    np.testing.assert_array_equal(opened[~spoken], landmarks[~spoken])
    assert np.abs(opened[spoken] - landmarks[spoken]).max() > 0.01


def test_the_given_motion_stays_as_it_was():
    landmarks, motion = said(STYLE_FPS)
    kept = landmarks.copy()
    match_opening(landmarks, np.ones(len(landmarks)), motion, motion.neutral, STYLE_FPS)
    np.testing.assert_array_equal(landmarks, kept)


def test_a_slow_gape_does_not_turn_syllables_into_snapping():
    landmarks, motion = said(STYLE_FPS, 1.0)
    slow = 4 * np.sin(np.linspace(0, np.pi, len(motion))) ** 2
    gaping = motion.with_(landmarks=(slow[:, None, None] * gape(0.2)).astype(np.float32))
    voice = np.ones(len(landmarks))
    opened = match_opening(landmarks, voice, gaping, motion.neutral, STYLE_FPS)
    np.testing.assert_array_equal(opened, landmarks)


def test_the_look_that_a_generator_gives_everybody_is_taken_off_while_it_speaks():
    """A mouth that is always narrower; its openings stay."""
    narrow = np.zeros((68, 3), np.float32)
    narrow[48, 0], narrow[54, 0] = 0.02, -0.02
    opening = (0.5 - 0.5 * np.cos(np.arange(900) / 2))[:, None, None] * gape(0.1)
    voice = np.repeat([1.0, 0.0, 1.0], 300).astype(np.float32)
    found = without_own_look(opening + narrow, voice, STYLE_FPS)
    left = found - opening
    assert np.abs(left[voice > 0, 54, 0]).max() < 0.002
    np.testing.assert_allclose(left[voice == 0], np.tile(narrow, (300, 1, 1)), atol=1e-6)
    gaps = found[:, 66, 1] - found[:, 62, 1], opening[:, 66, 1] - opening[:, 62, 1]
    np.testing.assert_allclose(*gaps, atol=0.002)
