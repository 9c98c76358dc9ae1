from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from stylehead.errors import StyleError
from stylehead.face.geometry import angles_from_rotation
from stylehead.face.landmarks import REGIONS
from stylehead.finetuning.holdout import style_distances
from stylehead.motion.eyes import USUAL_RATE, blended_blinks
from stylehead.style.file import save_style
from stylehead.style.mix import as_mix, choose_mix, mix_styles
from stylehead.types import StyleMix, StyleWeight
from tests.stand_ins.faces import Recording, make_style, performed_motion, predictor, syllables

FPS = Fraction(30)
MODELS = predictor()
SAID = Recording(syllables(6.0))


def raised(*, brows=0.0, smile=0.0, opening=0.1, name="made up", degrees=(2.0, 3.0, 1.5)):
    motion = performed_motion(opening=opening, degrees=degrees)
    moved = motion.landmarks.copy()
    moved[:, list(REGIONS["brows"]), 1] -= brows
    moved[:, (48, 60), 0] -= smile
    moved[:, (54, 64), 0] += smile
    return make_style(motion.with_(landmarks=moved), name=name)


def face(blend):
    return MODELS.predict(SAID, blend, fps=FPS)


# ---- strength -------------------------------------------------------------------------------


def test_a_blend_of_one_style_is_that_style():
    style = raised(brows=0.05)
    alone, blended = face(style), face(as_mix(style, strength=1.0))
    np.testing.assert_array_equal(alone.landmarks, blended.landmarks)
    np.testing.assert_array_equal(alone.rotation, blended.rotation)
    np.testing.assert_array_equal(alone.blink, blended.blink)


def test_the_style_comes_nearer_with_its_strength():
    style = raised(brows=0.08, smile=0.06, opening=0.05)
    distances = [
        style_distances(style.motion, face(as_mix(style, strength=strength))).sld
        for strength in (0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert all(after < before for before, after in pairwise(distances))
    assert distances[-1] < 0.7 * distances[0]


def test_without_strength_the_head_is_still_and_lips_speak():
    made = face(as_mix(raised(brows=0.08), strength=0.0))
    assert np.abs(angles_from_rotation(made.rotation)).max() < 1e-3
    brows = made.landmarks[:, list(REGIONS["brows"])]
    assert np.abs(brows).max() < 0.02
    assert made.landmarks[:, 66, 1].std() > 0.01


def test_more_than_one_exaggerates():
    style = raised(brows=0.05)
    plain, more = (face(as_mix(style, strength=amount)) for amount in (1.0, 1.5))
    heights = [one.landmarks[30:-30, 20, 1].mean() for one in (plain, more)]
    assert heights[1] < 1.3 * heights[0] < 0


# ---- several styles -------------------------------------------------------------------------


def test_weights_are_brought_to_one():
    one, other = raised(), raised()
    mix = mix_styles([(one, 7.0), (other, 3.0)], {}).scaled(0.5)
    assert [weight.mouth for weight in mix.weights] == [pytest.approx(0.35), pytest.approx(0.15)]


def test_two_styles_meet_between_them():
    low, high = raised(brows=0.0), raised(brows=0.08)
    heights = [
        face(mix_styles([(low, 1 - weight), (high, weight)], {})).landmarks[:, 20, 1].mean()
        for weight in (0.0, 0.5, 1.0)
    ]
    assert heights[1] == pytest.approx((heights[0] + heights[2]) / 2, abs=0.005)


def test_a_region_takes_its_own_style_alone():
    calm, nodding = raised(degrees=(0.2, 0.2, 0.2)), raised(brows=0.08, degrees=(6.0, 6.0, 6.0))
    made = face(mix_styles([(calm, 1.0)], {"head": nodding}))
    only_calm, only_nodding = face(calm), face(nodding)
    np.testing.assert_array_equal(made.landmarks, only_calm.landmarks)
    np.testing.assert_array_equal(made.rotation, only_nodding.rotation)


def test_blinks_go_with_the_eyes():
    style = replace(raised(), statistics={**raised().statistics, "blinks_per_minute": 40.0})
    rates = [
        blended_blinks(StyleMix((StyleWeight(style, eyes=weight),))).rate
        for weight in (0.0, 0.5, 1.0)
    ]
    assert rates[0] == USUAL_RATE < rates[1] < rates[2]


# ---- what a user writes ---------------------------------------------------------------------


@pytest.fixture
def styles(tmp_path, monkeypatch):
    for name in ("a", "b"):
        save_style(raised(name=name), tmp_path / f"{name}.style")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("styles")
def test_styles_are_weighed_by_what_follows_the_colon():
    mix = choose_mix(["a.style:0.7", "b.style:0.3"])
    assert [weight.brows for weight in mix.weights] == [pytest.approx(0.7), pytest.approx(0.3)]
    assert mix.name == "a + b"
    assert mix.source_sha256.split() == ["ab" * 32] * 2


@pytest.mark.usefixtures("styles")
def test_regions_name_parts_and_styles():
    mix = choose_mix(["a.style"], "head=b.style, brows=b.style").scaled(0.5)
    assert [(s.style.name, s.mouth, s.brows, s.eyes, s.head) for s in mix.weights] == [
        ("a", 0.5, 0.0, 0.5, 0.0),
        ("b", 0.0, 0.5, 0.0, 0.5),
    ]


def test_the_default_style_needs_no_words():
    assert choose_mix(None).name == "plain"


@pytest.mark.usefixtures("styles")
@pytest.mark.parametrize(
    ("asked", "regions", "problem"),
    [
        (["a.style:-1"], None, "not a number"),
        (["a.style:0", "b.style:0"], None, "add up to 0"),
        (["a.style"], "ears=b.style", "ears=b.style does not"),
        (["a.style"], "head", "head does not"),
        (["c.style"], None, "no style c.style"),
    ],
)
def test_what_cannot_be_blended_is_told(asked, regions, problem):
    with pytest.raises(StyleError, match=problem):
        choose_mix(asked, regions)
