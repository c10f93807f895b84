"""Probabilities and scores of the policy classes as balls, and the directions on which their scores depend.

A second copy of the formulas in `mdp.policy` and `mdp.policies`, written from their docstrings.

Source: as there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, ctx, fmpq, fmpq_mat

from mdp.linear import rational, rational_array
from mdp.policies import CircularPolicy, NeuralPolicy, ReducedSoftmaxPolicy
from mdp.policy import LogLinearPolicy, Policy


@dataclass(frozen=True, eq=False)
class PolicyBalls:
    """A policy at one theta.

    Attributes:
        tables: one (S, A_i) array of balls per agent.
        scores: one (S, A_i, D) array of balls per agent.
        directions: one (S, m, D) array of exact rationals per agent: in state s every score vanishes along v if and
            only if ``directions[s] @ v = 0``. They decide ranks, which balls cannot.
    """

    tables: tuple[np.ndarray, ...]
    scores: tuple[np.ndarray, ...]
    directions: tuple[np.ndarray, ...]


def policy_balls(policy: Policy, theta: Any, precision: int) -> PolicyBalls:
    """Tables and scores of a policy at theta, enclosed.

    Args:
        policy: log-linear, reduced softmax, circular or neural; its arrays are floats and count as exact.
        theta: parameters, (N, D): floats (exact dyadics), ints, `Fraction` or `fmpq`.
        precision: working precision in bits.

    Raises:
        TypeError: another policy class, or entries of theta that are not rational numbers.
        ValueError: theta of another shape or not finite.
    """
    parameters, shape = rational_array(theta), (len(policy.n_actions), policy.n_parameters)
    if parameters.shape != shape:
        raise ValueError(f"theta has shape {parameters.shape}, not (N, H + G) = {shape}")
    agents = []
    with ctx.workprec(precision):
        for i, row in enumerate(parameters):
            if isinstance(policy, LogLinearPolicy | ReducedSoftmaxPolicy):
                psi = rational_array(policy.psi[i])
                table = softmax_balls(psi @ row)
                agents.append((table, softmax_score_balls(psi, table), softmax_directions(psi)))
            elif isinstance(policy, CircularPolicy):
                agents.append(_circular(policy, i, row))
            elif isinstance(policy, NeuralPolicy):
                agents.append(_neural(policy, i, row))
            else:
                known = "LogLinearPolicy, ReducedSoftmaxPolicy, CircularPolicy and NeuralPolicy"
                raise TypeError(f"enclosures are for {known}; the policy is {type(policy).__name__}")
    tables, scores, directions = zip(*agents, strict=True)
    return PolicyBalls(tables, scores, directions)


def softmax_balls(logits: np.ndarray) -> np.ndarray:
    """Softmax of each row, at the current precision.

    Args:
        logits: (S, A_i), exact rationals or balls.
    """
    shifted = np.empty(logits.shape, dtype=object)
    for s, row in enumerate(logits):
        # any shift is right; the largest (by midpoint, up to rounding) avoids huge exponentials
        top = row[int(np.argmax([float(arb(x).mid()) for x in row]))]
        shifted[s] = [arb(x - top).exp() for x in row]
    table: np.ndarray = shifted / shifted.sum(axis=1)[:, None]
    return table


def softmax_score_balls(psi: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Scores ``sum_b pi(b | s) (psi[s, a] - psi[s, b])``, equal to ``psi - E_pi psi`` because rows sum to one.

    This form is exactly zero where features do not depend on the action, and has mean zero whatever the rows sum
    to.

    Args:
        psi: features, (S, A_i, D), exact rationals.
        table: probabilities, (S, A_i), balls.
    """
    gaps = psi[:, :, None, :] - psi[:, None, :, :]
    scores: np.ndarray = (table[:, None, :, None] * gaps).sum(axis=2)
    return scores


