import numpy as np
import pytest

from stylehead.face.landmarks import REGIONS, mouth_width
from stylehead.face.shapes import POINTS, FaceShapes, measures, slowed
from tests.stand_ins.faces import mean_face

SHAPES = FaceShapes.embedded()
WIDTH, OPENING = 6, 7  # among the measures
NEUTRAL = np.zeros((1, 68, 3), np.float32)


def random_faces(size, count=400, seed=0):
    """Faces of shapes at random, `size` times as far as filmed ones go; brows at random."""
    rng = np.random.default_rng(seed)
    coordinates = size * rng.standard_normal((count, len(SHAPES.spread)))
    brows = 0.02 * rng.standard_normal((count, 68, 3)).astype(np.float32)
    return SHAPES.with_coordinates(brows, coordinates.astype(np.float32))


def measured(offsets):
    return measures(offsets[:, POINTS])


def stretched(axes, count=60):
    """A mouth scaled about its middle along its axes, from not at all to so many times."""
    mouth = list(REGIONS["mouth"])
    about = mean_face()[mouth] - mean_face()[mouth].mean(0)
    offsets = np.zeros((count, 68, 3), np.float32)
    way = np.linspace(0, 1, count)[:, None, None]
    offsets[:, mouth] = way * (np.array(axes) - 1) * about
    return offsets


def test_usual_faces_stay_as_they_are():
    faces = random_faces(0.3)
    np.testing.assert_allclose(SHAPES.nearest(faces), faces, atol=2e-4)


def test_the_neutral_face_is_a_filmed_one():
    np.testing.assert_allclose(SHAPES.nearest(NEUTRAL), 0, atol=2e-4)


def test_brows_are_left_alone():
    faces = random_faces(5.0)
    brows = list(REGIONS["brows"])
    np.testing.assert_array_equal(SHAPES.nearest(faces)[:, brows], faces[:, brows])


@pytest.mark.parametrize("size", [2.0, 4.0, 10.0])
def test_nothing_passes_what_was_filmed(size):
    found = measured(SHAPES.nearest(random_faces(size)))
    least, _, _, most = SHAPES.limits.T
    room = 0.02 * (most - least)
    assert (found > least - room).all()
    assert (found < most + room).all()


@pytest.mark.parametrize("axes", [(0.1, 1, 1), (2.0, 1, 1), (0.2, 3, 1), (1, 6, 1)])
def test_a_stretched_mouth_is_brought_back(axes):
    faces = stretched(axes)
    wild, found = measured(faces)[-1], measured(SHAPES.nearest(faces))
    least, _, _, most = SHAPES.limits.T
    assert ((wild < least) | (wild > most)).any()
    room = 0.02 * (most - least)
    assert ((found > least - room) & (found < most + room)).all()
    width = mouth_width(SHAPES.nearest(faces) + mean_face())
    assert width.min() > mouth_width(mean_face()) + SHAPES.limits[WIDTH, 0] - 0.01


def test_what_moved_smoothly_still_does():
    times = np.linspace(0, 12, 600)
    wild = 6 * np.stack([np.sin(times * (1 + 0.3 * k)) for k in range(len(SHAPES.spread))], 1)
    faces = SHAPES.with_coordinates(np.zeros((600, 68, 3), np.float32), wild)
    steps = [
        np.linalg.norm(np.diff(SHAPES.coordinates(some), axis=0), axis=1)
        for some in (faces, SHAPES.nearest(faces))
    ]
    assert steps[1].max() <= 1.05 * steps[0].max()


def test_wilder_is_never_less_than_wild():
    """A shape that goes ever further is held, and not taken back."""
    for number in range(3):
        coordinates = np.zeros((40, len(SHAPES.spread)), np.float32)
        coordinates[:, number] = np.linspace(0, 30, 40)
        faces = SHAPES.with_coordinates(np.zeros((40, 68, 3), np.float32), coordinates)
        found = SHAPES.coordinates(SHAPES.nearest(faces))[:, number]
        assert (np.diff(found) > -0.02 * found.max()).all()


def test_a_smile_that_is_held_back_keeps_its_eyes():
    """Both corners drawn far up and out, with all that goes with it in filmed faces."""
    ways = measures(SHAPES.shapes.reshape(len(SHAPES.shapes), -1, 3)).T * SHAPES.spread
    smile = ways[WIDTH] - ways[1] - ways[4]
    smile *= 2 / np.linalg.norm(smile)
    calm, wild = (
        SHAPES.with_coordinates(NEUTRAL, np.float32(size) * smile[None]) for size in (1, 5)
    )
    held = SHAPES.nearest(wild)
    assert measured(wild)[0, WIDTH] > SHAPES.limits[WIDTH, 3] > measured(held)[0, WIDTH]
    lids = [POINTS.index(point) for point in (40, 41, 46, 47)]  # lower ones: up is less

    def narrowed(offsets):
        return float((SHAPES.mean - offsets[0, POINTS])[lids, 1].mean())

    assert narrowed(calm) > 0.003
    assert narrowed(held) > narrowed(calm)


def test_limits_are_approached_and_never_passed():
    values = np.linspace(-5, 5, 1001)
    found = slowed(values, np.array([-2.0, -1.0, 1.0, 3.0]))
    inside = (values >= -1) & (values <= 1)
    np.testing.assert_array_equal(found[inside], values[inside])
    assert found.min() >= -2
    assert found.max() <= 3
    assert (np.diff(found) > 0).all()
    assert (np.diff(found) <= np.diff(values) + 1e-9).all()
