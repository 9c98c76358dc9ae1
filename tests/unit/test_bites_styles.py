"""What of a style reaches the predicted motion: expression, openings, head and gaze."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import torch

from stylehead.face.geometry import angles_from_rotation
from stylehead.face.landmarks import REGIONS, mouth_opening
from stylehead.models.adapter import Adapter
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.models.pose_generator import FPS as POSES
from stylehead.motion.generate import predict_motion
from stylehead.motion.models import Networks, generator_digest, tuning_of
from stylehead.options import MotionControls
from stylehead.style.file import save_style
from stylehead.style.learn import style_statistics
from stylehead.style.mix import choose_mix, mix_styles
from stylehead.types import (
    MOTION_FPS,
    TEMPLATES,
    Speech,
    SpeechChunk,
    Style,
    StyleReference,
)
from tests.stand_ins.faces import STILL, gape, mean_face, performed_motion, tiny_pose

FPS = Fraction(30)
SECONDS = 6
ENCODER = "apc"
WITHIN = slice(30, -30)  # without the second at both ends in which the face leaves its rest
BROWS = list(REGIONS["brows"])


def style(motion=None, *, name="made up", tuning=None):
    """Return a style around a motion; all its references are the neutral face."""
    motion = motion or performed_motion(8.0)
    references = tuple(
        StyleReference(template, 0.0, 0.0, mean_face(), STILL, np.zeros(52, np.float32))
        for template in TEMPLATES
    )
    times = np.arange(len(motion), dtype=np.float32) / np.float32(motion.fps)
    return Style(name, references, motion, times, style_statistics(motion), {}, tuning)


@cache
def networks():
    """Return a generator that hardly opens the mouth, with the loudness, and a nervous head."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = MotionGenerator(
            MotionConfig(encoder=ENCODER, features=8, hidden=16, components=4, delay=3)
        )
    net.components[0] = torch.from_numpy(gape(1.0)).flatten()
    return Networks(net.eval(), tiny_pose())


def speech():
    """Return a voice of two syllables a second that is heard throughout."""
    frames, poses = SECONDS * MOTION_FPS, round(SECONDS * POSES)
    loud = torch.sin(2 * torch.pi * 2 * torch.arange(frames) / MOTION_FPS)
    prosody = np.sin(np.arange(poses)[:, None] / 3 + np.arange(80)).astype(np.float32)
    heard = np.ones(frames, np.float32)
    return Speech(
        SECONDS, iter([SpeechChunk(loud[:, None].repeat(1, 8), heard, 0 * heard, prosody)])
    )


def predicted(mix, **controls):
    controls = MotionControls(**controls)
    return predict_motion(speech(), mix, networks(), fps=FPS, controls=controls)


def alone(one, **controls):
    return predicted(mix_styles([(one, 1.0)], {}), **controls)


# ---- tuned styles ---------------------------------------------------------------------------


def tuned(motion):
    """Return a style whose tuning changes nothing: what is seen else comes from its clip."""
    generator = networks().generator
    change = tuning_of(Adapter(generator), ENCODER, generator_digest(ENCODER))
    return style(motion, tuning=change)


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


# ---- a style for each part ------------------------------------------------------------------


def head_of(motion):
    return angles_from_rotation(motion.rotation)


@cache
def two():
    """Return somebody calm and somebody who nods a lot, slowly and about other axes."""
    calm = performed_motion(8.0, degrees=(0.5, 0.5, 0.5), shift=0.005, hertz=0.5)
    nodding = performed_motion(8.0, degrees=(5.0, 2.0, 3.0), shift=0.04, hertz=0.3)
    return style(calm, name="calm"), style(nodding, name="nodding")


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


def test_brows_of_their_own_style_are_raised_as_that_styles_are():
    mix = mix_styles([(two()[0], 1.0)], {"brows": style(smiling(), name="smiling")})
    made = predicted(mix).landmarks[WITHIN]
    assert made[:, BROWS, 1].mean() == pytest.approx(-0.08, abs=0.02)


# ---- gaze -----------------------------------------------------------------------------------


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
