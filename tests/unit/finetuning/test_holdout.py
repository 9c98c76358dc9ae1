from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from stylehead.finetuning.holdout import (
    HoldoutResult,
    HoldoutScores,
    HoldoutTest,
    distance_ratio,
    lip_crossing_rate,
    lip_crossing_rates,
    rejection_reasons,
    style_distances,
    unstyled_motion,
)
from stylehead.finetuning.speech import encode_speech
from stylehead.models.adapter import Adapter
from stylehead.models.motion_generator import MotionGenerator
from stylehead.motion.models import generator_digest, tuning_of
from stylehead.style.learn import STYLE_FPS
from tests.stand_ins.faces import gape, make_style, performed_motion

UNTUNED = HoldoutScores(
    sld=2.0,
    slv=0.4,
    smd=20.0,
    posed_sld=3.0,
    posed_slv=0.5,
    sync=1.0,
    opening=1.0,
    style_opening=1.0,
    opening_range=1.0,
    jerk=1.0,
    lmd=1.5,
    own_sync=0.6,
)


# ---- numbers --------------------------------------------------------------------------------


def test_a_motion_is_no_distance_from_itself():
    motion = performed_motion(6.0)
    distance = style_distances(motion, motion)
    assert (distance.sld, distance.slv, distance.smd) == pytest.approx((0, 0, 0), abs=1e-6)


def test_a_turned_head_counts_only_when_asked():
    motion = performed_motion(6.0, degrees=(0.0, 8.0, 0.0))
    still = motion.with_(rotation=np.repeat(np.eye(3, dtype=np.float32)[None], len(motion), 0))
    assert style_distances(motion, still).sld == pytest.approx(0, abs=1e-6)
    assert style_distances(motion, still, posed=True).sld > 0.3


def test_the_distance_ratio_is_that_of_sld_and_smd():
    after = replace(UNTUNED, sld=1.0, slv=0.4, smd=24.0)
    assert distance_ratio(UNTUNED, after) == pytest.approx((0.5 + 1.2) / 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sld": 1.0}, None),
        ({"sld": 1.0, "lmd": float("nan"), "own_sync": float("nan")}, None),
        ({}, "no closer"),
        ({"lmd": 1.4}, None),
        ({"sld": 1.0, "sync": 0.89, "own_sync": 0.49}, "own 0.49 instead of 0.60"),
        ({"sld": 1.0, "sync": 0.89, "own_sync": float("nan")}, "sync 0.890, at least 0.9"),
        ({"sld": 1.0, "sync": 0.8, "own_sync": 0.51}, None),
        ({"sld": 1.0, "lmd": 1.51}, "1.51 instead of 1.50"),
        ({"sld": 1.0, "opening_range": 0.74}, "opens 0.74 times"),
        ({"sld": 1.0, "opening_range": 1.26}, "opens 1.26 times"),
    ],
)
def test_a_style_that_is_no_nearer_or_lost_its_lips_is_rejected(change, words):
    scores = {"un-tuned": UNTUNED, "tuned": replace(UNTUNED, **change)}
    reasons = rejection_reasons(HoldoutResult(scores=scores, motions={}))
    assert (not reasons) if words is None else (len(reasons) == 1 and words in reasons[0])


def test_the_opening_may_be_that_of_either_part_of_the_clip():
    rows = {"un-tuned": UNTUNED, "tuned": replace(UNTUNED, sld=1.0, opening_range=1.9)}
    result = HoldoutResult(scores=rows, motions={}, learned_range=2.0)
    assert not rejection_reasons(result)
    assert "opens 1.9" in rejection_reasons(replace(result, learned_range=1.2))[0]


def test_without_sound_of_its_kind_a_style_may_open_half_to_twice_as_far():
    rows = {"un-tuned": UNTUNED, "tuned": replace(UNTUNED, sld=1.0, opening_range=0.6)}
    result = HoldoutResult(scores=rows, motions={}, own_kind=False)
    assert not rejection_reasons(result)
    rows["tuned"] = replace(UNTUNED, sld=1.0, opening_range=0.49)
    assert "opens 0.49" in rejection_reasons(result)[0]


class Given(HoldoutTest):
    """Moves as the clip does, but so many times as far; without a style, less and flatter."""

    wide = 1.0

    def predict(self, style, speech):
        reference = self.held_out[0]
        if style is None:
            still = performed_motion(reference.seconds, shift=0.0)
            return still.with_(landmarks=0.2 * reference.landmarks + 0.02)
        return reference.with_(landmarks=self.wide * reference.landmarks)


