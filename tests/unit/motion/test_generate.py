from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import torch

from stylehead.errors import MediaError
from stylehead.face.articulation import parted
from stylehead.face.geometry import angles_from_rotation
from stylehead.face.landmarks import MOUTH_PAIRS, REGIONS, mouth_opening, mouth_width
from stylehead.models.adapter import Adapter
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.models.pose_generator import FPS as POSES
from stylehead.motion import finishing, styling
from stylehead.motion.generate import predict_motion
from stylehead.motion.gestures.contour import mouth_contour
from stylehead.motion.models import Networks, generator_digest, tuning_of
from stylehead.motion.stream import voice_gate
from stylehead.motion.styling import match_ranges, opening_range
from stylehead.options import Encoder, Encoding, MotionControls, Separate, Separation
from stylehead.pipeline.run import load_predictor
from stylehead.speech import encoders
from stylehead.speech.encoders import LogMelEncoder
from stylehead.style.file import save_style
from stylehead.style.mix import choose_mix, mix_styles
from stylehead.types import MOTION_FPS, PER_FRAME, SPEECH_RATE, Speech, SpeechChunk
from tests.stand_ins import media
from tests.stand_ins.faces import (
    EveryVoice,
    Parrot,
    Recording,
    gape,
    make_style,
    mean_face,
    performed_motion,
    predictor,
    syllables,
    tiny_pose,
)

CPU = torch.device("cpu")
FILTERED = Separation(separate=Separate.FILTER)


STYLE = make_style()


def loose(**controls):
    """Controls that let stand-ins move as no face does; test_filmed_shapes.py has the others."""
    return MotionControls(**({"shapes": 0.0} | controls))


def predict(recording, *, net=None, voice=None, style=STYLE, fps=30, **controls):
    models = predictor(net, voice=voice)
    controls = loose(**controls)
    return models.predict(recording, style, fps=Fraction(fps), controls=controls)


def said(seconds=6.0, **how):
    return Recording(syllables(seconds, **how))


def bursts(at, seconds, length=0.2):
    """Return a recording of short buzzes at known moments."""
    times = np.arange(round(seconds * SPEECH_RATE)) / SPEECH_RATE
    loud = np.max([np.abs(times - moment) < length / 2 for moment in at], axis=0)
    return Recording((0.3 * np.sign(np.sin(2 * np.pi * 150 * times)) * loud).astype(np.float32))


def opening(motion):
    return mouth_opening(motion.landmarks + motion.neutral)


# ---- the gate -------------------------------------------------------------------------------


def level(*, start=100, end=160, frames=300):
    decibels = np.full(frames, -90.0, np.float32)
    decibels[start:end] = -5
    return decibels


def gate_of(decibels, heard=None):
    return voice_gate(decibels, np.ones_like(decibels) if heard is None else heard)


def test_the_gate_is_shut_in_silence_and_open_in_sound():
    gate = gate_of(level())
    assert gate.shape == (300,)
    assert gate[:75].max() < 1e-3
    assert gate[190:].max() < 1e-3
    assert gate[95:165].min() > 0.99


def test_the_gate_opens_before_the_sound_and_shuts_after_it():
    half = np.flatnonzero(gate_of(level()) > 0.5)
    early, late = 100 - half[0], half[-1] - 159
    assert 8 <= early <= 15
    assert 10 <= late <= 18
    assert early < late


def test_the_gate_bridges_the_gap_between_two_syllables():
    decibels = level()
    decibels[120:140] = -90
    assert gate_of(decibels)[95:165].min() > 0.95


def test_noise_far_below_the_voice_keeps_the_gate_shut():
    decibels = np.maximum(level(), -55)
    assert gate_of(decibels)[:75].max() < 1e-3


def test_loud_sound_that_is_no_voice_keeps_the_gate_shut():
    heard = np.ones(300, np.float32)
    heard[130:] = 0
    gate = gate_of(level(), heard)
    assert gate[95:135].min() > 0.99
    assert gate[155:].max() < 1e-3


def test_a_voice_that_is_half_heard_opens_the_gate_half():
    assert gate_of(level(), np.full(300, 0.5, np.float32))[130] == pytest.approx(0.5, abs=1e-3)


