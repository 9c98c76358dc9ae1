from dataclasses import replace

import numpy as np
import pytest

from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import rotation_from_angles
from stylehead.face.landmarks import (
    EYES,
    FACE,
    INNER_LOWER,
    INNER_UPPER,
    MESH_OF_68,
    OVAL,
    to_68,
)
from stylehead.rendering.eyes.lid_motion import IRIS_FOLLOW, SEEN
from stylehead.rendering.portrait_mesh import EYEBALL, build_portrait_mesh
from stylehead.rendering.rasterize import displacement_map
from stylehead.rendering.still.square import FEATHER
from stylehead.rendering.still.surroundings import SHOULDERS
from tests.stand_ins.faces import STILL, drawn_portrait, mean_mesh

NOTHING = np.zeros((478, 3), np.float32)
NOWHERE = np.zeros(3, np.float32)
BROWS = MESH_OF_68[17:27]
NOSE_TIP = 4


@pytest.fixture(scope="module")
def mesh():
    return build_portrait_mesh(drawn_portrait(), size=None)


def posed(mesh, *, offsets=NOTHING, angles=(0, 0, 0), translation=NOWHERE, blink=0.0):
    turned = rotation_from_angles(np.array(angles, float))
    return mesh.pose_vertices(offsets, turned, np.asarray(translation, np.float32), blink)


def moves(mesh, **how):
    """Displacements (N, 2) in interocular distances."""
    return (posed(mesh, **how) - mesh.source)[:, :2] / mesh.pose.scale


def lip_gap(vertices):
    return vertices[INNER_LOWER, 1] - vertices[INNER_UPPER, 1]


# ---- the neutral ----------------------------------------------------------------------------


def test_a_face_at_rest_stays_as_it_is_in_the_picture(mesh):
    assert np.abs(moves(mesh)).max() < 0.003


def test_teeth_of_an_open_mouth_are_covered_at_rest(astronaut):
    mesh = build_portrait_mesh(astronaut, size=None)
    assert lip_gap(mesh.source)[2:7].mean() / mesh.pose.scale > 0.05
    assert lip_gap(posed(mesh)).max() / mesh.pose.scale < 0.004


def test_closing_the_lips_leaves_the_upper_face_alone(astronaut):
    mesh = build_portrait_mesh(
        replace(astronaut, face=with_scores(astronaut, FaceModel.embedded().neutral_scores)),
        size=None,
    )
    upper = [*BROWS, *EYES[0][0], *EYES[1][0], 10, 168]
    assert np.abs(moves(mesh)[upper]).max() < 0.01


def with_scores(portrait, scores):
    return replace(portrait.face, expression=scores)


def test_a_smile_is_taken_off():
    model = FaceModel.embedded()
    scores = model.neutral_scores.copy()
    scores[44:46] = 0.8  # both corners of the mouth
    smile = model.expression_offset(scores)
    corners = MESH_OF_68[[48, 54]]
    assert np.abs(smile[corners]).max() > 0.03
    smiling = build_portrait_mesh(drawn_portrait(mean_mesh() + smile, scores=scores), size=None)
    serious = build_portrait_mesh(drawn_portrait(mean_mesh()), size=None)
    left = (smiling.neutral - serious.neutral)[corners]
    assert np.abs(left).max() < 0.3 * np.abs(smile[corners]).max()


def test_the_rest_is_in_head_space(mesh):
    points = to_68(mesh.neutral)
    assert np.linalg.norm(points[36] - points[45]) == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(
        mesh.pose.apply(mesh.neutral)[NOSE_TIP], mesh.source[NOSE_TIP], atol=1
    )


# ---- motion ---------------------------------------------------------------------------------


def border(mesh):
    edge = np.minimum(mesh.source[:, :2], mesh.size - 1 - mesh.source[:, :2]).min(1)
    return np.flatnonzero(edge < 0.01)


@pytest.mark.parametrize("angles", [(15, 0, 0), (0, -20, 0), (5, 10, 15)])
def test_the_border_of_the_crop_is_pinned(mesh, angles):
    pinned = border(mesh)
    assert len(pinned) >= 40
    moved = moves(mesh, angles=angles, translation=(0.2, -0.1, 0.3), blink=1.0)
    assert np.abs(moved[pinned]).max() < 1e-4
    assert np.abs(moved[NOSE_TIP]).max() > 0.1


