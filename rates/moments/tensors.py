"""The two parts of the stacked vector, and the moments of one sample's update of each, mode by mode.

Source: ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rates.moments.outcomes import Outcomes, weighted_gram


@dataclass(frozen=True, eq=False)
class Part:
    """One part of the stacked vector: the average agent (p = 1), or the first N - 1 deviations (p = N - 1).

    Attributes:
        V: (B, p, p), how a period of consensus steps moves it.
        signal: (O, p), the scalars c with ``b = g c``: reward plus ``h`` times the centre.
        noise: (p, p), covariance of the reward noise.
        centred: whether E b vanishes in the long run, exactly.
    """

    V: np.ndarray
    signal: np.ndarray
    noise: np.ndarray
    centred: bool


def parts(table: Outcomes, matrices: np.ndarray, centre: np.ndarray) -> tuple[Part, Part | None]:
    """The average part and, with two agents or more, the disagreement part.

    Args:
        table: outcomes of one sample.
        matrices: (B, N, N), doubly stochastic; the last row and column count as whatever makes them exactly so.
        centre: (K,), subtracted from every agent.
    """
    N, unit = table.n_agents, table.weight[0] * 0 + 1
    pull = table.sensitivity @ centre
    team = table.team_reward
    one = np.array([[unit]])
    mean = Part(one[None], (team + pull)[:, None], one * table.noise_variance / N, True)
    if N == 1:
        return mean, None
    V = matrices[:, :-1, :-1] - matrices[:, :-1, -1:]
    noise = (np.eye(N - 1, dtype=int) * unit - unit / N) * table.noise_variance
    return mean, Part(V, table.reward[:, :-1] - team[:, None], noise, False)


class Tensors:
    """Moments of (A_t, b_t) per pair of mode coordinates: arrays (Z, Z, ...), indexed to, from.

    Attributes:
        base: transposed chain minus the identity, (Z, Z).
        A: E A_t, (Z, Z, K, K).
        AA: ``E A_kl A_mn``, (Z, Z, K, K, K, K).
        b_l, b_r: E b of the left and the right part, (Z, Z, p K).
        Ab_l, Ab_r: ``E A_kl b_jn``, (Z, Z, K, K, p, K).
        bb: E b_left b_right^T, (Z, Z, p_left K, p_right K).
    """

    def __init__(self, table: Outcomes, left: Part, right: Part) -> None:
        self.base = _mode_map(table)
        g, h = table.direction, table.sensitivity
        K, Z = g.shape[1], table.n_modes
        gh = (g[:, :, None] * h[:, None, :]).reshape(len(g), -1)
        b_l, b_r = ((p.signal[:, :, None] * g[:, None, :]).reshape(len(g), -1) for p in (left, right))
        cells: dict[str, list[np.ndarray]] = {name: [] for name in ("A", "AA", "b_l", "b_r", "Ab_l", "Ab_r", "bb")}
        noise = left.noise if left is right else None
        for to in range(Z):
            for source in range(Z):
                o = np.flatnonzero((table.mode == source) & (table.next_mode == to))
                w = table.weight[o]
                one = np.full((len(o), 1), g[0, 0] * 0 + 1, dtype=g.dtype)
                bb = weighted_gram(w, b_l[o], b_r[o])
                if noise is not None:
                    bb = bb + kron(noise, weighted_gram(w, g[o], g[o]))
                values = (
                    weighted_gram(w, g[o], h[o]), weighted_gram(w, gh[o], gh[o]), weighted_gram(w, b_l[o], one)[:, 0],
                    weighted_gram(w, b_r[o], one)[:, 0], weighted_gram(w, gh[o], b_l[o]),
                    weighted_gram(w, gh[o], b_r[o]), bb,
                )  # fmt: skip
                for name, value in zip(cells, values, strict=True):
                    cells[name].append(value)
        mu = table.stationary
        split = {name: _in_mode_coordinates(np.stack(c).reshape(Z, Z, *c[0].shape), mu) for name, c in cells.items()}
        for name, part in (("b_l", left), ("b_r", right)):
            if part.centred:
                split[name][0, 0] = split[name][0, 0] * 0
        self.A, self.b_l, self.b_r, self.bb = split["A"], split["b_l"], split["b_r"], split["bb"]
        self.AA = split["AA"].reshape(Z, Z, K, K, K, K)
        self.Ab_l, self.Ab_r = split["Ab_l"].reshape(Z, Z, K, K, -1, K), split["Ab_r"].reshape(Z, Z, K, K, -1, K)


def kron(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Kronecker product in any arithmetic.

    Args:
        left: (a, b).
        right: (c, d).
    """
    product: np.ndarray = left[:, None, :, None] * right[None, :, None, :]
    return product.reshape(left.shape[0] * right.shape[0], -1)


def _mode_map(table: Outcomes) -> np.ndarray:
    """Transposed chain minus identity, in mode coordinates; zero row and column first, as mu is stationary."""
    Z, P = table.n_modes, table.chain
    base = P * 0
    for k in range(1, Z):
        for j in range(1, Z):
            # one minus the rest of the row, so that no probability leaks over 10^12 steps
            own = -sum(P[j, i] for i in range(Z) if i != j) if j == k else P[j, k]
            base[k, j] = own - P[0, k]
    return base


def _in_mode_coordinates(cells: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """``C R C^-1`` of a (to, from) array; see the module for the coordinates."""
    weights = mu.reshape(1, -1, *[1] * (cells.ndim - 2))
    columns = np.concatenate([(cells * weights).sum(axis=1)[:, None], cells[:, 1:] - cells[:, :1]], axis=1)
    total = columns.sum(axis=0)
    rows = [total] + [columns[k] - mu[k] * total for k in range(1, len(mu))]
    return np.stack(rows)
