"""Second computations for statements about zhang2025's setting, listing and experiments.

Values by power series and simulation, networks and listings written again in plain Python and NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy import stats
from second_routes import CONTEXT, measured, second_route

from verify.claim import Kind
from verify.ledger import select

HALF = Fraction(1, 2)
OTHER = replace(CONTEXT, seed=1, datasets={})


# --- setting ---------------------------------------------------------------------------------------------------------


@second_route("eq-5-dimension")
@pytest.mark.parametrize(("variant", "what"), [
    ("A outputs", lambda H, W, b, stated: H.size + W.size + b.size - stated),
    ("only W", lambda H, W, b, stated: W.size - stated),
])
def test_eq_5_dimension_by_counting_arrays(variant: str, what: Callable[..., int]) -> None:
    for D, m, d, A in product((1, 2, 3), (2, 5), (1, 4), (2, 3)):
        H, W, b = np.zeros((m, d)), np.zeros((D, m, m)), np.zeros((A, m))
        assert what(H, W, b, m * (D * m + d + 1)) == {"A outputs": (A - 1) * m, "only W": -m * (d + 1)}[variant]
        fact = m * (m + d + 1) - (H.size + W.size + m)
        assert (fact == 0) == (D == 1)
    # a coefficient of the polynomial (A - 1) m, of -m d - m, and of (D - 1) m^2
    assert measured("eq-5-dimension", f"printed[{variant}]").measured == 1
    assert measured("eq-5-dimension", "printed[fact C.1]").measured == 1


def series(P: np.ndarray, r: np.ndarray, gamma: float) -> np.ndarray:
    """Value of each state by adding up 200 discounted rewards."""
    value, ahead = np.zeros(len(r)), r.astype(float)
    for t in range(200):
        value += gamma**t * ahead
        ahead = P @ ahead
    return value


@second_route("restart-kernel", "lemma-4.3", "b2-gradient")
def test_restart_kernel_by_power_series() -> None:
    """State 1 absorbs, rewards (1, 0) and (0, 2) of the two actions, one logit for both states, gamma = 1/2."""
    r = np.array([[1.0, 0.0], [0.0, 2.0]])
    original = np.array([[0.0, 1.0], [0.0, 1.0]])
    restart = 0.5 * original + 0.5 * np.array([[1.0, 0.0], [1.0, 0.0]])
    nu = np.linalg.matrix_power(restart, 60)[0]
    visitation = 0.5 * sum(0.5**t * np.linalg.matrix_power(restart, t)[0] for t in range(100))
    assert abs(nu - visitation).max() == pytest.approx(float(measured("restart-kernel", "printed[law]").measured))

    def J(logit: float) -> float:
        p = 1 / (1 + np.exp(-logit))
        return float(series(restart, r @ np.array([p, 1 - p]), 0.5)[0])

    slope = (J(1e-4) - J(-1e-4)) / 2e-4
    V = series(restart, r.mean(axis=1), 0.5)
    Q = r + 0.5 * (restart @ V)[:, None]
    right = float(nu @ (0.5 * (Q - V[:, None]) @ np.array([0.5, -0.5])))  # score of a logit: 1 - p and -p
    assert slope * right < 0  # opposite: 1 - cos|cos| is 2
    assert measured("restart-kernel", "printed[gradient]").measured == 2


def test_restart_kernel_changes_the_better_policy_by_power_series() -> None:
    start, leads = np.array([1.0, 0.0]), []
    for mix in (1.0, 0.5):  # original kernel, restart kernel
        worth = [
            series(mix * P + (1 - mix) * start[None, :], np.array(r), 0.5)[0]
            for P, r in ((np.eye(2), [1.0, 3.0]), (np.array([[0.0, 1.0], [0.0, 1.0]]), [0.0, 3.0]))
        ]
        leads.append(worth[0] - worth[1])
    assert leads[0] * leads[1] == pytest.approx(float(measured("restart-kernel", "reading[best policy]").measured))


# --- Algorithm 1 -----------------------------------------------------------------------------------------------------


def run_lines_5_to_9(N: int, first_action: bool) -> dict[tuple[object, ...], float]:
    """Lines 3 to 9 of Algorithm 1 for one t and M = 1, agent after agent, as a program; reads of unset cells raise."""
    rng = np.random.default_rng(0)
    cell: dict[tuple[object, ...], float] = {("s", 0): 0.0}
    if first_action:
        cell |= {("a", 0, j): 0.0 for j in range(N)}
    for i in range(N):
        cell["s", 1] = float(rng.integers(2))
        cell["r", 1, i] = 1.0
        cell["a", 1, i] = float(rng.integers(2))
        now, after = (sum(cell["a", step, j] for j in range(N)) for step in (0, 1))
        cell["delta", i] = now - cell["r", 1, i] - 0.5 * after
    return cell


@second_route("algorithm-1-data")
def test_algorithm_1_as_a_program_stops_where_a_cell_is_unset() -> None:
    with pytest.raises(KeyError, match=r"'a', 0, 0"):
        run_lines_5_to_9(1, first_action=False)
    run_lines_5_to_9(1, first_action=True)
    with pytest.raises(KeyError, match=r"'a', 1, 1"):
        run_lines_5_to_9(2, first_action=True)
    for part in ("first action", "sequential"):
        assert measured("algorithm-1-data", f"printed[{part}]").measured > 0


@second_route("algorithm-1-direction")
def test_algorithm_1_direction_by_iteration_and_differences() -> None:
    """Three states, one softmax agent, random rewards: Q by iterating its equation, grad J by central differences."""
    rng = np.random.default_rng(17)
    S, A, gamma = 3, 2, 0.6
    P, r, theta = rng.dirichlet(np.ones(S), (S, A)), rng.random((S, A)), rng.normal(size=S)
    restart = gamma * P
    restart[:, :, 0] += 1 - gamma

    def policy(x: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-x))
        return np.stack([p, 1 - p], axis=1)

    def Q_of(kernel: np.ndarray, pi: np.ndarray) -> np.ndarray:
        Q = np.zeros((S, A))
        for _ in range(300):
            Q = r + gamma * kernel @ (pi * Q).sum(axis=1)
        return Q

    def J(x: np.ndarray) -> float:
        pi = policy(x)
        return float((pi * Q_of(P, pi)).sum(axis=1)[0])

    pi = policy(theta)
    gradient = np.array([(J(theta + h) - J(theta - h)) / 2e-5 for h in 1e-5 * np.eye(S)])
    nu = np.linalg.matrix_power(np.einsum("sa,sat->st", pi, restart), 400)[0]
    score = np.stack([1 - pi[:, 0], -pi[:, 0]], axis=1)

    def mean(data: np.ndarray, Q: np.ndarray) -> np.ndarray:
        """E[delta psi] at each state's logit, next state from `data`."""
        td = Q - r - gamma * data @ (pi * Q).sum(axis=1)
        return nu * (pi * score * td).sum(axis=1)

    assert abs(mean(restart, Q_of(restart, pi))).max() < 1e-12  # one kernel: the Bellman residual
    kept = mean(restart, Q_of(P, pi))
    immediate = nu * (pi * score * (1 - gamma) * (Q_of(P, pi) - r)).sum(axis=1)
    assert kept == pytest.approx(immediate)
    cosine = kept @ gradient / np.linalg.norm(kept) / np.linalg.norm(gradient)
    assert cosine < 0.999
    V = (pi * Q_of(P, pi)).sum(axis=1)
    sound = nu * (pi * score * (r + restart @ V - V[:, None])).sum(axis=1)
    assert sound == pytest.approx((1 - gamma) * gradient, rel=1e-6)
    (claim,) = select(["algorithm-1-direction"])
    listed = [v.name for v in claim.variants if v.kind is Kind.PRINTED]
    assert listed
    for name in listed:  # 1 for a direction that is zero or orthogonal, up to 2 for one that is opposite
        assert measured("algorithm-1-direction", name).measured >= 1