@pytest.mark.parametrize("size", [None, 256])
def test_hair_that_the_picture_cuts_moves_with_the_head(size):
    """Else it would be torn between the head and the picture's upper edge."""
    matte = np.zeros((256, 256), np.uint8)
    matte[:, 50:206] = 255
    mesh = build_portrait_mesh(replace(drawn_portrait(place=(0.5, 0.3)), matte=matte), size=size)
    x, y = mesh.source[FACE:-SEEN, :2].T
    face = mesh.source[OVAL]
    hair = (y < face[:, 1].min()) & (np.abs(x - face[:, 0].mean()) < 0.5 * np.ptp(face[:, 0]))
    hair &= y > mesh.scale * -mesh.corner[1]  # in the picture
    assert hair.sum() >= 5
    assert mesh.rigidity[FACE:-SEEN][hair].min() > 0.8
    # Frames fade into the still at the crop's edge: that is over the picture, if not all of it.
    assert mesh.corner[1] == (0 if size else -round(FEATHER * mesh.size / mesh.scale))


def in_front_of_a_wall(hair, **how):
    """Return a portrait with a matte: somebody as broad as shoulders, from the row `hair` on."""
    portrait = drawn_portrait(**how)
    matte = np.zeros(portrait.pixels.shape[:2], np.uint8)
    matte[hair:, 60:-60] = 255
    return replace(portrait, matte=matte)


def test_tall_hair_is_rigid():
    """Else it bends where a head tilts, and its edge is a row of kinks."""
    portrait = in_front_of_a_wall(side=400, unit=0.1, hair=40)
    mesh = build_portrait_mesh(portrait, size=256)
    face = mesh.source[OVAL, :2]
    x, y = mesh.source[FACE:-SEEN, :2].T
    over = (np.abs(x - face[:, 0].mean()) < np.ptp(face[:, 0])) & (y < face[:, 1].min())
    over &= y > face[:, 1].min() - 0.6 * np.ptp(face[:, 1])
    assert over.sum() >= 30
    np.testing.assert_array_equal(mesh.rigidity[FACE:-SEEN][over], 1)


def narrowed(portrait, by):
    """Return a portrait with so many columns less on both sides."""
    mesh = portrait.face.mesh - np.array([by, 0, 0], np.float32)
    return replace(
        portrait,
        pixels=portrait.pixels[:, by:-by],
        matte=portrait.matte[:, by:-by],
        face=replace(portrait.face, mesh=mesh),
    )


def test_the_square_of_a_narrow_picture_is_raised_to_its_hair():
    narrow = narrowed(in_front_of_a_wall(40, side=400, unit=0.2, place=(0.5, 0.5)), 60)
    cut, whole = (build_portrait_mesh(narrow, size=size) for size in (256, None))
    assert cut.corner[1] + 256 / cut.scale < 400, "the lower edge gives way"
    assert cut.source[OVAL, 1].max() < 0.95 * 256
    assert cut.corner[0] == 0
    assert 256 / cut.scale == pytest.approx(280), "a crop shows nothing made up"
    assert whole.corner[1] <= 40
    assert whole.corner[1] + whole.size > narrow.face.mesh[OVAL, 1].max()


def test_hair_that_a_crop_cuts_moves_with_the_head():
    narrow = narrowed(in_front_of_a_wall(5, side=400, unit=0.2, place=(0.5, 0.6)), 80)
    mesh = build_portrait_mesh(narrow, size=256)
    assert mesh.corner[1] > 5, "the picture goes on over it"
    face = mesh.source[OVAL]
    x, y = mesh.source[FACE:-SEEN, :2].T
    hair = (y < face[:, 1].min()) & (np.abs(x - face[:, 0].mean()) < 0.4 * np.ptp(face[:, 0]))
    hair &= y > 0
    assert hair.sum() >= 5
    assert mesh.rigidity[FACE:-SEEN][hair].min() > 0.8