class Babbler(Parrot):
    """A net that moves the mouth whether it hears something or not."""

    def __call__(self, features, state=None):
        return super().__call__(0 * features + features.max(), state)


@pytest.mark.parametrize("net", [Parrot(), Babbler()], ids=["parrot", "babbler"])
def test_the_mouth_rests_in_a_pause(net):
    motion = predict(said(8.0, pauses=((3.0, 5.0),)), net=net, fps=60)
    quiet = opening(motion)[round(3.5 * 60) : round(4.6 * 60)]
    talking = opening(motion)[60:170]
    rest = mouth_opening(motion.neutral)
    assert np.abs(quiet - rest).max() < 0.05 * (talking.max() - rest)


class Doubtful(EveryVoice):
    """A voice listener that hears music from the third second on: something, but no voice."""

    def __init__(self, doubt):
        self.doubt = doubt

    def activity(self, seconds):
        return np.where(seconds < 3, 1.0, self.doubt)


@pytest.mark.parametrize("doubt", [0.0, 0.25])
def test_the_mouth_rests_while_no_voice_is_heard(doubt):
    motion = predict(said(12.0), voice=Doubtful(doubt), fps=60)
    rest = mouth_opening(motion.neutral)
    curve = opening(motion) - rest
    assert np.abs(curve[round(3.4 * 60) :]).max() < 0.05 * curve[60:170].max()


def test_a_voice_that_is_likely_is_followed_as_a_sure_one():
    sure, likely = (predict(said(4.0), voice=Doubtful(share)) for share in (1.0, 0.75))
    np.testing.assert_array_equal(sure.landmarks, likely.landmarks)


class Whisperer(EveryVoice):
    """A voice listener that finds no voice at all in what it hears."""

    def activity(self, seconds):
        return np.zeros_like(seconds)


def test_without_a_voice_nothing_moves_the_mouth():
    motion = predict(said(4.0), voice=Whisperer())
    np.testing.assert_allclose(opening(motion), mouth_opening(motion.neutral), atol=1e-3)


def test_a_silent_recording_is_an_error_with_a_remedy():
    with pytest.raises(MediaError, match=r"voice.wav is silent") as caught:
        predict(Recording(np.zeros(SPEECH_RATE, np.float32)))
    assert caught.value.remedy


# ---- time -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [25, 30, 60, Fraction(30_000, 1001)])
@pytest.mark.parametrize("samples", [1_600, 16_000, 16_001, 39_999, 100_800])
def test_a_motion_is_never_shorter_than_its_sound(samples, fps):
    recording = Recording(syllables(samples / SPEECH_RATE))
    motion = predict(recording, fps=fps)
    assert motion.fps == fps
    assert len(motion) >= recording.seconds * fps - 1e-6
    assert len(motion) < recording.seconds * fps + 1


@pytest.mark.parametrize("fps", [25, 30, 60])
def test_the_mouth_opens_with_the_sound(fps):
    moments = [0.8, 3.3, 9.95, 10.6, 20.4, 23.1]  # two of them beside where chunks meet
    motion = predict(bursts(moments, 24), fps=fps)
    times = np.arange(len(motion)) / fps
    curve = opening(motion) - mouth_opening(motion.neutral)
    for moment in moments:
        near = np.abs(times - moment) < 0.4
        middle = (curve[near] * times[near]).sum() / curve[near].sum()
        assert middle == pytest.approx(moment, abs=0.02)


@pytest.mark.parametrize("delay", [0, 3, 18])
def test_the_delay_of_the_net_does_not_show(delay):
    one = predict(bursts([0.8, 2.0], 3), net=Parrot(delay=delay), fps=60)
    other = predict(bursts([0.8, 2.0], 3), net=Parrot(delay=7), fps=60)
    np.testing.assert_allclose(one.landmarks[:-2], other.landmarks[:-2], atol=2e-3)


