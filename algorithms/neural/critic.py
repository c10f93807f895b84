"""The stationary point W* of the linearised critic (zhang2025 Fact C.3), computed, with a bound on its error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from algorithms.neural.network import CriticNetwork, require_radius
from algorithms.neural.readings import Reading
from mdp.exact import Exact

CHUNK = 200
"""Extragradient steps between two looks at the gap; ours."""


@dataclass(frozen=True, eq=False)
class FixedPoint:
    r"""A stationary point: ``<F(W*), W - W*> >= 0`` on the ball, ``F = E[delta_0(W) grad Q-hat_0]``.

    Attributes:
        weights: W*, (D, m, m). Only its values are unique; this one has no part that the inputs cannot see.
        values: ``Q-hat_0(.; W*)`` of every pair, (S A,).
        gap: ``max over W in the ball of <F(W*), W* - W>``, zero at a stationary point; computed in closed form.
        monotonicity: c with ``<F(W) - F(W'), W - W'> >= c ||Q_W - Q_W'||^2`` in the law's norm. It is at least
            ``1 - gamma`` with one kernel throughout, and ``1 - sqrt(gamma)`` with restart data and an original target
            (nu P_pi <= nu / gamma). With original data and a restart target it can be negative.
        interior: whether no block touches the ball.
        steps: extragradient steps taken.
    """

    weights: Float[np.ndarray, "D m m"]
    values: Float[np.ndarray, " n"]
    gap: float
    monotonicity: float
    interior: bool
    steps: int

    @property
    def error(self) -> float:
        """Bound ``sqrt(gap / monotonicity)`` on the distance of `values` from the stationary ones in the law's norm."""
        return float(np.sqrt(max(self.gap, 0.0) / self.monotonicity)) if self.monotonicity > 0 else float("inf")


@dataclass(frozen=True, eq=False)
class _System:
    """``F(u) = G^T (A G u - b)`` in coordinates of the row space of each block of G; sizes (n, k_1 + ... + k_D)."""

    G: np.ndarray
    A: np.ndarray
    b: np.ndarray
    bases: tuple[np.ndarray, ...]
    radius: float

    @property
    def cuts(self) -> list[slice]:
        ends = np.cumsum([basis.shape[0] for basis in self.bases])
        return [slice(end - basis.shape[0], end) for end, basis in zip(ends, self.bases, strict=True)]

    def field(self, u: np.ndarray) -> np.ndarray:
        value: np.ndarray = self.G.T @ (self.A @ (self.G @ u) - self.b)
        return value

    def gap(self, u: np.ndarray) -> float:
        F = self.field(u)
        if not np.isfinite(self.radius):
            return 0.0 if np.linalg.norm(F) < 1e-9 * (1 + np.linalg.norm(self.G.T @ self.b)) else float("inf")
        return float(F @ u + self.radius * sum(np.linalg.norm(F[cut]) for cut in self.cuts))

    def project(self, u: np.ndarray) -> np.ndarray:
        out = u.copy()
        for cut in self.cuts:
            norm = np.linalg.norm(u[cut])
            if norm > self.radius:
                out[cut] *= self.radius / norm
        return out


def critic_fixed_point(
    network: CriticNetwork,
    view: Exact,
    restart: Exact,
    reading: Reading,
    radius: float,
    *,
    tolerance: float = 1e-10,
    max_steps: int = 20_000,
) -> FixedPoint:
    """Stationary point of the averaged local rewards' critic, on stationary data of the reading's kernel.

    Without an active constraint it is a linear system. Otherwise the variational inequality is solved by extragradient
    steps in block coordinates, finished by Newton steps on the multipliers of the active blocks: a stationary point has
    ``F_h = -multiplier_h (W_h - W_h(0))``.

    Args:
        network: with S A inputs.
        view: quantities of the original kernel at the policy.
        restart: quantities of the restart kernel at the same policy.
        reading: its data and target kernels.
        radius: B.
        tolerance: of the gap, relative to the size of F at W(0) times that of the ball.
        max_steps: most extragradient steps.

    Returns:
        The point with its gap, whatever it is: `FixedPoint.error` says how good it is.

    Raises:
        ValueError: radius not positive, or a network of another size.

    Source: zhang2025 Fact C.3, Eqs. (12)-(14); Korpelevich (1976) for the extragradient method.
    """
    radius = require_radius(radius)
    n = view.pi.size
    if network.n_inputs != n:
        raise ValueError(f"network has {network.n_inputs} inputs, and there are {n} pairs of state and action")
    state_law = view.restart_stationary if reading.data_kernel == "restart" else view.stationary
    law = (state_law[:, None] * view.pi).reshape(-1)
    P = (restart if reading.target_kernel == "restart" else view).P.reshape(n, -1)
    pairs = (P[:, :, None] * view.pi[None]).reshape(n, n)
    bellman = np.eye(n) - view.gamma * pairs
    value, slope = network.values(network.W0), network.gradients(network.W0)
    A = law[:, None] * bellman
    target = law * view.r_bar.reshape(-1) - A @ value
    system = _reduce(slope, A, target, network.depth, radius)
    u, steps = _solve(system, tolerance, max_steps)
    # back to weights, block by block
    blocks = [u[cut] @ basis for cut, basis in zip(system.cuts, system.bases, strict=True)]
    offset = np.stack(blocks).reshape(network.W0.shape)
    interior = all(np.linalg.norm(block) < radius * (1 - 1e-12) for block in blocks)
    return FixedPoint(
        network.W0 + offset, value + slope @ offset.ravel(), system.gap(u), _monotonicity(law, bellman), interior, steps
    )


def _monotonicity(law: np.ndarray, bellman: np.ndarray) -> float:
    seen = law > 0
    root = np.sqrt(law[seen])
    scaled = root[:, None] * bellman[np.ix_(seen, seen)] / root
    return float(np.linalg.eigvalsh((scaled + scaled.T) / 2)[0])


def _reduce(slope: np.ndarray, A: np.ndarray, b: np.ndarray, depth: int, radius: float) -> _System:
    """Coordinates of each block's row space: projections onto the ball never leave it."""
    pieces, bases = [], []
    for block in np.split(slope, depth, axis=1):
        left, singular, right = np.linalg.svd(block, full_matrices=False)
        keep = singular > 1e-12 * max(float(singular[0]), np.finfo(float).tiny)
        pieces.append(left[:, keep] * singular[keep])
        bases.append(right[keep])
    return _System(np.concatenate(pieces, axis=1), A, b, tuple(bases), radius)


def _solve(system: _System, tolerance: float, max_steps: int) -> tuple[np.ndarray, int]:
    left, singular, right = np.linalg.svd(system.G, full_matrices=False)
    keep = singular > 1e-12 * singular[0]
    inner = left[:, keep].T @ system.A @ left[:, keep]
    # range of G: one solve for values, least-norm weights for them
    values = np.linalg.lstsq(inner, left[:, keep].T @ system.b, rcond=None)[0]
    u = right[keep].T @ (values / singular[keep])
    size = 1.0 if not np.isfinite(system.radius) else system.radius
    goal = tolerance * size * max(float(np.linalg.norm(system.G.T @ system.b)), np.finfo(float).tiny)
    if np.array_equal(system.project(u), u):
        return u, 0
    u = system.project(u)
    step = 0.5 / float(np.linalg.norm(system.G.T @ system.A @ system.G, 2))
    best, taken = u, 0
    while taken < max_steps:
        for _ in range(CHUNK):
            middle = system.project(u - step * system.field(u))
            u = system.project(u - step * system.field(middle))
        taken += CHUNK
        for candidate in (u, _polish(system, u)):
            if system.gap(candidate) < system.gap(best):
                best = candidate
        if system.gap(best) <= goal:
            break
    return best, taken


def _polish(system: _System, u: np.ndarray) -> np.ndarray:
    """Newton on the multipliers of the blocks that touch the ball; returns u where that leads nowhere."""
    from scipy.optimize import root

    F = system.field(u)
    active = [cut for cut in system.cuts if np.linalg.norm(u[cut]) > system.radius * (1 - 1e-6)]
    if not active:
        return u
    matrix, target = system.G.T @ system.A @ system.G, system.G.T @ system.b

    def point(multipliers: np.ndarray) -> np.ndarray:
        shifted = matrix.copy()
        for cut, value in zip(active, multipliers, strict=True):
            index = np.arange(cut.start, cut.stop)
            shifted[index, index] += value
        solution: np.ndarray = np.linalg.lstsq(shifted, target, rcond=None)[0]
        return solution

    def excess(multipliers: np.ndarray) -> np.ndarray:
        moved = point(multipliers)
        return np.array([np.linalg.norm(moved[cut]) / system.radius - 1 for cut in active])

    start = np.array([-float(F[cut] @ u[cut]) / system.radius**2 for cut in active])
    found = root(excess, start, tol=1e-14)
    return system.project(point(found.x))