@second_route("algorithm-1-step")
def test_algorithm_1_step_by_enumeration() -> None:
    """One state, two actions with rewards (1, 0), p = 3/4, gamma = 1/2, M = 1, the exact Q."""
    p, r = (Fraction(3, 4), Fraction(1, 4)), (1, 0)
    V = p[0] / HALF
    Q, score = [x + HALF * V for x in r], (p[1], -p[0])
    step = sum(
        p[a] * p[b] * np.sign((Q[a] - r[a] - HALF * Q[b]) * score[a]) for a, b in product((0, 1), repeat=2)
    )
    assert step == measured("algorithm-1-step", "printed[ascent]").measured < 0
    equal = [2 - 1 - HALF * 2 for _ in range(4)]  # both rewards 1: V = Q = 2
    assert equal.count(0) == measured("algorithm-1-step", "printed[normalisation]").measured


@second_route("algorithm-3")
def test_algorithm_3_by_hand() -> None:
    """One pair, network ReLU(W), W(0) = 1, reward 0, gamma = 1/2, step 1, K = 1."""
    W, average = 1.0, 1.0
    W = max(W - 1.0 * (max(W, 0.0) - 0.5 * max(W, 0.0)), 0.0)
    average = (average + W) / 2  # k = 0 of Algorithm 2; Algorithm 3 has no k between 0 and K - 2 = -1
    assert abs(average - 1.0) == float(measured("algorithm-3", "printed").measured)


# --- the step of Eq. (8), gossip -------------------------------------------------------------------------------------


