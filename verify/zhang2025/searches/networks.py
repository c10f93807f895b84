"""Searches of zhang2025 about networks, supports of chains, and ring3: families of their own, and their claims."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from flint import fmpq

from mdp.compatible import eps_bias, joint_scores
from mdp.exact import exact
from mdp.fisher import fisher
from mdp.instances import ring3
from mdp.linear import rational_array
from mdp.networks import Schedule, full_average
from mdp.optimal import J_star
from mdp.policies import CircularPolicy
from mdp.problem import Problem
from verify.search.family import normalised_rows
from verify.search.forms import Pair, Raw, norm, root, times, worst
from verify.zeng2022.searches.supports import closed_classes, reachability
from verify.zhang2025.setting.constructions import Target, deep_network, wide_network

GRID = 6
"""Corners of inputs and values of targets are integers up to this, over 2 and 3; ours: denominators stay readable."""


@dataclass(frozen=True)
class Targets:
    """Functions on distinct rational unit vectors, with a seed for H and b; exact at every point of the box.

    Attributes:
        n_inputs: n at most; equal corners are merged.
        d: input dimension, at least 2.
    """

    n_inputs: int = 3
    d: int = 2

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Corners and values in [-6, 6], and a seed below 1000, flat; all are rounded down."""
        count = self.n_inputs * self.d
        return rational_array([-GRID] * count + [0]), rational_array([GRID] * count + [999])

    def build(self, parameters: np.ndarray) -> tuple[Target, int]:
        """The target and the seed.

        Args:
            parameters: floats or rationals, a flat vector.
        """
        whole = [int(np.floor(float(Fraction(str(x))))) for x in parameters]
        rows = np.array(whole[:-1]).reshape(self.n_inputs, self.d)
        corners = {tuple(int(v) for v in row[:-1]): int(row[-1]) for row in rows}
        points = []
        for corner in corners:
            t = [fmpq(v, 2) for v in corner]
            square = sum((v * v for v in t), fmpq(0))
            points.append([2 * v / (1 + square) for v in t] + [(1 - square) / (1 + square)])
        values = [fmpq(v, 3) for v in corners.values()]
        return Target(rational_array(points), rational_array(values)), whole[-1]

    def smaller(self, parameters: np.ndarray) -> Iterator[tuple[Targets, np.ndarray]]:
        """One input less.

        Args:
            parameters: floats or rationals, a flat vector.
        """
        for k in range(self.n_inputs if self.n_inputs > 1 else 0):
            kept = np.delete(parameters, np.arange(k * self.d, (k + 1) * self.d))
            yield replace(self, n_inputs=self.n_inputs - 1), kept

    def describe(self, instance: tuple[Target, int]) -> dict[str, object]:
        """Inputs, values and seed.

        Args:
            instance: target and seed.
        """
        target, seed = instance
        return {"inputs": target.points, "f": target.values, "seed of H and b": seed}


def representation(deep: bool, strength: int = 1) -> Callable[[tuple[Target, int]], Pair | None]:
    """Error of the wide or deep construction, exactly, against zero.

    Args:
        deep: width 4d and depth 2n, rather than two layers (or four) of width 2dn.
        strength: of the bumps of the wide construction; 0 leaves them out.
    """

    def sides(instance: tuple[Target, int]) -> Pair | None:
        target, seed = instance
        rng = np.random.default_rng(seed)
        if deep:
            return target.error(deep_network(target, rng)), fmpq(0)
        return target.error(wide_network(target, rng, strength=strength)), fmpq(0)

    return sides


