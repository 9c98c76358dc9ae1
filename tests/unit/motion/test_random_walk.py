import numpy as np
import pytest

from stylehead.motion.expression import damped_random_walk
from stylehead.motion.head import TEMPO, tempo_of


def walk(tempo, *, seconds=400, fps=60, seed=0, drive=None, mixing=None):
    count = len(tempo)
    return damped_random_walk(
        np.ones(seconds * fps) if drive is None else drive,
        np.array(tempo),
        np.eye(count) if mixing is None else mixing,
        1 / fps,
        np.random.default_rng(seed),
    )


def test_a_walk_has_unit_spread_whatever_its_tempo():
    np.testing.assert_allclose(walk([1.0, 2.0, 4.0]).std(0), 1, atol=0.2)


@pytest.mark.parametrize("fps", [25, 60])
def test_a_walk_has_the_asked_for_tempo(fps):
    path = walk([1.0, 2.0, 4.0], fps=fps)
    np.testing.assert_allclose(tempo_of(path, 1 / fps), [1.0, 2.0, 4.0], rtol=0.2)


def test_tempo_of_an_oscillation_is_its_angular_speed():
    times = np.arange(0, 60, 1 / 60)
    path = np.column_stack([np.sin(2.0 * times), 5 * np.sin(3.0 * times) + 7])
    np.testing.assert_allclose(tempo_of(path, 1 / 60), [2.0, 3.0], rtol=0.03)


def test_tempo_stays_between_drift_and_trembling():
    noise = np.random.default_rng(0).normal(size=(600, 1))
    slow = np.linspace(0, 1, 600)[:, None] ** 8
    still = np.zeros((600, 1))
    found = tempo_of(np.column_stack([noise, slow, still]), 1 / 60)
    assert (found >= TEMPO[0]).all()
    assert (found <= TEMPO[1]).all()


def test_a_walk_is_smooth():
    path = walk([2.0])[:, 0]
    assert np.abs(np.diff(path)).max() < 0.3 * path.std()


def test_mixing_correlates_the_columns():
    mixing = np.array([[1.0, 0.0], [0.8, 0.6]])
    path = walk([2.0, 2.0], mixing=mixing)
    assert np.corrcoef(path.T)[0, 1] == pytest.approx(0.8, abs=0.12)


def test_a_weaker_drive_moves_less():
    drive = np.ones(120 * 60)
    drive[60 * 60 :] = 0.2
    path = walk([3.0], drive=drive)
    assert path[62 * 60 :].std() < 0.5 * path[: 60 * 60].std()


def test_a_walk_has_begun_before_its_first_frame():
    starts = np.array([walk([1.0], seconds=1, seed=seed)[0, 0] for seed in range(200)])
    assert starts.std() == pytest.approx(1, abs=0.2)


def test_the_same_chance_gives_the_same_walk():
    np.testing.assert_array_equal(walk([1.0], seconds=3, seed=5), walk([1.0], seconds=3, seed=5))
    assert (walk([1.0], seconds=3, seed=5) != walk([1.0], seconds=3, seed=6)).any()