@second_route("eq-8-normalised")
def test_eq_8_normalised_on_numbers() -> None:
    d = np.array([3.0, 4.0])
    listed, stacked = d / abs(d), d / np.linalg.norm(d)
    assert (listed - stacked)[0] == pytest.approx(float(measured("eq-8-normalised", "printed[identity]").measured))
    worst = max(float(np.array(g) @ (stacked - listed)) for g in product((-1, 1), repeat=2))
    assert worst == pytest.approx(float(measured("eq-8-normalised", "printed[second line]").measured))
    for N, stands in ((5, True), (6, False)):  # d against g, and small: the third line for the listed step
        g = np.ones(N)
        d = -g / 200
        excess = -g @ (d / abs(d)) + np.linalg.norm(g) / 3 - 8 / 3 * np.linalg.norm(d - g)
        assert (excess <= 0) == stands


@second_route("eq-8-cases")
def test_eq_8_cases_by_global_search() -> None:
    """The sentence after (8) and the sharp pair, over the cosine of g and d and the length of d, ||g|| = 1."""
    cosine, length = np.meshgrid(np.linspace(-1, 1, 401), np.geomspace(1e-4, 10, 400))
    error = np.sqrt(np.maximum(1 + length**2 - 2 * length * cosine, 0))
    sentence = (cosine + 1 / 3 - 8 / 3 * error).max()
    exact = float(measured("eq-8-cases", "printed[sentence]").measured)  # at d = g, which the grid only comes near
    assert exact - 0.03 < sentence <= exact
    assert (-cosine + 1 / 3 - 8 / 3 * error).max() <= 0
    assert (-cosine + 1 - 2 * error).max() <= 1e-12
    assert (-cosine + 1 / 3 - (4 / 3 - 0.01) * error).max() > 0


@second_route("eq-20")
def test_eq_20_on_numbers() -> None:
    W = np.ones((2, 1))  # two agents that agree: their critics do not differ, and the printed second line says 1/2
    A = np.full((2, 2), 0.5)
    assert abs((A @ W)[0] - W.mean(axis=0)).item() == 0
    assert abs((A @ W)[0] - W[0] / 2).item() == 0.5
    rng = np.random.default_rng(20)
    lazy, before = np.array([[0.75, 0.25], [0.25, 0.75]]), rng.normal(size=(2, 3))
    after = lazy @ before
    gap = after[0] - before.mean(axis=0)
    assert np.allclose(gap, (lazy[0] - 0.5) @ before)
    assert not np.allclose(gap, (lazy[0] - 0.5) @ after)  # gossip twice
    m, D = 64, 3
    size = np.mean([2 * (rng.normal(size=(D, m, m)) ** 2).sum() for _ in range(20)])
    assert size == pytest.approx(2 * D * m**2, rel=0.05)
    for part in ("second line", "third line, after", "size"):
        assert abs(float(measured("eq-20", f"printed[{part}]").measured)) > 0


# --- Simple Spread ---------------------------------------------------------------------------------------------------


@second_route("figure-5")
def test_figure_5_in_plain_fractions() -> None:
    """Two agents, a linear critic, one reward for both: TD steps and rounds of gossip, against no rounds at all."""
    A = np.array([[Fraction(3, 4), Fraction(1, 4)], [Fraction(1, 4), Fraction(3, 4)]])

    def run(rounds: int, local: bool) -> list[Fraction]:
        tape = np.random.default_rng(6)
        W = np.array([Fraction(1, 3)] * 2)
        signals = []
        for _ in range(12):
            x, y = (Fraction(int(z), 3) for z in tape.integers(-3, 4, 2))
            reward = np.array([Fraction(int(z), 2) for z in tape.integers(-3, 4, 2)])
            reward = reward if local else np.array([reward[0]] * 2)
            delta = reward + HALF * y * W - x * W
            W = W + Fraction(1, 5) * delta * x
            for _ in range(rounds):
                W, delta = A @ W, A @ delta
            signals += [*delta]
        return signals

    assert run(0, local=False) == run(10, local=False) == run(20, local=False)
    assert run(0, local=True) != run(10, local=True)
    assert measured("figure-5", "printed").measured == 0


@second_route("figure-9", "figure-2-10")
@pytest.mark.parametrize(("id", "variant"), [
    ("figure-9", "K"), ("figure-9", "M"), ("figure-2-10", "TD"), ("figure-2-10", "TD above Q"),
])
def test_simple_spread_by_signs_and_resampling(id: str, variant: str) -> None:
    """Runs of two seeds, and instead of Student's interval a bootstrap of the mean and Wilcoxon's signed ranks."""
    found, again = (measured(id, f"printed[{variant}]", context=context) for context in (CONTEXT, OTHER))
    values = np.array([*found.sample, *again.sample])
    assert set(found.sample).isdisjoint(again.sample)
    interval = stats.bootstrap(
        (values,), np.mean, n_resamples=5_000, method="BCa", random_state=np.random.default_rng(9)
    ).confidence_interval
    assert interval.high < float(found.claimed)
    assert stats.wilcoxon(values - float(found.claimed), alternative="less").pvalue < 0.025
