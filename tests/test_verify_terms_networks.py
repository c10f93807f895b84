"""Terms (6), (7) and the floors of zhang2025 Theorem 5.10: lazily drawn networks against dense ones, floors twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from algorithms.neural import PRINTED, UNDISCOUNTED, CriticNetwork, critic_fixed_point
from mdp.compatible import eps_bias
from mdp.exact import exact
from mdp.features import Features
from mdp.model import FiniteMDP
from mdp.networks import Schedule
from mdp.optimal import J_star
from mdp.policies import CircularPolicy
from mdp.problem import Problem
from rates.fit import RateOutcome
from verify.experiments.terms.floors import bias_floor, critic_floor, floor_along, worst_bias_floor
from verify.experiments.terms.networks import Linear, Pairs, expected_td, measure, printed_radius
from verify.experiments.terms.runs import teams
from verify.experiments.terms.sizes import fit_power, sweep_sizes
from verify.experiments.terms.verdicts import exact_power
from verify.experiments.terms.wide import Block, WideNetwork
from verify.experiments.terms.worst import WORST_CONSTANT, best_moves, one_layer_worst, worst_on_ball
from verify.zhang2025.proof.neural_td import at_linear_solution, limit_at_linear_solution


def pairs_of(kind: str, reading: object = PRINTED) -> Pairs:
    problem, theta = teams()[kind]
    view, restart = exact(problem, theta), exact(replace(problem, mdp=problem.mdp.restart()), theta)
    return Pairs.of(view, restart, reading)  # type: ignore[arg-type]


def dense(network: WideNetwork) -> CriticNetwork:
    """The full network that the run has seen parts of; for the printed scale."""
    return CriticNetwork(network.inputs, network.H, np.stack([layer.complete() for layer in network.layers]), network.b)


def full(W0: np.ndarray, offset: list[Block]) -> np.ndarray:
    return W0 + np.stack([block.left @ block.right.T for block in offset])


# --- lazily drawn networks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_lazy_run_is_the_dense_run_of_its_completion(depth: int) -> None:
    """Values, gradients and Algorithm 2 with expected updates, on the matrix that the lazy run might have had."""
    pairs, K, radius = pairs_of("softmax"), 5, 0.7
    network = WideNetwork(np.eye(len(pairs.Q)), 24, depth, np.random.default_rng(depth))
    start, slopes = network.slopes()
    averaged = expected_td(network, pairs, pairs.rewards[0], K, radius)
    after = network.values(averaged)
    other = dense(network)
    W = mean = other.W0
    for k in range(K):  # lines 5 to 9 of Algorithm 2, weights as a full array
        td = pairs.td(other.values(W), pairs.rewards[0])
        W = other.project(W - K**-0.5 * (td @ other.gradients(W)).reshape(W.shape), radius)
        mean = (k + 1) / (k + 2) * mean + W / (k + 2)
    assert np.abs(start - other.values(other.W0)).max() < 1e-11
    assert np.abs(after - other.values(mean)).max() < 1e-10
    assert np.abs(full(other.W0, list(averaged)) - mean).max() < 1e-11
    gradient = other.gradients(other.W0).reshape(len(start), depth, 24, 24)
    for h, slope in enumerate(slopes):
        assert np.abs(np.einsum("iz,jz->zij", slope.left, slope.right) - gradient[:, h]).max() < 1e-12


def test_products_have_the_law_of_a_gaussian_matrix() -> None:
    """``E y^2 = 2 m`` at the start, and the entries of a completed layer are N(0, 2)."""
    squares = [float(WideNetwork(np.eye(1), 30, 2, np.random.default_rng(k)).values()[0]) ** 2 for k in range(3_000)]
    error = np.std(squares) / len(squares) ** 0.5
    assert abs(np.mean(squares) - 60) < 4 * error
    network = WideNetwork(np.eye(2), 120, 1, np.random.default_rng(0))
    network.slopes()
    entries = network.layers[0].complete().ravel()
    assert abs(entries.var() - 2) < 4 * 2 * (2 / entries.size) ** 0.5
    assert abs(entries.mean()) < 4 * (2 / entries.size) ** 0.5


@pytest.mark.parametrize(("arguments", "match"), [((np.eye(2), 0, 1), "width is 0"), ((np.eye(2), 3, 0), "depth is 0"),
                                                  ((2 * np.eye(2), 3, 1), "norm is not one")])
def test_bad_networks(arguments: tuple[np.ndarray, int, int], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        WideNetwork(*arguments, np.random.default_rng(0))


# --- what the critic's errors are -----------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [0.05, 1.0, 30.0])
def test_stationary_point_by_two_routes(radius: float) -> None:
    """W* in block coordinates against `critic_fixed_point` on the completed network, ball active and inactive."""
    problem, theta = teams()["softmax"]
    view, restart = exact(problem, theta), exact(replace(problem, mdp=problem.mdp.restart()), theta)
    pairs = Pairs.of(view, restart, PRINTED)
    network = WideNetwork(np.eye(len(pairs.Q)), 10, 2, np.random.default_rng(1))
    start, slopes = network.slopes()
    linear = Linear.of(start, slopes)
    a = linear.stationary(pairs, radius)
    star = network.values([Block(s.left * x, s.right) for s, x in zip(slopes, a, strict=True)])
    other = dense(network)
    found = critic_fixed_point(other, view, restart, PRINTED, radius)
    assert linear.values(a) == pytest.approx(found.values, abs=1e-6)
    assert np.abs(star - pairs.Q).max() == pytest.approx(
        critic_floor(problem, theta, other, radius, PRINTED), abs=1e-5
    )


def test_linear_run_is_the_run_of_the_linearised_critic() -> None:
    pairs, K, radius = pairs_of("softmax"), 6, 0.4
    network = WideNetwork(np.eye(len(pairs.Q)), 8, 2, np.random.default_rng(2))
    start, slopes = network.slopes()
    a = Linear.of(start, slopes).expected_td(pairs, pairs.rewards[1], K, radius)
    other = dense(network)
    slope = other.gradients(other.W0)
    W = mean = other.W0
    for k in range(K):
        td = pairs.td(other.linearised(W), pairs.rewards[1])
        W = other.project(W - K**-0.5 * (td @ slope).reshape(W.shape), radius)
        mean = (k + 1) / (k + 2) * mean + W / (k + 2)
    assert Linear.of(start, slopes).values(a) == pytest.approx(other.linearised(mean), abs=1e-11)


def test_one_layer_worst_case_has_its_predicted_limit() -> None:
    """``3 (32 pi)^(-1/3) B^(4/3) m^(1/3)``, and no point of the ball does better."""
    shares = []
    for k in range(6):
        network = WideNetwork(np.eye(1), 40_000, 1, np.random.default_rng(k))
        shares.append(one_layer_worst(network, 2.0) / (WORST_CONSTANT * 2 ** (4 / 3) * 40_000 ** (1 / 3)))
    assert np.mean(shares) == pytest.approx(1, abs=0.08)
    rng, network = np.random.default_rng(9), WideNetwork(np.eye(1), 200, 1, np.random.default_rng(9))
    exactly = one_layer_worst(network, 1.0)
    start, ((base,)) = network.slopes()
    for _ in range(50):
        left = rng.normal(size=(200, 1)) * (np.abs(rng.normal(size=(200, 1))) > 1)
        block = Block(left / (np.linalg.norm(left) * np.linalg.norm(base.right)), base.right)
        flat = float((base.left.T @ block.left).item() * (base.right.T @ block.right).item())
        assert abs(float(network.values([block])[0] - start[0]) - flat) < 1.05 * exactly
    assert worst_on_ball(network, 1.0) >= 0.99 * exactly


def test_best_moves_against_brute_force() -> None:
    """Three units: the best set of switched ones, each moved in proportion to its weight."""
    distance, weight, budget = np.array([0.1, 0.5, 2.0]), np.array([1.0, 2.0, 1.0]), 1.0

    def gain(d: np.ndarray) -> float:
        return float((weight * np.maximum(d - distance, 0)).sum())

    best = 0.0
    for mask in range(1, 8):
        chosen = np.array([bool(mask >> i & 1) for i in range(3)])
        d = np.where(chosen, weight, 0.0)
        best = max(best, gain(d * budget**0.5 / np.linalg.norm(d)))
    d = best_moves(distance, weight, budget)
    assert (d**2).sum() <= budget * (1 + 1e-9)
    assert gain(d) == pytest.approx(best, rel=1e-9)


def test_what_the_network_adds_falls_with_the_width_only_after_scaling() -> None:
    """One draw per size would do for the printed scale: the error at W* is (2/pi) g^2 for any width."""
    pairs = pairs_of("softmax")
    for scaled in (False, True):
        rows = []
        for m in (64, 4_096):
            draws = [
                measure(WideNetwork(np.eye(len(pairs.Q)), m, 1, np.random.default_rng(k), scaled=scaled), pairs, 2, 3.0)
                for k in range(6)
            ]
            rows.append({name: np.exp(np.mean([np.log(d[name]) for d in draws])) for name in ("star", "ball", "worst")})
        few, many = rows
        fall = 1.0 if scaled else 64**0.5  # sixty-four times as wide
        assert many["ball"] / few["ball"] == pytest.approx(fall, rel=0.3)
        assert many["worst"] / few["worst"] == pytest.approx(fall * 64 ** (-1 / 6), rel=0.35)
        assert many["star"] / few["star"] == pytest.approx(fall / 8, rel=0.7)


def test_limit_at_w_star() -> None:
    assert str(limit_at_linear_solution()) == "2*g**2/pi"
    rng = np.random.default_rng(0)
    draws = np.array([at_linear_solution(40_000, rng) for _ in range(150)])
    assert draws[:, 1].sum() / (2 / np.pi * draws[:, 0] ** 2).sum() == pytest.approx(1, abs=0.1)
    # against the dense network: one pair, one layer, W* where the linearised critic is zero
    network = CriticNetwork.draw(np.eye(1), width=60, depth=1, seed=3)
    y, slope = network.values(network.W0), network.gradients(network.W0)[0]
    W = network.W0 - (y[0] / float(slope @ slope) * slope).reshape(network.W0.shape)
    assert abs(network.linearised(W)[0]) < 1e-12
    h = network.first_layer()[0]
    z, live = network.W0[0] @ h, network.W0[0] @ h > 0
    gradient = float((network.b**2)[live].sum()) * float(h @ h) / 60
    moved = z[live] - y[0] * network.b[live] * float(h @ h) / (60**0.5 * gradient)
    assert network.values(W)[0] == pytest.approx(float((network.b[live] * np.maximum(moved, 0)).sum()) / 60**0.5)


def test_algorithm_3_at_large_k_learns_zero_and_w_star_does_not() -> None:
    """The argument of `eq-23` at K = m^3: V-bar's value is near zero, the network's at W* is not."""
    m, errors = 24, []
    for seed in range(8):
        network = CriticNetwork.draw(np.eye(1), width=m, depth=1, seed=seed)
        K, W = m**3, network.W0
        mean = W
        for k in range(K - 1):
            W = network.project(W - K**-0.5 * (network.values(W)[0] * network.gradients(W)[0]).reshape(W.shape), 3.0)
            mean = (k + 1) / (k + 2) * mean + W / (k + 2)
        y, slope = network.values(network.W0)[0], network.gradients(network.W0)[0]
        if abs(y) < 3 * np.linalg.norm(slope):
            assert abs(network.values(mean)[0]) < 0.05 * abs(y)
            star = network.W0 - (y / float(slope @ slope) * slope).reshape(W.shape)
            errors.append(abs(network.values(star)[0]))
    assert np.max(errors) > 0.5


# --- sweeps and fits ------------------------------------------------------------------------------------------------


def test_a_sweep_does_not_depend_on_the_processes() -> None:
    problem, theta = teams()["softmax"]
    one, two = (
        sweep_sizes(problem, theta, UNDISCOUNTED, [(4, 2), (8, 2), (16, 2)], "1", scaled=True, draws=2, jobs=jobs)
        for jobs in (1, 2)
    )
    assert one.identical(two)
    assert printed_radius(16, 2) == pytest.approx(16 ** (1 / 32) / 64)
    with pytest.raises(ValueError, match="one of m and D increases"):
        sweep_sizes(problem, theta, PRINTED, [(4, 2), (4, 2)], "1", scaled=True, draws=2)
    with pytest.raises(ValueError, match="draws is 0"):
        sweep_sizes(problem, theta, PRINTED, [(4, 2), (8, 2)], "1", scaled=True, draws=0)


@pytest.mark.parametrize(("true", "claimed", "outcome"), [
    (0.5, 1 / 32, RateOutcome.REFUTED), (-0.5, -1 / 24, RateOutcome.CONSISTENT),
    (1 / 32, 1 / 32, RateOutcome.CONSISTENT),
])
def test_fit_of_a_known_power(true: float, claimed: float, outcome: RateOutcome) -> None:
    rng, x = np.random.default_rng(0), np.array([16, 64, 256, 1_024])
    values = x[:, None] ** true * np.exp(0.1 * rng.normal(size=(4, 30)))
    dims = ("horizon", "seed")
    data = xr.Dataset({"error": (dims, values), "start": (dims, np.ones((4, 30)))}, coords={"horizon": x})
    found = fit_power(data, "error", claimed)
    assert found.low < true < found.high
    assert found.outcome is outcome
    data["error"][1, 3] = 0.0
    assert fit_power(data, "error", claimed).outcome is RateOutcome.NO_SIGNAL
    with pytest.raises(ValueError, match="a fit needs 3 and 2"):
        fit_power(data, "error", claimed, first=256)


@pytest.mark.parametrize(("power", "outcome"), [(-0.5, RateOutcome.CONSISTENT), (-0.6, RateOutcome.CONSISTENT),
                                                (-0.3, RateOutcome.REFUTED), (0.0, RateOutcome.REFUTED)])
def test_exact_powers(power: float, outcome: RateOutcome) -> None:
    x = np.array([1e2, 1e4, 1e6])
    assert exact_power(x, x**power, -0.5).outcome is outcome
    with pytest.raises(ValueError, match="above rounding"):
        exact_power(x, np.array([1.0, 1e-12, 0.0]), -0.5)


# --- floor (2) ------------------------------------------------------------------------------------------------------


def three_arms() -> Problem:
    policy = CircularPolicy.tabular(1, (3,), radius=0.5)
    mdp = FiniteMDP(np.ones((1, 3, 1)), np.array([[[1.0, 0, 0]]]), np.ones(1), 0.5, (3,))
    return Problem(mdp, policy, Features(np.eye(1), np.eye(3).reshape(1, 3, 3)), Schedule.static(np.eye(1)))


def test_floor_of_three_arms_is_attained_at_the_worst_angle() -> None:
    """eps_bias at angle t is ``(1 - p_0 - p_0'^2/(p_0 I))^2``, largest at pi: (5/6)^2, and the gap there is 5/3."""
    problem = three_arms()
    found = worst_bias_floor(problem, np.array([[[0.3]], [[2.0]], [[4.0]]]))
    assert found.floor == pytest.approx(5 / 3, abs=1e-9)
    assert found.gap == pytest.approx(found.floor, abs=1e-9)
    assert found.theta[0, 0] == pytest.approx(np.pi, abs=1e-4)
    x = 1.1 - 2 * np.pi * np.arange(3) / 3
    p, slope = (1 + 0.5 * np.cos(x)) / 3, -0.5 * np.sin(x) / 3
    by_hand = abs(1 - p[0] - slope[0] ** 2 / (p[0] * (slope**2 / p).sum())) / 0.5
    view = exact(problem, np.array([[1.1]]))
    assert bias_floor(view, J_star(problem.mdp).occupancy) == pytest.approx(by_hand, abs=1e-12)


def test_floor_of_independent_softmax_agents_by_conditional_means() -> None:
    """Tabular scores of independent agents span sums of one function per agent: the fit is the conditional means."""
    problem, theta = teams()["softmax"]
    view, best = exact(problem, theta), J_star(problem.mdp)
    advantage = view.advantage.reshape(2, 2, 2)
    first, second = (np.asarray(table) for table in view.tables)
    fit = np.einsum("sab,sb->sa", advantage, second)[:, :, None] + np.einsum("sab,sa->sb", advantage, first)[:, None, :]
    by_hand = float((best.occupancy.reshape(2, 2, 2) * (advantage - fit) ** 2).sum())
    assert float(eps_bias(view, best.occupancy)) == pytest.approx(by_hand, rel=1e-9)
    assert bias_floor(view, best.occupancy) == pytest.approx(by_hand**0.5 / 0.5, rel=1e-9)
    along = floor_along(problem, theta, np.array([0.0, 1.0]))
    assert float(along["floor"][1]) == pytest.approx(by_hand**0.5 / 0.5, rel=1e-9)
    assert float(along["gap"][1]) == pytest.approx(best.J - float(view.J))


@pytest.mark.parametrize(
    ("starts", "match"), [(np.zeros((0, 1, 1)), "starts is empty"), (np.full((1, 1, 1), 9.0), "above")]
)
def test_bad_starts(starts: np.ndarray, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        worst_bias_floor(three_arms(), starts)
