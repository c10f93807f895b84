"""zhang2025 Appendix B: the proofs of Lemmas 4.2 and 4.3, line by line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from flint import fmpq

from mdp.exact import Exact
from mdp.policy import joint_probabilities
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, source, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, exact_evidence
from verify.identities import exact_identity, problem_witness, rational_points
from verify.zhang2025.setting.restart import sign_reversal

TERMS = 5
"""Terms of the visitation series that are summed exactly; any number shows the same identity."""

Gap = Callable[[RationalPoint], np.ndarray]


def _identity(quantity: str, gap: Gap, smallest: int = 0) -> Callable[[Context], Evidence]:
    return lambda c: exact_identity(c, quantity, gap, point_start=True, smallest=smallest)


@statement("zhang2025", "b1-recursion", uses=("restart-kernel",))
def b1_recursion() -> tuple[Variant, ...]:
    r"""The visitation measure obeys a recursion, sums to 1/(1-gamma), and is stationary under the restart kernel.

    .. math:: \eta(s') = \mathbb{I}\{s' = s_0\} + \gamma \sum_s \eta(s) \mathbb{P}_{\pi_\theta}(s \to s', 1), \\
        \sum_{s'} \eta(s') = \frac{1}{1 - \gamma}, \\
        \sum_s \mu(s) \tilde P_{\pi_\theta}(s \to s', 1) = \mu(s'), \qquad \mu = (1 - \gamma) \eta

    Each line is true. eta is computed twice: by a linear solve, and as its series, whose first T terms leave exactly
    ``gamma^T eta P^T``, a remainder of mass ``gamma^T / (1 - gamma)``; that gives the second line as well. The third
    line is checked on the restart matrix built from the tables of P and pi, and the stationary law is unique, because
    every state leads to s0. One slip of notation: ``sum_a P(s, pi(a|s), s')`` puts a probability where an action
    belongs; ``sum_a pi(a|s) P(s, a, s')`` is meant. The transition probabilities inside eta are those of the original
    chain, as the appendix writes them.

    Hypotheses: gamma < 1; the chain need be neither irreducible nor aperiodic.

    Consequence: Lemma 4.2 stands, with its proof.
    """
    return (
        printed(_identity("recursion and series for eta", _recursion), "the recursion", "recursion", "recursion"),
        printed(_identity("sum of eta, and of its first terms", _mass), "the sum", "sum", "sum"),
        printed(
            _identity("mu P_restart - mu, and mu - stationary law", lambda p: _stationary(p, 1 - p.gamma)),
            "stationarity under the restart kernel", "stationary", "stationary",
        ),
        control(
            _identity("recursion for the normalised measure", lambda p: _one_step(p, p.exact().visitation)),
            "the recursion for mu in place of eta", "mu in the recursion",
        ),
        control(
            _identity("mu P - mu", lambda p: p.exact().visitation @ p.exact().P_pi - p.exact().visitation, 1),
            "stationarity under the original kernel", "original kernel",
        ),
        control(
            _identity("eta minus the stationary law", lambda p: _stationary(p, fmpq(1))),
            "eta itself as the stationary law", "not normalised",
        ),
    )


def _eta(view: Exact) -> np.ndarray:
    eta: np.ndarray = view.visitation / (1 - view.gamma)
    return eta


def _one_step(point: RationalPoint, eta: np.ndarray) -> np.ndarray:
    gap: np.ndarray = point.initial + point.gamma * (eta @ point.exact().P_pi) - eta
    return gap


def _partial(view: Exact) -> tuple[np.ndarray, np.ndarray]:
    law, total, tail, weight = view.initial, view.initial * 0, _eta(view), view.gamma**0
    for _ in range(TERMS):
        total, law, tail, weight = total + weight * law, law @ view.P_pi, tail @ view.P_pi, weight * view.gamma
    return total, weight * tail


def _recursion(point: RationalPoint) -> np.ndarray:
    view = point.exact()
    total, tail = _partial(view)
    return np.concatenate([_one_step(point, _eta(view)), total + tail - _eta(view)])


def _mass(point: RationalPoint) -> np.ndarray:
    view = point.exact()
    first = _partial(view)[0].sum() - (1 - view.gamma**TERMS) / (1 - view.gamma)
    return np.array([_eta(view).sum() - 1 / (1 - view.gamma), first], dtype=object)


def _stationary(point: RationalPoint, scale: fmpq) -> np.ndarray:
    view = point.exact()
    kernel = np.einsum("sa,sat->st", view.pi, view.gamma * view.P + (1 - view.gamma) * view.initial)
    mu = scale * _eta(view)
    return np.concatenate([mu @ kernel - mu, mu - view.restart_stationary])


@statement("zhang2025", "b2-gradient", uses=("lemma-4.2", "eq-4", "eq-1"))
def b2_gradient() -> tuple[Variant, ...]:
    r"""The policy gradient as a sum over states of eta, then of nu.

    .. math:: \nabla_\theta J(\theta) = \sum_s \eta(s) \sum_a \nabla \pi_\theta(a|s) \mathrm{Adv}_\theta(s, a)
        = \frac{1}{1 - \gamma} \sum_s \nu(s) \sum_a \nabla \pi_\theta(a|s) \mathrm{Adv}_\theta(s, a)

    With J, Q and Adv of the original kernel both equalities are true, and the constant left out in Lemma 4.3 is
    1 / (1 - gamma). With J, Q and Adv of the restart kernel, as Sec. 3.1 and Eq. (3) have it, the first one is false:
    eta of Appendix B.1 counts the original chain. So the verdict is ambiguous, as for Lemma 4.3. The source, Sutton's
    policy gradient theorem, is true for any kernel with *its own* visitation, the restart kernel included, but then
    the second equality fails, since nu is not that visitation (entry restart-kernel).

    The gradient is computed by differentiating ``(I - gamma P_pi) V = r_pi`` forward, which uses neither eta nor Adv;
    the right side sums derivatives of the joint policy, not scores.

    Hypotheses: finite states and actions, pi differentiable, start in s0.

    Consequence: Lemma 4.3 stands with two kernels and falls with one.
    """
    return (
        printed(
            _identity("both right sides minus grad J", lambda p: _both_lines(p, p.exact(), p.exact())),
            "J, Q, Adv of the original kernel", "original",
        ),
        printed(
            lambda c: _restart_lines(c), "J, Q, Adv of the restart kernel, eta of Appendix B.1", "restart",
            recheck=lambda c: _restart_evidence([sign_reversal()]),
        ),
        source(
            _identity("sum with its own visitation minus grad J", lambda p: _own(p.exact(), p.restart())),
            "Sutton's theorem: any kernel with its own visitation, here both",
        ),
        control(
            _identity("right side with nu minus grad J", lambda p: _without_factor(p.exact())),
            "the second line without 1 / (1 - gamma)", "no factor",
        ),
    )


def _state_sum(view: Exact, weights: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """``sum_s w(s) sum_a grad pi(a|s) signal(s, a)`` per agent and parameter, by derivatives of the joint policy."""
    rows = []
    for i, score in enumerate(view.scores):
        row = []
        for k in range(score.shape[2]):
            tables = list(view.tables)
            tables[i] = view.tables[i] * score[:, :, k]
            row.append((weights[:, None] * joint_probabilities(tables) * signal).sum())
        rows.append(row)
    return np.array(rows, dtype=object)


def _both_lines(point: RationalPoint, of_objective: Exact, of_value: Exact) -> np.ndarray:
    view, gradient = point.exact(), of_objective.grad_J_by_solve
    first = _state_sum(view, _eta(view), of_value.advantage)
    second = _state_sum(view, view.restart_stationary, of_value.advantage) / (1 - view.gamma)
    return np.concatenate([(first - gradient).ravel(), (second - gradient).ravel()])


def _restart_lines(context: Context) -> Evidence:
    return _restart_evidence([sign_reversal(), *rational_points(context, point_start=True, smallest=1)])


def _restart_evidence(points: list[RationalPoint]) -> Evidence:
    gaps = [abs(_both_lines(p, p.restart(), p.restart())).max() for p in points]
    first = points[0]
    view = first.restart()
    values = {
        "right side": _state_sum(view, _eta(first.exact()), view.advantage), "grad J_restart": view.grad_J_by_solve,
    }
    return exact_evidence(
        "both right sides minus grad J_restart, worst", max(gaps), 0, Relation.EQUAL, instances=len(gaps),
        witness=problem_witness(first, "two states; the right side has the wrong sign", **values),
    )


def _own(*views: Exact) -> np.ndarray:
    gaps = [_state_sum(v, _eta(v), v.advantage) - v.grad_J_by_solve for v in views]
    return np.concatenate([g.ravel() for g in gaps])


def _without_factor(view: Exact) -> np.ndarray:
    gap: np.ndarray = _state_sum(view, view.restart_stationary, view.advantage) - view.grad_J_by_solve
    return gap
