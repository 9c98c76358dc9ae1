from fractions import Fraction

import numpy as np
import pytest

from stylehead.errors import FaceError
from stylehead.face.face_model import EXPRESSIVE, FaceModel
from stylehead.face.geometry import angles_from_rotation, mean_rotation, rotation_from_angles
from stylehead.face.landmarks import RIGID, eye_aspect, interocular, mouth_opening, to_68
from stylehead.face.performance import closure, neutral_frames, recover_performance
from stylehead.style.learn import blink_count
from tests.stand_ins.faces import face_track, mean_mesh, shut_lids, wave, without_face

FPS = 30
TIMES = np.arange(6 * FPS) / FPS
NODS = np.column_stack([4 * wave(TIMES, 0.4), 8 * wave(TIMES, 0.3, 1), 3 * wave(TIMES, 0.5, 2)])
SWAYS = np.column_stack([0.05 * wave(TIMES, 0.3), 0.03 * wave(TIMES, 0.4, 1), 0 * TIMES])


def talk(times=TIMES):
    """Landmark offsets (T, 68, 3) of a mouth that is shut for the first second, then talks."""
    gape = np.clip(times - 1, 0, 0.5) * 0.2 * (1 - np.cos(2 * np.pi * 2 * (times - 1)))
    offsets = np.zeros((len(times), 68, 3), np.float32)
    offsets[:, (65, 66, 67), 1] = gape[:, None]
    offsets[:, 55:60, 1] = 0.9 * gape[:, None]
    offsets[:, 48, 0], offsets[:, 54, 0] = 0.2 * gape, -0.2 * gape
    return offsets


def scores(offsets):
    """Expression scores that go with the offsets: quiet where the face rests."""
    out = np.zeros((len(offsets), 52), np.float32)
    out[:, EXPRESSIVE] = np.abs(offsets).sum((1, 2))[:, None] / 10
    return out


def heads(offsets):
    return mean_mesh() + FaceModel.embedded().mesh_offsets(offsets)


def filmed(offsets=None, *, blink=None, **how):
    offsets = talk() if offsets is None else offsets
    faces = heads(offsets)
    if blink is not None:
        faces = shut_lids(faces, blink)
    return face_track(faces, expression=scores(offsets), **how)


def pulses(centres, times=TIMES):
    return np.max([1 - np.abs(times - centre) / 0.12 for centre in centres], axis=0).clip(0, 1)


def motion(track, fps=FPS):
    return recover_performance(track).motion(Fraction(fps))[0]


def looking(aside, blink=None):
    """Film a face whose irises turn aside by degrees (T, 2), head nodding."""
    faces = heads(talk())
    turn = 0.13 * np.sin(np.radians(aside))
    faces[:, 468:478, :2] += turn[:, None]
    if blink is not None:
        faces = shut_lids(faces, blink)
    return face_track(faces, expression=scores(talk()), angles=NODS)


def test_gaze_is_recovered_in_a_head_that_moves():
    aside = np.zeros((len(TIMES), 2))
    aside[60:80, 0], aside[110:130, 1] = 8.0, -5.0
    found = motion(looking(aside)).gaze
    np.testing.assert_allclose(found[64:76, 0], 8.0, atol=0.8)
    np.testing.assert_allclose(found[114:126, 1], -5.0, atol=0.8)
    np.testing.assert_allclose(found[30:50], 0.0, atol=0.5)


def test_a_lid_that_shuts_is_no_glance():
    aside, blink = np.zeros((len(TIMES), 2)), pulses([2.0, 4.0])
    hidden = aside.copy()
    hidden[blink > 0.6, 1] = 20.0  # what trackers make of an iris behind a lid
    found = motion(looking(hidden, blink)).gaze
    assert np.abs(found[:, 1]).max() < 2


def test_offsets_are_recovered():
    found = motion(filmed(angles=NODS, place=SWAYS)).landmarks
    known = talk()
    np.testing.assert_allclose(found, known, atol=0.012)
    opening = to_68(mean_mesh())
    curves = [mouth_opening(opening + offsets) for offsets in (found, known)]
    assert np.corrcoef(curves[0], curves[1])[0, 1] > 0.99


def test_the_neutral_is_the_quiet_face_in_head_space():
    neutral = motion(filmed(angles=NODS)).neutral
    np.testing.assert_allclose(neutral, to_68(mean_mesh()), atol=0.01)
    np.testing.assert_allclose(neutral[list(RIGID)].mean(0), 0, atol=1e-3)
    assert interocular(neutral) == pytest.approx(1, abs=1e-3)


def test_expression_does_not_depend_on_pose():
    still, moving = motion(filmed()), motion(filmed(angles=NODS, place=SWAYS))
    np.testing.assert_allclose(moving.landmarks, still.landmarks, atol=0.006)


