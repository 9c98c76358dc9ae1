"""What the person hides is filled from what is beside them."""

import numpy as np

from stylehead.rendering.still.plate import fill_behind

SIZE = 200
ROWS, COLUMNS = np.indices((SIZE, SIZE))
FAR = np.hypot(ROWS - SIZE / 2, COLUMNS - SIZE / 2)
DISC = np.where(FAR < 50, 255, 0).astype(np.uint8)


def coloured(grey):
    return np.repeat(np.asarray(grey)[..., None], 3, -1).clip(0, 255).astype(np.uint8)


def with_person(background):
    return np.where(DISC[..., None] > 0, np.uint8(255), background)


def test_outside_the_matte_nothing_changes():
    picture = coloured(np.random.default_rng(0).integers(0, 255, (SIZE, SIZE)))
    plate = fill_behind(picture, DISC)
    np.testing.assert_array_equal(plate[DISC == 0], picture[DISC == 0])


def test_a_plain_wall_goes_on_without_a_trace():
    wall = coloured(np.full((SIZE, SIZE), 90))
    assert np.abs(fill_behind(with_person(wall), DISC).astype(int) - 90).max() <= 1


def test_light_that_falls_off_goes_on_behind_the_silhouette():
    wall = coloured(60 + 0.5 * COLUMNS)
    plate = fill_behind(with_person(wall), DISC).astype(int)
    rim = (FAR < 50) & (FAR > 44)
    assert np.abs(plate - wall)[rim].mean() < 6
    # No step at the silhouette.
    assert np.abs(np.diff(plate[100], axis=0)).max() <= 6


def test_texture_behind_the_silhouette_is_as_sharp_as_beside_it():
    stripes = coloured(120 + 60 * np.sin(ROWS / 2))
    plate = fill_behind(with_person(stripes), DISC).astype(float)[..., 0]
    sharp = np.abs(np.diff(plate, axis=0))
    rim = ((FAR < 49) & (FAR > 42))[1:]
    beside = ((FAR > 60) & (FAR < 70))[1:]
    assert sharp[rim].mean() > 0.6 * sharp[beside].mean()


def test_a_single_striking_thing_is_not_seen_twice():
    wall = np.full((SIZE, SIZE), 120.0)
    wall[98:103, 156:160] = 0
    plate = fill_behind(with_person(coloured(wall)), DISC).astype(int)
    assert plate[DISC > 0].min() > 90


def test_nothing_to_fill_is_left_alone():
    wall = coloured(np.full((SIZE, SIZE), 90))
    for matte in (np.zeros((SIZE, SIZE), np.uint8), np.full((SIZE, SIZE), 255, np.uint8)):
        np.testing.assert_array_equal(fill_behind(wall, matte), wall)
