"""Beats of music: of clicks at known times, none of what has no beat; and a head that follows."""

from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stylehead.face.geometry import angles_from_rotation
from stylehead.files.locks import lock
from stylehead.motion import beat
from stylehead.motion.beat import Beats, find_beats, librosa_alone, sway
from stylehead.motion.head import PITCH, ROLL, style_range
from stylehead.style.mix import as_mix
from stylehead.types import ONSET_RATE, StyleMix
from tests.stand_ins.faces import make_style, performed_motion

FPS = Fraction(60)
FRAMES = 1200
STYLE = make_style(performed_motion(12.0))


def beats(interval=0.5, first=2.0, last=18.0):
    seconds = np.arange(first, last, interval).astype(np.float32)
    return Beats(seconds, (np.arange(len(seconds)) % 4 == 0).astype(np.float32))


def swayed(given=None, music=None, mix=None, amount=0.5):
    rest = np.broadcast_to(np.eye(3, dtype=np.float32), (FRAMES, 3, 3)).copy()
    return sway(
        rest,
        np.zeros((FRAMES, 3), np.float32),
        beats() if given is None else given,
        np.ones(FRAMES, np.float32) if music is None else music,
        as_mix(STYLE) if mix is None else mix,
        FPS,
        amount,
    )


def pitch_of(rotation):
    return angles_from_rotation(rotation)[:, PITCH]


def test_the_nod_is_lowest_on_the_beat():
    given = beats()
    pitch = pitch_of(swayed(given)[0])
    for second in given.seconds[4:-4]:
        frame = round(float(second) * 60)
        around = pitch[frame - 10 : frame + 11]
        assert abs(int(around.argmax()) - 10) <= 1


def test_the_nod_is_a_part_of_the_styles_own_range():
    ranges = style_range(STYLE)[0]
    for amount in (0.25, 0.5, 1.0):
        pitch = pitch_of(swayed(amount=amount)[0])[400:800]
        assert np.ptp(pitch) == pytest.approx(amount * ranges[PITCH], rel=0.16)


def test_the_first_of_a_bar_is_stronger():
    given = beats()
    pitch = pitch_of(swayed(given)[0])
    at = (given.seconds[4:-4] * 60).round().astype(int)
    strong = given.strong[4:-4] > 0
    assert pitch[at[strong]].min() > pitch[at[~strong]].max()


def test_roll_goes_from_side_to_side():
    given = beats()
    roll = angles_from_rotation(swayed(given)[0])[:, ROLL]
    at = roll[(given.seconds[4:-4] * 60).round().astype(int)]
    assert (np.sign(at[1:]) == -np.sign(at[:-1])).all()


def test_a_fast_beat_is_nodded_every_second_time():
    pitch = pitch_of(swayed(beats(0.3))[0])[300:900]
    spectrum = np.abs(np.fft.rfft(pitch - pitch.mean()))
    assert np.fft.rfftfreq(len(pitch), 1 / 60)[spectrum.argmax()] == pytest.approx(1 / 0.6, abs=0.1)


def test_nothing_moves_without_music_or_beyond_the_beats():
    music = np.ones(FRAMES, np.float32)
    music[:600] = 0
    rotation, translation = swayed(music=music)
    assert np.abs(pitch_of(rotation)[:450]).max() < 1e-3
    assert np.abs(translation[:450]).max() < 1e-3
    assert np.abs(pitch_of(rotation)[700:1000]).max() > 0.1
    assert np.abs(pitch_of(rotation)[[0, -1]]).max() < 1e-3


@pytest.mark.parametrize("why", ["amount", "beats", "head"])
def test_a_head_with_nothing_to_follow_stays_the_same(why):
    none = StyleMix(tuple(replace(weight, head=0.0) for weight in as_mix(STYLE).weights))
    rest = np.broadcast_to(np.eye(3, dtype=np.float32), (FRAMES, 3, 3)).copy()
    place = np.zeros((FRAMES, 3), np.float32)
    given = Beats(np.zeros(0, np.float32), np.zeros(0, np.float32)) if why == "beats" else beats()
    found = sway(
        rest,
        place,
        given,
        np.ones(FRAMES, np.float32),
        none if why == "head" else as_mix(STYLE),
        FPS,
        0.0 if why == "amount" else 0.5,
    )
    assert found[0] is rest
    assert found[1] is place