def test_expression_does_not_depend_on_the_pictures_size():
    small, large = motion(filmed(scale=60.0)), motion(filmed(scale=900.0, centre=(1000, 700)))
    np.testing.assert_allclose(small.landmarks, large.landmarks, atol=1e-3)


def test_rotation_is_measured_from_the_persons_own_rest():
    leaning = NODS + np.array([10.0, -12.0, 6.0])
    known = rotation_from_angles(leaning)
    rest = mean_rotation(known)
    found = motion(filmed(angles=leaning)).rotation
    # In the order of `image = head @ rotation`: first the motion, then the rest pose.
    error = angles_from_rotation((found @ rest) @ np.swapaxes(known, 1, 2))
    assert np.abs(error).max() < 0.6
    assert np.abs(angles_from_rotation(mean_rotation(found))).max() < 0.1


def test_a_head_that_keeps_still_has_no_rotation():
    found = motion(filmed(angles=np.tile([5.0, 20.0, -8.0], (len(TIMES), 1))))
    assert np.abs(angles_from_rotation(found.rotation)).max() < 0.3


def test_displacement_is_in_head_units_about_its_mean():
    found = motion(filmed(place=SWAYS, scale=170.0)).translation
    known = SWAYS - SWAYS.mean(0)
    np.testing.assert_allclose(found[:, :2], known[:, :2], atol=0.01)


def test_a_head_that_comes_nearer_moves_towards_the_camera():
    growing = 200 * (1 + 0.1 * TIMES / TIMES[-1])
    depth = motion(filmed(scale=growing)).translation[:, 2]
    assert (np.diff(depth[5:-5]) < 0).all()  # z points away from the camera
    assert np.ptp(depth) > 0.5


def test_blinks_are_counted():
    found = motion(filmed(blink=pulses([1.2, 2.9, 4.6])))
    assert blink_count(found.blink) == 3
    assert found.blink.max() > 0.8
    assert found.blink[round(2.2 * FPS)] < 0.2


def test_blinks_are_no_expression():
    blinking, awake = motion(filmed(blink=pulses([1.2, 2.9, 4.6]))), motion(filmed())
    np.testing.assert_allclose(blinking.landmarks[:, 36:48], awake.landmarks[:, 36:48], atol=0.02)


def test_blinks_do_not_move_the_head():
    found = motion(filmed(blink=pulses([1.2, 2.9, 4.6])))
    assert np.abs(angles_from_rotation(found.rotation)).max() < 0.5


def test_narrowed_eyes_are_no_blink():
    narrowed = 0.5 * np.interp(TIMES, [2.3, 2.5, 4.5, 4.7], [0, 1, 1, 0])
    assert blink_count(motion(filmed(blink=narrowed)).blink) == 0


def test_closure_compares_with_its_own_surroundings():
    aspect = np.concatenate([np.full(90, 0.30), np.full(90, 0.18)]).astype(np.float32)
    aspect[40:43] = 0.05
    aspect[140:143] = 0.04
    found = closure(aspect, np.arange(180) / 30)
    assert found.dtype == np.float32
    assert found[41] > 0.9
    assert found[141] > 0.9
    assert found[10:35].max() < 0.1
    assert found[150:175].max() < 0.1


@pytest.mark.parametrize("gap", [slice(40, 46), slice(0, 5), slice(-5, None)])
def test_gaps_are_bridged(gap):
    seen = filmed(angles=NODS, place=SWAYS)
    whole, bridged = motion(seen), motion(without_face(seen, gap))
    assert len(bridged) == len(whole)
    assert np.isfinite(bridged.landmarks).all()
    assert np.isfinite(bridged.rotation).all()
    away = np.ones(len(whole), bool)
    away[gap] = False
    away = np.convolve(away, np.ones(9), "same") == np.convolve(
        np.ones(len(away)), np.ones(9), "same"
    )
    np.testing.assert_allclose(bridged.landmarks[away], whole.landmarks[away], atol=0.01)


def test_a_gap_is_bridged_by_a_straight_line():
    angles = np.column_stack([0 * TIMES, 3 * TIMES, 0 * TIMES])
    yaw = angles_from_rotation(motion(without_face(filmed(angles=angles), slice(60, 90))).rotation)
    np.testing.assert_allclose(np.diff(yaw[55:95, 1]), 3 / FPS, atol=0.05)


def test_variable_frame_times_are_honoured():
    rng = np.random.default_rng(0)
    seconds = np.sort(TIMES + rng.uniform(-0.008, 0.008, len(TIMES)))
    seconds[0], seconds[-1] = TIMES[0], TIMES[-1]
    faces = heads(talk(seconds))
    track = face_track(faces, expression=scores(talk(seconds)), seconds=seconds)
    np.testing.assert_allclose(motion(track).landmarks, talk(), atol=0.02)


