"""Second computations for zhang2025's assumptions, remarks and sizes: networks in NumPy, slopes by differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from second_routes import measured, second_route


def network(W: np.ndarray, H: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Outputs of Eq. (5): W (D, m, m), H (m, d), b (A, m), x (d,)."""
    layer = H @ x
    for layer_weights in W:
        layer = np.maximum(layer_weights @ layer, 0) / np.sqrt(len(layer))
    return np.asarray(b @ layer)


def drawn(rng: np.random.Generator, D: int, m: int, d: int, A: int) -> tuple[np.ndarray, ...]:
    return (
        np.sqrt(2) * rng.normal(size=(D, m, m)), np.sqrt(2) * rng.normal(size=(m, d)), rng.normal(size=(A, m)),
        np.eye(d)[0],
    )


def softmax(y: np.ndarray) -> np.ndarray:
    weights = np.exp(y - y.max())
    return np.asarray(weights / weights.sum())


def slopes(f: Callable[[np.ndarray], np.ndarray], W: np.ndarray, h: float = 1e-6) -> np.ndarray:
    """Central differences of f at W, (outputs, W.size)."""
    columns = []
    for k in range(W.size):
        step = np.zeros(W.size)
        step[k] = h
        columns.append((f(W + step.reshape(W.shape)) - f(W - step.reshape(W.shape))) / (2 * h))
    return np.stack(columns, axis=1)


# --- assumptions -----------------------------------------------------------------------------------------------------


@second_route("assumption-5.2")
def test_assumption_5_2_by_one_sided_quotients() -> None:
    def first(w: float) -> float:
        one = np.ones((1, 1))
        return float(softmax(network(np.full((1, 1, 1), w), one, np.array([[1.0], [0.0]]), np.ones(1)))[0])

    right, left = (first(1e-7) - first(0)) / 1e-7, (first(0) - first(-1e-7)) / 1e-7
    assert (right, left) == pytest.approx((0.25, 0.0), abs=1e-6)
    rng = np.random.default_rng(52)
    for _ in range(20):  # W_D = 0 with live layers below it
        W, H, b, x = drawn(rng, 2, 3, 2, 2)
        W[0], W[1] = np.outer(np.ones(3), H @ x) * rng.uniform(0.5, 1), 0.0
        V = np.zeros_like(W)
        V[1, 0] = 1.0
        kink = sum(softmax(network(W + s * 1e-6 * V, H, b, x))[0] - 0.5 for s in (1, -1)) / 1e-6
        z = np.maximum(W[0] @ (H @ x), 0) / np.sqrt(3)
        assert kink == pytest.approx((b[0, 0] - b[1, 0]) * z.sum() / np.sqrt(3) / 4, rel=1e-4)
    assert measured("assumption-5.2", "printed[differentiable]").measured == 0


@second_route("assumption-5.5")
def test_assumption_5_5_by_differences() -> None:
    rng = np.random.default_rng(55)
    for _ in range(5):
        W, H, b, x = drawn(rng, 2, 2, 2, 2)
        W = abs(W)  # more units live; any theta will do
        H = abs(H)
        scores = slopes(lambda w: np.log(softmax(network(w, H, b, x))), W)  # noqa: B023 (used at once)
        pi = softmax(network(W, H, b, x))
        fisher = (scores * pi[:, None]).T @ scores
        idle = np.concatenate([W[0].ravel(), -W[1].ravel()])
        assert abs(fisher @ idle).max() < 1e-6 * max(1, abs(fisher).max())
        # the larger of the two scores is at least half of |J_0 - J_1|, whose part in W_2 grows with W_1
        apart = [
            np.linalg.norm((J := slopes(lambda w: network(w, H, b, x), scaled))[0, 4:] - J[1, 4:])  # noqa: B023
            for scaled in (W, np.stack([1000 * W[0], W[1]]))
        ]
        assert apart[1] == pytest.approx(1000 * apart[0], rel=1e-4)
    assert measured("assumption-5.5", "printed[score]").measured == 0
    assert measured("assumption-5.5", "printed[fisher]").measured == 0


