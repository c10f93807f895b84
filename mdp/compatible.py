"""Compatible function approximation: how far the advantage is from the span of the scores."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from mdp.exact import Exact, Law
from mdp.fisher import fisher, null_space
from mdp.linear import is_exact

FisherReading = Literal["expectation", "printed"]
"""How F of zhang2025 Assumption 5.6 is read: with the expectation that its print omits, or without."""


def policy_occupancy(view: Exact) -> Float[np.ndarray, "S A"]:
    """Normalised discounted occupancy ``d(s) pi(a|s)`` of the policy of `view`, (S, A).

    Args:
        view: exact quantities at a policy.
    """
    occupancy: np.ndarray = view.visitation[:, None] * view.pi
    return occupancy


def eps_bias(
    view: Exact,
    occupancy: Float[np.ndarray, "S A"],
    *,
    reading: FisherReading = "expectation",
    law: Law = "visitation",
) -> Any:
    r"""Transferred compatible function approximation error at one theta.

    ``E_{(s,a) ~ occupancy} (Adv(s,a) - (1 - gamma) (F^+ grad J) . grad log pi(a|s))^2``. Assumption 5.6 asks for
    one bound on it for all theta.

    With F under the visitation and positive probabilities, ``w = (1 - gamma) F^+ grad J`` is the least-squares fit
    of the advantage by scores, and any other solution of ``F w = (1 - gamma) grad J`` predicts the same: null
    vectors of F are orthogonal to every score. As print omits the expectation, F(theta) would be the rank-one
    matrix of the pair (s, a) at hand, whose pseudo-inverse is ``score score^T / |score|^4``: the reading
    ``"printed"``, where the prediction is ``(1 - gamma) grad J . score / |score|^2`` (0 for a zero score).

    Args:
        view: exact quantities at theta, floats or rationals.
        occupancy: state-action law of the comparison policy, (S, A): ``J_star(mdp).occupancy`` for the optimal
            policy of all policies, `policy_occupancy` of the view at the in-class optimum for the other reading.
            When several policies are optimal the value depends on which one is taken (`Optimum.unique`).
        reading: ``"expectation"`` or ``"printed"``.
        law: state law of F; ``"visitation"`` is nu of the restart kernel.

    Returns:
        A float, or an exact rational.

    Raises:
        ValueError: an unknown reading, or an occupancy of another shape.
        ArithmeticError: over rationals, a Fisher matrix that is not symmetric.

    Source: zhang2025 Assumption 5.6; Agarwal et al. (2021), JMLR 22, on the transfer error.
    """
    if occupancy.shape != view.pi.shape:
        raise ValueError(f"occupancy has shape {occupancy.shape}, not (S, A) = {view.pi.shape}")
    if reading not in ("expectation", "printed"):
        raise ValueError(f"reading is {reading!r}, not 'expectation' or 'printed'")
    score = joint_scores(view)
    gradient = (1 - view.gamma) * view.grad_J.ravel()
    if reading == "printed":
        size = (score * score).sum(axis=2)
        flat = np.asarray(size == 0, dtype=bool)
        prediction = (score @ gradient) / np.where(flat, size + 1, size)
    elif is_exact(view.P):
        prediction = score @ _rational_pseudo_solve(fisher(view, law), gradient)
    elif law == "visitation":
        root = np.sqrt(view.visitation[:, None] * view.pi).ravel()
        design = root[:, None] * score.reshape(len(root), -1)
        # least squares on scores squares no condition number, unlike F^+ with F = design^T design
        prediction = score @ np.linalg.lstsq(design, root * view.advantage.ravel(), rcond=None)[0]
    else:
        prediction = score @ (np.linalg.pinv(fisher(view, law), hermitian=True) @ gradient)
    error = view.advantage - prediction
    return (occupancy * error * error).sum()


def joint_scores(view: Exact) -> Float[np.ndarray, "S A ND"]:
    """Joint score ``grad log pi(a|s)`` in the stacked parameters, agent by agent, (S, A, N D).

    Args:
        view: exact quantities at a policy.
    """
    A = view.pi.shape[1]
    widths = [table.shape[1] for table in view.tables]
    local = np.unravel_index(np.arange(A), widths)
    return np.concatenate([score[:, local[i]] for i, score in enumerate(view.scores)], axis=2)


def _rational_pseudo_solve(matrix: np.ndarray, rhs: np.ndarray) -> np.ndarray:
    """``matrix^+ rhs`` for a symmetric rational matrix: ``w = M u`` with ``M^3 u = M rhs``, which has solutions."""
    n = len(matrix)
    system = np.concatenate([matrix @ matrix @ matrix, -(matrix @ rhs)[:, None]], axis=1)
    # a null vector of [M^3 | -M rhs] whose last entry is one: the last column is free because the system is solvable
    solution = null_space(system)[:, -1]
    if solution[n] != 1:
        raise ArithmeticError("M^3 u = M rhs has no solution: the matrix is not symmetric")
    w: np.ndarray = matrix @ solution[:n]
    return w
