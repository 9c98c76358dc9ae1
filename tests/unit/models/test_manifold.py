import pytest
import torch

from stylehead.models.manifold import Manifold, ProjectingGenerator, weights_of
from stylehead.models.motion_generator import MotionConfig, MotionGenerator

# Four of Live Speech Portraits' neighbours of a feature, and what it makes of them; no ridge.
NEIGHBOURS = torch.tensor(
    [
        [-0.15977744, -0.67188976, 0.91401729, 0.33582246, 0.81040534, -0.37442375],
        [0.46173028, 0.41882056, -0.95333206, 0.51638756, -0.05810697, 0.23418436],
        [0.78319954, -0.54117283, 0.47906951, 0.09335417, 0.84879278, -0.14001918],
        [0.34839444, 0.86791504, 0.83161311, -0.69550633, 0.80321852, -0.19463660],
    ],
    dtype=torch.float64,
)
FEATURE = torch.tensor(
    [0.17384545, -0.92733673, -0.60997605, 0.51194709, -0.96255838, 0.55868103],
    dtype=torch.float64,
)
WEIGHTS = [0.54468933, 0.96640698, 0.07369419, -0.58479049]
PROJECTION = [0.21316980, -0.50864983, -0.87446609, 1.09556460, -0.02189930, 0.12587581]


def manifold(points=40, width=6, *, strength=0.5, **more):
    base = torch.randn(points, width, generator=torch.Generator().manual_seed(2))
    base = base * torch.linspace(0.5, 3, width) + torch.arange(width)
    return Manifold(base, base.mean(0), base.std(0), strength, **more)


def unknown(count=25, width=6):
    spread = torch.randn(count, width, generator=torch.Generator().manual_seed(9))
    return 2 * spread + torch.arange(width)


def apart(some, others):
    return (some[:, None] - others).norm(dim=-1)


# ---- weights --------------------------------------------------------------------------------