@pytest.mark.parametrize("block", [977, 16_001, 10**7])
def test_the_motion_does_not_depend_on_how_sound_is_read(block):
    samples = syllables(10.5)
    one, other = predict(Recording(samples)), predict(Recording(samples, block))
    np.testing.assert_array_equal(one.landmarks, other.landmarks)
    np.testing.assert_array_equal(one.rotation, other.rotation)
    np.testing.assert_array_equal(one.blink, other.blink)


@pytest.mark.parametrize("fps", [25, 60])
def test_the_motion_does_not_depend_on_the_size_of_the_pieces(monkeypatch, fps):
    whole = predict(said(4.0), fps=fps)
    for module in (finishing, styling, encoders):
        monkeypatch.setattr(module, "CHUNK", 23)
    np.testing.assert_allclose(predict(said(4.0), fps=fps).landmarks, whole.landmarks, atol=1e-3)


@pytest.mark.parametrize("fps", [25, 30, 60])
def test_a_voice_that_speaks_to_the_end_is_not_cut_short(fps):
    """Up to the last eighth of a second, in which the face goes back to its rest."""
    steady = Recording(
        (0.3 * np.sign(np.sin(np.arange(5 * SPEECH_RATE + 240) / 17))).astype(np.float32)
    )
    curve = opening(predict(steady, fps=fps)) - mouth_opening(mean_face())
    assert curve[: -round(0.14 * fps)][-1] > 0.9 * np.median(curve)


@pytest.mark.parametrize("fps", [25, 60])
@pytest.mark.parametrize("seconds", [0.2, 3.0])
def test_a_face_starts_and_ends_at_the_portraits_own_rest(seconds, fps):
    motion = predict(said(seconds), fps=fps)
    for row in (0, -1):
        assert np.abs(motion.landmarks[row]).max() < 1e-6
        np.testing.assert_allclose(motion.rotation[row], np.eye(3), atol=1e-6)
    for name in ("rotation", "translation", "blink", "gaze"):  # and so a video goes round
        values = getattr(motion, name)
        np.testing.assert_allclose(values[-1], values[0], atol=1e-5)


def test_loudness_of_the_recording_does_not_matter():
    samples = syllables(4.0)
    quiet, loud = predict(Recording(0.05 * samples)), predict(Recording(2 * samples))
    np.testing.assert_allclose(quiet.landmarks, loud.landmarks, atol=2e-3)


class HesitantEncoder(LogMelEncoder):
    """It needs what follows a frame, as Whisper's does, and so keeps two back until then."""

    def encode(self, blocks):
        held = torch.zeros(0, self.width)
        for features in super().encode(blocks):
            held = torch.cat([held, features])
            yield held[:-2]
            held = held[-2:]
        yield held


@pytest.mark.parametrize("seconds", [0.1, 1.0, 10.0, 12.5])
def test_the_motion_does_not_depend_on_how_encoders_cut_it(seconds):
    one, other = (
        predictor(encoder=encoder).predict(said(seconds), STYLE, fps=Fraction(30))
        for encoder in (LogMelEncoder(), HesitantEncoder())
    )
    np.testing.assert_array_equal(one.landmarks, other.landmarks)


@pytest.mark.parametrize("encoder", [LogMelEncoder(), HesitantEncoder()], ids=["plain", "hesitant"])
@pytest.mark.parametrize("seconds", [0.1, 3.0, 10.0, 12.5])
def test_progress_counts_up_to_what_it_announced(seconds, encoder):
    heard = []

    class RememberingReporter:
        def start(self, stage, total):
            heard.append(total)

        def advance(self):
            heard.append("step")

        def say(self, message):
            pass

    models = predictor(encoder=encoder)
    models.predict(said(seconds), STYLE, fps=Fraction(30), reporter=RememberingReporter())
    assert heard[0] == heard.count("step")


# ---- chance and controls --------------------------------------------------------------------


def same(one, other, *names):
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def test_the_same_seed_gives_the_same_motion():
    assert same(predict(said()), predict(said()), "landmarks", "rotation", "translation", "blink")


def test_another_seed_moves_the_head_and_not_the_lips():
    one, other = predict(said(), seed=1), predict(said(), seed=2)
    assert not same(one, other, "rotation")
    mouth = list(REGIONS["mouth"])
    np.testing.assert_array_equal(one.landmarks[:, mouth], other.landmarks[:, mouth])


