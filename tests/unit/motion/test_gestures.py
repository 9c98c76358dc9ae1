from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest

from stylehead.face.articulation import LOWER, parted
from stylehead.face.geometry import angles_from_rotation, rotation_from_angles
from stylehead.face.landmarks import REGIONS, brow_height, mouth_opening
from stylehead.motion.gestures.acting import act
from stylehead.motion.gestures.contour import clip_contour, mouth_contour
from stylehead.motion.gestures.playing import at, play
from stylehead.motion.gestures.selection import (
    LONGEST,
    RATE,
    REPEAT,
    RUN,
    SHORTEST,
    Material,
    Piece,
    choose_pieces,
    piece_bounds,
    without_gaps,
)
from stylehead.motion.head import head_path, person_of, sample_head
from stylehead.options import MotionControls
from stylehead.types import ENERGY, STRESS, VOICE
from tests.stand_ins.faces import Recording, make_style, performed_motion, predictor, syllables

FPS = Fraction(30)
NO_BREAKS = np.zeros(0, np.intp)


def chance(seed=0):
    return np.random.default_rng(seed)


def phrases(seconds, *, every=3.0, pause=1.0, seed=0):
    """Return (N, 3) the contour of phrases with pauses between them, syllables of any strength."""
    times = np.arange(round(seconds * RATE)) / RATE
    voice = (times % every >= pause).astype(np.float64)
    strength = np.repeat(chance(seed).random(len(times) // 3 + 1), 3)[: len(times)]
    return np.column_stack([voice * (0.4 + 0.6 * strength), voice, voice * (strength > 0.7)])


def wandering(rows, seed=0, axes=4):
    """Return (N, J) smooth random bodies."""
    steps = chance(seed).standard_normal((rows + 20, axes))
    calm = np.stack([np.convolve(axis, np.hanning(20), "same") for axis in steps.T], 1)[:rows]
    return calm / calm.std(0)


def material(seconds=30.0, *, body=None, contour=None, breaks=NO_BREAKS):
    contour = phrases(seconds) if contour is None else contour
    return Material(contour, wandering(len(contour)) if body is None else body, breaks)


def chosen(own=None, seconds=60.0, *, seed=0, sound=None):
    own = own or material()
    sound = phrases(seconds, every=2.3, seed=7) if sound is None else sound
    otherwise = np.zeros((len(sound), own.body.shape[1]))
    return choose_pieces(own, sound, otherwise, chance(seed))


class Played(NamedTuple):
    """A piece of the clip, from `start` to `stop`, for the sound from `begin` to `end`."""

    begin: int
    end: int
    start: int
    stop: int


def played(pieces):
    return [
        Played(begin, end, start, start + end - begin)
        for begin, end, start in pieces
        if start is not None
    ]


# ---- pieces ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 9, 20, 24, 450])
def test_pieces_follow_each_other_to_the_end(rows):
    bounds = piece_bounds(phrases(40.0)[:rows, ENERGY])
    assert (bounds[0], bounds[-1]) == (0, rows)
    lengths = np.diff(bounds) / RATE
    assert lengths.max() <= LONGEST + 1 / RATE
    assert len(lengths) == 1 or lengths.min() >= SHORTEST - 1 / RATE


def test_pieces_part_where_the_sound_is_faint():
    times = np.arange(450) / RATE
    energy = 0.5 - 0.5 * np.cos(2 * np.pi * times / 0.8)
    inner = piece_bounds(energy)[1:-1]
    assert energy[inner].mean() < 0.1


def test_what_is_played_sounds_like_what_is_heard():
    """Chosen stretches have their voice and pauses where the sound has them."""
    own, sound = material(40.0), phrases(60.0, every=2.3, seed=7)
    pieces = played(chosen(own, sound=sound))
    alike = [np.abs(own.contour[p.start : p.stop] - sound[p.begin : p.end]).mean() for p in pieces]
    blind = [
        np.abs(
            own.contour[start : start + p.end - p.begin] - sound[p.begin : p.end],
        ).mean()
        for p in pieces
        for start in chance().integers(0, len(own.contour) - 30, 20)
    ]
    assert len(pieces) > 40
    assert np.mean(alike) < 0.6 * np.mean(blind)


def test_a_stretch_goes_on_from_where_the_last_one_left():
    flat = np.ones((450, 3))
    own = material(contour=flat)
    pieces = played(chosen(own, sound=np.ones((900, 3))))
    ends = np.array([one.stop for one in pieces]).clip(max=449)
    left = own.body[ends[:-1]] - own.body[[one.start for one in pieces[1:]]]
    assert np.square(left).sum(1).mean() < 0.35 * 2 * own.body.var(0).sum()


@pytest.mark.parametrize("seconds", [8.0, 20.0, 40.0])
def test_nothing_is_played_twice_soon(seconds):
    last = np.full(round(seconds * RATE), -np.inf)
    for piece in played(chosen(material(seconds), 90.0)):
        rows = slice(piece.start, piece.stop)
        now = piece.begin + np.arange(piece.end - piece.begin)
        assert (piece.begin - last[rows]).min() >= REPEAT * RATE
        last[rows] = now


def test_a_clip_is_not_played_from_beginning_to_end():
    """Heard again, its own sound would be answered by the same motion in a loop."""
    own = material(20.0)
    pieces = chosen(own, sound=np.tile(own.contour, (3, 1)))
    run = longest = 0
    for before, piece in pairwise(pieces):
        goes_on = (
            before.start is not None
            and piece.start is not None
            and 0 <= piece.start - before.start - (before.end - before.begin) < 4
        )
        run = run + piece.end - piece.begin if goes_on else piece.end - piece.begin
        longest = max(longest, run)
    assert longest <= RUN * RATE


def test_a_stretch_spans_no_break():
    own = material(breaks=np.array([100, 230], np.intp))
    for piece in played(chosen(own, 120.0)):
        assert not any(piece.start < row < piece.stop for row in own.breaks)


def test_a_clip_shorter_than_a_piece_is_not_played():
    assert not played(chosen(material(0.3), 10.0))


def test_where_nothing_fits_any_stretch_is_played_that_spans_no_break():
    own = material(10.0, breaks=np.array([70, 110]))
    bounds = list(range(0, 300, 12))
    pieces = [Piece(begin, end, None) for begin, end in pairwise(bounds)]
    pieces[3] = pieces[3]._replace(start=42)
    filled = without_gaps(pieces, own, np.ones(300), chance())
    assert [piece[:2] for piece in filled] == [piece[:2] for piece in pieces]
    starts = [piece.start for piece in filled if piece.start is not None]
    assert len(starts) == len(pieces)
    assert filled[3].start == 42
    assert len(set(starts)) > 15
    for start in starts:
        assert start + 12 <= 150
        assert not any(start < row < start + 12 for row in (70, 110))


def test_a_clip_shorter_than_a_piece_fills_no_gap():
    pieces = [Piece(0, 12, None)]
    assert without_gaps(pieces, material(0.6), np.ones(12), chance()) == pieces


def test_where_nothing_fits_a_silence_nothing_is_played():
    pieces = [Piece(0, 12, None), Piece(12, 24, None)]
    voice = np.repeat([0.0, 1.0], 12)
    silent, spoken = without_gaps(pieces, material(10.0), voice, chance())
    assert silent.start is None and spoken.start is not None


def test_the_seed_chooses():
    assert chosen(seed=3) == chosen(seed=3)
    assert chosen(seed=3) != chosen(seed=4)


# ---- played ---------------------------------------------------------------------------------

LINE = np.column_stack([np.sin(np.arange(300) / 9), np.cos(np.arange(300) / 14)])


def walk(pieces, *, fps=30.0, frames=180, haste=6.0):
    def still(moments):
        return np.zeros((len(moments), 2))

    return play(pieces, LINE, 30.0, still, fps, frames, haste)


def test_a_stretch_that_goes_on_is_the_clip_itself():
    path = walk([Piece(0, 40, 20), Piece(40, 90, 60)])
    np.testing.assert_allclose(path, LINE[40:220], atol=1e-6)


def test_neither_place_nor_speed_jumps():
    pieces = [Piece(0, 20, 0), Piece(20, 45, 100), Piece(45, 70, None), Piece(70, 90, 30)]
    path = walk(pieces, fps=240.0, frames=1440)
    step = np.abs(np.diff(path, axis=0)).max()
    turn = np.abs(np.diff(path, 2, axis=0)).max()
    assert step < 0.06  # of places up to 2 apart: a jump would be one
    assert turn < 0.004


def test_a_path_comes_to_its_stretch():
    path = walk([Piece(0, 20, 0), Piece(20, 90, 65)])
    np.testing.assert_allclose(path[150:180], LINE[130 + 110 : 130 + 140], atol=0.02)


def test_the_rate_does_not_change_a_path():
    pieces = [Piece(0, 20, 0), Piece(20, 45, 100), Piece(45, 90, 30)]
    np.testing.assert_allclose(walk(pieces, fps=60.0, frames=360)[::2], walk(pieces), atol=1e-5)


def test_rows_between_two_are_on_a_straight_line():
    values = np.array([[0.0, 1.0], [2.0, 5.0]])
    np.testing.assert_allclose(at(values, np.array([0.25, 7.0])), [[0.5, 2.0], [2.0, 5.0]])


# ---- a style acts ---------------------------------------------------------------------------


def nodder(seconds=24.0):
    """Return a style whose brows are up while the head is down, and who moves while it speaks."""
    motion = performed_motion(seconds, degrees=(0.0, 0.0, 0.0), shift=0.0, opening=0.0)
    times = np.arange(len(motion)) / 30
    voice = (times % 3.0 >= 1.0).astype(np.float32)
    nod = voice * np.sin(2 * np.pi * 1.1 * times)
    angles = np.zeros((len(motion), 3))
    angles[:, 0] = 4 * nod
    landmarks = np.zeros_like(motion.landmarks)
    landmarks[:, list(REGIONS["brows"]), 1] = -0.05 * nod[:, None]
    motion = motion.with_(rotation=rotation_from_angles(angles), landmarks=landmarks)
    contour = np.column_stack([0.8 * voice, voice, voice * (nod > 0.8)]).astype(np.float32)
    return replace(make_style(motion), contour=contour)


NODDER = nodder()


def acted(style=NODDER, *, seconds=45.0, fps=30, seed=0):
    frames = round(seconds * fps)
    times = np.arange(frames) / fps
    voice = (times % 4.1 >= 1.4).astype(np.float32)
    contour = np.column_stack([0.8 * voice, voice, 0 * voice])
    brows, glances = np.zeros((frames, 10, 3)), np.zeros((frames, 2))
    sampled = np.zeros((frames, 6))
    rng = chance(seed)
    return act(style, contour, sampled, brows, glances, Fraction(fps), rng), voice


def test_brows_come_with_the_nods_they_came_with():
    acting, _ = acted()
    height = brow_height(acting.expression + NODDER.motion.neutral)
    assert np.corrcoef(acting.path[:, 0], height)[0, 1] > 0.8


def test_a_head_rests_in_pauses_as_its_person_does():
    acting, voice = acted()
    speed = np.abs(np.gradient(acting.path[:, 0]))
    inner = np.convolve(voice, np.ones(21), "same")
    assert speed[inner == 0].mean() < 0.35 * speed[inner == 21].mean()


def test_a_head_is_in_the_range_of_its_clip_and_no_walk_is_followed():
    acting, _ = acted()
    assert 6 < np.ptp(acting.path[:, 0]) < 13  # 8 in the clip
    wild = performed_motion(24.0, degrees=(30.0, 40.0, 30.0))
    style = replace(make_style(wild), contour=mouth_contour(wild))
    assert (np.ptp(acted(style)[0].path[:, :3], axis=0) < 45).all()


def crooked():
    """Return somebody who draws the mouth aside while it speaks."""
    motion = performed_motion(24.0, opening=0.2, spread={"mouth": (0, 0, 0)})
    landmarks = motion.landmarks.copy()
    times = np.arange(len(motion)) / 30
    landmarks[:, list(REGIONS["mouth"]), 0] += (0.03 * np.sin(2 * np.pi * 1.7 * times))[:, None]
    motion = motion.with_(landmarks=landmarks)
    return replace(make_style(motion), contour=mouth_contour(motion))


def test_a_mouth_is_drawn_aside_as_its_person_does():
    straight, aside = (
        acted(style)[0].manner[:, 48:, 0].mean(1).std() for style in (NODDER, crooked())
    )
    assert aside == pytest.approx(0.03 / np.sqrt(2), rel=0.25)
    assert straight < 0.6 * aside


def test_a_manner_of_speaking_parts_no_lips():
    assert np.abs(parted(acted(crooked())[0].manner)).max() < 1e-5


def test_where_no_gesture_fits_the_face_still_moves_as_its_person_does():
    """A clip shorter than REPEAT cannot be played all the time; head and brows are sampled then."""
    motion = performed_motion(4.0, opening=0.2)
    style = replace(make_style(motion), contour=mouth_contour(motion))
    acting, _ = acted(style)
    assert (np.abs(acting.path[:, :3]).max(1) < 0.5).mean() > 0.2  # sampled: at rest
    lids = list(REGIONS["eyes"])
    made, own = (
        offsets[:, lids, 1].std(0).mean() for offsets in (acting.expression, motion.landmarks)
    )
    assert made == pytest.approx(own, rel=0.25)


def test_gestures_leave_lips_shut():
    motion = performed_motion(20.0)
    style = replace(make_style(motion), contour=mouth_contour(motion))
    acting, _ = acted(style)
    gap = mouth_opening(acting.expression + motion.neutral) - mouth_opening(motion.neutral)
    assert np.abs(gap).max() < 0.015


def test_eyes_look_where_the_person_looked():
    aside = np.zeros((len(NODDER.motion), 2), np.float32)
    aside[:, 0] = 5.0
    calm = performed_motion(24.0, degrees=(0.0, 0.0, 0.0))
    style = replace(NODDER, motion=calm.with_(gaze=aside))
    assert np.median(acted(style)[0].glances[:, 0]) == pytest.approx(5.0, abs=0.3)


# ---- in a prediction ------------------------------------------------------------------------


def predict(style, seed=0, **controls):
    chosen = MotionControls(seed=seed, posture=0.0, **controls)
    return predictor().predict(Recording(syllables(8.0)), style, fps=FPS, controls=chosen)


def test_head_and_brows_do_not_change_the_mouth():
    one, other = (predict(NODDER, seed) for seed in (0, 1))
    assert np.abs(one.landmarks[:, list(REGIONS["brows"])] - other.landmarks[:, 17:27]).max() > 0.02
    assert np.abs(angles_from_rotation(one.rotation) - angles_from_rotation(other.rotation)).max()
    np.testing.assert_allclose(one.landmarks[:, LOWER], other.landmarks[:, LOWER], atol=1e-5)


def test_a_style_with_a_contour_moves_the_head_by_its_clip():
    found = np.abs(angles_from_rotation(predict(NODDER).rotation))
    assert found[:, 0].max() > 2.5
    assert found[60:-60, 1:].max() < 1.5  # yaw and roll are still in the clip, if not in chance


def test_an_old_style_has_a_sampled_head():
    old = replace(NODDER, contour=None)
    models = predictor()
    heard = models.unstyled(Recording(syllables(8.0)), FPS)
    rng = np.random.default_rng([0, person_of(old)])
    path = sample_head(models.networks.pose, heard.prosody, len(heard.voice), old, FPS, rng)
    found = head_path(predict(old))
    np.testing.assert_allclose(found[30:-30], path[30:-30], atol=1e-3)


def test_posture_holds_the_head_and_a_still_head_is_not_held():
    rows = [int(np.argmin(np.abs(NODDER.times - one.seconds))) for one in NODDER.references]
    pose = rotation_from_angles(np.array([0.0, 0.0, 4.0]))
    references = tuple(
        replace(one, rotation=NODDER.motion.rotation[row] @ pose)
        for one, row in zip(NODDER.references, rows, strict=True)
    )
    style = replace(NODDER, references=references)

    def roll(**controls):
        chosen = MotionControls(**controls)
        motion = predictor().predict(Recording(syllables(8.0)), style, fps=FPS, controls=chosen)
        return float(np.median(angles_from_rotation(motion.rotation)[60:-60, 2]))

    straight, held = roll(posture=0.0), roll(posture=1.0)
    assert held - straight == pytest.approx(4.0, abs=0.3)
    assert roll(posture=1.0, still=True) == roll(posture=1.0, pose=0.0) == 0


# ---- contours -------------------------------------------------------------------------------


def speaking(seconds=12.0):
    """Return a motion whose mouth moves in every second three seconds."""
    motion = performed_motion(seconds, opening=0.0, spread=dict.fromkeys(REGIONS, (0, 0, 0)))
    times = np.arange(len(motion)) / 30
    gape = (times % 6 < 3) * (0.5 - 0.5 * np.cos(2 * np.pi * 3 * times)) * 0.1
    landmarks = motion.landmarks.copy()
    landmarks[:, (65, 66, 67), 1] += gape[:, None].astype(np.float32)
    return motion.with_(landmarks=landmarks), times % 6 < 3


def test_a_mouth_tells_when_it_speaks():
    motion, speaks = speaking()
    contour = mouth_contour(motion)
    assert contour[speaks, VOICE].mean() > 0.85
    assert contour[~speaks, VOICE].mean() < 0.2
    opening = mouth_opening(motion.landmarks + motion.neutral)
    assert np.corrcoef(contour[:, ENERGY], opening)[0, 1] > 0.8
    assert contour[:, STRESS].max() > 0.3


def test_the_sound_is_believed_where_it_has_a_voice():
    motion, _ = speaking()
    seconds = np.arange(len(motion)) / 30
    times = np.arange(720) / 60
    late = times > 6
    contour, heard = clip_contour(motion, seconds, late.astype(float), np.where(late, -20.0, -90.0))
    assert heard
    assert contour[seconds > 6.5, VOICE].min() > 0.9
    assert contour[seconds < 5.5, VOICE].max() < 0.1
    silent, heard = clip_contour(motion, seconds, np.zeros(720), np.full(720, -20.0))
    assert not heard
    np.testing.assert_array_equal(silent, mouth_contour(motion))