# ---- finding it -------------------------------------------------------------------------------


def clicks(tempo: float, seconds: float, *, late: float = 0.3, noise: float = 0.02) -> np.ndarray:
    """Return onsets (T,) of clicks at a tempo, every fourth louder, the first at `late`."""
    rng = np.random.default_rng(3)
    onsets = noise * rng.random(round(seconds * ONSET_RATE)).astype(np.float32)
    for number, second in enumerate(np.arange(late, seconds, 60 / tempo)):
        onsets[round(second * ONSET_RATE) :][:3] += np.array([1.0, 0.5, 0.2])[
            : len(onsets) - round(second * ONSET_RATE)
        ] * (1.6 if number % 4 == 2 else 1.0)
    return onsets


@pytest.mark.parametrize("tempo", [72, 84, 96, 104, 112, 120, 126, 133, 140, 152])
def test_beats_are_the_clicks_within_50_ms(tempo):
    beats = find_beats(clicks(tempo, 40.0))
    true = np.arange(0.3, 40.0, 60 / tempo)
    distance = np.abs(beats.seconds[:, None] - true)
    found = (distance.min(1) < 0.05).mean()
    recalled = (distance.min(0) < 0.05).mean()
    # Twice or half the tempo is a beat as well, to people too.
    assert found > 0.9 or recalled > 0.9
    assert 2 * found * recalled / (found + recalled) > 0.66
    assert (np.diff(beats.seconds) > 0.2).all()


def test_the_first_of_a_bar_is_the_loudest():
    beats = find_beats(clicks(120, 30.0))
    strong = beats.seconds[beats.strong > 0]
    np.testing.assert_allclose((strong - 0.3) % 2.0, 1.0, atol=0.05)


def test_beats_go_on_over_the_windows_seams():
    beats = find_beats(clicks(100, 130.0))
    steps = np.diff(beats.seconds)
    assert len(beats) > 205
    np.testing.assert_allclose(steps, 0.6, atol=0.05)


@pytest.mark.parametrize("seed", range(4))
def test_noise_has_no_beat(seed):
    noise = np.random.default_rng(seed).random(30 * ONSET_RATE).astype(np.float32)
    assert len(find_beats(noise)) == 0


def test_nothing_and_a_moment_have_no_beat():
    assert len(find_beats(np.zeros(0, np.float32))) == 0
    assert len(find_beats(np.zeros(30 * ONSET_RATE, np.float32))) == 0
    assert len(find_beats(clicks(120, 2.0))) == 0


def test_librosa_runs_in_one_process_at_a_time(monkeypatch):
    """Numba's kept code crashes for good once two processes have written it at the same time."""
    held = []

    with librosa_alone() as librosa:
        track = librosa.beat.beat_track

    @contextmanager
    def noted(path):
        with lock(path):
            held.append(path)
            yield
            held.append("free")

    monkeypatch.setattr(beat, "lock", noted)
    monkeypatch.setattr(
        librosa.beat, "beat_track", lambda **given: held.append("runs") or track(**given)
    )
    assert len(find_beats(clicks(120, 12.0)))
    path, *then = held
    assert then == ["runs", "free"]
    assert path.name == "stylehead.lock"
    assert path.parent == Path(librosa.__file__).parent / "__pycache__"


@pytest.mark.parametrize(("frames", "period"), [(2300, 55), (1000, 47), (500, 60)])
def test_the_tempo_is_librosas(frames, period):
    onsets = np.random.default_rng(0).random(frames).astype(np.float32) * 0.3
    onsets[::period] += 1
    with librosa_alone() as librosa:
        whole = librosa.feature.tempogram(
            onset_envelope=onsets, sr=ONSET_RATE, hop_length=1, win_length=round(8 * ONSET_RATE)
        )
        found = beat._mean_tempogram(onsets, librosa)
    np.testing.assert_allclose(found, whole.mean(1, keepdims=True), atol=1e-6)