@pytest.mark.parametrize("place", [(0.5, 0.45), (0.2, 0.3), (0.85, 0.8)])
def test_nothing_moves_much_near_the_edge_of_the_crop(place):
    mesh = build_portrait_mesh(drawn_portrait(place=place), size=None)
    edge = np.minimum(mesh.source[:, :2], mesh.size - 1 - mesh.source[:, :2]).min(1)
    around = np.arange(len(edge)) >= FACE
    moved = np.abs(moves(mesh, translation=(0.1, 0, 0))[:, 0])
    assert moved[around & (edge < 0.03 * mesh.size)].max() < 0.04


def test_the_face_moves_as_one_piece_with_the_head(mesh):
    moved = moves(mesh, translation=(0.1, -0.05, 0))[:FACE] - moves(mesh)[:FACE]
    np.testing.assert_allclose(moved, np.broadcast_to([0.1, -0.05], moved.shape), atol=1e-4)


def test_small_turns_move_the_outline_and_the_hair_beside_it_as_far_as_they_are_deep(mesh):
    ring = FACE + np.arange(len(OVAL))
    true = mesh.pose.undo(mesh.in_crop(drawn_portrait().face.mesh))
    for side in (-1, 1):
        moved = moves(mesh, angles=(0, 3 * side, 0))[:, 0]
        assert side * (moved[NOSE_TIP] - moved[OVAL]).min() > 0
        real = (true[OVAL, 2] - true[NOSE_TIP, 2]).mean() * np.sin(np.radians(3))
        assert side * (moved[NOSE_TIP] - moved[OVAL]).mean() == pytest.approx(real, rel=0.15)
        assert np.abs(moved[ring] - moved[OVAL]).max() < 0.02


def test_turning_moves_the_nose_further_than_the_eyes(mesh):
    nose, eyes = moves(mesh, angles=(0, 15, 0))[[NOSE_TIP, 33]][:, 0]
    assert nose > 0.05  # to image right
    assert nose > eyes + 0.05
    assert moves(mesh, angles=(15, 0, 0))[NOSE_TIP, 1] > 0.05  # down


def test_a_head_that_comes_nearer_grows(mesh):
    face = posed(mesh, translation=(0, 0, -1.0))[:FACE]
    assert 1.02 < np.ptp(face[:, 0]) / np.ptp(mesh.source[:FACE, 0]) < 1.2


def test_what_is_around_the_head_follows_less_the_further_away_it_is():
    mesh = build_portrait_mesh(drawn_portrait(side=400, unit=0.1), size=None)
    moved = np.abs(moves(mesh, translation=(0.1, 0, 0))[:, 0])
    edge = np.minimum(mesh.source[:, :2], mesh.size - 1 - mesh.source[:, :2]).min(1)
    around = (np.arange(len(edge)) >= FACE) & (edge > 0.08 * mesh.size)
    distance = np.linalg.norm(mesh.source[:, :2] - mesh.source[NOSE_TIP, :2], axis=1)
    nearest, furthest = np.percentile(distance[around], [25, 75])
    near, far = around & (distance < nearest), around & (distance > furthest)
    assert moved[near].mean() > 2 * moved[far].mean()
    assert moved.max() < 0.101


def test_offsets_move_their_own_vertex(mesh):
    offsets = NOTHING.copy()
    offsets[61, 0] = -0.05
    change = (posed(mesh, offsets=offsets) - posed(mesh))[:, :2] / mesh.pose.scale
    np.testing.assert_allclose(change[61], [-0.05, 0], atol=1e-4)
    change[61] = 0
    assert np.abs(change).max() < 1e-5


def test_posing_leaves_the_rig_alone(mesh):
    before = mesh.neutral.copy(), mesh.source.copy()
    posed(mesh, angles=(3, 4, 5), blink=1.0)
    np.testing.assert_array_equal(mesh.neutral, before[0])
    np.testing.assert_array_equal(mesh.source, before[1])


# ---- blinks ---------------------------------------------------------------------------------


def eye_height(mesh):
    upper, lower, *_ = EYES[0]
    return float((mesh.neutral[lower, 1] - mesh.neutral[upper, 1]).max())


