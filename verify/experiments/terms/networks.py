"""What a network critic adds to zhang2025 Theorem 5.10: terms (6) and (7) and the floor (3), by width and depth.

Nothing is sampled but the initial weights: the critics follow the expected update of Algorithm 2, the exact mean over
the stationary law of the pairs, with its projection and its average, and W* is solved for. `Critics.measure` puts
beside each other what Eqs. (22) and (23) bound, for the network and for its linearisation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from algorithms.neural import Reading, expected_direction
from algorithms.neural.critic import _solve, _System
from algorithms.neural.oracles import pair_chain
from mdp.exact import Exact
from mdp.networks.schedule import full_average
from verify.experiments.terms.wide import Block, Offset, WideNetwork
from verify.experiments.terms.worst import worst_on_ball

SEEN = 1e-12
"""Eigenvalue of a layer's Gram matrix, relative to the largest, below which inputs do not see that direction; ours."""

METRICS = (
    "start", "ball", "agents", "critic", "iterations", "curvature", "star", "floor", "to gradient", "worst",
)
"""What `Critics.measure` returns, by name (there)."""


def printed_radius(width: int, depth: int) -> float:
    """``B = m^(1/32) D^-6``, Theorem 5.10's radius with constant one.

    Args:
        width: m.
        depth: D.

    Source: zhang2025 Theorem 5.10.
    """
    return float(width ** (1 / 32) * depth**-6.0)


@dataclass(frozen=True, eq=False)
class Pairs:
    """What the critic sees of a problem at a policy: n pairs, their law and successors, and rewards.

    Attributes:
        law: of the data, (n,).
        kernel: of the targets, (n, n).
        rewards: local ones, (N, n).
        Q: of the target kernel, what the critic aims at, (n,).
        gamma: discount.
        error: of a critic's values (n,): distance of its expected direction from ``(1 - gamma) grad J``.
    """

    law: Float[np.ndarray, " n"]
    kernel: Float[np.ndarray, "n n"]
    rewards: Float[np.ndarray, "N n"]
    Q: Float[np.ndarray, " n"]
    gamma: float
    error: Callable[[np.ndarray], float]

    @classmethod
    def of(cls, view: Exact, restart: Exact, reading: Reading) -> Pairs:
        """The pairs of a policy under a reading: stationary data of its data kernel, targets of its target kernel.

        Args:
            view: quantities of the original kernel.
            restart: quantities of the restart kernel at the same policy.
            reading: kernels and direction.
        """
        _, law = pair_chain(view, restart, reading)
        aim, n = restart if reading.target_kernel == "restart" else view, view.pi.size
        kernel = (aim.P.reshape(n, -1)[:, :, None] * view.pi[None]).reshape(n, n)
        wanted, average = (1 - float(view.gamma)) * view.grad_J, full_average(len(view.tables))

        def error(values: np.ndarray) -> float:
            tables = np.broadcast_to(values.reshape(view.pi.shape), (len(average), *view.pi.shape))
            return float(np.linalg.norm(expected_direction(tables, view, restart, reading, average) - wanted))

        rewards = np.asarray(view.r, dtype=float).reshape(-1, n)
        return cls(law, kernel, rewards, aim.Q.reshape(-1), float(view.gamma), error)

    def td(self, values: np.ndarray, rewards: np.ndarray) -> Float[np.ndarray, " n"]:
        """``law(z) E[Q(z) - r(z) - gamma Q(z')]`` of every pair.

        Args:
            values: of a critic, (n,).
            rewards: (n,).
        """
        weighted: np.ndarray = self.law * (values - rewards - self.gamma * self.kernel @ values)
        return weighted