@pytest.mark.parametrize(("wide", "passes"), [(1.0, True), (0.85, True), (0.5, False)])
def test_a_mouth_that_opens_half_as_wide_as_the_singer_does_not_pass(
    small, spoken, tuned, monkeypatch, wide, passes
):
    """However near the windows' measures and the sync find it."""
    monkeypatch.setattr(Given, "wide", wide)
    test = Given(
        networks=small.networks,
        speech=spoken,
        held_out=[tuned.motion],
        own_speech=spoken,
        sung=True,
    )
    result = test.compare(tuned)
    assert result.distance_ratio < 1
    assert result.scores["tuned"].opening_range == pytest.approx(wide, rel=0.02)
    reasons = rejection_reasons(result)
    assert (not reasons) if passes else (len(reasons) == 1 and "mouth opens 0.5" in reasons[0])


def test_lips_that_would_cross_are_counted(small, spoken):
    pressed = MotionGenerator(small.networks.generator.config)
    pressed.components[0] = torch.from_numpy(gape(-5.0)).flatten()
    for value in pressed.head.parameters():
        torch.nn.init.zeros_(value)
    assert lip_crossing_rate(pressed.eval(), spoken.features) == 0
    torch.nn.init.ones_(pressed.head[-1].bias)
    assert lip_crossing_rate(pressed, spoken.features) == 1


# ---- three ways of moving -------------------------------------------------------------------


@pytest.fixture
def tuned(small):
    """A style whose tuning changes nothing yet."""
    adapter = Adapter(small.networks.generator)
    tuning = tuning_of(adapter, "whisper", generator_digest("whisper"))
    return replace(make_style(performed_motion(8.0)), tuning=tuning)


def test_three_ways_of_moving_are_scored(small, spoken, tuned):
    held_out = [tuned.motion]
    test = HoldoutTest(networks=small.networks, speech=spoken, held_out=held_out, own_speech=spoken)
    result = test.compare(tuned)
    assert list(result.scores) == list(result.motions) == ["un-tuned", "statistics", "tuned"]
    assert result.scores["un-tuned"].sync == pytest.approx(1)
    assert result.scores["un-tuned"].opening == pytest.approx(1)
    assert all(np.isfinite(list(asdict(row).values())).all() for row in result.scores.values())
    assert np.isnan(replace(test, own_speech=None).compare(tuned).scores["tuned"].lmd)


def test_the_motions_scored_are_those_of_the_predictor(small, recording, spoken, tuned):
    """Speech that was encoded once gives to the bit what listening anew gives."""
    test = HoldoutTest(networks=small.networks, speech=spoken, held_out=[tuned.motion])
    motions = test.compare(tuned).motions
    unstyled = small.unstyled(recording, STYLE_FPS).landmarks[0]
    np.testing.assert_array_equal(motions["un-tuned"].landmarks, unstyled)
    for name, style in (("statistics", replace(tuned, tuning=None)), ("tuned", tuned)):
        fresh = small.predict(recording, style, fps=STYLE_FPS)
        np.testing.assert_array_equal(motions[name].landmarks, fresh.landmarks)
        np.testing.assert_array_equal(motions[name].rotation, fresh.rotation)


def test_a_recording_is_encoded_once_for_all_motions(small, recording, tuned):
    class Counting(type(small.listener.encoder)):
        calls = 0

        def encode(self, blocks):
            Counting.calls += 1
            return super().encode(blocks)

    listener = replace(small.listener, encoder=Counting())
    speech = encode_speech(recording, listener)
    test = HoldoutTest(networks=small.networks, speech=speech, held_out=[tuned.motion])
    test.compare(tuned)
    lip_crossing_rates(tuned, small.networks, speech.features)
    assert Counting.calls == 1


def test_a_tuning_that_changes_nothing_crosses_lips_as_often(small, spoken, tuned):
    rates = lip_crossing_rates(tuned, small.networks, spoken.features)
    assert rates["un-tuned"] == rates["tuned"]


def test_without_style_lips_move_alone(small, spoken):
    motion = HoldoutTest(
        networks=small.networks, speech=spoken, held_out=[performed_motion(6.0)]
    ).predict(None, spoken)
    assert motion.rotation.std(0).max() == 0
    assert motion.landmarks.std() > 1e-3
    assert len(unstyled_motion(motion.landmarks, STYLE_FPS)) == len(motion)