@pytest.mark.parametrize("whose", ["drawn", "astronaut"])
def test_a_blink_lowers_the_upper_lid_onto_the_lower(mesh, astronaut, whose):
    mesh = mesh if whose == "drawn" else build_portrait_mesh(astronaut, size=None)
    open_, shut = posed(mesh), posed(mesh, blink=1.0)
    for upper, lower, *_ in EYES:
        height = eye_height(mesh) * mesh.pose.scale
        assert (shut[lower, 1] - shut[upper, 1])[1:-1].max() < 0.06 * height
        fallen, risen = shut[upper, 1] - open_[upper, 1], open_[lower, 1] - shut[lower, 1]
        assert fallen.max() > 0.75 * height
        assert -0.01 * height < risen.max() < 0.25 * height


def test_a_blink_does_not_move_the_brows(mesh):
    change = np.abs(posed(mesh, blink=1.0) - posed(mesh))[:, :2] / mesh.pose.scale
    assert change[BROWS].max() < 0.02 * eye_height(mesh)
    assert change[MESH_OF_68[48:]].max() == 0
    assert change[MESH_OF_68[27:36]].max() == 0


def test_skin_above_the_eye_follows_a_blink_less_and_less():
    mesh = build_portrait_mesh(drawn_portrait(), size=None)
    change = np.abs(posed(mesh, blink=1.0) - posed(mesh))[:, 1]
    lid, crease, below_brow = (change[EYES[0][strip]].max() for strip in (0, 2, 3))
    assert lid > 1.3 * crease > 1.3 * 2 * below_brow


def test_half_a_blink_shuts_the_eye_half_way(mesh):
    upper, lower, *_ = EYES[0]
    gaps = [(v[lower, 1] - v[upper, 1]).mean() for v in (posed(mesh, blink=b) for b in (0, 0.5, 1))]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[1] == pytest.approx((gaps[0] + gaps[2]) / 2, rel=0.1)


def test_a_blink_of_zero_changes_nothing(mesh):
    np.testing.assert_array_equal(posed(mesh, blink=0.0), posed(mesh))


# ---- the crop -------------------------------------------------------------------------------


def test_without_a_size_the_picture_keeps_its_resolution(mesh):
    assert mesh.scale == 1.0
    portrait = drawn_portrait()
    placed = mesh.source[:FACE, :2] + mesh.corner
    np.testing.assert_allclose(placed, portrait.face.mesh[:FACE, :2], atol=1e-3)


@pytest.mark.parametrize("size", [128, 512])
def test_a_size_scales_the_crop(mesh, size):
    scaled = build_portrait_mesh(drawn_portrait(), size=size)
    assert scaled.size == size
    assert scaled.scale == pytest.approx(size / mesh.size)
    wanted = (mesh.source[:FACE, :2] + 0.5) * scaled.scale - 0.5  # pixel centres
    np.testing.assert_allclose(scaled.source[:FACE, :2], wanted, atol=1e-3)


def test_the_crop_lies_inside_the_picture_when_there_is_room(mesh):
    assert (mesh.corner >= 0).all()
    assert (mesh.corner + mesh.size <= 256).all()


@pytest.mark.parametrize("place", [(0.5, 0.45), (0.2, 0.3), (0.85, 0.8)])
def test_the_mesh_covers_the_whole_crop(place):
    mesh = build_portrait_mesh(drawn_portrait(place=place), size=None)
    assert mesh.triangles.min() >= 0
    assert mesh.triangles.max() < len(mesh.source)
    shift = np.array([3, -2, 0], np.float32)
    covered = displacement_map(
        mesh.triangles, mesh.source, mesh.source + shift, size=mesh.size, cells=mesh.size
    )
    np.testing.assert_allclose(
        covered[1:-1, 1:-1], np.broadcast_to(shift[:2], covered[1:-1, 1:-1].shape), atol=1e-2
    )


@pytest.mark.parametrize("place", [(0.05, 0.1), (0.97, 0.9), (0.5, 0.0)])
def test_a_face_at_the_edge_of_the_picture_still_gets_a_rig(place):
    mesh = build_portrait_mesh(drawn_portrait(place=place), size=128)
    assert np.isfinite(posed(mesh, angles=(5, 10, 3), blink=0.5)).all()
    assert mesh.size == 128


def test_rigidity_lies_between_still_and_rigid(mesh):
    assert mesh.rigidity.shape == (len(mesh.source),)
    assert (mesh.rigidity[:FACE] == 1).all()
    assert mesh.rigidity.min() == 0
    assert mesh.rigidity.max() == 1


