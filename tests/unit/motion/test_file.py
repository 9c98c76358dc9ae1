import re
import zipfile
from fractions import Fraction

import numpy as np
import pytest

from stylehead.errors import MediaError, StyleError
from stylehead.face.geometry import angles_from_rotation
from stylehead.motion.file import FIELDS, load_motion, save_motion
from stylehead.motion.finishing import at_rate
from tests.stand_ins.faces import performed_motion

ARRAYS = ("landmarks", "rotation", "translation", "blink", "neutral")


def written(path, **changes):
    """Write a good motion file with some fields replaced; None leaves one out."""
    motion = performed_motion(0.5)
    fields = {name: getattr(motion, name) for name in ARRAYS} | {"fps": np.array([30, 1])}
    fields |= changes
    np.savez(path, **{name: value for name, value in fields.items() if value is not None})
    return path


def slow_motion(seconds=4.0, fps=30):
    """A motion that any rate from 20 fps up can show."""
    return performed_motion(seconds, fps=fps, hertz=0.5, blinks=0, opening=0.05)


@pytest.mark.parametrize("fps", [Fraction(30), Fraction(30_000, 1001)])
def test_a_motion_comes_back_exactly(tmp_path, fps):
    motion = performed_motion(2.0).with_(fps=fps)
    save_motion(motion, tmp_path / "m.npz")
    back = load_motion(tmp_path / "m.npz")
    assert back.fps == fps
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(back, name), getattr(motion, name))