def expected_td(
    network: WideNetwork, pairs: Pairs, rewards: Float[np.ndarray, " n"], iterations: int, radius: float
) -> Offset:
    """Lines 3 to 11 of Algorithm 2 with expected updates, step ``1/sqrt(K)``: the average, as ``W - W(0)``.

    Args:
        network: its inputs are the pairs.
        pairs: law and kernel.
        rewards: of the agent, or their mean for Algorithm 3.
        iterations: K.
        radius: B.
    """
    m, n = network.width, len(rewards)
    lefts, rights = ([np.empty((m, 0)) for _ in range(network.depth)] for _ in range(2))
    now, mean = ([np.empty(0) for _ in range(network.depth)] for _ in range(2))
    for k in range(iterations):
        values, slopes = network.slopes([Block(L * c, R) for L, R, c in zip(lefts, rights, now, strict=True)])
        step = -(iterations**-0.5) * pairs.td(values, rewards)
        for h, slope in enumerate(slopes):
            lefts[h] = np.concatenate([lefts[h], slope.left * step], axis=1)
            rights[h] = np.concatenate([rights[h], slope.right], axis=1)
            now[h] = _shrunk(lefts[h], rights[h], np.append(now[h], np.ones(n)), radius)
            mean[h] = (k + 1) / (k + 2) * np.append(mean[h], np.zeros(n)) + now[h] / (k + 2)
    return [Block(L * c, R) for L, R, c in zip(lefts, rights, mean, strict=True)]


def _shrunk(left: np.ndarray, right: np.ndarray, coefficients: np.ndarray, radius: float) -> np.ndarray:
    norm = Block(left * coefficients, right).norm
    return coefficients * (radius / norm) if norm > radius else coefficients


@dataclass(frozen=True, eq=False)
class Linear:
    """The linearised critic ``Q_0 + sum_h G_h a_h``: in layer h, ``W_h - W_h(0)`` is the sum of ``a_h[z] grad_h Q(z)``.

    Attributes:
        start: values at W(0), (n,).
        grams: ``<grad_h Q(z), grad_h Q(z')>``, (D, n, n).
    """

    start: Float[np.ndarray, " n"]
    grams: Float[np.ndarray, "D n n"]

    @classmethod
    def of(cls, start: np.ndarray, slopes: Sequence[Block]) -> Linear:
        """From the factors of the gradients at W(0).

        Args:
            start: values at W(0), (n,).
            slopes: as of `WideNetwork.slopes`.
        """
        return cls(start, np.stack([(s.left.T @ s.left) * (s.right.T @ s.right) for s in slopes]))

    def values(self, a: Float[np.ndarray, "D n"]) -> Float[np.ndarray, " n"]:
        """``Q-hat_0`` of every input.

        Args:
            a: coefficients.
        """
        value: np.ndarray = self.start + np.einsum("hzt,ht->z", self.grams, a)
        return value

    def reach(self, radius: float) -> Float[np.ndarray, " n"]:
        """Largest change of ``Q-hat_0`` at every input within the ball: ``B sum_h ||grad_h Q||``.

        Args:
            radius: B.
        """
        value: np.ndarray = radius * np.sqrt(np.diagonal(self.grams, axis1=1, axis2=2)).sum(axis=0)
        return value

    def expected_td(self, pairs: Pairs, rewards: np.ndarray, iterations: int, radius: float) -> np.ndarray:
        """As the function of that name, for this critic: averaged coefficients, (D, n).

        Args:
            pairs: law and kernel.
            rewards: (n,).
            iterations: K.
            radius: B.
        """
        now, mean = np.zeros(self.grams.shape[:2]), np.zeros(self.grams.shape[:2])
        for k in range(iterations):
            now = now - iterations**-0.5 * pairs.td(self.values(now), rewards)
            norms = np.sqrt(np.maximum(np.einsum("hz,hzt,ht->h", now, self.grams, now), 0.0))
            now = now * np.minimum(1.0, radius / np.maximum(norms, np.finfo(float).tiny))[:, None]
            mean = (k + 1) / (k + 2) * mean + now / (k + 2)
        return mean

    def stationary(self, pairs: Pairs, radius: float, *, tolerance: float = 1e-10) -> np.ndarray:
        """W* of Fact C.3 for the mean reward, as coefficients (D, n).

        Args:
            pairs: law and kernel.
            radius: B.
            tolerance: of the variational inequality's gap, relative (`algorithms.neural.critic_fixed_point`).

        Raises:
            ArithmeticError: the gap stays above its tolerance.
        """
        n = len(self.start)
        roots, back = zip(*(_root(gram) for gram in self.grams), strict=True)
        A = pairs.law[:, None] * (np.eye(n) - pairs.gamma * pairs.kernel)
        target = pairs.law * pairs.rewards.mean(axis=0) - A @ self.start
        system = _System(np.concatenate(roots, axis=1), A, target, tuple(np.eye(r.shape[1]) for r in roots), radius)
        u, _ = _solve(system, tolerance, 20_000)
        scale = radius * float(np.linalg.norm(system.G.T @ target))
        if np.isfinite(radius) and system.gap(u) > 1e3 * tolerance * scale:
            raise ArithmeticError(f"W* not found: gap {system.gap(u):.2g} of {scale:.2g}")
        return np.stack([b @ u[cut] for b, cut in zip(back, system.cuts, strict=True)])


