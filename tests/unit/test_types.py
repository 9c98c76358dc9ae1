from fractions import Fraction

import numpy as np
import pytest

from stylehead.types import TEMPLATES, FaceTrack, Frame, Motion, Style, check_shape
from tests.stand_ins.faces import make_style, performed_motion


def fields(frames=4):
    return {
        "landmarks": np.zeros((frames, 68, 3), np.float32),
        "rotation": np.tile(np.eye(3, dtype=np.float32), (frames, 1, 1)),
        "translation": np.zeros((frames, 3), np.float32),
        "blink": np.zeros(frames, np.float32),
        "fps": Fraction(30),
        "neutral": np.zeros((68, 3), np.float32),
    }


def test_check_shape_takes_any_length_for_none():
    check_shape("x", np.zeros((7, 3)), (None, 3))


@pytest.mark.parametrize("shape", [(7, 3, 1), (7, 4), (3,), ()])
def test_check_shape_names_the_array_and_both_shapes(shape):
    with pytest.raises(ValueError, match="offsets has shape") as caught:
        check_shape("offsets", np.zeros(shape), (7, 3))
    assert str(shape) in str(caught.value)
    assert "(7, 3)" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("landmarks", np.zeros((4, 67, 3))),
        ("landmarks", np.zeros((4, 204))),
        ("rotation", np.zeros((4, 3))),
        ("rotation", np.zeros((5, 3, 3))),
        ("translation", np.zeros((4, 2))),
        ("blink", np.zeros((4, 1))),
        ("blink", np.zeros(3)),
        ("neutral", np.zeros((478, 3))),
    ],
)
def test_a_misshapen_motion_is_refused_by_name(name, bad):
    with pytest.raises(ValueError, match=f"{name} has shape"):
        Motion(**fields() | {name: bad})


def test_a_motion_knows_its_length():
    motion = Motion(**fields(45))
    assert len(motion) == 45
    assert motion.seconds == pytest.approx(1.5)


def test_a_changed_motion_is_a_checked_copy():
    motion = Motion(**fields())
    changed = motion.with_(fps=Fraction(25))
    assert (motion.fps, changed.fps) == (30, 25)
    assert changed.landmarks is motion.landmarks
    with pytest.raises(ValueError, match="blink"):
        motion.with_(blink=np.zeros(9, np.float32))


def test_the_parts_of_a_motion_join_to_the_whole():
    motion = performed_motion(4.0)
    joined = Motion.joined([motion[:50], motion[50:]])
    assert (len(motion[:50]), len(joined), joined.fps) == (50, len(motion), motion.fps)
    for name in ("landmarks", "rotation", "translation", "blink", "gaze", "neutral"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(motion, name))


def test_motions_at_different_rates_are_not_joined():
    with pytest.raises(ValueError, match="different frame rates"):
        Motion.joined([performed_motion(2.0), performed_motion(2.0, fps=25)])


@pytest.mark.parametrize("rows", [slice(1, 3), np.array([1, 2]), np.array([0, 1, 1, 0], bool)])
def test_the_rows_of_a_track_are_a_track(rows):
    numbers = np.arange(4.0)
    track = FaceTrack(
        np.zeros((4, 478, 3)) + numbers[:, None, None],
        np.zeros((4, 52)) + numbers[:, None],
        numbers,
        numbers,
        numbers > 1,
        (64, 48),
    )
    part = track[rows]
    assert part.size == track.size
    for name in ("mesh", "expression", "sharpness", "seconds", "cuts"):
        np.testing.assert_array_equal(getattr(part, name), getattr(track, name)[1:3])


def test_values_are_frozen():
    motion = Motion(**fields())
    with pytest.raises(AttributeError):
        motion.fps = Fraction(25)  # pyright: ignore[reportAttributeAccessIssue] (what is tested)


def test_repr_prints_shapes_and_not_numbers():
    shown = repr(Motion(**fields(1234)))
    assert "landmarks=float32[1234, 68, 3]" in shown
    assert "fps=Fraction(30, 1)" in shown
    assert "array(" not in shown
    assert len(shown) < 400
    frame = Frame(np.zeros((8, 9, 3), np.uint8), 1.5)
    assert repr(frame) == "Frame(pixels=uint8[8, 9, 3], seconds=1.5)"


def test_repr_of_a_style_stays_readable():
    shown = repr(make_style(performed_motion(2.0)))
    assert "array(" not in shown
    assert "StyleReference(template='O'" in shown


def test_a_style_has_the_four_references_in_order():
    style = make_style(performed_motion(2.0))
    with pytest.raises(ValueError, match="references"):
        Style("x", style.references[:3], style.motion, style.times)
    with pytest.raises(ValueError, match="references"):
        Style("x", style.references[::-1], style.motion, style.times)
    assert TEMPLATES == ("none", "M", "R", "O")


def test_a_style_has_a_time_for_each_row():
    style = make_style(performed_motion(2.0))
    with pytest.raises(ValueError, match="times"):
        Style("x", style.references, style.motion, style.times[:-1])


def test_a_track_has_found_a_face_where_its_mesh_is_a_number():
    mesh = np.zeros((3, 478, 3), np.float32)
    mesh[1] = np.nan
    rest = np.zeros(3)
    track = FaceTrack(mesh, np.zeros((3, 52)), rest, rest, rest.astype(bool), (640, 480))
    assert track.found.tolist() == [True, False, True]