def test_global_chance_is_neither_used_nor_touched():
    np.random.seed(0)
    torch.manual_seed(0)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    one = predict(said(2.0))
    assert (np.random.get_state()[1] == before[0]).all()
    assert torch.equal(torch.get_rng_state(), before[1])
    np.random.seed(1)
    assert same(one, predict(said(2.0)), "landmarks", "rotation", "blink")


def test_turning_one_control_leaves_the_others_as_they_were():
    usual = predict(said(), blinks_per_minute=30.0)
    still = predict(said(), blinks_per_minute=30.0, pose=0.0)
    unblinking = predict(said(), blinks_per_minute=0.0)
    stronger = predict(said(), blinks_per_minute=30.0, expression=1.5)
    assert same(usual, still, "landmarks", "blink")
    assert same(usual, unblinking, "landmarks", "rotation", "translation")
    assert same(usual, stronger, "rotation", "translation", "blink")


def test_no_pose_keeps_the_head_still():
    motion = predict(said(), pose=0.0)
    assert np.abs(angles_from_rotation(motion.rotation)).max() < 1e-4
    assert np.abs(motion.translation).max() < 1e-6


@pytest.mark.parametrize(
    ("beside", "name"),
    [
        *(("still", name) for name in ("pose", "beat", "posture", "phrasing")),
        *(("pose", name) for name in ("beat", "posture", "phrasing")),
        *(("expression", name) for name in ("effort", "hold")),
    ],
)
def test_what_is_refused_beside_another_control_changes_nothing_beside_it(beside, name):
    at = {beside: beside == "still"}
    usual, other = (predict(said(), **at, **{name: value}) for value in (1.0, 0.0))
    assert same(usual, other, *PER_FRAME)


def test_expression_scales_the_offsets():
    none, one, half = (predict(said(), expression=factor) for factor in (0.0, 1.0, 0.5))
    assert np.abs(none.landmarks).max() < 1e-6
    np.testing.assert_allclose(half.landmarks, one.landmarks / 2, atol=1e-5)


def test_no_blinks_keep_the_eyes_open():
    assert predict(said(20.0), blinks_per_minute=0.0).blink.max() == 0
    assert predict(said(20.0), blinks_per_minute=30.0).blink.max() > 0.9


# ---- style ----------------------------------------------------------------------------------


def random_offsets(frames=60 * 30, size=0.012, seed=0):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(frames + 20, 68, 3))
    smooth = np.stack([noise[i : i + frames] for i in range(20)]).mean(0)
    offsets = (size * smooth / smooth.std()).astype(np.float32)
    offsets[:, (65, 66, 67), 1] += 0.05  # away from shut
    return offsets


def region_spread(landmarks, name):
    points = list(REGIONS[name])
    return np.sqrt(np.square(landmarks[:, points].std(0)).mean(0))


def styled(style, offsets=None):
    landmarks = random_offsets() if offsets is None else offsets
    voice = np.ones(len(landmarks), np.float32)
    return match_ranges(landmarks, voice, Parrot(), style, Fraction(30))


SPREADS = {
    "jaw": (0.010, 0.020, 0.008),
    "brows": (0.006, 0.030, 0.005),
    "nose": (0.004, 0.006, 0.005),
    "eyes": (0.012, 0.008, 0.006),
    "mouth": (0.025, 0.020, 0.010),
}


@pytest.mark.parametrize("name", ["jaw", "brows", "nose", "eyes", "mouth"])
def test_each_region_moves_as_far_as_the_styles(name):
    style = make_style(performed_motion(30, spread=SPREADS))
    found, wanted = (region_spread(x, name) for x in (styled(style), style.motion.landmarks))
    axes = (0, 2) if name in ("mouth", "jaw") else (0, 1, 2)  # their y follows the opening
    np.testing.assert_allclose(found[list(axes)], wanted[list(axes)], rtol=0.25)