def softmax_directions(psi: np.ndarray) -> np.ndarray:
    """Differences of features: a score vanishes along v iff ``psi[s, a] . v`` is the same for every a.

    Args:
        psi: features, (S, A_i, D), exact rationals.
    """
    differences: np.ndarray = psi[:, :-1] - psi[:, -1:]
    return differences


def _circular(policy: CircularPolicy, agent: int, row: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    features, A = rational_array(policy.features[agent]), policy.n_actions[agent]
    c, scale = rational(policy.radius), rational(policy.scale)
    angles = scale * (features @ row)
    table = np.empty((len(features), A), dtype=object)
    slope = np.empty_like(table)
    for s, k in np.ndindex(table.shape):
        sine, cosine = (arb(angles[s]) - 2 * k * arb.pi() / A).sin_cos()
        table[s, k] = (1 + arb(c) * cosine) / A
        slope[s, k] = -arb(c) * sine / (1 + arb(c) * cosine)
    return table, slope[:, :, None] * (scale * features)[:, None, :], features[:, None, :]


def _neural(policy: NeuralPolicy, agent: int, row: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Forward and backward in exact rationals: ReLU is homogeneous, so all factors 1/sqrt(m) wait for the end.

    Which units are active is therefore decided exactly; at a kink the derivative is 0, as in the class.
    """
    H, W, b = (rational_array(x) for x in _neural_parameters(policy, agent, row))
    x, S, A = rational_array(policy.inputs[agent]), policy.n_states, policy.n_actions[agent]
    head, own = b, rational_array(np.eye(A, dtype=int))
    if x.ndim == 2:  # one column of b per action
        x = np.broadcast_to(x[:, None, :], (S, A, x.shape[-1]))
    else:  # one output for every pair
        head, own = np.broadcast_to(b, (A, policy.width)), rational_array(np.ones((A, 1), dtype=int))
    logits = np.empty((S, A), dtype=object)
    jacobian = np.empty((S, A, policy.n_parameters), dtype=object)
    for s, a in np.ndindex(S, A):
        layers, active = [H @ x[s, a]], []
        for weight in W:
            z = weight @ layers[-1]
            active.append(np.array([int(value > 0) for value in z], dtype=object))
            layers.append(z * active[-1])
        logits[s, a] = head[a] @ layers[-1]
        back: np.ndarray = head[a]
        pieces: list[np.ndarray] = []
        for h in range(policy.depth, 0, -1):
            back = back * active[h - 1]
            pieces.insert(0, np.outer(back, layers[h - 1]).ravel())
            back = back @ W[h - 1]
        if policy.trainable == "all":
            pieces = [np.outer(back, x[s, a]).ravel(), *pieces, np.outer(own[a], layers[-1]).ravel()]
        jacobian[s, a] = np.concatenate(pieces)
    factor = arb(rational(policy.logit_scale)) / arb(policy.width).sqrt() ** policy.depth
    table = softmax_balls(factor * logits)
    return table, factor * softmax_score_balls(jacobian, table), softmax_directions(jacobian)


def _neural_parameters(policy: NeuralPolicy, agent: int, row: np.ndarray) -> tuple[Any, Any, Any]:
    """H, the D hidden matrices and b, read from theta in the order that `NeuralPolicy.trainable` documents."""
    H, b, m = policy.H[agent], policy.b[agent], policy.width
    hidden = policy.depth * m * m
    if policy.trainable == "W":
        return H, row.reshape(policy.depth, m, m), b
    first, middle, last = np.split(row, [H.size, H.size + hidden])
    return first.reshape(H.shape), middle.reshape(policy.depth, m, m), last.reshape(b.shape)


def independent_columns(rows: np.ndarray) -> list[int]:
    """Indices of a largest set of independent columns, by exact elimination.

    Args:
        rows: (m, n) exact rationals.
    """
    m, n = rows.shape
    reduced, rank = fmpq_mat(m, n, [fmpq(x) for x in rows.ravel()]).rref()
    return [next(k for k in range(n) if reduced[i, k] != 0) for i in range(rank)]