@second_route("assumption-5.5-gaussian")
def test_assumption_5_5_gaussian_by_scipy() -> None:
    coin = 3 + float(stats.bernoulli(0.5).stats("k"))
    assert coin == pytest.approx(float(measured("assumption-5.5-gaussian", "printed[gaussian]").measured))
    for v in (0.1, 1.0, 30.0):
        def log_density(theta: float, v: float = v) -> float:
            return float(stats.norm(theta, np.sqrt(v)).logpdf(2 * v))

        score = (log_density(1e-5) - log_density(-1e-5)) / 2e-5
        assert score == pytest.approx(float(measured("assumption-5.5-gaussian", "printed[score]").measured), rel=1e-6)


@second_route("assumption-5.8-J")
def test_assumption_5_8_J_by_differences() -> None:
    one, b = np.ones((1, 1)), np.array([[1.0], [0.0]])

    def reward(w1: float, w2: float) -> float:
        return float(softmax(network(np.array([[[w1]], [[w2]]]), one, b, np.ones(1)))[0])

    for w1 in (8.0, 800.0):
        assert (reward(w1, 1e-8) - reward(w1, 0)) / 1e-8 == pytest.approx(w1 / 4, rel=1e-4)
    assert measured("assumption-5.8-J", "printed[Lipschitz]").measured > 0
    c, k = 0.3, 3
    angles = np.linspace(0, np.pi, 20_001)
    J = (1 + c * np.cos(k * angles)) / 4
    L = abs(np.diff(J) / np.diff(angles)).max()
    assert k * c <= np.sqrt(1 - c**2)  # scores at most one
    loss = J[0] - (1 + c * np.cos(np.pi / 2)) / 4
    excess = (loss - L * (np.pi / (2 * k)) ** 2) / loss
    lower = float(measured("assumption-5.8-J", "printed[descent]").measured)
    assert 0 < lower <= excess
    assert excess == pytest.approx(lower, abs=1e-2)


@second_route("assumption-5.8-Q")
def test_assumption_5_8_Q_by_numbers() -> None:
    one = np.ones((1, 1))
    for c in (10.0, 1000.0):
        high, low = (network(np.array([[[c]], [[t]]]), one, one, np.ones(1))[0] for t in (2.0, 1.0))
        assert high - low == pytest.approx(c)
    assert measured("assumption-5.8-Q", "printed").measured == 0


@second_route("assumption-5.9")
def test_assumption_5_9_by_sampling() -> None:
    """The critic stays bounded on the ball (some eps_critic exists), and B = m^(1/32) D^-6 leaves it far from Q."""
    rng, D, m = np.random.default_rng(59), 2, 32
    B, outputs, moves, squares = m ** (1 / 32) * D**-6.0, [], [], []
    for _ in range(300):
        W, H, b, x = drawn(rng, D, m, 2, 1)
        y = network(W, H, b, x)[0]
        z1 = np.maximum(W[0] @ (H @ x), 0) / np.sqrt(m)
        live1, live2 = W[0] @ (H @ x) > 0, W[1] @ z1 > 0
        back2 = b[0] * live2
        back1 = (W[1].T @ back2) * live1 / np.sqrt(m)
        sizes = [np.linalg.norm(back1) * np.linalg.norm(H @ x), np.linalg.norm(back2) * np.linalg.norm(z1)]
        outputs.append(y)
        moves.append(B * sum(sizes) / np.sqrt(m))
        squares.append(sum(s**2 for s in sizes) / m)
        edge = W + B * (V := rng.normal(size=W.shape)) / np.linalg.norm(V, axis=(1, 2), keepdims=True)
        bound = np.linalg.norm(b) * np.linalg.norm(H @ x) * np.prod(np.linalg.norm(W, axis=(1, 2)) + B) / m
        assert abs(network(edge, H, b, x)[0]) <= bound
    assert np.mean(np.square(outputs)) == pytest.approx(2 * m, rel=0.3)
    assert np.mean(squares) == pytest.approx(D * m, rel=0.2)
    left = np.sqrt(np.mean(np.maximum(abs(np.array(outputs)) - moves, 0) ** 2)) - 1
    assert left > np.sqrt(m) * (np.sqrt(2) - m ** (1 / 32) / D**5) - 1 - 0.15 * np.sqrt(2 * m)
    assert left > 1
    assert measured("assumption-5.9", "reading[small]").measured > 1


# --- remarks ---------------------------------------------------------------------------------------------------------