# --- the critic in its ball ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CriticPairs:
    """Networks of Eq. (5) at one input with a start and two further weights; b, H x, W(0), W - W(0), W' - W(0).

    Attributes:
        width: m, 1 or 2.
        depth: D.
    """

    width: int = 2
    depth: int = 2

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Every entry in [-2, 2], (n,) each."""
        count = 2 * self.width + 3 * self.depth * self.width**2
        return rational_array([-2] * count), rational_array([2] * count)

    def build(self, parameters: np.ndarray) -> tuple[np.ndarray, ...]:
        """B (m,), H x (m,), and three stacks of layers (D, m, m).

        Args:
            parameters: floats or rationals, a flat vector.
        """
        m, shape = self.width, (3, self.depth, self.width, self.width)
        return parameters[:m], parameters[m : 2 * m], *parameters[2 * m :].reshape(shape)

    def smaller(self, parameters: np.ndarray) -> Iterator[tuple[CriticPairs, np.ndarray]]:
        """One layer or one unit less.

        Args:
            parameters: floats or rationals, a flat vector.
        """
        b, z, *layers = self.build(parameters)
        stack = np.stack(layers)
        if self.depth > 1:
            for h in range(self.depth):
                kept = np.delete(stack, h, axis=1)
                yield replace(self, depth=self.depth - 1), np.concatenate([b, z, kept.reshape(-1)])
        if self.width > 1:
            yield replace(self, width=1), np.concatenate([b[:1], z[:1], stack[:, :, :1, :1].reshape(-1)])

    def describe(self, instance: tuple[np.ndarray, ...]) -> dict[str, object]:
        """All weights.

        Args:
            instance: as `build` gives it.
        """
        names = ("b", "H x", "W(0)", "W - W(0)", "W' - W(0)")
        return dict(zip(names, instance, strict=True))


def critic_rise(share: Any = 1) -> Raw:
    """``|Q(W) - Q(W')|`` against ``L_W |W - W'|`` on the least ball that holds both, times ``m^(D/2)`` on both sides.

    ``L_W = |b| |Hx| m^(-D/2) sqrt(sum_h prod_(k != h) n_k^2)`` with ``n_h = |W_h(0)| + B``.

    Args:
        share: multiplies the bound.
    """

    def raw(instance: tuple[np.ndarray, ...]) -> Pair:
        b, z, start, first, second = instance
        radius_squared = max(max((move[h] ** 2).sum() for h in range(len(start))) for move in (first, second))
        norms = [_operator_norm(layer) + root(radius_squared) for layer in start]
        total = b[0] * 0
        for h in range(len(norms)):
            product = b[0] * 0 + 1
            for k, n in enumerate(norms):
                product = product * n * n if k != h else product
            total = total + product
        rise = abs(_output(b, z, start + first) - _output(b, z, start + second))
        return rise, times(share, norm(b) * norm(z) * root(total) * norm(first - second))

    return raw


def _output(b: np.ndarray, z: np.ndarray, layers: np.ndarray) -> Any:
    for layer in layers:
        z = layer @ z
        z = z * np.asarray(z > 0, dtype=int)
    return (b * z).sum()


def _operator_norm(layer: np.ndarray) -> Any:
    """Largest singular value of a matrix of size one or two."""
    if len(layer) == 1:
        return abs(layer[0, 0])
    square, det = (layer**2).sum(), layer[0, 0] * layer[1, 1] - layer[0, 1] * layer[1, 0]
    return root((square + root(square * square - 4 * det * det)) / 2)


# --- supports of chains -------------------------------------------------------------------------------------------


def restart_structure(start: int = 0, restarted: bool = True) -> Callable[[np.ndarray], tuple[int, int] | None]:
    """Whether the restart chain has exactly one closed class, with s_0, reached from s_0 by the chain, aperiodic.

    Args:
        start: index of the state that the claim calls s_0; the chain restarts in state 0.
        restarted: False asks the same of the original chain.
    """

    def sides(weights: np.ndarray) -> tuple[int, int] | None:
        S = int(np.sqrt(len(weights)))
        support = np.asarray(weights > 0, dtype=float).reshape(S, S)
        chain = normalised_rows(support)
        moved = chain.copy()
        if restarted:
            moved[:, 0] += 1
        closed, reached = closed_classes(moved), tuple(int(t) for t in np.flatnonzero(reachability(chain)[start]))
        if closed != [reached]:
            return 1, 0
        block = np.asarray(moved[np.ix_(reached, reached)] > 0, dtype=int)
        power = block
        for _ in range(len(reached) ** 2):  # Wielandt: n^2 - 2n + 2 steps fill a primitive matrix
            power = np.minimum(power @ block, 1)
        return int(not power.all()), 0

    return sides


# --- ring3 --------------------------------------------------------------------------------------------------------


@cache
def ring3_circular() -> tuple[Problem, dict[str, float]]:
    """ring3 with nonnegative rewards and the circular class, and its constants of the assumptions of Section 5."""
    from verify.assumptions import assumption_table
    from verify.assumptions.classes import CIRCULAR

    problem = ring3()
    problem = replace(
        problem, mdp=replace(problem.mdp, r=problem.mdp.r - problem.mdp.r.min()),
        schedule=Schedule.static(full_average(problem.mdp.n_agents)),
    )
    rows = assumption_table(problem, classes=(CIRCULAR,), draws=1)
    found = {
        key: float(row.value) for row in rows for key in ("score norm", "Fisher", "5.6", "J Lipschitz")
        if "zhang2025" in row.assumption and key in row.assumption and row.value is not None
    }
    policy = CircularPolicy.tabular(problem.mdp.n_states, problem.mdp.n_actions).normalised()
    return replace(problem, policy=policy), found


def constants_hold(share: float = 1.0) -> Callable[[np.ndarray], Pair]:
    """Scores, Fisher information, eps_bias and grad J on ring3 against the constants that serve every theta.

    Args:
        share: multiplies the bounds (and divides mu_f).
    """

    def raw(angles: np.ndarray) -> Pair:
        problem, constants = ring3_circular()
        policy = problem.policy
        assert isinstance(policy, CircularPolicy)
        view = exact(problem, angles.reshape(problem.mdp.n_agents, -1) / policy.scale)
        score = float(np.linalg.norm(joint_scores(view), axis=2).max())
        least = float(np.linalg.eigvalsh(fisher(view))[0])
        error = float(eps_bias(view, J_star(problem.mdp).occupancy))
        slope = float(np.linalg.norm(view.grad_J))
        return worst([
            (score, share * constants["score norm"]), (constants["Fisher"], share * least),
            (error, share * constants["5.6"]), (slope, share * constants["J Lipschitz"]),
        ])  # fmt: skip

    return raw


def floats_only(instance: Any) -> None:
    """Exact sides of a claim that has none: sines of rational angles; nothing is certified.

    Args:
        instance: not used.
    """
