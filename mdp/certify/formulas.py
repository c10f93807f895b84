"""Ball forms of functions that branch, need a rank or an eigenvalue, or round: a second copy of each.

Functions of a view that only add, multiply, divide and sum need none: they run over balls as they are.

Source: as in the functions themselves.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from flint import arb

from mdp import chain
from mdp.approximation import ActorBias, actor_bias
from mdp.compatible import FisherReading, joint_scores, policy_occupancy
from mdp.enclose.arithmetic import least, symmetric_eigenvalues
from mdp.enclose.policies import independent_columns
from mdp.enclose.view import BallView
from mdp.exact import Exact, Law
from mdp.fisher import fisher, fisher_blocks, spectrum
from mdp.problem import Problem


def as_view(view: BallView) -> Exact:
    """The same object, for functions annotated with `Exact` whose formulas run over balls.

    Args:
        view: ball twin; it has the attributes and methods of `Exact`.
    """
    return cast(Exact, view)


def least_fisher_eigenvalue(view: BallView, law: Law = "visitation") -> Any:
    """Least eigenvalue of the Fisher information; F is block diagonal, so block by block.

    Args:
        view: ball twin.
        law: state law.
    """
    return least(symmetric_eigenvalues(block)[0] for block in fisher_blocks(as_view(view), law))


def largest_td_eigenvalue(view: BallView, law: Law = "stationary") -> Any:
    """Largest eigenvalue of the symmetric part of the mean TD matrix.

    Args:
        view: ball twin.
        law: state law.
    """
    A = view.td_system(law)[0]
    return symmetric_eigenvalues((A + A.T) / 2)[-1]


def compatible_error(
    view: BallView, occupancy: np.ndarray, *, reading: FisherReading = "expectation", law: Law = "visitation"
) -> Any:
    """Ball form of `mdp.compatible.eps_bias`.

    The pseudo-inverse of F is not continuous, so its rank is not left to balls. Where scores have a known structure
    (`BallView.directions`) it is exact: F is solved on a largest set of independent columns. Every solution of
    ``F w = (1 - gamma) grad J`` predicts the same on the states that the law charges, because null vectors of F are
    orthogonal to the scores there.

    Args:
        view: ball twin.
        occupancy: balls, (S, A).
        reading: as in `eps_bias`.
        law: state law of F.

    Raises:
        ArithmeticError: F cannot be told from singular and no structure is known; the occupancy charges a state that
            the law does not; a score that cannot be told from zero under ``"printed"``.
    """
    score = joint_scores(as_view(view))
    gradient = (1 - view.gamma) * view.grad_J.ravel()
    if reading == "printed":
        prediction = _printed_prediction(score, gradient)
    else:
        columns = _columns(view, occupancy, law, score.shape[2])
        matrix = fisher(as_view(view), law)[np.ix_(columns, columns)]
        if view.directions is None:
            _require_clear_rank(matrix)
        try:
            prediction = score[:, :, columns] @ view.solve(matrix, gradient[columns])
        except ArithmeticError as error:
            raise ArithmeticError(f"the Fisher information has no certified inverse: {error}") from error
    gap = view.advantage - prediction
    return (occupancy * gap * gap).sum()


def _require_clear_rank(matrix: np.ndarray) -> None:
    """Dependent scores stored as floats are independent by rounding: high precision would invert the noise."""
    floats = np.array([[float(x.mid()) for x in row] for row in matrix])
    if spectrum(floats).singular:
        raise ArithmeticError(
            "the scores are dependent up to rounding, so floats do not decide the rank of the Fisher information; "
            "give psi, or certify from theta, where it is exact"
        )


def _printed_prediction(score: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    prediction = score @ gradient
    for index in np.ndindex(prediction.shape):
        size = sum((x * x for x in score[index]), arb(0))
        if not size.is_zero():
            if not size > 0:
                raise ArithmeticError(f"the score of the pair {index} cannot be told from zero")
            prediction[index] = prediction[index] / size
    return prediction


def _columns(view: BallView, occupancy: np.ndarray, law: Law, n_parameters: int) -> list[int]:
    """Indices of independent columns of the stacked scores on the states that the law charges."""
    if view.directions is None:
        return list(range(n_parameters))
    states = np.arange(len(view.initial))
    if law == "visitation":
        states = chain.reachable(view.P_pi, view.initial)
    for s in np.setdiff1d(np.arange(len(view.initial)), states):
        if not all(x.is_zero() for x in occupancy[s]):
            raise ArithmeticError(f"the occupancy charges state {s}, which the {law} law does not")
    columns, start = [], 0
    for table in view.directions:
        columns += [start + k for k in independent_columns(table[states].reshape(-1, table.shape[2]))]
        start += table.shape[2]
    return columns


def comparison_occupancy(view: BallView, given: Any, lifted: BallView | None) -> np.ndarray:
    """Occupancy of the comparison policy: an array of numbers, or computed from the policy's own ball twin.

    Args:
        view: ball twin of the policy at hand.
        given: numbers (S, A); ignored when `lifted` is there.
        lifted: ball twin of the comparison policy.
    """
    return policy_occupancy(as_view(lifted)) if lifted is not None else view.lift(given)


def bias_part(view: BallView, law: Law, *, part: str = "total", approximation_under: Law = "visitation") -> Any:
    """One field of `mdp.approximation.actor_bias`, whose formulas run over balls as they are.

    Args:
        view: ball twin.
        law: state law of the actor's samples.
        part: name of the field.
        approximation_under: law under which the approximation part is weighed.
    """
    return getattr(actor_bias(as_view(view), law, approximation_under=approximation_under), part)


def floor(
    view: BallView, problem: Problem, law: Law, *, part: str = "total", approximation_under: Law = "visitation"
) -> Any:
    """Ball form of one field of `mdp.approximation.floors`.

    Args:
        view: ball twin.
        problem: for the number of shared parameters.
        law: state law of the actor's samples.
        part: name of the field.
        approximation_under: law under which the approximation part is weighed.
    """
    bias: ActorBias = actor_bias(as_view(view), law, approximation_under=approximation_under)
    pairs = {
        "total": (bias.total, bias.total), "approximation": (bias.approximation, bias.approximation),
        "sampling": (bias.sampling, bias.sampling), "cross": (2 * bias.approximation, bias.sampling),
    }  # fmt: skip
    return _consensual_inner(*pairs[part], problem.policy.n_shared) / (1 - view.gamma) ** 2


def stationarity(view: BallView, problem: Problem, theta: Any) -> Any:
    """Ball form of `mdp.direction.stationarity`.

    Args:
        view: ball twin.
        problem: for the number of shared parameters.
        theta: parameters, (N, H + G), numbers.
    """
    H, shared = problem.policy.n_shared, view.lift(theta)[:, : problem.policy.n_shared]
    spread = shared - shared.sum(axis=0) / len(shared) if H else shared
    return (spread * spread).sum() + _consensual_inner(view.grad_J, view.grad_J, H)


def _consensual_inner(x: np.ndarray, y: np.ndarray, n_shared: int) -> Any:
    """``N mean_i(x^s) . mean_i(y^s) + sum_i x^p . y^p``."""
    left, right = x[:, :n_shared].sum(axis=0), y[:, :n_shared].sum(axis=0)
    shared = (left * right).sum() / len(x) if n_shared else arb(0)
    return shared + (x[:, n_shared:] * y[:, n_shared:]).sum()
