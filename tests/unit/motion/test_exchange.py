"""Motions in the formats of other programs, read by readers that share nothing with the writers."""

from __future__ import annotations

import csv
import itertools
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pygltflib
import pytest
from mediapipe.tasks.python.vision.face_landmarker import Blendshapes
from scipy.optimize import lsq_linear
from scipy.spatial.transform import Rotation

from stylehead.errors import ConfigError, StyleError
from stylehead.face.face_model import FaceModel, generic_neutral
from stylehead.face.geometry import rotation_from_angles
from stylehead.face.landmarks import mouth_opening
from stylehead.motion.exchange import shapes
from stylehead.motion.exchange.livelink import head_angles, head_rotation, timecode
from stylehead.motion.exchange.table import rate
from stylehead.motion.file import format_of, load_motion, save_motion
from stylehead.options.choices import MotionFormat
from stylehead.style.file import load_style
from stylehead.weights.store import asset
from tests.stand_ins.faces import performed_motion

BUILT_IN = sorted(asset("styles").glob("*.style"))
RECORDED = (
    "Timecode,BlendshapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,"
    "EyeLookUpLeft,EyeSquintLeft,EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,"
    "EyeLookOutRight,EyeLookUpRight,EyeSquintRight,EyeWideRight,JawForward,JawRight,JawLeft,"
    "JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,MouthSmileLeft,"
    "MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,"
    "MouthStretchLeft,MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,"
    "MouthShrugUpper,MouthPressLeft,MouthPressRight,MouthLowerDownLeft,MouthLowerDownRight,"
    "MouthUpperUpLeft,MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,BrowOuterUpLeft,"
    "BrowOuterUpRight,CheekPuff,CheekSquintLeft,CheekSquintRight,NoseSneerLeft,NoseSneerRight,"
    "TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,"
    "RightEyePitch,RightEyeRoll"
)
"""The first line of takes that the app has recorded."""
INNER = (78, 82, 13, 312, 308, 317, 14, 87)  # the tracker's vertices at landmarks 60 to 67
ROWS = {  # the tracker's own names -> rows of its scores
    "".join(word.capitalize() for word in shape.name.split("_")): shape.value
    for shape in Blendshapes
}