@pytest.mark.parametrize("fps", [25, 60])
def test_a_motion_may_have_any_rate(fps):
    found, times = recover_performance(filmed(angles=NODS)).motion(Fraction(fps))
    assert found.fps == fps
    assert found.seconds == pytest.approx(6.0, abs=0.1)
    assert times.shape == (len(found),)
    np.testing.assert_allclose(np.diff(times), 1 / fps, atol=1e-4)
    np.testing.assert_allclose(found.landmarks, talk(times), atol=0.02)


def test_times_are_those_of_the_clip():
    _, times = recover_performance(filmed(seconds=TIMES + 3.2)).motion(Fraction(30))
    assert times[0] == pytest.approx(3.2)
    assert times[-1] == pytest.approx(3.2 + TIMES[-1], abs=0.05)


def test_trembling_of_the_tracker_is_smoothed():
    rng = np.random.default_rng(0)
    seen = filmed()
    noisy = type(seen)(
        seen.mesh + rng.normal(scale=1.0, size=seen.mesh.shape).astype(np.float32),
        seen.expression, seen.sharpness, seen.seconds, seen.cuts, seen.size,
    )  # fmt: skip
    performance = recover_performance(noisy)
    error = to_68(performance.mesh - performance.neutral) - talk()
    assert error.std() < 0.8 / 200  # of one pixel of noise in a face of 200


def test_the_mesh_keeps_the_persons_own_shape():
    wide = mean_mesh() * np.array([1.0, 1.15, 1.0], np.float32)
    offsets = talk()
    track = face_track(
        wide + FaceModel.embedded().mesh_offsets(offsets), expression=scores(offsets), angles=NODS
    )
    found = to_68(recover_performance(track).neutral)
    height = found[8, 1] - found[27, 1]
    assert height == pytest.approx(
        1.15 * (to_68(mean_mesh())[8, 1] - to_68(mean_mesh())[27, 1]), rel=0.02
    )


@pytest.mark.parametrize("seen", [0, 1, 4])
def test_too_few_faces_are_an_error_with_a_remedy(seen):
    track = without_face(filmed(), slice(seen, None))
    with pytest.raises(FaceError, match=str(seen)) as caught:
        recover_performance(track)
    assert caught.value.remedy


@pytest.mark.parametrize("frames", [5, 6, 9])
def test_a_very_short_clip_is_enough(frames):
    found = motion(filmed(talk()[:frames]))
    assert len(found) >= frames - 1
    assert np.isfinite(found.landmarks).all()


def test_the_neutral_is_made_of_calm_frames_with_the_mouth_shut():
    opening = np.full(100, 0.2, np.float32)
    opening[10:40] = 0.01
    expression = np.zeros((100, 52), np.float32)
    expression[:, EXPRESSIVE[0]] = 1
    expression[20:31, EXPRESSIVE[0]] = np.linspace(0, 0.1, 11)
    expression[50:60, EXPRESSIVE[0]] = 0  # calm, but with the mouth open
    expression[10:20, 9] = -5  # a blink score is no expression
    found = sorted(neutral_frames(expression, opening).tolist())
    assert len(found) >= 5
    assert found == list(range(20, 20 + len(found)))


def test_no_frame_in_a_blink_makes_the_neutral():
    """Eyes that open again would look startled."""
    expression, opening = np.zeros((100, 52), np.float32), np.full(100, 0.2, np.float32)
    opening[10:40] = 0.01
    expression[:, EXPRESSIVE[0]] = 1
    expression[20:30, EXPRESSIVE[0]] = 0
    eyes = np.full(100, 0.3, np.float32)
    eyes[20:30] = 0.1
    found = set(neutral_frames(expression, opening, eyes))
    assert found <= {*range(10, 20), *range(30, 40)}
    assert set(neutral_frames(expression, opening)) <= set(range(20, 30))


def test_even_one_frame_has_a_neutral():
    assert len(neutral_frames(np.zeros((1, 52), np.float32), np.zeros(1, np.float32))) == 1


def test_capturing_twice_gives_the_same_numbers():
    track = filmed(angles=NODS, place=SWAYS, blink=pulses([2.0]))
    before = track.mesh.copy()
    one, two = recover_performance(track), recover_performance(track)
    np.testing.assert_array_equal(one.mesh, two.mesh)
    np.testing.assert_array_equal(one.blink, two.blink)
    np.testing.assert_array_equal(track.mesh, before)


def test_the_stand_in_blinks_shut_the_eyes():
    shut = shut_lids(mean_mesh()[None], np.ones(1))
    assert eye_aspect(to_68(shut))[0] < 0.35 * eye_aspect(to_68(mean_mesh()))