@pytest.mark.parametrize("name", list(SPREADS))
def test_two_styles_differ_in_the_region_in_which_they_differ(name):
    wider = {name: tuple(2 * size for size in SPREADS[name])}
    one, other = (
        styled(make_style(performed_motion(30, spread=SPREADS | more, opening=0.0)))
        for more in ({}, wider)
    )
    for region in SPREADS:
        ratio = region_spread(other, region)[0] / region_spread(one, region)[0]
        assert ratio == pytest.approx(2.0 if region == name else 1.0, rel=0.2)


@pytest.mark.parametrize("size", [0.06, 0.12, 0.2])
def test_the_mouth_opens_as_far_as_the_styles(size):
    style = make_style(performed_motion(30, opening=size))
    found = opening_range(predict(said(40.0), style=style).landmarks, mean_face())
    wanted = opening_range(style.motion.landmarks, style.motion.neutral)
    assert found == pytest.approx(wanted, rel=0.25)


def test_a_still_style_calms_and_a_wild_style_does_not_explode():
    still = make_style(
        performed_motion(30, spread=dict.fromkeys(REGIONS, (0, 0, 0)), opening=0.001)
    )
    wild = make_style(performed_motion(30, spread=dict.fromkeys(REGIONS, (1, 1, 1)), opening=0.5))
    before = region_spread(random_offsets(), "brows")
    assert (region_spread(styled(still), "brows") < 0.5 * before).all()
    assert (region_spread(styled(wild), "brows") < 6 * before).all()


def test_a_short_word_is_not_blown_up_to_a_whole_performance():
    """Half a second of nearly shut lips says little about how far this voice moves."""
    little = random_offsets(frames=15, size=0.001)
    after = styled(make_style(performed_motion(30, spread=SPREADS)), little)
    assert region_spread(after, "brows")[1] < 0.3 * SPREADS["brows"][1]


def test_brows_and_lids_rest_where_the_styles_do():
    motion = performed_motion(30)
    motion.landmarks[:, 17:27, 1] -= 0.05
    found = predict(said(20.0), style=make_style(motion)).landmarks[:, 17:27, 1].mean()
    usual = predict(said(20.0)).landmarks[:, 17:27, 1].mean()
    assert found - usual == pytest.approx(-0.05, abs=0.01)


def test_a_smiling_style_widens_the_speaking_mouth():
    motion = performed_motion(30)
    motion.landmarks[:, (48, 60), 0] -= 0.04
    motion.landmarks[:, (54, 64), 0] += 0.04
    smile, usual = predict(said(20.0), style=make_style(motion)), predict(said(20.0))
    talking = slice(60, 540)
    gain = mouth_width(smile.landmarks + smile.neutral) - mouth_width(
        usual.landmarks + usual.neutral
    )
    assert gain[talking].mean() == pytest.approx(0.08, abs=0.02)


def smallest_gap(motion):
    height = motion.landmarks[..., 1] + motion.neutral[:, 1]
    return min(float((height[:, b] - height[:, a]).min()) for a, b in MOUTH_PAIRS)


@pytest.mark.parametrize("fps", [25, 60])
@pytest.mark.parametrize("expression", [1.0, 3.0])
def test_lips_never_cross(fps, expression):
    pressing = Parrot(gape(-0.2))
    style = make_style(performed_motion(30, opening=0.3))
    motion = predict(said(8.0), net=pressing, style=style, fps=fps, expression=expression)
    assert smallest_gap(motion) == pytest.approx(0, abs=1e-5)  # they were pressed together


def test_lips_that_do_not_cross_are_left_alone():
    motion = predict(said(8.0))
    upper, lower = (motion.landmarks[:, lips, 1].mean(1) for lips in ((61, 62, 63), (65, 66, 67)))
    assert np.corrcoef(upper, lower)[0, 1] < -0.999  # as this net moves them


# ---- what of a style reaches a motion -------------------------------------------------------

SECONDS = 6
ENCODER = "apc"
WITHIN = slice(30, -30)  # without the second at both ends in which the face leaves its rest
BROWS = list(REGIONS["brows"])


