"""Problems on which the actor's biases vanish, cancel or attain their bound, and counts of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from flint import fmpq

from mdp.approximation import actor_bias
from mdp.direction import actor_direction
from mdp.exact import Exact
from mdp.linear import identity_like, rational_array, solve
from mdp.rational import RationalPoint
from verify.evidence import Evidence, Relation, exact_evidence
from verify.identities import problem_witness
from verify.zeng2022.setting.small_problems import tabular, two_rooms


def cancelling() -> RationalPoint:
    """Two rooms where the sampling bias and the approximation bias cancel exactly, neither being zero.

    Kernel, gamma and policy (1/2, 1/2) of `two_rooms`; action 0 earns 1 and 3; reward features 1 and 2 for action 0
    and 0 for action 1; tabular critic. By hand: mu = (1/3, 2/3), lambda* = 13/9, so the model contributes 13/36 and
    26/36 where the truth is 1/4 and 3/4. The start (29/108, 79/108) makes d = (8/27, 19/27), and then
    E_mu of the model = 65/108 = E_d of the truth.
    """
    return replace(
        two_rooms(flipped=False), r=[[[1, 0], [3, 0]]], initial=[fmpq(29, 108), fmpq(79, 108)],
        phi_joint=[[[1], [0]], [[2], [0]]],
    )


def agreeing_rooms() -> list[RationalPoint]:
    """The rooms that want the same action, at several policies of the class, p = 1/2 first."""
    return [two_rooms(flipped=False, probability=fmpq(k, 8)) for k in (4, 1, 2, 3, 5, 6, 7)]


def one_feature_rooms() -> list[RationalPoint]:
    """The same with one constant critic feature and one reward feature."""
    one = [[1], [1]]
    return [replace(p, phi_state=one, phi_joint=[[[1], [0]], [[1], [0]]]) for p in agreeing_rooms()]


def mismatched(view: Exact) -> bool:
    """Whether mu and d differ and the gradient is not zero.

    Args:
        view: exact quantities.
    """
    return bool((view.stationary != view.visitation).any() and (view.grad_J_by_solve != 0).any())


def both_biased(view: Exact) -> bool:
    """Whether b_sp, b_app and the gradient are all different from zero.

    Args:
        view: exact quantities.
    """
    bias = actor_bias(view, "stationary")
    return bool((bias.sampling != 0).any() and (bias.approximation != 0).any() and (view.grad_J != 0).any())


def sampling(point: RationalPoint) -> np.ndarray:
    """b_sp with states from mu, (N, D).

    Args:
        point: the problem.
    """
    return actor_bias(point.exact(), "stationary").sampling


def block_gap(point: RationalPoint) -> np.ndarray:
    """``d(s) E[d_t]_s - (1 - gamma) mu(s) grad_s J``, (N, D): what the mu-direction of a state's parameters leaves.

    Both features and policy get one parameter per state (and action), so that a score at s has only the block of s, and
    summed over the agents' actions the direction is mu(s) and the gradient d(s) / (1 - gamma) times the same.

    Args:
        point: the problem; its own features are replaced.
    """
    S, widths = len(point.P), [table.shape[1] for table in point.tables]
    largest = max(widths)
    blocks = [np.zeros((S, A, S * largest), dtype=int) for A in widths]
    for block in blocks:
        for s, a in np.ndindex(*block.shape[:2]):
            block[s, a, s * largest + a] = 1
    view = replace(tabular(point), psi=tuple(rational_array(block) for block in blocks)).exact()
    state = np.arange(S * largest) // largest
    gap: np.ndarray = view.visitation[state] * actor_direction(view, "stationary")
    return gap - (1 - view.gamma) * view.stationary[state] * view.grad_J


def total(point: RationalPoint) -> np.ndarray:
    """b_app + b_sp with states from mu, (N, D).

    Args:
        point: the problem.
    """
    return actor_bias(point.exact(), "stationary").total


def model_errors(point: RationalPoint) -> np.ndarray:
    """Errors of both models, state by state and pair by pair, (S + S A,).

    Args:
        point: the problem.
    """
    view = point.exact()
    reward = (view.phi_joint @ view.lambda_star - view.r_bar).ravel()
    return np.concatenate([view.phi_state @ view.omega_td - view.V, reward])


def td_error_gap(point: RationalPoint) -> np.ndarray:
    """Minimiser of (7a) minus V, for a tabular critic, (S,).

    Args:
        point: the problem.
    """
    gap: np.ndarray = point.exact().omega_td_error - point.exact().V
    return gap


def all_from_visitation(point: RationalPoint) -> np.ndarray:
    """Bias when the critic, the reward model and the actor all sample states from d, (N, D).

    Args:
        point: the problem.
    """
    view = point.exact()
    values = view.phi_state @ view.omega_td_under("visitation")
    pairs = (view.visitation[:, None] * view.pi).ravel()
    design = view.phi_joint.reshape(len(pairs), -1)
    lam = solve(design.T @ (design * pairs[:, None]), design.T @ (pairs * view.r_bar.ravel()))
    delta = view.phi_joint @ lam + view.gamma * (view.P @ values) - values[:, None]
    gap: np.ndarray = view.score_expectation(view.visitation, delta) - (1 - view.gamma) * view.grad_J_by_solve
    return gap


def vanishing(
    points: Iterable[RationalPoint],
    eligible: Callable[[Exact], bool],
    error: Callable[[RationalPoint], np.ndarray],
    name: str,
) -> Evidence:
    """How many eligible problems have an error of exactly zero; "inevitable" claims none.

    Args:
        points: problems.
        eligible: which of them count.
        error: the error of a problem.
        name: what it is called.
    """
    found, count, witness = 0, 0, None
    for point in points:
        view = point.exact()
        if not eligible(view):
            continue
        count += 1
        if not (error(point) != 0).any():
            found += 1
            bias = actor_bias(view, "stationary")
            witness = witness or problem_witness(
                point, f"the {name} is exactly zero", phi_state=point.phi_state, phi_joint=point.phi_joint,
                mu=view.stationary, d=view.visitation, b_app=bias.approximation, b_sp=bias.sampling,
                gradient=view.grad_J,
            )
    return exact_evidence(
        f"problems on which the {name} is exactly zero", found, 0, Relation.EQUAL, instances=count, witness=witness
    )


def _squared_ratio(point: RationalPoint, agent: int) -> tuple[fmpq, fmpq]:
    """``|b_sp,i|^2`` and ``TV^2 max_s |E_pi[delta_hat score_i]|^2``."""
    view = point.exact()
    values = view.phi_state @ view.omega_td
    model = view.phi_joint @ view.lambda_star + view.gamma * (view.P @ values) - values[:, None]
    starts = identity_like(view.P_pi, len(view.P))
    reach = max((view.score_expectation(start, model)[agent] ** 2).sum() for start in starts)
    variation = abs(view.visitation - view.stationary).sum() / 2
    return (sampling(point)[agent] ** 2).sum(), variation**2 * reach


def largest_ratio(points: Iterable[RationalPoint], factor: fmpq) -> Evidence:
    """How many agents have ``|b_sp,i|`` above a factor times ``TV(mu, d) max_s |E_pi[delta_hat score_i]|``.

    Args:
        points: problems.
        factor: the constant, 2 in the bound.
    """
    excess, count, witness = 0, 0, None
    for point in points:
        for agent in range(len(point.tables)):
            square, scale = _squared_ratio(point, agent)
            count += 1
            if square > factor**2 * scale:
                excess += 1
                witness = witness or problem_witness(
                    point, "the sampling bias exceeds the bound",
                    **{"|b_sp|^2": square, "squared bound": factor**2 * scale},
                )
    return exact_evidence(
        "agents whose sampling bias exceeds the bound", excess, 0, Relation.EQUAL, instances=count, witness=witness
    )


def attained() -> Evidence:
    """The rooms that want opposite things attain the bound on b_sp."""
    point = two_rooms(flipped=True)
    square, scale = _squared_ratio(point, 0)
    return exact_evidence(
        "squared bias over the squared bound, rooms that want opposite things", square / (4 * scale), 1, Relation.EQUAL,
        instances=1, corroborates=True,
        witness=problem_witness(point, "the bound is attained", b_sp=sampling(point)),
    )
