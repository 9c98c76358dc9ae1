"""The generator over a stream of speech, and the gate, against sums done another way."""

from __future__ import annotations

import itertools
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from stylehead.motion.finishing import resample_curve, resample_offsets
from stylehead.motion.stream import generate, voice_gate
from stylehead.types import Floats, Speech, SpeechChunk

FRAMES = 180  # three seconds at the generators' 60 frames


class Echo:
    """A net that says each row's first feature, `delay` frames late, and counts its calls."""

    def __init__(self, delay: int = 0, size: float = 1.0) -> None:
        self.config, self.size, self.calls = SimpleNamespace(delay=delay), size, 0
        self.spread = torch.zeros(68, 3)

    def __call__(self, features: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.calls += 1
        if state is None:
            state = torch.full((1, self.config.delay), torch.nan)  # nobody may see these
        queue = torch.cat([state, features[..., 0]], 1)
        now, later = queue[:, : features.shape[1]], queue[:, features.shape[1] :]
        return self.size * now[..., None, None].expand(-1, -1, 68, 3), later


def speech(
    said: Floats,
    level: Floats,
    *,
    activity: Floats | None = None,
    cuts: tuple[int, ...] = (),
    music: Floats | None = None,
    onsets: Floats | None = None,
) -> Speech:
    """Return a recording cut into chunks; `said` is what Echo will say."""
    music = np.full(len(level), -200.0, np.float32) if music is None else music
    onsets = np.zeros(2 * len(level), np.float32) if onsets is None else onsets
    activity = np.ones(len(level), np.float32) if activity is None else activity
    prosody = np.arange(2 * 80, dtype=np.float32).reshape(2, 80)
    edges = [0, *cuts, len(said)]
    chunks = [
        SpeechChunk(
            torch.from_numpy(said[start:end, None].astype(np.float32)),
            activity[start:end],
            level[start:end],
            prosody if start == 0 else prosody[:0],
            music[start:end],
            onsets[2 * start : 2 * end],
        )
        for start, end in itertools.pairwise(edges)
    ]
    return Speech(len(said) / 60, iter(chunks))


def run(
    said: Floats, level: Floats, *nets: Any, fps: int = 60, **more: Any
) -> tuple[list[Floats], Floats, Floats, Floats]:
    found = generate(speech(said, level, **more), nets, Fraction(fps))
    return found.landmarks, found.voice, found.stress, found.prosody


def whole(said: Floats, gate: Floats, fps: int = 60) -> Floats:
    """What resampling makes of all that was said, its last frame held by one."""
    offsets = np.append(said, said[-1]).astype(np.float16)[:, None, None]
    offsets = np.tile(offsets, (1, 68, 3))
    out = np.zeros((len(said) * fps // 60, 68, 3), np.float32)
    for rows, values in resample_offsets(offsets, gate, 60, Fraction(fps), len(out)):
        out[rows] = values
    return out


SAID = np.sin(np.arange(FRAMES) / 9)
LOUD = np.zeros(FRAMES, np.float32)
OPEN = np.ones(FRAMES + 1, np.float32)


@pytest.mark.parametrize("delay", [0, 5])
@pytest.mark.parametrize("cuts", [(), (3,), (60, 61, 120)])
@pytest.mark.parametrize("fps", [60, 25])
def test_what_a_net_says_late_is_put_where_it_belongs(delay, cuts, fps) -> None:
    (found,), voice, _, prosody = run(SAID, LOUD, Echo(delay), fps=fps, cuts=cuts)
    np.testing.assert_allclose(found, whole(SAID, OPEN, fps), atol=1e-6)
    np.testing.assert_allclose(voice, 1, atol=1e-6)
    assert prosody.shape == (2, 80)
    assert found.dtype == voice.dtype == np.float32


def test_a_net_that_hears_too_little_holds_its_last_frame() -> None:
    """Half a second of features for a second of sound."""
    chunk = next(speech(SAID[:30], LOUD[:60]).chunks)
    longer = chunk._replace(level=LOUD[:60], activity=np.ones(60, np.float32))
    found = generate(Speech(1.0, iter([longer])), [Echo()], Fraction(60)).landmarks[0]
    wanted = whole(np.append(SAID[:30], np.full(30, SAID[29])), OPEN[:61])
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_net_that_comes_twice_runs_once() -> None:
    one, other = Echo(size=1.0), Echo(size=2.0)
    landmarks, *_ = run(SAID, LOUD, one, other, one, cuts=(60,))
    assert len(landmarks) == 3
    assert (one.calls, other.calls) == (2, 2)
    np.testing.assert_allclose(landmarks[1], 2 * landmarks[0], atol=2e-3)
    np.testing.assert_array_equal(landmarks[0], landmarks[2])


@pytest.mark.parametrize(("samples", "frames"), [(180, 75), (181, 76), (179, 75), (181.2, 76)])
def test_a_started_frame_is_a_frame(samples: float, frames: int) -> None:
    said, level = np.zeros(182), np.zeros(182, np.float32)
    recording = Speech(samples / 60, speech(said, level).chunks)
    found = generate(recording, [Echo()], Fraction(25))
    assert len(found.landmarks[0]) == len(found.voice) == len(found.stress) == frames


# ---- the gate -------------------------------------------------------------------------------


def test_levels_count_from_the_loud_parts() -> None:
    """Loud is the 95th percentile; 30 dB below it the gate is open, 42 below it is shut."""
    for offset in (0.0, -20.0):
        level = np.full(FRAMES, -36.0 + offset, np.float32)  # half way between
        level[:20] = offset  # a ninth of the time
        level[0] = 40 + offset  # a click
        _, voice, _, _ = run(SAID, level, Echo())
        assert voice[60:].mean() == pytest.approx(0.5, abs=1e-3)
        assert voice[5:10].min() > 0.95


@pytest.mark.parametrize(("activity", "opened"), [(0.3, 0.0), (0.4, 0.25), (0.7, 1.0), (0.9, 1.0)])
def test_probabilities_of_a_voice_open_the_gate(activity: float, opened: float) -> None:
    sure = np.full(FRAMES, activity, np.float32)
    (found,), voice, _, _ = run(SAID, LOUD, Echo(), activity=sure)
    np.testing.assert_allclose(voice, opened, atol=1e-5)
    np.testing.assert_allclose(found, whole(SAID, opened * OPEN), atol=1e-5)


@pytest.mark.parametrize(
    ("decibels", "opened"), [(-60, 0), (-42, 0), (-39, 0.25), (-33, 0.75), (-30, 1), (0, 1)]
)
def test_the_gate_opens_between_two_levels(decibels: float, opened: float) -> None:
    gate = voice_gate(np.full(90, decibels, np.float32), np.ones(90, np.float32))
    assert gate.dtype == np.float32
    np.testing.assert_allclose(gate, opened, atol=1e-6)


def test_the_gate_is_open_from_twelve_frames_before_to_fourteen_after() -> None:
    level = np.full(200, -90, np.float32)
    level[100] = 0
    wanted = np.zeros(200)
    wanted[88:115] = 1
    gate = voice_gate(level, np.ones(200, np.float32))
    np.testing.assert_allclose(gate, gaussian_filter1d(wanted, 2.5), atol=1e-6)


def test_stress_is_what_a_syllable_has_over_its_surroundings() -> None:
    """A beat at 0 dB in a murmur 15 dB under it, heard by half; twice, and never below zero."""
    level = np.full(FRAMES, -15, np.float32)
    level[80:100] = 0
    half = np.full(FRAMES, 0.5, np.float32)
    _, _, stress, _ = run(SAID, level, Echo(), activity=half)
    loudness = np.where(level == 0, 1, 0.5)
    over = gaussian_filter1d(loudness, 6) - gaussian_filter1d(loudness, 45)
    wanted = np.maximum(over, 0) * 2 * 0.5
    np.testing.assert_allclose(stress, wanted, atol=1e-4)
    assert wanted.max() > 0.2


def test_silence_and_clicks_have_no_more_stress_than_their_loudness() -> None:
    level = np.full(FRAMES, -80, np.float32)
    level[60:120] = 0
    level[90] = 60
    _, _, stress, _ = run(SAID, level, Echo(), fps=30)
    loudness = np.where(level >= 0, 1.0, 0.0)
    over = gaussian_filter1d(loudness, 6) - gaussian_filter1d(loudness, 45)
    wanted = resample_curve((2 * np.maximum(over, 0)).astype(np.float32), Fraction(30), 90)
    np.testing.assert_allclose(stress, wanted, atol=1e-4)


def test_nine_loud_frames_of_two_hundred_do_not_set_the_level() -> None:
    """They are more than a twenty-fifth and less than a twentieth."""
    level = np.full(200, -36, np.float32)
    level[:9] = 0
    _, voice, _, _ = run(np.zeros(200), level, Echo())
    np.testing.assert_allclose(voice, 1, atol=1e-6)


def test_the_gate_is_held_after_the_last_frame() -> None:
    """At 120 a second the last frame lies behind the last of 60 a second; the gate is shutting."""
    level = LOUD.copy()
    level[163:] = -90
    _, voice, _, _ = run(SAID, level, Echo(), fps=120)
    assert 0.01 < voice[-2] < voice[-4] - 0.001
    assert voice[-1] == voice[-2]


# ---- the net --------------------------------------------------------------------------------


def test_what_is_heard_beyond_the_end_of_the_sound_is_left_out() -> None:
    longer = Speech(2.0, speech(SAID, LOUD, cuts=(100, 150)).chunks)
    (found,) = generate(longer, [Echo()], Fraction(60)).landmarks
    assert found.shape == (120, 68, 3)
    np.testing.assert_allclose(found, whole(SAID, OPEN)[:120], atol=0.02)


class Elsewhere(Echo):
    """A net on another device; the meta device stands for it."""

    def __init__(self) -> None:
        super().__init__()
        self.spread = torch.zeros(68, 3, device="meta")

    def __call__(self, features: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert features.device.type == "meta"
        return super().__call__(torch.zeros(features.shape), state)


def test_features_go_to_the_net_s_device() -> None:
    (found,), *_ = run(SAID, LOUD, Elsewhere())
    assert not found.any()


def clicks(frames: int, period: float = 30.0) -> Floats:
    """Return onsets of a click every `period` frames at 60 fps."""
    onsets = np.zeros(2 * frames, np.float32)
    onsets[np.arange(0, 2 * frames, 2 * period).round().astype(int)] = 1.0
    return onsets


def test_beats_count_where_music_is_near_the_voices_level() -> None:
    frames = 1200
    level, said = np.zeros(frames, np.float32), np.zeros(frames, np.float32)
    music = np.full(frames, -80.0, np.float32)
    music[600:] = -10.0
    recording = speech(said, level, music=music, onsets=clicks(frames))
    found = generate(recording, [Echo()], Fraction(60))
    assert found.music[:500].max() == 0
    assert found.music[700:1100].min() == 1
    assert found.beats.seconds.min() > 8.0
    np.testing.assert_allclose(found.beats.seconds * 2 % 1, 0, atol=0.02)


def test_music_far_below_the_voice_has_no_beat() -> None:
    level, said = np.zeros(1200, np.float32), np.zeros(1200, np.float32)
    recording = speech(said, level, music=level - 40, onsets=clicks(1200))
    found = generate(recording, [Echo()], Fraction(60))
    assert found.music.max() == 0
    assert len(found.beats) == 0


@pytest.mark.parametrize("voice", [-35.0, 0.0, 12.0])
def test_music_is_measured_against_the_voice_however_loud_that_is(voice: float) -> None:
    level, said = np.full(1200, voice, np.float32), np.zeros(1200, np.float32)
    for music, there in ((-23.0, 1), (-25.0, 0)):
        found = generate(speech(said, level, music=level + music), [Echo()], Fraction(60))
        assert found.music.max() == there
