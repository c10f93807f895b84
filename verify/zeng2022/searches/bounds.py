"""Both sides of the repaired inequalities of zeng2022; every constant can be changed, so that a search can refute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from flint import arb, fmpq

from mdp.approximation import actor_bias
from mdp.exact import Exact
from mdp.linear import identity_like, is_exact, rational, to_float
from mdp.networks.schedule import disagreement_norm
from verify.identities import FLOAT_TOLERANCE
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
from verify.zeng2022.searches.claims import deltas, samples
from verify.zeng2022.setting.small_problems import tabular


def upper_level_bound(share: Any = 1) -> Raw:
    """``|(8a) - J|`` against ``sqrt(k_0) e_r + gamma sqrt(k_1 / (1 - gamma^2)) e_V``, omega* the TD fixed point.

    Args:
        share: multiplies the bound.
    """

    def raw(x: Joint) -> Pair | None:
        view = x.with_models("varphi").view
        mu, after, gamma = view.stationary, view.initial @ view.P_pi, view.gamma
        if not min(mu) > 0:
            return None
        pairs = (mu[:, None] * view.pi).ravel()
        model = view.phi_joint @ view.lambda_star
        display = (view.initial[:, None] * view.pi * model).sum() + gamma * (after @ (view.phi_state @ view.omega_td))
        best = view.phi_state @ least_squares(view.phi_state, view.V, mu) - view.V
        reward = max(view.initial / mu) * (pairs * (model - view.r_bar).ravel() ** 2).sum()
        value = gamma**2 * max(after / mu) * (mu * best**2).sum() / (1 - gamma**2)
        return abs(display - view.J), times(share, root(reward) + root(value))

    return raw


def consensus_minimiser(share: Any = 1) -> Raw:
    """Values of (8b) and (8c) at the team's minimisers against those at copies that agree across links.

    Copies are averaged over the agents that the links connect; the claim needs a connected graph.

    Args:
        share: multiplies the right-hand side.
    """

    def raw(x: Joint) -> Pair | None:
        view = replace(x.point, phi_joint=x.extra["varphi"]).exact()
        N, linked = len(view.r), x.extra["links"] > 0
        graph = identity_like(view.P, N)
        graph[np.triu_indices(N, 1)] = linked
        reach = np.linalg.matrix_power(np.asarray(graph + graph.T > 0, dtype=int), N) > 0
        if not (reach.all() and (view.phi_state != 0).any() and (view.phi_joint != 0).any()):
            return None  # a connected graph, and features of full rank (there is one of each)
        weight, pairs = samples(view), view.stationary[:, None] * view.pi

        def critics(omegas: np.ndarray) -> Any:
            values = omegas @ view.phi_state.T
            errors = (deltas(view, r, v, v) for r, v in zip(view.r, values, strict=True))
            return sum((weight * error**2).sum() for error in errors)

        def models(lams: np.ndarray) -> Any:
            return sum((pairs * (r - view.phi_joint @ lam) ** 2).sum() for r, lam in zip(view.r, lams, strict=True))

        found = []
        for objective, solution, copies in (
            (critics, view.omega_td_error, x.extra["copies"]), (models, view.lambda_star, x.extra["models"]),
        ):
            feasible = np.stack([copies[row].sum(axis=0) / int(row.sum()) for row in reach])
            found.append((objective(np.stack([solution] * N)), times(share, objective(feasible))))
        return worst(found)

    return raw


def window_contraction(constant: Any = 4) -> Raw:
    """``constant c sin^2(pi / 2N)`` against ``1 - ||Phi - 11^T/N||``, Phi the product of the window.

    Exactly, the norm is bounded from below by a Rayleigh quotient, so that a violation is certain.

    Args:
        constant: 4 in the claim.
    """

    def raw(W: np.ndarray) -> Pair:
        product = W[0]
        for matrix in W[1:]:
            product = matrix @ product
        N, c = len(product), min(x for x in W.ravel() if x > 0)
        if not is_exact(W):
            return float(constant) * c * np.sin(np.pi / (2 * N)) ** 2, 1 - disagreement_norm(product)
        gap = product - fmpq(1, N)
        direction = np.array([rational(float(v)) for v in np.linalg.svd(to_float(gap))[2][0]], dtype=object)
        below = norm(gap @ direction) / norm(direction)
        return arb(rational(constant) * c) * (arb.pi() / (2 * N)).sin() ** 2, 1 - below

    return raw


def _models(view: Exact) -> np.ndarray:
    """The TD error of the models, (S, A), omega* the TD fixed point."""
    values = view.phi_state @ view.omega_td
    model: np.ndarray = view.phi_joint @ view.lambda_star + view.gamma * (view.P @ values) - values[:, None]
    return model


def _sampling_pairs(view: Exact, bias: np.ndarray, constant: Any) -> Iterator[Pair]:
    """Agent by agent: ``|b_sp,i|`` against ``constant TV(mu, d) max_s |E_pi[delta_hat score_i]|``."""
    variation = abs(view.visitation - view.stationary).sum() / 2
    reach = [view.score_expectation(start, _models(view)) for start in identity_like(view.P_pi, len(view.P))]
    for i in range(len(view.r)):
        yield norm(bias[i]), times(constant, variation * root(max((rows[i] ** 2).sum() for rows in reach)))


def sampling_bias(constant: Any = 2) -> Raw:
    """``|b_sp,i|`` against ``constant TV(mu, d) max_s |E_pi[delta_hat score_i]|``, the worst agent.

    Args:
        constant: 2 in the claim.
    """

    def raw(x: Joint) -> Pair:
        view = x.with_models("varphi").view
        return worst(_sampling_pairs(view, actor_bias(view, "stationary").sampling, constant))

    return raw


def actor_biases(share: Any = 1) -> Raw:
    """The direction's split, both bounds on its parts, and its alignment for exact features and states from d.

    Args:
        share: multiplies the bound on b_app.
    """

    def raw(x: Joint) -> Pair:
        joint = x.with_models("varphi")
        view, full = joint.view, tabular(joint.point).exact()  # type: ignore[arg-type]
        bias, gradient = actor_bias(view, "stationary"), (1 - view.gamma) * view.grad_J_by_solve
        largest = [root((score**2).sum(axis=2).max()) for score in view.scores]
        features = sum((abs(psi).max() for psi in joint.point.psi), view.gamma * 0)
        values, reward = view.phi_state @ view.omega_td, view.phi_joint @ view.lambda_star
        d = view.visitation
        size = features * (abs(view.r).max() + abs(reward).max() + 2 * abs(view.V).max() + 2 * abs(values).max())
        direction = view.score_expectation(view.stationary, _models(view))
        split = relative_gap(direction, gradient + bias.approximation + bias.sampling, size)
        aligned = relative_gap(full.score_expectation(full.visitation, _models(full)), gradient, size)
        e_r = root((d[:, None] * view.pi * (reward - view.r_bar) ** 2).sum())
        e_V = root((d * (values - view.V) ** 2).sum())
        parts = zip(bias.approximation, largest, strict=True)
        bounds = [(norm(part), times(share, score * (e_r + 2 * e_V))) for part, score in parts]
        # an equality that holds says nothing about how near the bounds are: it only counts when it fails
        allowed = 0 if is_exact(view.P) else FLOAT_TOLERANCE
        broken = [(1 + gap, 1 + gap * 0) for gap in (split, aligned) if gap > allowed]
        return worst([*bounds, *_sampling_pairs(view, bias.sampling, 2), *broken])

    return raw