def noise(*shape):
    """The same normal numbers whatever ran before."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_weights_are_live_speech_portraits():
    found = weights_of(FEATURE, NEIGHBOURS, ridge=0.0)
    torch.testing.assert_close(found.tolist(), WEIGHTS, rtol=0, atol=1e-6)
    torch.testing.assert_close((found @ NEIGHBOURS).tolist(), PROJECTION, rtol=0, atol=1e-6)


@pytest.mark.parametrize("ridge", [0.0, 1e-3, 1.0])
def test_weights_sum_to_one(ridge):
    neighbours = noise(7, 5, 20)
    found = weights_of(noise(7, 20), neighbours, ridge=ridge)
    torch.testing.assert_close(found.sum(-1), torch.ones(7), rtol=0, atol=1e-5)


def test_a_feature_among_its_neighbours_is_rebuilt():
    neighbours = noise(4, 9).double()
    wanted = torch.tensor([0.4, 0.3, 0.5, -0.2]).double()
    found = weights_of(wanted @ neighbours, neighbours, ridge=0.0)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


def test_no_other_weights_come_nearer():
    best = weights_of(FEATURE, NEIGHBOURS, ridge=0.0)
    least = (best @ NEIGHBOURS - FEATURE).norm()
    for one in range(4):
        for other in range(4):
            moved = best.clone()
            moved[one] += 0.01
            moved[other] -= 0.01
            assert (moved @ NEIGHBOURS - FEATURE).norm() >= least


def test_a_large_ridge_stays_with_the_nearest():
    found = weights_of(FEATURE, NEIGHBOURS, ridge=1e6)
    torch.testing.assert_close(found.tolist(), [1.0, 0.0, 0.0, 0.0], rtol=0, atol=1e-4)


def test_one_neighbour_has_all_the_weight():
    assert weights_of(FEATURE, NEIGHBOURS[:1]).tolist() == [1.0]


@pytest.mark.parametrize("same", [2, 4])
def test_neighbours_may_be_duplicates(same):
    neighbours = NEIGHBOURS.float().clone()
    neighbours[-same:] = neighbours[-1]
    found = weights_of(FEATURE.float(), neighbours)
    assert torch.isfinite(found).all()
    assert found.abs().max() < 10
    assert found.sum() == pytest.approx(1, abs=1e-4)


# ---- projection -----------------------------------------------------------------------------


def test_a_point_of_the_base_stays_where_it_is():
    known = manifold(strength=1.0)
    torch.testing.assert_close(known.project(known.base), known.base, rtol=0, atol=1e-4)


def test_strength_zero_leaves_features_alone():
    features = unknown()
    assert torch.equal(manifold(strength=0.0).project(features), features)


def test_strength_one_replaces_features_by_what_neighbours_make_of_them():
    known, features = manifold(strength=1.0, neighbours=4), unknown()
    units = (features - known.mean) / known.scale
    base = (known.base - known.mean) / known.scale
    for feature, unit, found in zip(features, units, known.project(features), strict=True):
        near = base[(base - unit).norm(dim=1).argsort()[:4]]
        wanted = weights_of(unit, near) @ near * known.scale + known.mean
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)
        assert (found - feature).norm() > 0.01


@pytest.mark.parametrize("strength", [0.25, 0.5])
def test_strengths_between_lie_between(strength):
    features = unknown()
    whole = manifold(strength=1.0).project(features)
    wanted = (1 - strength) * features + strength * whole
    found = manifold(strength=strength).project(features)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


def test_features_come_nearer_to_the_base():
    known, features = manifold(strength=1.0, neighbours=3), 3 * unknown()

    def distance(points):
        return apart(points / known.scale, known.base / known.scale).amin(1).mean()

    assert distance(known.project(features)) < 0.8 * distance(features)


def test_neighbours_are_sought_among_standardised_features():
    base = torch.tensor([[0.0, 0.0], [1000.0, 1.0]])
    known = Manifold(base, torch.zeros(2), torch.tensor([1e6, 1.0]), strength=1.0, neighbours=1)
    found = known.project(torch.tensor([[0.0, 0.9]]))
    torch.testing.assert_close(found, base[1:])


def test_many_features_are_projected_as_one_by_one():
    known, features = manifold(), unknown(1500)
    found = known.project(features)
    for row in (0, 1023, 1024, 1499):
        alone = known.project(features[row : row + 1])[0]
        torch.testing.assert_close(found[row], alone, rtol=0, atol=1e-4)


def test_a_base_of_duplicates_does_no_harm():
    base = torch.ones(12, 3)
    found = Manifold(base, torch.zeros(3), torch.ones(3), strength=1.0).project(noise(5, 3))
    torch.testing.assert_close(found, torch.ones(5, 3), rtol=0, atol=1e-4)


def test_a_base_smaller_than_the_neighbourhood_is_used_whole():
    known = manifold(points=4, strength=1.0)
    whole = Manifold(known.base, known.mean, known.scale, strength=1.0, neighbours=4)
    torch.testing.assert_close(known.project(unknown()), whole.project(unknown()))


def test_a_projecting_generator_moves_to_projected_features():
    config = MotionConfig(features=6, hidden=8, layers=1, components=4)
    torch.manual_seed(0)
    plain = MotionGenerator(config).eval()
    plain.components.normal_()
    known = manifold(strength=0.8)
    net = ProjectingGenerator(config, known).eval()
    net.load_state_dict(plain.state_dict())
    features = noise(2, 30, 6)
    projected = torch.stack([known.project(some) for some in features])
    found, _ = net(features)
    torch.testing.assert_close(found, plain(projected)[0], rtol=0, atol=1e-5)
    assert (found - plain(features)[0]).abs().max() > 1e-3


def test_a_projecting_generator_streams_as_any_other():
    config = MotionConfig(features=6, hidden=8, layers=1, components=4)
    torch.manual_seed(0)
    net = ProjectingGenerator(config, manifold(strength=0.8)).eval()
    net.components.normal_()
    features = noise(1, 40, 6)
    whole, _ = net(features)
    first, state = net(features[:, :17])
    second, _ = net(features[:, 17:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=1e-5)


def test_a_manifold_is_made_of_its_arrays():
    known = manifold(strength=0.7)
    again = Manifold.of(known.arrays, 0.7)
    assert torch.equal(again.project(unknown()), known.project(unknown()))
    for name in known.arrays:
        with pytest.raises(KeyError, match=name):
            Manifold.of({key: value for key, value in known.arrays.items() if key != name}, 0.7)


def test_features_keep_their_precision():
    known, features = manifold(strength=0.5), unknown().double()
    projected = known.project(features)
    assert projected.dtype == torch.float64
    torch.testing.assert_close(projected, known.project(unknown()).double(), rtol=0, atol=1e-4)
