"""Both sides of the repaired claims of zhang2025 about MDPs, over floats and over rationals.

Every function returns a claim whose constant can be changed, so that a test can ask the same search to refute less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mdp.compatible import eps_bias, joint_scores
from mdp.direction import direction, undiscounted_direction
from mdp.exact import Exact
from mdp.fisher import fisher_blocks
from mdp.linear import is_exact, rational
from mdp.optimal import J_star, Optimum
from mdp.rational import RationalPoint
from verify.search import FloatPoint
from verify.search.forms import (
    Pair,
    Raw,
    least_squares,
    norm,
    relative_gap,
    root,
    times,
    worst,
)
from verify.search.joined import Joint
from verify.zhang2025.listing.direction import REPAIRED
from verify.zhang2025.setting.pairs import pair_law, pair_matrix

Point = RationalPoint | FloatPoint
Gap = Callable[[Any], Any]
"""A relative gap between the sides of an equality."""


def _size(point: Point) -> Any:
    """Magnitude of the terms of a policy gradient, before features or rewards cancel."""
    view = point.exact()
    features = sum((abs(psi).max() for psi in point.psi), view.gamma * 0)
    return features * (abs(view.r).max() + 2 * abs(view.V).max())


def two_kernels(restart_values: bool = False) -> Gap:
    """``E_nu[score Adv]``, nu of the restart chain and Adv of the original kernel, against ``(1 - gamma) grad J``.

    Args:
        restart_values: take Adv of the restart kernel instead.
    """

    def gap(point: Point) -> Any:
        view = point.exact()
        advantage = point.restart().advantage if restart_values else view.advantage
        right = (1 - view.gamma) * view.grad_J_by_solve
        return relative_gap(view.score_expectation(view.restart_stationary, advantage), right, _size(point))

    return gap


def average_reward(scaled: bool = True) -> Gap:
    """Average reward of the restart chain against ``(1 - gamma) J``, and its average-reward equation with V.

    Args:
        scaled: False claims J without the factor.
    """

    def gap(point: Point) -> Any:
        view = point.exact()
        claimed: Any = (1 - view.gamma) * view.J if scaled else view.J
        left = (view.restart_stationary * view.r_pi).sum()
        equation = view.r_pi - claimed + view.restart_P_pi @ view.V - view.V
        size = abs(view.r).max() + 2 * abs(view.V).max()
        return max(relative_gap(left, claimed, size), relative_gap(equation, equation * 0, size))

    return gap


def repaired_direction(undiscounted: bool, scale: Any = 1) -> Gap:
    """A repaired direction of Algorithm 1 against ``(1 - gamma) grad J`` from differentiated solves.

    Args:
        undiscounted: ``r + V(s') - V(s)`` rather than ``Q - E_pi Q``.
        scale: multiplies the gradient.
    """

    def gap(point: Point) -> Any:
        view = point.exact()
        d = undiscounted_direction(view) if undiscounted else direction(view, point.restart(), REPAIRED)
        return relative_gap(d, scale * (1 - view.gamma) * view.grad_J_by_solve, _size(point))

    return gap


def ascent(share: Any = 1) -> Raw:
    """``sum_i ||grad_i J||`` against ``<grad J, (d_i / ||d_i||)_i>``, d the expected advantage direction, 0/0 = 0.

    Args:
        share: multiplies the right-hand side.
    """

    def raw(point: Point) -> Pair:
        view = point.exact()
        d, gradient = direction(view, point.restart(), REPAIRED), view.grad_J_by_solve
        lengths, gain = view.gamma * 0, view.gamma * 0
        for own, slope in zip(d, gradient, strict=True):
            lengths = lengths + norm(slope)
            if (own != 0).any():
                gain = gain + (own * slope).sum() / norm(own)
        return lengths, times(share, gain if gain > 0 else gain * 0)

    return raw


def misfit(restart_values: bool, share: Any = 1) -> Raw:
    """Miss of the minimiser of the MSBE against its constant times the least miss, in the norm of nu.

    Args:
        restart_values: one kernel, that of the restart chain, with ``(1 + g^2)/(1 - g^2)``; otherwise T of the
            original kernel with ``(1 + g)/(1 - g)``.
        share: multiplies the bound.
    """

    def raw(x: Joint) -> Pair | None:
        view = x.point.restart() if restart_values else x.view
        law, Q = pair_law(view, x.view.restart_stationary), view.Q.reshape(-1)
        if not min(law) > 0:
            return None  # nu positive on all pairs
        features = x.extra["features"].reshape(len(Q), -1)
        design = features - view.gamma * (pair_matrix(view) @ features)
        found = features @ least_squares(design, view.r_bar.reshape(-1), law)
        best = features @ least_squares(features, Q, law)
        square = view.gamma**2 if restart_values else view.gamma
        bound = times(share, (1 + square) / (1 - square))
        return root((law * (found - Q) ** 2).sum()), bound * root((law * (best - Q) ** 2).sum())

    return raw


# --- gradient domination ----------------------------------------------------------------------------------------


def optimum(point: Point) -> Optimum | None:
    """The optimal policy; None where floats cannot tell values from rounding.

    Args:
        point: the problem.
    """
    try:
        return J_star(point)
    except RuntimeError:
        return None


def least_fisher(view: Exact) -> Any:
    """Least eigenvalue of the Fisher information, in closed form for one or two parameters per agent.

    Args:
        view: exact quantities.

    Raises:
        ValueError: more than two parameters.
    """
    found = []
    for block in fisher_blocks(view):
        if len(block) > 2:
            raise ValueError(f"an agent has {len(block)} parameters; the closed form is for one or two")
        a, b, d = block[0, 0], block[0, -1], block[-1, -1]
        # the smaller root of the characteristic polynomial as determinant over the larger one: no cancellation
        larger = (a + d + root((a - d) ** 2 + 4 * b * b)) / 2
        found.append(a if len(block) == 1 else (a * d - b * b) / larger if larger > 0 else larger * 0)
    return min(found, key=float)


def _zero_gradient(x: Joint) -> Point:
    """The problem with one feature per agent, combined of two so that every agent's gradient is exactly zero."""
    first, view = x.point, x.view
    others = tuple(
        x.extra["psi'"][i, :, : table.shape[1]][:, :, None] for i, table in enumerate(first.tables)
    )
    second = with_fields(first, psi=others)
    mixed = []
    for i, (g, h) in enumerate(zip(view.grad_J[:, 0], second.exact().grad_J[:, 0], strict=True)):
        mixed.append(h * first.psi[i] - g * others[i])
    return with_fields(first, psi=tuple(mixed))


def with_fields(point: Point, **fields: Any) -> Point:
    """The problem with other fields.

    Args:
        point: the problem.
        **fields: such as ``psi``.
    """
    return replace(point, **fields)


def _settled(mixed: Point) -> Point | None:
    """The mixture as it is if exact; in floats, scores of rounding size are zero, and those in between unclear (None).

    A mixture of nearly equal features has scores of rounding errors, whose gradient is not zero in their own units.
    """
    view = mixed.exact()
    if is_exact(view.P):
        return mixed
    kept = []
    for psi, table, score in zip(mixed.psi, view.tables, view.scores, strict=True):
        size = float(np.sqrt((view.visitation[:, None] * table * score[:, :, 0] ** 2).sum()))
        if 1e-14 < size < 1e-5:
            return None
        kept.append(psi if size > 1e-14 else psi * 0)
    return with_fields(mixed, psi=tuple(kept))


def floor(share: Any = 1) -> Raw:
    """``(1 - gamma)(J* - J)`` against ``sqrt(eps_bias)`` where grad J = 0, and against ``sqrt(E Adv^2)`` anywhere.

    Args:
        share: multiplies the right-hand side.
    """

    def raw(x: Joint) -> Pair | None:
        best = optimum(x.point)
        if best is None:
            return None
        view, flat = x.view, _settled(_zero_gradient(x))
        if flat is None:
            return None
        gap = (1 - view.gamma) * (best.J - view.J)
        error = eps_bias(flat.exact(), best.occupancy)
        square = (best.occupancy * view.advantage**2).sum()
        return worst([(gap, times(share, root(error))), (gap, times(share, root(square)))])

    return raw


def domination(share: Any = 1, printed_norm: bool = False) -> Raw:
    """``mu_f (J* - J)`` against ``mu_f sqrt(eps_bias)/(1 - gamma) + G ||grad J||``, theta by theta.

    Args:
        share: multiplies the error term.
        printed_norm: the form with sqrt(mu), ``mu = mu_f^2 / 2`` and scores of norm at most one. Scores are scaled to
            G = 1, which is the hardest case: mu_f grows with the square of the scale and the gradient with its first
            power.
    """

    def raw(point: Point) -> Pair | None:
        best, view = optimum(point), point.exact()
        if best is None:
            return None
        largest, least = (joint_scores(view) ** 2).sum(axis=2).max(), least_fisher(view)
        if not least > 0:
            return None
        error = times(share, root(eps_bias(view, best.occupancy)) / (1 - view.gamma))
        # both sides over mu_f, so that they keep the units of J
        slope = root(largest) * norm(view.grad_J) / least
        return best.J - view.J, error + slope * (root(rational(2) if is_exact(view.P) else 2) if printed_norm else 1)

    return raw


def additive_error(coupled: Any = 0) -> Gap:
    """eps_bias over ``E Adv^2`` where the advantage is a sum of one function per agent; tabular scores.

    Values V and functions f_i are searched; the reward is ``V + sum_i (f_i - E f_i) - gamma P V``.

    Args:
        coupled: weight of a product of the agents' functions in the reward, which breaks the sum.
    """

    def gap(x: Joint) -> Any:
        view, V = x.view, x.extra["V"]
        widths = [table.shape[1] for table in x.point.tables]
        centred = []
        for i, table in enumerate(x.point.tables):
            f = x.extra["f"][i, :, : widths[i]]
            centred.append(f - (table * f).sum(axis=1)[:, None])
        local = np.unravel_index(np.arange(view.P.shape[1]), widths)
        columns = [f[:, local[i]] for i, f in enumerate(centred)]
        total, product = sum(columns), columns[0] * columns[-1]
        reward = V[:, None] + total + coupled * product - view.gamma * (view.P @ V)
        moved = with_fields(x.point, r=np.stack([reward] * len(widths)))
        best = optimum(moved)
        if best is None:
            return None
        advantage = moved.exact().advantage
        size = (best.occupancy * advantage**2).sum() + abs(V).max() ** 2
        error = eps_bias(moved.exact(), best.occupancy)
        return error / size if size > 0 else error

    return gap