def columns(path: Path) -> dict[str, Any]:
    """Read a table as any script would: column -> its cells."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [row[name] for row in rows] for name in rows[0]}


def driven_opening(take):
    """Return the inner lips' opening (T,) of the face model, driven by a take's columns."""
    model = FaceModel.embedded()
    mesh = np.tile(model.mean.ravel(), (len(take["Timecode"]), 1))
    for name, cells in take.items():
        if name in ROWS:
            mesh += np.outer(np.array(cells, float), model.basis[ROWS[name]])
    lips = mesh.reshape(-1, 478, 3)[:, INNER]
    pairs = ((1, 7), (2, 6), (3, 5))
    return np.mean([np.linalg.norm(lips[:, a] - lips[:, b], axis=1) for a, b in pairs], axis=0)


def agreement(wanted, found):
    """Return correlation, gain and share of the variance of one curve in another."""
    left = np.square(found - wanted).sum() / np.square(wanted - wanted.mean()).sum()
    return np.corrcoef(wanted, found)[0, 1], np.polyfit(wanted, found, 1)[0], 1 - left


def take_of(motion, path):
    save_motion(motion, path, MotionFormat.LIVELINK)
    return columns(path)


# ---- Live Link ------------------------------------------------------------------------------


def test_a_take_has_the_header_of_recorded_ones(tmp_path):
    save_motion(performed_motion(0.5), tmp_path / "t.csv", MotionFormat.LIVELINK)
    first, second, *rest = (tmp_path / "t.csv").read_text().splitlines()
    assert first == RECORDED
    assert len(rest) == 14
    cells = second.split(",")
    assert cells[:2] == ["00:00:00:00.000", "61"]
    assert all(len(cell.split(".")[1]) == 10 for cell in cells[2:])


@pytest.mark.parametrize("style", BUILT_IN, ids=lambda path: path.stem)
def test_a_take_drives_the_face_model_as_the_motion_does(style, tmp_path):
    motion = load_style(style).motion[:300]
    take = take_of(motion, tmp_path / "t.csv")
    wanted = mouth_opening(generic_neutral() + motion.landmarks)
    r, gain, share = agreement(wanted, driven_opening(take))
    assert r >= 0.99
    assert 0.9 <= gain <= 1.1
    assert share >= 0.93
    for side in ("Left", "Right"):
        np.testing.assert_allclose(
            np.array(take[f"EyeBlink{side}"], float), motion.blink, atol=1e-3
        )
    weights = np.array([take[name] for name in shapes.SHAPES], float)
    assert 0 <= weights.min() < weights.max() <= 1
    for name in ("TongueOut", "CheekPuff", "MouthClose"):
        assert not np.array(take[name], float).any()


def test_weights_are_the_bounded_least_squares():
    motion = load_style(BUILT_IN[0]).motion[:40]
    fit = shapes._fit()
    found = fit.solve(motion.landmarks)
    root = np.linalg.cholesky(fit.gram).T
    for row in (0, 17, 39):
        wanted = np.linalg.solve(root.T, motion.landmarks[row].ravel() @ fit.projection)
        best = lsq_linear(root, wanted, (0, fit.sizes), tol=1e-12).x / fit.sizes
        np.testing.assert_allclose(found[row], best, atol=2e-3)


def test_rows_of_the_basis_are_the_trackers():
    assert shapes.rows_of_basis() == {
        name: ROWS[name] for name in shapes.SHAPES if name in shapes.rows_of_basis()
    }
    assert len(shapes.SHAPES) == len(set(shapes.SHAPES)) == 52
    assert set(shapes.SHAPES) == {*ROWS, "TongueOut"} - {"Neutral"}


@pytest.mark.parametrize(
    ("frame", "fps", "text"),
    [
        (0, Fraction(30), "00:00:00:00.000"),
        (1, Fraction(30), "00:00:00:02.000"),
        (29, Fraction(30), "00:00:00:58.000"),
        (1, Fraction(25), "00:00:00:02.400"),
        (30, Fraction(30_000, 1001), "00:00:01:00.060"),
        (25 * 3725, Fraction(25), "01:02:05:00.000"),
    ],
)
def test_a_timecode_counts_sixtieths(frame, fps, text):
    assert timecode(frame, fps) == text


NOSE, TOP = np.array([0, 0, -1.0]), np.array([0, -1.0, 0])


@pytest.mark.parametrize(
    ("angles", "point", "axis", "sign"),
    [
        ((0.2, 0, 0), NOSE, 0, -1),  # yaw to the subject's right, the picture's left
        ((0, 0.2, 0), NOSE, 1, -1),  # pitch up
        ((0, 0, 0.2), TOP, 0, 1),  # roll clockwise in the picture
    ],
)
def test_head_angles_go_the_ways_that_are_documented(angles, point, axis, sign):
    moved = point @ head_rotation(np.array([angles]))[0]
    assert moved[axis] == pytest.approx(sign * math.sin(0.2), abs=1e-6)


def test_roll_comes_last_and_pitch_first():
    yaw, pitch, roll = 0.4, -0.3, 0.5
    turns = [
        Rotation.from_rotvec(angle * np.eye(3)[axis]).as_matrix()
        for axis, angle in ((2, roll), (1, yaw), (0, -pitch))
    ]
    found = head_rotation(np.array([[yaw, pitch, roll]]))[0]
    np.testing.assert_allclose(found.T, turns[0] @ turns[1] @ turns[2], atol=1e-6)


def test_head_angles_come_back():
    angles = np.random.default_rng(0).uniform(-0.7, 0.7, (50, 3))
    np.testing.assert_allclose(head_angles(head_rotation(angles)), angles, atol=1e-5)
    turned = rotation_from_angles(np.random.default_rng(1).uniform(-40, 40, (50, 3)))
    np.testing.assert_allclose(head_rotation(head_angles(turned)), turned, atol=1e-5)


def test_an_eye_that_looks_to_the_subjects_left_and_up_has_the_columns_of_recorded_ones(tmp_path):
    gaze = np.tile(np.float32([10, -8]), (15, 1))  # degrees to image right and down
    take = take_of(performed_motion(0.5).with_(gaze=gaze), tmp_path / "t.csv")
    value = {name: float(cells[3]) for name, cells in take.items() if name not in ("Timecode",)}
    assert value["LeftEyeYaw"] == value["RightEyeYaw"] == pytest.approx(-math.radians(10))
    assert value["LeftEyePitch"] == value["RightEyePitch"] == pytest.approx(-math.radians(8))
    for seen in ("OutLeft", "InRight", "UpLeft", "UpRight"):
        assert 0.2 < value[f"EyeLook{seen}"] < 0.5
    for unseen in ("InLeft", "OutRight", "DownLeft", "DownRight"):
        assert value[f"EyeLook{unseen}"] == 0


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30), Fraction(30_000, 1001), Fraction(60)])
def test_a_take_comes_back(tmp_path, fps):
    gaze = np.random.default_rng(0).uniform(-9, 9, (45, 2)).astype(np.float32)
    motion = performed_motion(1.5).with_(fps=fps, gaze=gaze)
    save_motion(motion, tmp_path / "t.CSV", MotionFormat.LIVELINK)
    back = load_motion(tmp_path / "t.CSV")
    assert (back.fps, len(back)) == (fps, 45)
    np.testing.assert_allclose(back.rotation, motion.rotation, atol=1e-5)
    np.testing.assert_allclose(back.blink, motion.blink, atol=1e-6)
    np.testing.assert_allclose(back.gaze, motion.gaze, atol=1e-4)
    np.testing.assert_array_equal(back.neutral, generic_neutral())
    # What one take says, another that is made of it says again.
    save_motion(back, tmp_path / "u.csv", MotionFormat.LIVELINK)
    again = load_motion(tmp_path / "u.csv")
    assert mouth_opening(back.landmarks + back.neutral).std() > 0.01
    one, other = (mouth_opening(each.landmarks + each.neutral) for each in (back, again))
    np.testing.assert_allclose(one, other, atol=0.01)


def recorded(path, times, jaw, *, header=RECORDED, skip=()):
    """Write a take as a phone does, all at rest but the jaw; rows in `skip` hold no face."""
    names = header.split(",")
    lines = [header]
    for row, (time, value) in enumerate(zip(times, jaw, strict=True)):
        cells = dict.fromkeys(names, "0.0000000000")
        cells |= {names[0]: time, names[1]: "61", "JawOpen": f"{value:.10f}"}
        lines.append(f"{time},0" if row in skip else ",".join(cells.values()))
    path.write_text("\ufeff" + "\r\n".join(lines) + "\r\n\r\n")
    return path


def clock(seconds, counted=60):
    whole = int(seconds)
    hour = whole // 3600 % 24
    part = (seconds - whole) * counted
    return f"{hour:02}:{whole // 60 % 60:02}:{whole % 60:02}:{part:06.3f}"


def jaw_of(motion):
    return motion.landmarks[:, 8, 1] / (FaceModel.embedded().basis[25].reshape(478, 3)[152, 1])


@pytest.mark.parametrize("counted", [60, 30, 25])
def test_a_phones_take_is_read_whatever_its_timecode_counts(tmp_path, counted):
    start, frames = 12 * 3600 + 21 * 60 + 59.1, 75
    times = [clock(start + k / 25, counted) for k in range(frames)]
    jaw = 0.3 + 0.2 * np.sin(np.arange(frames) / 5)
    old = RECORDED.replace("BlendshapeCount", "BlendShapeCount")
    motion = load_motion(recorded(tmp_path / "p.csv", times, jaw, header=old))
    assert (len(motion), motion.fps) == (frames, 25)
    np.testing.assert_allclose(jaw_of(motion), jaw, atol=1e-4)


def test_rows_without_a_face_and_lost_rows_are_bridged_also_over_midnight(tmp_path):
    start, frames = 24 * 3600 - 1, 90
    jaw = np.linspace(0, 0.9, frames)
    kept = [k for k in range(frames) if not 40 <= k < 45]  # the phone was busy
    times = [clock(start + k / 30) for k in kept]
    path = recorded(tmp_path / "p.csv", times, jaw[kept], skip={10, 11, 12})
    motion = load_motion(path)
    assert (len(motion), motion.fps) == (frames, 30)
    np.testing.assert_allclose(jaw_of(motion), jaw, atol=1e-4)


# ---- plain tables ---------------------------------------------------------------------------


def test_a_plain_table_holds_points_on_the_generic_face(tmp_path):
    motion = performed_motion(0.5)
    save_motion(motion, tmp_path / "m.csv", MotionFormat.CSV)
    table = columns(tmp_path / "m.csv")
    points = [[table[f"{axis}{point}"] for axis in "xyz"] for point in (8, 62)]
    wanted = (motion.landmarks + generic_neutral())[:, [8, 62]]
    np.testing.assert_allclose(np.array(points, float).transpose(2, 0, 1), wanted, atol=1e-6)
    np.testing.assert_allclose(np.array(table["seconds"], float), np.arange(15) / 30, atol=1e-6)


@pytest.mark.parametrize("fps", [Fraction(10), Fraction(24_000, 1001), Fraction(30)])
def test_a_plain_table_comes_back(tmp_path, fps):
    gaze = np.random.default_rng(0).uniform(-9, 9, (60, 2)).astype(np.float32)
    motion = performed_motion(2.0).with_(fps=fps, gaze=gaze)
    save_motion(motion, tmp_path / "m.csv", MotionFormat.CSV)
    back = load_motion(tmp_path / "m.csv")
    assert back.fps == fps
    for name in ("landmarks", "rotation", "translation", "blink", "gaze"):
        np.testing.assert_allclose(getattr(back, name), getattr(motion, name), atol=1e-5)


@pytest.mark.parametrize(
    ("measured", "meant"),
    [
        (29.9998, Fraction(30)),
        (29.9695, Fraction(30_000, 1001)),
        (23.977, Fraction(24_000, 1001)),
        (12.5, Fraction(25, 2)),
        (0.4, Fraction(2, 5)),
    ],
)
def test_a_measured_rate_is_the_one_that_was_meant(measured, meant):
    assert rate(measured) == meant


# ---- refusals -------------------------------------------------------------------------------


def spoilt(path, kind, change):
    """Write a good table of two seconds with one change: (line from 1, column, cell) or a text."""
    save_motion(performed_motion(2.0), path, kind)
    text = path.read_text()
    if not isinstance(change, tuple):
        changed: str = change(text)
        path.write_bytes(changed.encode("latin-1"))
        return
    line, column, cell = change
    rows = [row.split(",") for row in text.splitlines()]
    rows[line - 1][rows[0].index(column)] = cell
    path.write_text("\n".join(",".join(row) for row in rows))


TAKE, PLAIN = MotionFormat.LIVELINK, MotionFormat.CSV


@pytest.mark.parametrize(
    ("kind", "change", "line", "reason"),
    [
        (TAKE, (7, "JawOpen", "wide"), 7, "JawOpen is 'wide', not a number"),
        (TAKE, (7, "JawOpen", "nan"), 7, "JawOpen is 'nan'"),
        (TAKE, (7, "JawOpen", "37"), 7, "JawOpen is 37, and weights go from 0 to 1"),
        (TAKE, (9, "HeadYaw", "-20"), 9, "HeadYaw is -20, and angles are in radians"),
        (TAKE, (5, "Timecode", "0.13"), 5, "'0.13' is not a timecode HH:MM:SS:FF.mmm"),
        (TAKE, (5, "Timecode", "00:00:00:71.0"), 5, "a second has 60 frames at most"),
        (TAKE, (5, "Timecode", "00:00:00:01.0"), 5, "its timecode is not after the one before"),
        (TAKE, (1, "JawOpen", "Jaw"), 1, "it lacks JawOpen"),
        (TAKE, lambda text: text[:9000], 11, "columns instead of 63"),
        (TAKE, lambda text: text.splitlines()[0], 2, "no row before it holds a face"),
        (TAKE, lambda text: text.replace("00:00:00:04.000", "\xff"), 4, r"is not a timecode"),
        (PLAIN, (4, "y66", "inf"), 4, "y66 is 'inf'"),
        (PLAIN, (4, "blink", "1.5"), 4, "blink is 1.5"),
        (PLAIN, (4, "seconds", "0"), 4, "its time is not after the one before"),
        (PLAIN, (1, "gaze_down", "gaze"), 1, "it lacks gaze_down"),
        (PLAIN, (1, "seconds", "time"), 1, "neither Timecode nor seconds"),
        (PLAIN, lambda text: text.splitlines()[0], 2, "two frames at least"),
        (PLAIN, lambda text: "", 1, "neither Timecode nor seconds"),
    ],
)
def test_a_bad_table_is_refused_by_line(tmp_path, kind, change, line, reason):
    path = tmp_path / "bad.csv"
    spoilt(path, kind, change)
    with pytest.raises(StyleError) as caught:
        load_motion(path)
    said = str(caught.value)
    assert reason in said
    assert "\n" not in said
    assert str(path) in said
    assert line is None or f", line {line}: " in said
    assert "motion-exchange.md" in caught.value.remedy


@pytest.mark.parametrize(
    ("seconds", "said"), [((0, 90_000), "90000 seconds"), ((0, 0.001), "1000 frames a second")]
)
def test_a_table_of_too_much_time_or_too_little_is_refused(tmp_path, seconds, said):
    path = tmp_path / "m.csv"
    save_motion(performed_motion(0.5), path, PLAIN)
    head, row, *_ = path.read_text().splitlines()
    path.write_text("\n".join([head, *(f"{time}{row[8:]}" for time in seconds)]))
    with pytest.raises(StyleError, match=said):
        load_motion(path)


def test_an_ending_says_the_format_where_it_can(tmp_path):
    assert format_of(tmp_path / "a.npz") is MotionFormat.NPZ
    assert format_of(tmp_path / "a.GLB") is MotionFormat.GLTF
    with pytest.raises(ConfigError, match=r"could be livelink or csv") as caught:
        format_of(tmp_path / "a.csv")
    assert "--to livelink" in caught.value.remedy
    with pytest.raises(ConfigError, match=r"does not end in .npz or .csv or .glb"):
        format_of(tmp_path / "a.fbx")


# ---- glTF -----------------------------------------------------------------------------------


class Loaded:
    """A glTF file as pygltflib and the specification have it."""

    def __init__(self, path):
        self.file: Any = pygltflib.GLTF2().load(str(path))
        self.blob = self.file.binary_blob()
        (self.mesh,), (self.animation,) = self.file.meshes, self.file.animations
        (self.primitive,) = self.mesh.primitives

    def array(self, number):
        accessor = self.file.accessors[number]
        view = self.file.bufferViews[accessor.bufferView]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor.type]
        kind = {pygltflib.FLOAT: "<f4", pygltflib.UNSIGNED_SHORT: "<u2"}[accessor.componentType]
        values = np.frombuffer(self.blob, kind, accessor.count * width, view.byteOffset)
        assert values.nbytes == view.byteLength
        values = values.reshape(-1, width)
        if accessor.min:  # an empty list where the file says nothing
            np.testing.assert_allclose(values.min(0), accessor.min, atol=1e-6)
            np.testing.assert_allclose(values.max(0), accessor.max, atol=1e-6)
        return values

    def curve(self, path):
        """Return times and values of one channel of the animation."""
        (channel,) = [each for each in self.animation.channels if each.target.path == path]
        sampler = self.animation.samplers[channel.sampler]
        return self.array(sampler.input)[:, 0], self.array(sampler.output)


@pytest.fixture(scope="module")
def performed():
    return load_style(BUILT_IN[0]).motion[:90]


@pytest.fixture(scope="module")
def loaded(performed, tmp_path_factory):
    path = tmp_path_factory.mktemp("gltf") / "face.glb"
    save_motion(performed, path, MotionFormat.GLTF)
    return Loaded(path)


def test_a_gltf_file_has_named_morphs_that_move(loaded, performed):
    names = loaded.mesh.extras["targetNames"]
    targets = [loaded.array(target["POSITION"]) for target in loaded.primitive.targets]
    times, weights = loaded.curve("weights")
    weights = weights.reshape(len(performed), len(names))
    assert len(names) == len(targets) == len(loaded.mesh.weights) == 38
    assert {"jawOpen", "eyeBlinkLeft", "mouthSmileRight", "browInnerUp"} <= set(names)
    np.testing.assert_allclose(times, np.arange(len(performed)) / float(performed.fps), atol=1e-6)
    assert (np.ptp(weights, axis=0) > 0.02).sum() > 10
    assert np.ptp(weights[:, names.index("jawOpen")]) > 0.02
    assert min(np.abs(target).max() for target in targets) > 1e-4


def test_a_gltf_head_is_turned_and_moved_as_the_motions(loaded, performed):
    """In glTF's axes and metres: y up, z to the viewer."""
    flip = np.array([0.09, -0.09, -0.09])
    points = np.array([[0.3, -0.5, -0.2], [-0.4, 0.9, 0.1]])
    turns, places = loaded.curve("rotation")[1], loaded.curve("translation")[1]
    moved = (points * flip) @ Rotation.from_quat(turns).as_matrix().swapaxes(1, 2)
    wanted = (points @ performed.rotation + performed.translation[:, None]) * flip
    np.testing.assert_allclose(moved + places[:, None], wanted, atol=1e-6)
    assert np.ptp(wanted, axis=0).max() > 0.004
    assert np.einsum("tk,tk->t", turns[1:], turns[:-1]).min() > 0


