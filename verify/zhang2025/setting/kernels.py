"""zhang2025 Sec. 3.1: what one restart kernel can serve, and the two ways to repair it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from flint import fmpq

from mdp.exact import Exact
from mdp.linear import identity_like, rational_array, solve
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.identities import exact_identity, misalignment, problem_witness, rational_points
from verify.zhang2025.setting.restart import sign_reversal

Gap = Callable[[RationalPoint], np.ndarray]


def _identity(quantity: str, gap: Gap, smallest: int = 0) -> Callable[[Context], Evidence]:
    return lambda c: exact_identity(c, quantity, gap, point_start=True, smallest=smallest)


@statement("zhang2025", "restart-kernel")
def restart_kernel() -> tuple[Variant, ...]:
    r"""One kernel, the restart kernel, is to serve J, Q, the Bellman operator, the data and the stationary law.

    .. math:: P(s, a, s') = \gamma \mathbb{P}(s'|s, a) + (1 - \gamma) \mathbb{I}\{s' = s_0\}

    Three uses, three parts. *Fixed point*: Q and the Bellman operator of the restart kernel belong together (Eq. 3);
    true. *Law*: the gradient of J needs the discounted visitation of the chain that J sums over; with one kernel that
    is the restart chain, whose discounted visitation is not its stationary law nu. False. *Gradient*: the policy
    gradient in the form of Lemma 4.3 with every quantity of the restart kernel; false, it can point the wrong way.

    The reason: a restart already discounts, and discounting the restart chain by gamma discounts twice.
    ``J_restart = (1 + gamma) J`` at gamma squared (entry lemma-4.3), so even the best policy changes. By hand, the
    further reading: in state 0 stay with reward 1, or go to the absorbing state 1 with reward 3 there, gamma = 1/2.
    Under the original kernel staying is worth 2 and going 3; under the restart kernel 2 and 3/2.

    Two repairs. *Two kernels*: J, Q and T of the original kernel, data and nu of the restart chain; then Lemma 4.3 is
    right. *No discount*: one restart kernel serves everything if the discount is dropped, because (1 - gamma) J is its
    average reward, and V of the original kernel solves its average-reward equation
    ``r_pi - (1 - gamma) J + P_restart V - V = 0``: insert ``P_restart V = gamma P V + (1 - gamma) V(s0)``. Both are
    equations, so nothing in them can be sharpened; the control shows that the scale is forced.

    Hypotheses: start in one state s0; gamma in (0, 1).

    Consequence: Lemma 4.3 and with it the whole of Step 2 need two kernels. Algorithm 2 bootstraps along the sampled
    chain, which is the restart chain, so its critic aims at the Q that Lemma 4.3 must not use.
    """
    return (
        printed(
            _identity("T Q - Q, restart kernel", lambda p: _bellman(p.restart())),
            "Q and the Bellman operator of the restart kernel", "fixed point", part="fixed point",
        ),
        printed(
            lambda c: _law(c, [sign_reversal(), *rational_points(c, point_start=True, smallest=1)]),
            "nu is the discounted visitation of the chain that J sums over", "law", part="law",
            recheck=lambda c: _law(c, [sign_reversal()]),
        ),
        printed(
            lambda c: _gradient(c, [sign_reversal(), *rational_points(c, point_start=True, smallest=1)]),
            "Lemma 4.3 with every quantity of the restart kernel", "gradient", part="gradient",
            recheck=lambda c: _gradient(c, [sign_reversal()]),
        ),
        reading(_best_action, "the restart kernel leaves the better of two policies the better one", "best policy"),
        repaired(
            _identity("E_nu[score Adv] - (1 - gamma) grad J", lambda p: _two_kernels(p, p.exact())),
            "J, Q, T of the original kernel; data and nu of the restart chain", "two kernels",
        ),
        repaired(
            _identity("average reward and its equation", lambda p: _average_reward(p.exact(), 1 - p.gamma)),
            "one restart kernel and no discount: average reward (1 - gamma) J", "no discount",
        ),
        control(
            _identity("E_nu[score Adv] - (1 - gamma) grad J", lambda p: _two_kernels(p, p.restart()), 1),
            "the repaired gradient with Q of the restart kernel", "restart Q",
        ),
        control(
            _identity("average reward and its equation", lambda p: _average_reward(p.exact(), fmpq(1))),
            "average reward J instead of (1 - gamma) J", "scale",
        ),
    )


def _bellman(view: Exact) -> np.ndarray:
    after = view.r_bar + view.gamma * (view.P @ (view.pi * view.Q).sum(axis=1))
    gap: np.ndarray = after - view.Q
    return gap


def _law(context: Context, points: list[RationalPoint]) -> Evidence:
    gaps = [abs(p.exact().restart_stationary - p.restart().visitation).max() for p in points]
    first = points[0]
    values = {"nu": first.exact().restart_stationary, "visitation of the restart chain": first.restart().visitation}
    return exact_evidence(
        "nu minus the discounted visitation of the restart chain, worst", max(gaps), 0, Relation.EQUAL,
        instances=len(gaps), witness=problem_witness(first, "two states; the laws differ", **values),
    )


def _gradient(context: Context, points: list[RationalPoint]) -> Evidence:
    values = []
    for point in points:
        view = point.restart()
        right = view.score_expectation(point.exact().restart_stationary, view.advantage)
        if (view.grad_J_by_solve != 0).any():
            values.append(misalignment(right, view.grad_J_by_solve))
    view = points[0].restart()
    shown = {
        "E_nu[score Adv]": view.score_expectation(points[0].exact().restart_stationary, view.advantage),
        "grad J_restart": view.grad_J_by_solve,
    }
    return exact_evidence(
        "1 - cos|cos| of E_nu[score Adv_restart] and grad J_restart, worst", max(values), 0, Relation.EQUAL,
        instances=len(values), witness=problem_witness(points[0], "the two sides have opposite signs", **shown),
    )


def _best_action(context: Context) -> Evidence:
    """Value of staying minus value of going, under each kernel, by solving the two chains exactly."""
    gamma, start = fmpq(1, 2), rational_array([1, 0])
    stay, go = (rational_array([[1, 0], [0, 1]]), rational_array([1, 3])), (
        rational_array([[0, 1], [0, 1]]), rational_array([0, 3]),
    )

    def lead(restarted: bool) -> fmpq:
        worth = []
        for P, r in (stay, go):
            kernel = gamma * P + (1 - gamma) * start[None, :] if restarted else P
            worth.append((start * solve(identity_like(P, 2) - gamma * kernel, r)).sum())
        return worth[0] - worth[1]

    original, restarted = lead(False), lead(True)
    return exact_evidence(
        "lead of staying under the original kernel times its lead under the restart kernel", original * restarted, 0,
        Relation.AT_LEAST, instances=1,
        witness=Witness(
            "stay in state 0 with reward 1, or go to the absorbing state 1 with reward 3; gamma = 1/2",
            {"lead, original kernel": original, "lead, restart kernel": restarted},
        ),
    )


def _two_kernels(point: RationalPoint, of_value: Exact) -> np.ndarray:
    view = point.exact()
    right = view.score_expectation(view.restart_stationary, of_value.advantage)
    gap: np.ndarray = right - (1 - view.gamma) * view.grad_J_by_solve
    return gap


def _average_reward(view: Exact, scale: Any) -> np.ndarray:
    average = (view.restart_stationary * view.r_pi).sum() - scale * view.J
    equation = view.r_pi - scale * view.J + view.restart_P_pi @ view.V - view.V
    return np.concatenate([[average], equation])
