"""zhang2025 Theorem 5.10, term (5): insufficient gossip, measured alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product

import numpy as np
from flint import fmpq

from mdp.linear import identity_like, rational_array, to_float
from mdp.networks.bounds import path_bound
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence
from verify.identities import largest, problem_witness, rational_points
from verify.networks import ROUNDING, random_connected
from verify.zhang2025.theorem.term_batch import one_state

ROUNDS = 12
"""Gossip rounds compared; ours."""


@statement("zhang2025", "theorem-5.10-term-5", uses=("eq-27", "eq-20", "consensus-rate", "eq-35-36"))
def theorem_5_10_term_5() -> tuple[Variant, ...]:
    r"""The gossip term decays as (1 - eta^(N-1))^t_gossip.

    .. math:: \tilde{O}\big(N^{3/2} m^{1/32} D^{-11/2} (1 - \eta^{N-1})^{t_{gossip}}\big)

    Measured with an exact critic: what gossip leaves in the direction is ``sum_j (A^t - 11^T/N)_ij delta^j`` times the
    score, and the agents' TD errors differ by their rewards only. Nothing asks for a connected graph, and *literally*
    the term does not decay: two agents without an edge. *With a connected graph* it does, since
    ``||A^t - 11^T/N|| <= (1 - eta^(N-1))^t`` (`consensus-rate`) and the vector of rewards is within
    ``sqrt(N) r_max/2`` of its mean, so that under Assumption 5.5

    ``(E sum_i ||d_i* - h_i||^2)^(1/2) <= (sqrt(N)/2) r_max (1 - eta^(N-1))^t``,

    N^(1/2) in place of N^(3/2). Repaired: the rate is ``1 - 4 eta sin^2(pi/2N)``, sharp on lazy paths: with three
    agents and rewards (1, 1/2, 0) whatever they do, the root mean square falls by exactly ``1 - eta`` in every round.

    *What this does to the printed direction* (reading): with an exact critic its mean is nothing but the
    gossip error, ``E d_i = -sum_j (A^t - 11^T/N)_ij E[r_j psi_i]``. Without gossip agent i moves away from actions that
    pay it more than they pay the team; with perfect gossip it does not move.

    Hypotheses: Assumptions 5.1, 5.3 and 5.5, and a connected graph; an exact critic.

    Consequence: term (5) stands for connected graphs, with room in N and in the rate. It is not an obstacle on the way
    to the gradient: when it vanishes, so does the printed direction.
    """
    return (
        printed(_unconnected, "Assumption 5.1 as printed, which does not ask for a connected graph", "literal"),
        printed(lambda c: _decay(c, lambda N, eta: 1 - eta ** (N - 1)), "with a connected graph", "connected"),
        repaired(lambda c: (_sharp_decay(c), _three_agents(1)), "(sqrt(N)/2) r_max (1 - 4 eta sin^2(pi/2N))^t"),
        reading(_mean_direction, "the printed mean direction is the gossip error", "printed direction"),
        control(lambda c: _decay(c, lambda N, eta: 1 - eta), "the rate (1 - eta)^t", "rate 1 - eta"),
        control(lambda c: (_three_agents(2),), "three agents at the rate (1 - eta)^(2t)", "twice as fast"),
    )


def gossip_error(point: RationalPoint, deviation: np.ndarray) -> fmpq:
    """``E sum_i ||d_i* - h_i||^2`` at M = 1 with an exact critic, one state.

    Args:
        point: one state, one parameter per agent.
        deviation: ``A^t - 11^T/N``, (N, N).
    """
    view, total = point.exact(), fmpq(0)
    left = deviation.dot(point.r[:, 0])
    for k, actions in enumerate(product(*(range(n) for n in point.n_actions))):
        squares = (left[i, k] ** 2 * view.scores[i][0, a, 0] ** 2 for i, a in enumerate(actions))
        total += view.pi[0, k] * sum(squares, fmpq(0))
    return total


def _lazy_path(size: int, eta: fmpq) -> np.ndarray:
    """``I - eta L`` of a path."""
    one = np.eye(size, dtype=int)
    steps = one[1:] - one[:-1]
    path: np.ndarray = rational_array(one) - eta * rational_array(steps.T @ steps)
    return path


def _powers(A: np.ndarray) -> Iterator[np.ndarray]:
    power = identity_like(A, len(A))
    for _ in range(ROUNDS):
        power = power @ A
        yield power - fmpq(1, len(A))


def _graphs(context: Context) -> Iterator[np.ndarray]:
    rng = context.rng(5105)
    yield from (_lazy_path(N, fmpq(1, k)) for N in (2, 3, 4) for k in (3, 4, 20))
    found = 0
    while found < context.profile.n_rational // 5:
        A = random_connected(rng)
        if len(A) <= 4:
            found += 1
            yield A


def _team(context: Context, n_agents: int) -> Iterator[RationalPoint]:
    """Rewards that fall along the path, then random ones; joint scores of norm ``N^(-1/2)``, at most one."""
    rng, A = context.rng(5106, n_agents), 2**n_agents
    fall = {2: (10, 0), 3: (10, 5, 0), 4: (10, 7, 3, 0)}[n_agents]
    rewards = [[[Fraction(v, 10)] * A] for v in fall]
    score = Fraction(1, 2) if n_agents == 4 else Fraction(1, n_agents)
    yield one_state(n_agents, rational_array(rewards), score)
    yield one_state(n_agents, rational_array(rng.integers(0, 5, size=(n_agents, 1, A))), score)


def _unconnected(context: Context) -> Evidence:
    point, eta = next(_team(context, 2)), fmpq(1, 2)
    A = identity_like(rational_array(np.eye(2, dtype=int)), 2)
    value = gossip_error(point, A - fmpq(1, 2))
    claimed = fmpq(2, 4) * (1 - eta) ** (2 * ROUNDS)
    return exact_evidence(
        f"mean square after {ROUNDS} rounds over its bound, A = I", value / claimed, 1, Relation.AT_MOST, instances=1,
        witness=problem_witness(
            point, "two agents without an edge; rewards 1 and 0 whatever they do, scores 1/2 and -1/2, eta = 1/2",
            **{"A": A, "mean square for every t": value},
        ),
    )


def _decay(context: Context, rate: Callable[[int, fmpq], fmpq]) -> Evidence:
    """Largest mean square over ``(N/4) r_max^2 rate^(2t)``, exactly."""
    worst, extreme, count = fmpq(0), None, 0
    for A in _graphs(context):
        N, eta = len(A), min(x for x in A.ravel() if x > 0)
        deviations = list(_powers(A))
        for point in _team(context, N):
            top = max(point.r.ravel())
            for t, deviation in enumerate(deviations, start=1):
                bound = fmpq(N, 4) * top**2 * rate(N, eta) ** (2 * t)
                ratio, count = gossip_error(point, deviation) / bound, count + 1
                if ratio > worst:
                    worst, extreme = ratio, Witness("the worst case", {"A": A, "r": point.r, "t": t})
    return exact_evidence(
        f"largest mean square over its bound, t up to {ROUNDS}", worst, 1, Relation.AT_MOST, instances=count,
        witness=extreme,
    )


def _sharp_decay(context: Context) -> Evidence:
    """Largest ratio of the root mean square to ``(sqrt(N)/2) r_max path_bound^t``."""
    ratios = []
    for A in _graphs(context):
        N, eta = len(A), float(to_float(rational_array([min(x for x in A.ravel() if x > 0)]))[0])
        for point in _team(context, N):
            top = float(to_float(rational_array([max(point.r.ravel())]))[0])
            for t, deviation in enumerate(_powers(A), start=1):
                square = float(to_float(rational_array([gossip_error(point, deviation)]))[0])
                bound = N**0.5 / 2 * top * path_bound(N, eta) ** t
                # agents that average fully at once have neither an error nor a bound
                ratios.append(square**0.5 / bound if bound > 0 else float(square > 0))
    return exact_evidence(
        "largest root mean square over its sharp bound", largest(ratios), 1 + ROUNDING, Relation.AT_MOST,
        rigor=Rigor.FLOAT, instances=len(ratios),
    )


def _three_agents(power: int) -> Evidence:
    """Three agents on a lazy path, rewards (1, 1/2, 0): mean square at t over ``(1 - eta)^(2 t power)``, constant."""
    score, eta = Fraction(1, 3), fmpq(1, 4)
    point = one_state(3, rational_array([[[Fraction(k, 2)] * 8] for k in (2, 1, 0)]), score)
    ratios = [
        gossip_error(point, d) / (1 - eta) ** (2 * t * power)
        for t, d in enumerate(_powers(_lazy_path(3, eta)), start=1)
    ]
    return exact_evidence(
        "largest minus least mean square over its predicted decay, three agents", max(ratios) - min(ratios), 0,
        Relation.EQUAL, instances=ROUNDS,
    )


def _mean_direction(context: Context) -> Evidence:
    """``E d_i + sum_j (A^t - 11^T/N)_ij E[r_j psi_i]`` with the restart kernel's Q: zero, t = 0 and 2."""
    rng, worst, count = context.rng(5107), fmpq(0), 0
    for point in rational_points(context, point_start=True, smallest=2):
        view, restart, N = point.exact(), point.restart(), len(point.tables)
        weight = fmpq(int(rng.integers(1, 10)), 20)
        A = rational_array(np.full((N, N), Fraction(1, N))) if N == 1 else _lazy_path(N, weight)
        own = restart.Q - point.r - point.gamma * (restart.P @ restart.V)
        for mixing in (identity_like(A, N), A @ A):
            deviation = mixing - fmpq(1, N)
            for i in range(N):
                mixed = np.tensordot(mixing[i], own, axes=1)
                left = np.tensordot(deviation[i], point.r, axes=1)
                law = view.restart_stationary
                residual = view.score_expectation(law, mixed)[i] + view.score_expectation(law, left)[i]
                worst, count = max(worst, *(abs(x) for x in residual)), count + 1
    return exact_evidence(
        "largest entry of E d_i plus the gossip error of the rewards", worst, 0, Relation.EQUAL, instances=count
    )