@cache
def networks():
    """Return a generator that hardly opens the mouth, and a nervous head."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = MotionGenerator(
            MotionConfig(encoder=ENCODER, features=8, hidden=16, components=4, delay=3)
        )
    net.components[0] = torch.from_numpy(gape(1.0)).flatten()
    return Networks(net.eval(), tiny_pose())


def speech(music=False):
    """Return two syllables a second, voiced throughout; with music that beats twice a second."""
    frames, poses = SECONDS * MOTION_FPS, round(SECONDS * POSES)
    loud = torch.sin(2 * torch.pi * 2 * torch.arange(frames) / MOTION_FPS)
    prosody = np.sin(np.arange(poses)[:, None] / 3 + np.arange(80)).astype(np.float32)
    active = np.ones(frames, np.float32)
    onsets = np.zeros(2 * frames, np.float32)
    onsets[::MOTION_FPS] = music
    return Speech(
        SECONDS,
        iter(
            [
                SpeechChunk(
                    loud[:, None].repeat(1, 8),
                    active,
                    0 * active,
                    prosody,
                    0 * active - (10 if music else 200),
                    onsets,
                )
            ]
        ),
    )


def predicted(mix, music=False, **controls):
    controls = loose(**controls)
    return predict_motion(speech(music), mix, networks(), fps=Fraction(30), controls=controls)


def alone(one, **controls):
    return predicted(mix_styles([(one, 1.0)], {}), **controls)


# ---- the beat -------------------------------------------------------------------------------


def test_the_beat_moves_the_head_and_nothing_else():
    style = make_style(performed_motion(12.0))
    still, moved, more = (alone(style, music=True, beat=beat) for beat in (0.0, 0.3, 0.6))
    for name in ("landmarks", "blink"):
        assert np.array_equal(getattr(still, name), getattr(moved, name))
    turned = [
        np.ptp((angles_from_rotation(one.rotation) - angles_from_rotation(still.rotation))[:, 0])
        for one in (moved, more)
    ]
    assert turned[1] == pytest.approx(2 * turned[0], rel=0.05)
    assert turned[0] > 0.2


def test_without_music_there_is_no_beat_to_follow():
    style = make_style(performed_motion(12.0))
    np.testing.assert_array_equal(alone(style).rotation, alone(style, beat=0.0).rotation)


# ---- tuned styles ---------------------------------------------------------------------------


def tuned(motion):
    """Return a style whose tuning changes nothing: what is seen else comes from its clip."""
    generator = networks().generator
    change = tuning_of(Adapter(generator), ENCODER, generator_digest(ENCODER))
    return replace(make_style(motion), tuning=change)


def smiling():
    """Return somebody who smiles with raised brows, and speaks."""
    motion = performed_motion(8.0, opening=0.2)
    landmarks = motion.landmarks.copy()
    landmarks[:, BROWS, 1] -= 0.08
    landmarks[:, (48, 60), 0] -= 0.06
    landmarks[:, (54, 64), 0] += 0.06
    return motion.with_(landmarks=landmarks)


def test_a_tuned_style_plays_the_expression_of_its_clip():
    """The tuned generator articulates alone: brows and smile are the clip's own."""
    made = alone(tuned(smiling())).landmarks[WITHIN]
    assert made[:, BROWS, 1].mean() == pytest.approx(-0.08, abs=0.01)
    assert (made[:, 54, 0] - made[:, 48, 0]).mean() == pytest.approx(0.12, abs=0.02)
    assert made[:, BROWS, 1].std(0).max() > 0.005  # and they move


def test_the_expression_of_another_clip_is_another_one():
    still = performed_motion(8.0, opening=0.2)
    made = [
        alone(tuned(motion)).landmarks[WITHIN, BROWS, 1].mean() for motion in (smiling(), still)
    ]
    assert made[1] - made[0] == pytest.approx(0.08, abs=0.01)


@pytest.mark.parametrize("opening", [0.1, 0.2, 0.3])
def test_a_tuned_styles_mouth_opens_nearly_as_wide_as_in_its_clip(opening):
    """The generator alone goes 0.03 wide, whatever the clip; lips slow down the last quarter."""
    motion = performed_motion(8.0, opening=opening)
    made = alone(tuned(motion))
    rest = mouth_opening(mean_face())
    found = np.percentile(mouth_opening(made.landmarks + made.neutral)[WITHIN], 90) - rest
    wanted = np.percentile(mouth_opening(motion.landmarks + motion.neutral), 90) - rest
    assert 0.65 * wanted < found < 1.1 * wanted