def test_a_file_holds_plain_arrays_under_the_documented_names(tmp_path):
    save_motion(performed_motion(0.5), tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {*FIELDS, "gaze"} == {*ARRAYS, "gaze", "fps"}


def test_eyes_look_straight_where_a_file_says_nothing_of_them(tmp_path):
    back = load_motion(written(tmp_path / "m.npz", gaze=None))
    np.testing.assert_array_equal(back.gaze, np.zeros((len(back), 2)))


def test_gaze_survives_file_and_rate(tmp_path):
    degrees = np.linspace(-5, 5, 15)[:, None] * [1.0, 0.5]
    motion = performed_motion(0.5).with_(gaze=degrees.astype(np.float32))
    save_motion(motion, tmp_path / "m.npz")
    back = load_motion(tmp_path / "m.npz")
    np.testing.assert_array_equal(back.gaze, motion.gaze)
    np.testing.assert_allclose(at_rate(back, Fraction(60)).gaze[::2], degrees, atol=1e-5)


def test_a_file_gets_the_name_it_was_given(tmp_path):
    save_motion(performed_motion(0.5), tmp_path / "moves.anything")
    assert [path.name for path in tmp_path.iterdir()] == ["moves.anything"]


def test_a_missing_folder_is_a_media_error(tmp_path):
    with pytest.raises(MediaError, match="cannot be written"):
        save_motion(performed_motion(0.5), tmp_path / "nowhere" / "m.npz")


def test_double_precision_files_are_read_as_float32(tmp_path):
    blink = np.linspace(0, 1, 15)
    back = load_motion(written(tmp_path / "m.npz", blink=blink))
    assert back.blink.dtype == np.float32
    np.testing.assert_allclose(back.blink, blink, atol=1e-6)


@pytest.mark.parametrize("fps", [np.array(25), np.array([25]), np.array([50, 2])])
def test_fps_may_be_one_number_or_a_fraction(tmp_path, fps):
    assert load_motion(written(tmp_path / "m.npz", fps=fps)).fps == 25


def test_a_decimal_fps_is_not_cut_to_a_whole_number(tmp_path):
    path = written(tmp_path / "m.npz", fps=np.array(29.97))
    try:
        found = float(load_motion(path).fps)
    except StyleError:
        return  # refusing it is as good
    assert found == pytest.approx(29.97, abs=0.01)


# ---- files that cannot be used --------------------------------------------------------------


def refused(path, *words):
    with pytest.raises(StyleError) as caught:
        load_motion(path)
    assert str(path) in str(caught.value)
    assert caught.value.remedy
    for word in words:
        assert re.search(word, str(caught.value)), str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    refused(tmp_path / "none.npz", "does not exist")


def test_a_folder_is_not_a_motion(tmp_path):
    refused(tmp_path, "does not exist")


@pytest.mark.parametrize(
    "content", [b"", b"hello, not a motion", b"\x80\x04pickle?", b"PK\x03\x04" + b"\x00" * 40]
)
def test_a_file_of_something_else(tmp_path, content):
    (tmp_path / "m.npz").write_bytes(content)
    refused(tmp_path / "m.npz", "not a motion file, or is damaged")


def test_a_single_array_is_not_a_motion(tmp_path):
    with (tmp_path / "m.npz").open("wb") as file:
        np.save(file, np.zeros((3, 68, 3)))
    refused(tmp_path / "m.npz", "not a motion file")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_cut_short(tmp_path, share):
    path = tmp_path / "m.npz"
    save_motion(performed_motion(1.0), path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refused(path, "not a motion file, or is damaged")


@pytest.mark.parametrize("place", range(0, 100, 5))
def test_a_file_with_scrambled_bytes(tmp_path, place):
    path = tmp_path / "m.npz"
    save_motion(performed_motion(1.0), path)
    content = bytearray(path.read_bytes())
    at = place * (len(content) - 600) // 100  # the end only lists what came before
    content[at : at + 64] = bytes(range(255, 191, -1))
    path.write_bytes(content)
    refused(path)


def test_a_member_that_is_no_array(tmp_path):
    path = written(tmp_path / "m.npz", blink=None)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("blink.npy", "not an array")
    refused(path)


@pytest.mark.parametrize("name", FIELDS)
def test_a_missing_field_is_named(tmp_path, name):
    refused(written(tmp_path / "m.npz", **{name: None}), "lacks", name)


def test_all_missing_fields_are_named(tmp_path):
    refused(written(tmp_path / "m.npz", blink=None, fps=None), "lacks", "blink", "fps")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("landmarks", np.zeros((15, 204))),
        ("rotation", np.zeros((14, 3, 3))),
        ("translation", np.zeros((15, 2))),
        ("blink", np.zeros((15, 1))),
        ("neutral", np.zeros((478, 3))),
    ],
)
def test_a_misshapen_field_is_named_with_both_shapes(tmp_path, name, value):
    path = written(tmp_path / "m.npz", **{name: value})
    refused(path, "not a usable motion", name, re.escape(str(value.shape)), "expected")


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_field_that_is_not_finite_is_named(tmp_path, name, bad):
    values = getattr(performed_motion(0.5), name).copy()
    values.flat[1] = bad
    refused(written(tmp_path / "m.npz", **{name: values}), "not a usable motion", name)


@pytest.mark.parametrize(
    "fps", [[0, 1], [-30, 1], [30, 0], [30, 1, 1], [np.nan], [np.inf], ["fast"], []], ids=str
)
def test_a_rate_that_is_none_is_refused(tmp_path, fps):
    refused(written(tmp_path / "m.npz", fps=np.array(fps)), "not a usable motion")


def test_a_motion_without_frames_is_refused(tmp_path):
    empty = {name: getattr(performed_motion(0.5), name)[:0] for name in (*ARRAYS[:4], "gaze")}
    refused(written(tmp_path / "m.npz", **empty), "not a usable motion", "length")


def test_words_instead_of_numbers_are_refused(tmp_path):
    refused(written(tmp_path / "m.npz", blink=np.array(["shut"] * 15)), "not a usable motion")


def test_pickled_objects_are_never_loaded(tmp_path):
    refused(written(tmp_path / "m.npz", blink=np.array([{}] * 15, object)))


# ---- another rate ---------------------------------------------------------------------------


def test_the_same_rate_is_the_same_motion():
    motion = slow_motion()
    assert at_rate(motion, Fraction(30)) is motion


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(60), Fraction(24_000, 1001)])
def test_another_rate_keeps_the_length(fps):
    moved = at_rate(slow_motion(), fps)
    assert moved.fps == fps
    assert moved.seconds == pytest.approx(4.0, abs=float(1 / fps))


