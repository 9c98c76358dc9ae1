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


def bar(slant):
    """Return a wall (SIZE, SIZE) with a lamp's pole, which goes aside so far in each row."""
    across = (COLUMNS - SIZE / 2) * np.cos(slant) + (ROWS - SIZE / 2) * np.sin(slant)
    return 110 + 130 * (1 / (1 + np.exp((np.abs(across) - 5) / 0.5)))


def test_a_straight_line_goes_on_straight_behind_the_silhouette():
    rim = (FAR < 49) & (FAR > 40)
    for slant in (-0.5, 0.0, 0.4, 1.2):
        wall = coloured(bar(slant))
        plate = fill_behind(with_person(wall), DISC).astype(int)
        pole = rim & (wall[..., 0] > 200)
        beside = rim & (wall[..., 0] < 115)
        assert np.abs(plate - wall)[pole].mean() < 45, "as bright as it is"
        assert np.abs(plate - wall)[beside].mean() < 6, "and no broader"


def test_traces_of_the_person_go_from_a_calm_background_and_stay_in_a_busy_one():
    strands = (np.abs(FAR - 50.6) < 0.6)[..., None]
    calm = coloured(np.full((SIZE, SIZE), 150))
    noise = coloured(150 + np.random.default_rng(0).normal(0, 25, (SIZE, SIZE)))
    for wall, left in ((calm, 4), (noise, None)):
        picture = np.where(strands, np.uint8(60), with_person(wall))
        plate = fill_behind(picture, DISC).astype(int)
        seen = strands[..., 0] & (DISC == 0)
        if left is None:
            np.testing.assert_array_equal(plate[seen], picture[seen])
        else:
            assert np.abs(plate[seen] - 150).max() <= left
        np.testing.assert_array_equal(plate[FAR > 60], picture[FAR > 60])