def jaws(motion):
    """Return how far the upper lip rises for each part by which the lower one sinks."""
    upper, lower = (motion.landmarks[WITHIN][:, lips, 1].mean(1) for lips in (UPPER, LOWER))
    return -upper.std() / lower.std()


UPPER, LOWER = [61, 62, 63], [65, 66, 67]


@pytest.mark.parametrize("tune", [tuned, make_style])
def test_lips_part_in_the_ways_of_the_style(tune):
    """One opens with the lower lip alone, another with both alike; the generator with both."""
    base = performed_motion(8.0, opening=0.2)
    both = base.landmarks.copy()
    gap = parted(both)[:, None]
    found = []
    for raised in (0.0, 0.5):
        landmarks = base.landmarks.copy()
        landmarks[:, UPPER, 1], landmarks[:, LOWER, 1] = -raised * gap, (1 - raised) * gap
        found.append(-jaws(alone(tune(base.with_(landmarks=landmarks)))))
    assert found[0] < 0.15
    assert found[1] == pytest.approx(1, abs=0.2)


def test_a_mouth_speaks_in_its_persons_manner_and_rests_without_a_voice():
    motion = performed_motion(24.0, opening=0.2, spread={"mouth": (0, 0, 0)})
    landmarks = motion.landmarks.copy()
    aside = 0.04 * np.sin(2 * np.pi * 1.7 * np.arange(len(motion)) / 30)
    landmarks[:, list(REGIONS["mouth"]), 0] += aside[:, None]
    crooked = motion.with_(landmarks=landmarks)
    styles = [replace(make_style(m), contour=mouth_contour(m)) for m in (motion, crooked)]
    loud, quiet = said(12.0), Whisperer()
    spread = [predict(loud, style=style).landmarks[:, 48:, 0].mean(1).std() for style in styles]
    assert spread[1] > 0.6 * aside.std() > 2 * spread[0]
    still = predict(loud, voice=quiet, style=styles[1]).landmarks[:, 48:, 0].mean(1).std()
    assert still < 0.3 * spread[1]


# ---- a style for each part ------------------------------------------------------------------


def head_of(motion):
    return angles_from_rotation(motion.rotation)


@cache
def two():
    """Return somebody calm and somebody who nods a lot, slowly and about other axes."""
    calm = performed_motion(8.0, degrees=(0.5, 0.5, 0.5), shift=0.005, hertz=0.5)
    nodding = performed_motion(8.0, degrees=(5.0, 2.0, 3.0), shift=0.04, hertz=0.3)
    return make_style(calm, name="calm"), make_style(nodding, name="nodding")


def test_a_head_of_its_own_style_moves_as_that_style_alone_would():
    calm, nodding = two()
    made = predicted(mix_styles([(calm, 1.0)], {"head": nodding}))
    wanted, other = alone(nodding), alone(calm)
    np.testing.assert_allclose(made.rotation, wanted.rotation, atol=1e-6)
    np.testing.assert_allclose(made.translation, wanted.translation, atol=1e-6)
    np.testing.assert_array_equal(made.landmarks, other.landmarks)
    assert np.ptp(head_of(made), axis=0).max() > 3 * np.ptp(head_of(other), axis=0).max()


def test_what_a_user_writes_gives_the_head_to_the_second_style(tmp_path, monkeypatch):
    for one in two():
        save_style(one, tmp_path / f"{one.name}.style")
    monkeypatch.chdir(tmp_path)
    mix = choose_mix(["calm.style"], "head=nodding.style")
    heads = [(weight.style.name, weight.mouth, weight.head) for weight in mix.weights]
    assert heads == [("calm", 1.0, 0.0), ("nodding", 0.0, 1.0)]
    np.testing.assert_allclose(head_of(predicted(mix)), head_of(alone(two()[1])), atol=0.05)