@pytest.mark.parametrize("fps", [25, 50, 60])
def test_another_rate_follows_the_same_curve(fps):
    moved, known = at_rate(slow_motion(), Fraction(fps)), slow_motion(fps=fps)
    inside = slice(0, len(moved) - 3)  # the last frames have no neighbour to curve towards
    for name, atol in (("landmarks", 1e-3), ("translation", 1e-3), ("blink", 1e-6)):
        found, wanted = getattr(moved, name), getattr(known, name)
        np.testing.assert_allclose(found[inside], wanted[inside], atol=atol)
    angles = angles_from_rotation(moved.rotation) - angles_from_rotation(known.rotation)
    assert np.abs(angles[inside]).max() < 0.05


def test_a_curve_between_frames_is_not_cut_straight():
    sparse, dense = slow_motion(fps=20), slow_motion(fps=60)
    straight = np.interp(
        np.arange(len(dense)) / 60, np.arange(len(sparse)) / 20, sparse.translation[:, 0]
    )
    inside = slice(10, -10)
    cubic = at_rate(sparse, Fraction(60)).translation[:, 0]
    wanted = dense.translation[inside, 0]
    assert np.abs(cubic[inside] - wanted).max() < 0.2 * np.abs(straight[inside] - wanted).max()


def test_rotations_stay_rotations():
    turned = at_rate(performed_motion(3.0, degrees=(15, 30, 12), hertz=3.0), Fraction(60)).rotation
    np.testing.assert_allclose(np.linalg.det(turned), 1, atol=1e-5)
    products = turned @ np.swapaxes(turned, 1, 2)
    np.testing.assert_allclose(products, np.tile(np.eye(3), (len(turned), 1, 1)), atol=1e-5)


def test_a_single_frame_gets_the_asked_for_rate_too():
    still = performed_motion(1.0)
    still = still.with_(**{name: getattr(still, name)[:1] for name in (*ARRAYS[:4], "gaze")})
    moved = at_rate(still, Fraction(60))
    assert moved.fps == 60
    np.testing.assert_array_equal(moved.landmarks[0], still.landmarks[0])


def test_closure_stays_between_open_and_shut():
    motion = performed_motion(4.0, blinks=8)
    moved = at_rate(motion, Fraction(60))
    assert moved.blink.min() == 0
    assert moved.blink.max() == motion.blink.max()


# ---- by somebody who means harm -------------------------------------------------------------


def promising(path, name, shape):
    """Write a motion whose array `name` says in its header that it has a shape."""
    written(path)
    with zipfile.ZipFile(path) as archive:
        arrays = {each: archive.read(each) for each in archive.namelist()}
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape!r}, }}\n".encode()
    arrays[f"{name}.npy"] = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in arrays.items():
            archive.writestr(each, content)
    return path


@pytest.mark.parametrize("shape", [(10**12, 68, 3), (10**9, 3), (2**62, 2**62), (-1, 3)])
def test_memory_is_taken_for_what_is_there_not_for_what_a_header_says(tmp_path, shape, monkeypatch):
    path = promising(tmp_path / "m.npz", "landmarks", shape)
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(StyleError, match="is not a motion file, or is damaged"):
        load_motion(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"landmarks": np.full((15, 68, 3), 1e30)}, "landmarks holds numbers beyond"),
        ({"translation": np.full((15, 3), -1e5)}, "translation holds numbers beyond"),
        ({"blink": np.array(["1e9999999"] * 15)}, "blink holds no numbers"),
        ({"fps": np.array(["1e9999999"])}, "fps is not one or two numbers"),
        ({"fps": np.array([10**12, 1])}, "fps is not above 0 and at most"),
        ({"fps": np.array([1, 1000])}, "its length"),
        ({"blink": np.float32(0)}, "blink"),
        ({"landmarks": np.float32(0)}, "landmarks has shape ()"),
    ],
)
def test_a_motion_is_bounded_in_every_dimension(tmp_path, changes, said):
    with pytest.raises(StyleError, match=re.escape(said)):
        load_motion(written(tmp_path / "m.npz", **changes))
