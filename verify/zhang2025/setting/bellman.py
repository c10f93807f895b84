"""zhang2025 Eqs. (3)-(4): the Bellman operator's fixed point, and the advantage, for both kernels."""

from __future__ import annotations

import numpy as np
from flint import fmpq

from mdp.exact import Exact
from mdp.linear import identity_like, rational_array, solve
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, exact_evidence
from verify.identities import exact_identity, problem_witness, rational_points
from verify.zhang2025.setting.objective import KERNELS, Kernel, original
from verify.zhang2025.setting.pairs import pair_matrix


def one_way() -> RationalPoint:
    """State 0 leads to state 1, which absorbs; rewards 0 and 1, one action, gamma = 1/2.

    ``V = (1, 2)`` under the original kernel. No smaller problem tells the two kernels apart.
    """
    return RationalPoint(
        P=[[[0, 1]], [[0, 1]]], r=[[[0], [1]]], initial=[1, 0], gamma=fmpq(1, 2), tables=([[1], [1]],),
        psi=([[[0]], [[0]]],), phi_state=[[1], [0]], phi_joint=rational_array(np.ones((2, 1, 1), dtype=int)),
    )


@statement("zhang2025", "eq-3", uses=("eq-2", "restart-kernel"))
def eq_3() -> tuple[Variant, ...]:
    r"""Q is the fixed point of the Bellman operator.

    .. math:: \mathcal{T}^{\pi_\theta}\hat Q(s, a; W) = \mathbb{E}_\theta(\bar r(s, a)
        + \gamma \hat Q(s', a'; W)), \qquad s' \sim P(\cdot|s, a), \; a' \sim \pi_\theta(\cdot|s')

    True whenever Eq. (2) and Eq. (3) use the same kernel, be it the original or the restart kernel: Q, computed by a
    solve over pairs, is left fixed, and the operator contracts the largest norm by gamma, so that nothing else is.

    The further reading takes Q of the original kernel, which Lemma 4.3 needs, and the operator with the restart kernel
    of Sec. 3.1, which generates the samples of Algorithm 2. Then Q is not fixed: by hand, with state 0 leading to the
    absorbing state 1, rewards 0 and 1 and gamma = 1/2, ``Q(0) = 1`` and the operator gives
    ``(1/2)(1/2 * 2 + 1/2 * 1) = 3/4``.

    Hypotheses: gamma < 1; one kernel in Eqs. (2) and (3).

    Consequence: TD learning on restart data that bootstraps from the restarted state converges to another Q than the
    one in Lemma 4.3.
    """
    return (
        *(
            printed(
                lambda c, k=kernel: (  # type: ignore[misc]
                    exact_identity(c, "T Q - Q", lambda p: _bellman_gap(k(p), k(p)), point_start=True),
                    _contraction(c, k, fmpq(1)),
                ),
                f"both with the {name} kernel", name,
            )
            for name, kernel in KERNELS.items()
        ),
        reading(
            _mixed_fixed_point, "Q of the original kernel, the operator with the restart kernel", "mixed",
            recheck=lambda c: _mixed_evidence([one_way()]),
        ),
        control(
            lambda c: exact_identity(
                c, "T Q - Q", lambda p: _bellman_gap(p.exact(), p.exact(), p.gamma**2), point_start=True
            ),
            "the operator with gamma squared", "gamma squared",
        ),
        control(lambda c: _contraction(c, original, fmpq(99, 100)), "contraction by 0.99 gamma", "faster"),
    )


def _bellman_gap(of_value: Exact, of_operator: Exact, discount: fmpq | None = None) -> np.ndarray:
    """``T Q - Q`` with Q solved over pairs under one kernel and T taken under another."""
    M, r = pair_matrix(of_value), of_value.r_bar.reshape(-1)
    Q = solve(identity_like(M, len(M)) - of_value.gamma * M, r)
    gamma = of_operator.gamma if discount is None else discount
    gap: np.ndarray = r + gamma * (pair_matrix(of_operator) @ Q) - Q
    return gap