@second_route("remark-3")
def test_remark_3_by_least_squares() -> None:
    """Two agents, reward 1 for equal actions: the best sum of one function per agent misses the advantage by 1/2."""
    joint = [(0, 0), (0, 1), (1, 0), (1, 1)]
    advantage = np.array([0.5 if a == b else -0.5 for a, b in joint])
    scores = np.array([[a == 0, a == 1, b == 0, b == 1] for a, b in joint], dtype=float)
    fitted = scores @ np.linalg.lstsq(scores, advantage, rcond=None)[0]
    assert np.mean((advantage - fitted) ** 2) == pytest.approx(float(measured("remark-3", "printed[term 2]").measured))
    exponents = {"(5)": 1 / 32, "(6)": 1 / 32, "(7)": -1 / 24}
    assert max(exponents.values()) == float(measured("remark-3", "printed[width]").measured)


@second_route("remark-4", "table-1")
def test_remark_4_worst_policies_are_on_the_border() -> None:
    """Three arms, reward on the first: the fit of the advantage at the worst angle of each radius, by differences."""
    ratios = []
    for c in np.linspace(0.1, 0.9, 9):
        def arms(angle: float, c: float = c) -> np.ndarray:
            return (1 + c * np.cos(angle - 2 * np.pi * np.arange(3) / 3)) / 3

        worst = max(np.linspace(0, 2 * np.pi, 721), key=lambda x: -arms(x)[0])
        p, score = arms(worst), (arms(worst + 1e-6) - arms(worst - 1e-6)) / 2e-6 / arms(worst)
        advantage = np.array([1.0, 0.0, 0.0]) - p[0]
        weight = (p * score * advantage).sum() / (p * score**2).sum()
        error = (advantage - weight * score)[0] ** 2  # weighed by the optimal policy: arm 0
        gap = (1.0 - p[0]) / 0.5
        ratios.append(gap**2 / (error / 0.25))
    found = float(measured("remark-4", "printed").measured)
    assert ratios == pytest.approx([found] * 9, abs=1e-4)
    assert measured("table-1", "printed[this work]").measured == pytest.approx(found)


@second_route("remark-5")
def test_remark_5_by_numbers() -> None:
    """D = 2, K = D^4, and a width beyond D^(144/7): the terms with m^(1/32) are larger, and doubling m raises them."""
    D = 2.0

    def terms(m: float) -> tuple[float, float, float]:
        return m ** (1 / 32) * D**-5.5, m ** (1 / 32) * D**-3.5 * D**-1, m ** (-1 / 24) * D**-4

    radius, samples, linear = terms(1e7)
    assert max(radius, samples) > linear
    assert sum(terms(2e8)) > sum(terms(1e8))
    at = D ** (48 / 7)
    assert terms(at)[1] == pytest.approx(terms(at)[2])
    assert terms(D ** (144 / 7))[0] == pytest.approx(terms(D ** (144 / 7))[2])
    assert measured("remark-5", "printed[width]").measured > 0


# --- the neural critic -----------------------------------------------------------------------------------------------


@second_route("eq-23")
def test_eq_23_by_sampled_networks() -> None:
    """One pair, D = 1, r = 0, in NumPy: the error is of order sqrt(m) at K = 1, and of order one after learning."""
    rng, m, runs = np.random.default_rng(23), 2_000, 400
    start, late = [], []
    for _ in range(runs):
        h = np.sqrt(2) * rng.normal(size=m)  # Hx
        z = np.sqrt(2) * np.linalg.norm(h) * rng.normal(size=m)  # W h, whose rows are independent of each other
        b = rng.normal(size=m)
        y = b @ np.maximum(z, 0) / np.sqrt(m)
        slope = np.linalg.norm(b * (z > 0)) * np.linalg.norm(h) / np.sqrt(m)
        start.append(min(abs(y), slope))  # B = 1
        if abs(y) < 3 * slope:  # W* inside a ball of radius 3: the linearised critic is zero, the network is not
            # W* = W - y grad/|grad|^2, and grad = b 1(z > 0) h^T / sqrt(m)
            moved = z - y * b * (z > 0) / np.sqrt(m) * (h @ h) / slope**2
            late.append(abs(b @ np.maximum(moved, 0)) / np.sqrt(m))
    assert np.mean(np.array(start) >= np.sqrt(m / 2)) > 3 / 16
    share = np.sum(np.array(late) >= 0.5) / runs
    assert abs(share - 0.33) < 4 * np.sqrt(0.33 * 0.67 / runs) + 0.05  # the limit is approached like m^(-1/4)