def test_two_styles_of_one_head_add_up_by_their_weights():
    calm, nodding = two()
    made = predicted(mix_styles([(calm, 1.0), (nodding, 3.0)], {}))
    wanted = 0.25 * head_of(alone(calm)) + 0.75 * head_of(alone(nodding))
    np.testing.assert_allclose(head_of(made), wanted, atol=0.1)
    assert np.abs(wanted - head_of(alone(nodding))).max() > 0.5


def test_two_people_turn_their_heads_at_moments_of_their_own():
    style = two()[1]
    other = replace(style, provenance=style.provenance | {"source_sha256": "cd" * 32})
    own, others = head_of(alone(style)), head_of(alone(other))
    np.testing.assert_allclose(np.ptp(own, axis=0), np.ptp(others, axis=0), rtol=0.5)
    assert (np.abs(own - others).max(0) > 0.4 * np.ptp(own, axis=0)).all()
    mixed = head_of(predicted(mix_styles([(style, 1.0), (other, 1.0)], {})))
    halves = (np.ptp(own, axis=0) + np.ptp(others, axis=0)) / 2
    np.testing.assert_allclose(np.ptp(mixed, axis=0), halves, rtol=0.15)


def test_brows_of_their_own_style_are_raised_as_that_styles_are():
    mix = mix_styles([(two()[0], 1.0)], {"brows": make_style(smiling(), name="smiling")})
    made = predicted(mix).landmarks[WITHIN]
    assert made[:, BROWS, 1].mean() == pytest.approx(-0.08, abs=0.02)


# ---- gaze in a style ------------------------------------------------------------------------


def test_the_eyes_of_a_predicted_motion_hold_their_gaze_while_the_head_turns():
    """The same glances with and without head motion: what differs is what the eyes take back."""
    moving, still = alone(two()[1]), alone(two()[1], pose=0.0)
    forward = np.array([0.0, 0.0, -1.0], np.float32)
    nose = np.degrees(np.arcsin((forward @ moving.rotation)[:, :2]))
    taken = moving.gaze - still.gaze
    for axis in range(2):
        assert np.ptp(nose[:, axis]) > 2
        slope = (taken[:, axis] @ nose[:, axis]) / np.square(nose[:, axis]).sum()
        assert -0.85 < slope < -0.5


# ---- the shipped nets -----------------------------------------------------------------------


def spoken_and_paused():
    """Return three seconds of a real voice, two and a half of silence, and the voice again."""
    voice = media.voice(3)
    return Recording(np.concatenate([voice, np.zeros(5 * SPEECH_RATE // 2, np.float32), voice]))


@pytest.mark.parametrize("encoder", ["whisper", "apc"])
def test_the_shipped_nets_move_the_mouth_with_the_voice(encoder):
    models = load_predictor(Encoding(encoder=Encoder(encoder)), CPU, separation=FILTERED)
    motion = models.predict(spoken_and_paused(), STYLE, fps=Fraction(60))
    speed = np.abs(np.diff(opening(motion)))
    assert models.encoder == encoder
    assert np.isfinite(motion.landmarks).all()
    assert speed[30:170].mean() > 10 * speed[220:310].mean()
    assert smallest_gap(motion) > -1e-5


def test_a_style_without_a_contour_has_its_clips_mean_expression():
    """Files of format 2: the smile and the brows arrive, not the mouth's width alone."""
    style = make_style(smiling())
    made = alone(replace(style, contour=None)).landmarks[WITHIN]
    assert made[:, BROWS, 1].mean() == pytest.approx(-0.08, abs=0.015)
    assert (made[:, 54, 0] - made[:, 48, 0]).mean() == pytest.approx(0.12, abs=0.03)


def test_other_people_and_other_recordings_blink_at_other_moments():
    """With the same seed; a mouth alone lends no eyes."""
    one = make_style(performed_motion(12.0))
    other = replace(one, provenance=one.provenance | {"source_sha256": "another"})
    mixed = mix_styles([(one, 1.0)], {"mouth": other})
    usual = alone(one).blink
    assert np.array_equal(usual, alone(one).blink)
    assert not np.array_equal(usual, alone(other).blink)
    assert np.array_equal(usual, predicted(mixed).blink)
    first, second = (predict(said(seconds), fps=25).blink[:150] for seconds in (6.0, 7.0))
    assert not np.array_equal(first, second)
