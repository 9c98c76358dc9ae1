import pytest

from tests.soak.run import Held, growing, slope, soak


def test_a_steady_growth_is_told_from_a_single_step() -> None:
    def rounds(memory):
        return [Held(10 * i, float(mb), 9, 3, 0) for i, mb in enumerate(memory)]

    assert slope(rounds(range(20))) == pytest.approx(10)
    assert slope(rounds([500] * 10 + [520] * 2 + [500] * 8)) == 0
    assert not growing(rounds([500] * 20))
    assert growing([*rounds([500] * 20), Held(210, 500.0, 10, 3, 1)]) == [
        "handles: 9 -> 10",
        "temporary: 0 -> 1",
    ]


@pytest.mark.slow
def test_nothing_grows_over_forty_mixed_jobs(home, tmp_path) -> None:
    rounds = list(soak(tmp_path, lambda done: done >= 40))
    assert not growing(rounds)
    # Few rounds tell a leak of a few MB a job; the full form tells one of 10 kB.
    assert slope(rounds) < 100