def test_the_same_portrait_gives_the_same_rig(mesh):
    again = build_portrait_mesh(drawn_portrait(), size=None)
    np.testing.assert_array_equal(again.source, mesh.source)
    np.testing.assert_array_equal(again.triangles, mesh.triangles)
    assert posed(mesh).dtype == np.float32
    assert STILL.shape == (3, 3)


# ---- eyes and shoulders ---------------------------------------------------------------------


def iris(mesh, vertices):
    """The middle of one eye's opening, in interocular distances."""
    return vertices[-SEEN + len(IRIS_FOLLOW) // 2, :2] / mesh.pose.scale


def looking(mesh, *degrees, **how):
    still = np.eye(3, dtype=np.float32)
    gaze = np.array(degrees, np.float32)
    return mesh.pose_vertices(NOTHING, still, NOWHERE, how.get("blink", 0.0), gaze)


@pytest.mark.parametrize("degrees", [(6.0, 0.0), (-6.0, 0.0), (0.0, 4.0)])
def test_the_iris_moves_where_the_eye_looks(mesh, degrees):
    moved = iris(mesh, looking(mesh, *degrees)) - iris(mesh, posed(mesh))
    np.testing.assert_allclose(moved, EYEBALL * np.sin(np.radians(degrees)), atol=0.003)


def test_lids_and_corners_stay_where_they_are_when_eyes_move(mesh):
    moved = looking(mesh, 8.0, 3.0) - posed(mesh)
    assert np.abs(moved[:-SEEN]).max() < 1e-4


def test_a_shut_eye_hides_where_it_looks(mesh):
    shut = looking(mesh, 8.0, 0.0, blink=1.0)
    upper, lower = EYES[0][0][1:-1], EYES[0][1][1:-1]
    middle = shut[-SEEN : -SEEN + len(IRIS_FOLLOW), 1]
    assert (np.abs(middle - (shut[upper, 1] + shut[lower, 1]) / 2) < 1).all()


def test_shoulders_follow_half_the_heads_shift(mesh):
    shift = np.array([0.2, 0.0, 0.0], np.float32)
    moved = moves(mesh, translation=shift)[:, 0]
    chin, width = mesh.source[152], np.ptp(mesh.source[:FACE, 0])
    below = mesh.source[:, 1] - chin[1]
    near = np.abs(mesh.source[:, 0] - chin[0]) < 0.2 * width
    neck = np.flatnonzero(near & (below > 0.35 * np.ptp(mesh.source[:FACE, 1])) & (moved > 0))
    if len(neck):
        assert 0.2 * 0.05 < moved[neck].max() <= 0.2 * (SHOULDERS + 0.05)
    assert moved[152] == pytest.approx(0.2, abs=0.01)


# ---- eyes that are shut in the picture ------------------------------------------------------


def eyes_shut(which):
    """Return the drawn portrait with eyes shut, as the tracker sees them: a blink of 0.7."""
    portrait = drawn_portrait()
    mesh, scores = portrait.face.mesh.copy(), portrait.face.expression.copy()
    for number in which:
        upper, lower = EYES[number][:2]
        mesh[upper[1:-1], 1] = mesh[lower[1:-1], 1] - 0.2
        scores[[10, 9][number]] = 0.7
    return replace(portrait, face=replace(portrait.face, mesh=mesh, expression=scores))


@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)])
def test_a_shut_eye_is_neither_pulled_open_nor_shut_further(which):
    mesh = build_portrait_mesh(eyes_shut(which), size=None)
    assert mesh.shut == (0 in which, 1 in which)
    wide = NOTHING.copy()
    for eye in EYES:
        wide[eye[0][1:-1], 1] -= 0.05
    for number in (0, 1):
        upper, lower = (row[1:-1] for row in EYES[number][:2])
        for how in ({}, {"offsets": wide}, {"blink": 1.0}, {"angles": (0, 8, 4)}):
            vertices = posed(mesh, **how)
            gap = (vertices[lower] - vertices[upper])[:, 1] / mesh.pose.scale
            if number in which:
                assert np.abs(gap).max() < 0.01
            elif not how or "offsets" in how:
                assert gap.max() > 0.05


def test_open_eyes_are_not_taken_for_shut(mesh):
    assert mesh.shut == (False, False)