def test_a_gltf_face_is_moved_as_the_motion_moves_landmarks(loaded, performed):
    base = loaded.array(loaded.primitive.attributes.POSITION)
    targets = np.stack([loaded.array(each["POSITION"]) for each in loaded.primitive.targets])
    weights = loaded.curve("weights")[1].reshape(len(performed), -1)
    meshes = base + np.tensordot(weights, targets, 1)
    wanted = (generic_neutral() + performed.landmarks) * [0.09, -0.09, -0.09]
    for vertex, point in zip((152, *INNER), (8, *range(60, 68)), strict=True):
        assert np.linalg.norm(meshes[:, vertex] - wanted[:, point], axis=1).max() < 0.005
    found, meant = (meshes[:, 13] - meshes[:, 14])[:, 1], (wanted[:, 62] - wanted[:, 66])[:, 1]
    r, gain, _ = agreement(meant, found)
    assert r > 0.97
    assert 0.8 < gain < 1.2


def test_a_gltf_face_looks_along_z_and_all_its_triangles_are_wound_alike(loaded):
    base = loaded.array(loaded.primitive.attributes.POSITION)
    triangles = loaded.array(loaded.primitive.indices).reshape(-1, 3)
    assert base[4, 2] > base[234, 2]  # the nose is in front of the cheek
    assert base[10, 1] > base[152, 1]  # the forehead above the chin
    edges = [tuple(t[[i, (i + 1) % 3]].tolist()) for t in triangles for i in range(3)]
    assert len(edges) == len(set(edges))
    a, b, c = (base[triangles[:, corner]] for corner in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).mean() > 0.9
    normals = loaded.array(loaded.primitive.attributes.NORMAL)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    assert normals[4, 2] > 0.7


def test_blinks_shut_the_eye_of_their_side(loaded):
    base = loaded.array(loaded.primitive.attributes.POSITION)
    names = loaded.mesh.extras["targetNames"]
    for side, upper, lower in (("Left", 386, 374), ("Right", 159, 145)):
        target = loaded.primitive.targets[names.index(f"eyeBlink{side}")]
        shut = base + loaded.array(target["POSITION"])
        gap, left = (np.linalg.norm(mesh[upper] - mesh[lower]) for mesh in (base, shut))
        assert left < 0.1 * gap
        others = [pair for pair in ((386, 374), (159, 145)) if pair != (upper, lower)]
        for one in itertools.chain(*others):
            np.testing.assert_array_equal(shut[one], base[one])
    assert base[386, 0] > base[159, 0]  # the subject's left is on the right