def _contraction(context: Context, kernel: Kernel, factor: fmpq) -> Evidence:
    """Largest ``||T f - T g|| / (gamma ||f - g||)``; constants attain one."""
    rng, worst, count = context.rng(3101), fmpq(0), 0
    for point in rational_points(context, point_start=True):
        M = pair_matrix(kernel(point))
        for difference in (rng.integers(-9, 10, size=len(M)), np.ones(len(M), dtype=int)):
            step = rational_array(difference)
            if (step != 0).any():
                worst, count = max(worst, abs(M @ step).max() / abs(step).max()), count + 1
    return exact_evidence(
        "largest change of T f over gamma times the largest change of f, worst", worst, factor, Relation.AT_MOST,
        instances=count,
    )


def _mixed_fixed_point(context: Context) -> Evidence:
    return _mixed_evidence([one_way(), *rational_points(context, point_start=True)])


def _mixed_evidence(points: list[RationalPoint]) -> Evidence:
    gaps = [abs(_bellman_gap(p.exact(), p.restart())).max() for p in points]
    first = points[0]
    return exact_evidence(
        "T Q - Q, worst", max(gaps), 0, Relation.EQUAL, instances=len(gaps),
        witness=problem_witness(
            first, "state 0 leads to state 1; T with the restart kernel moves Q(0) from 1 to 3/4",
            Q=first.exact().Q, **{"T Q - Q": _bellman_gap(first.exact(), first.restart())},
        ),
    )


@statement("zhang2025", "eq-4", uses=("eq-2",))
def eq_4() -> tuple[Variant, ...]:
    r"""The advantage is Q minus its mean under the policy.

    .. math:: \mathrm{Adv}_\theta(s, a) = Q_\theta(s, a) - \mathbb{E}_{a \sim \pi_\theta}(Q_\theta(s, a))

    A definition, and well posed once the letter a, which stands for the given action and for the random one, is read
    as two letters. Three facts that the paper uses are checked: the mean under the policy is zero, the mean subtracted
    is V from its own linear solve, and the expected TD error ``r + gamma V(s') - V(s)`` is the advantage ("advantage
    functions, which represent the expectation of TD-errors"). That last one needs the TD error of V; the Q-based one of
    Algorithm 1 has expectation zero (entry algorithm-1-direction).

    Hypotheses: one kernel for Q and V.

    Consequence: subtracting the mean changes no gradient (Remark 1), and the link to TD errors holds for V only.
    """
    return (
        *(
            printed(
                lambda c, k=kernel: exact_identity(  # type: ignore[misc]
                    c, "mean, Q - V - Adv and E[TD error of V] - Adv",
                    lambda p: _advantage_gaps(k(p), k(p).pi), point_start=True,
                ),
                f"P is the {name} kernel", name,
            )
            for name, kernel in KERNELS.items()
        ),
        control(
            lambda c: exact_identity(
                c, "mean of Q minus its plain mean over actions",
                lambda p: _advantage_gaps(p.exact(), p.exact().pi * 0 + fmpq(1, p.exact().pi.shape[1])),
                point_start=True,
            ),
            "the mean over actions with equal weights", "uniform mean",
        ),
    )


def _advantage_gaps(view: Exact, weights: np.ndarray) -> np.ndarray:
    M, r = pair_matrix(view), view.r_bar
    Q = solve(identity_like(M, len(M)) - view.gamma * M, r.reshape(-1)).reshape(r.shape)
    advantage = Q - (weights * Q).sum(axis=1)[:, None]
    td_error = r + view.gamma * (view.P @ view.V) - view.V[:, None]
    mean = (view.pi * advantage).sum(axis=1)
    return np.concatenate([mean, (Q - view.V[:, None] - advantage).ravel(), (td_error - advantage).ravel()])