def _root(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """L with ``L L^T = G``, and the matrix that takes ``L^T a`` to a."""
    values, vectors = np.linalg.eigh(gram)
    keep = values > SEEN * max(float(values[-1]), np.finfo(float).tiny)
    root = np.sqrt(values[keep])
    return vectors[:, keep] * root, vectors[:, keep] / root


def measure(network: WideNetwork, pairs: Pairs, iterations: int, radius: float) -> dict[str, float]:
    """One draw of the initial weights: every number is a maximum over the pairs, except "to gradient".

    - ``start``: ``|Q-hat(W(0))|``;
    - ``ball``: ``2 B sum_h ||grad_h Q||``, the diameter of the ball as the linearised critic sees it: what Eq. (22)
      puts for term (6), with its L_W;
    - ``agents``: ``|Q-hat(W-bar) - Q-hat(V-bar)|``, what Eq. (22) bounds;
    - ``critic``: ``|Q-hat(V-bar) - Q-hat(W*)|``, what Eq. (23) bounds;
    - ``iterations``: the same for the linearised critic, run the same way: the part of term (7) with K;
    - ``curvature``: ``|Q-hat(V-bar) - Q-hat_0(V-bar_0)|`` of the two critics after K iterations each, and
    - ``star``: ``|Q-hat(W*) - Q-hat_0(W*)|``: the part of term (7) without K;
    - ``floor``: ``|Q-hat(W*) - Q|``, eps_critic at this policy, term (3);
    - ``to gradient``: distance of the expected direction with the critic V-bar from ``(1 - gamma) grad J``;
    - ``worst``: largest ``|Q-hat - Q-hat_0|`` found on the ball, at the first pair.

    V-bar runs as many iterations as the agents do (`algorithm-3` says what one fewer does).

    Args:
        network: its inputs are the pairs.
        pairs: of the problem.
        iterations: K.
        radius: B.

    Source: zhang2025 Eqs. (22), (23) and Assumption 5.9.
    """
    start, slopes = network.slopes()
    linear, team = Linear.of(start, slopes), pairs.rewards.mean(axis=0)
    runs = [expected_td(network, pairs, r, iterations, radius) for r in pairs.rewards]
    central = network.values(expected_td(network, pairs, team, iterations, radius))
    averaged = network.values(_mean(runs))
    flat = linear.values(linear.expected_td(pairs, team, iterations, radius))
    a = linear.stationary(pairs, radius)
    star_0 = linear.values(a)
    star = network.values([Block(s.left * x, s.right) for s, x in zip(slopes, a, strict=True)])
    found = (
        start, 2 * linear.reach(radius), averaged - central, central - star, flat - star_0, central - flat,
        star - star_0, star - pairs.Q,
    )
    values = [float(np.abs(x).max()) for x in found]
    return dict(zip(METRICS, [*values, pairs.error(central), worst_on_ball(network, radius)], strict=True))


def _mean(runs: Sequence[Offset]) -> Offset:
    N = len(runs)
    return [
        Block(np.concatenate([b.left / N for b in blocks], axis=1), np.concatenate([b.right for b in blocks], axis=1))
        for blocks in zip(*runs, strict=True)
    ]
