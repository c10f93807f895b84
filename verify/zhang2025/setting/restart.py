"""zhang2025 Sec. 4: the restart kernel's stationary law and the policy gradient (Lemmas 4.2 and 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from flint import fmpq

from mdp.exact import Exact
from mdp.linear import rational_array
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, exact_evidence
from verify.identities import exact_identity, float_identity, misalignment, problem_witness, rational_points


@statement("zhang2025", "lemma-4.2", uses=("restart-kernel", "b1-recursion"))
def lemma_4_2() -> tuple[Variant, ...]:
    r"""Under the restart kernel the stationary law is the normalised discounted visitation.

    .. math:: \eta(s) := \sum_{t=0}^\infty \gamma^t\, \mathbb{P}_{\pi_\theta}(s_0 \to s, t), \qquad
        \nu(s) = (1-\gamma)\, \eta(s)

    Hypotheses: gamma below one; the chain may be reducible.

    True as printed, with eta counted along the *original* chain, as Appendix B.1 does: stationarity under the
    restart kernel reads ``nu = gamma nu P_pi + (1 - gamma) s0``, that is ``nu (I - gamma P_pi) = (1 - gamma) s0``,
    which has one solution, ``(1 - gamma) eta``. So nu is unique even if the original chain is reducible; states
    that s0 never leads to get probability zero. nu is computed by elimination on the restart chain and eta by a
    linear solve on the original one. The control counts eta along the restart chain itself.

    Consequence: restart data have the law that the policy gradient needs; this part of the construction is sound.
    """
    return (
        printed(
            lambda c: (
                exact_identity(c, "nu - (1 - gamma) eta", lambda p: _law_gap(p.exact()), point_start=True),
                exact_identity(c, "nu - (1 - gamma) eta, general initial law", lambda p: _law_gap(p.exact())),
                float_identity(c, "nu - (1 - gamma) eta", lambda v, _p, _t: _law_gap(v)),
            ),
            "eta counted along the original chain",
        ),
        control(
            lambda c: exact_identity(
                c, "nu - (1 - gamma) eta of the restart chain",
                lambda p: p.exact().restart_stationary - p.restart().visitation, point_start=True, smallest=1,
            ),
            "eta counted along the restart chain",
            "restart visitation",
        ),
    )


def _law_gap(view: Exact) -> np.ndarray:
    gap: np.ndarray = view.restart_stationary - view.visitation
    return gap


@statement("zhang2025", "lemma-4.3", uses=("lemma-4.2", "b2-gradient", "eq-4"))
def lemma_4_3() -> tuple[Variant, ...]:
    r"""The policy gradient is proportional to the expected score times advantage under nu.

    .. math:: \nabla_{\theta^i} J(\theta) \propto \mathbb{E}_{s \sim \nu(\theta),\, a \sim \pi_\theta}
        \big[\nabla_{\theta^i} \log \pi_{\theta^i}(a^i|s)\, \mathrm{Adv}_\theta(s,a)\big]

    Hypotheses: the policy is differentiable; which kernel J and Q belong to is left open by the paper.

    The paper defines one kernel, ``P = gamma P_original + (1 - gamma) s0``, and Eq. (3) takes its expectation under
    it, while Appendix B uses the original one. The two readings differ.

    *J, Q and Adv of the original kernel, nu of the restart chain*: true, the constant is 1 / (1 - gamma), the same
    for all agents.

    *J, Q and Adv of the restart kernel as well*: false. The restart chain discounted by gamma behaves like the
    original one discounted by gamma^2: ``Adv_restart = Adv`` at gamma^2 and ``J_restart = (1 + gamma) J`` at
    gamma^2, so the right law would be the visitation at gamma^2, and nu is the one at gamma. The two sides need
    not even have a positive inner product. Mixing J of the original with Q of the restart kernel fails as well.

    Consequence: the proof of Theorem 5.10 needs J and Q of the original kernel and data of the restart kernel: two
    kernels, where Sec. 3.1 defines one.
    """
    return (
        printed(
            lambda c: (
                exact_identity(
                    c, "E_nu[score Adv] / (1 - gamma) - grad J", lambda p: _lemma_gap(p.exact()), point_start=True
                ),
                float_identity(c, "E_nu[score Adv] / (1 - gamma) - grad J", lambda v, _p, _t: _lemma_gap(v)),
            ),
            "J, Q, Adv of the original kernel",
            "original",
        ),
        printed(
            lambda c: _alignment(c, _restart_sides, "E_nu[score Adv_restart] against grad J_restart"),
            "J, Q, Adv of the restart kernel, as Eq. (3) with the kernel of Sec. 3.1",
            "restart",
        ),
        reading(
            lambda c: _alignment(c, _mixed_sides, "E_nu[score Adv_restart] against grad J"),
            "J of the original, Q and Adv of the restart kernel",
            "mixed",
        ),
        reading(
            lambda c: (
                exact_identity(c, "Adv_restart - Adv at gamma^2", _gamma_squared, point_start=True),
                exact_identity(c, "J_restart - (1 + gamma) J at gamma^2", _gamma_squared_J, point_start=True),
            ),
            "the restart kernel discounted by gamma has the advantage of the original one at gamma^2",
            "gamma squared",
        ),
        control(
            lambda c: exact_identity(
                c, "E_mu[score Adv] / (1 - gamma) - grad J",
                lambda p: p.exact().score_expectation(p.exact().stationary, p.exact().advantage)
                / (1 - p.gamma) - p.exact().grad_J_by_solve,
                point_start=True, smallest=1,
            ),
            "states from the original chain's stationary law",
            "mu for nu",
        ),
    )


def _lemma_gap(view: Exact) -> np.ndarray:
    right = view.score_expectation(view.restart_stationary, view.advantage)
    gap: np.ndarray = right / (1 - view.gamma) - view.grad_J_by_solve
    return gap


def _restart_sides(point: RationalPoint) -> tuple[np.ndarray, np.ndarray]:
    restart = point.restart()
    return restart.score_expectation(point.exact().restart_stationary, restart.advantage), restart.grad_J_by_solve


def _mixed_sides(point: RationalPoint) -> tuple[np.ndarray, np.ndarray]:
    original, restart = point.exact(), point.restart()
    return restart.score_expectation(original.restart_stationary, restart.advantage), original.grad_J_by_solve


def _gamma_squared(point: RationalPoint) -> np.ndarray:
    gap: np.ndarray = point.restart().advantage - _squared(point).advantage
    return gap


def _gamma_squared_J(point: RationalPoint) -> fmpq:
    return point.restart().J - (1 + point.gamma) * _squared(point).J


def _squared(point: RationalPoint) -> Exact:
    return replace(point, gamma=point.gamma**2).exact()


def sign_reversal() -> RationalPoint:
    """Two states, one action pair, where the restart reading's right side points against grad J_restart.

    State 1 absorbs; ``r(0, .) = (1, 0)``, ``r(1, .) = (0, 2)``, one logit shared by both states, gamma = 1/2.
    """
    half = fmpq(1, 2)
    return RationalPoint(
        P=[[[0, 1], [0, 1]], [[0, 1], [0, 1]]],
        r=[[[1, 0], [0, 2]]],
        initial=[1, 0],
        gamma=half,
        tables=([[half, half], [half, half]],),
        psi=([[[1], [0]], [[1], [0]]],),
        phi_state=[[1], [0]],
        phi_joint=rational_array(np.ones((2, 2, 1), dtype=int)),
    )


Sides = Callable[[RationalPoint], tuple[np.ndarray, np.ndarray]]


def _alignment(context: Context, sides: Sides, quantity: str) -> Evidence:
    """Worst misalignment of two directions over exact problems, the sign-reversing one first."""
    worst, witness, cosines = fmpq(0), None, []
    for point in [sign_reversal(), *rational_points(context, point_start=True)]:
        right, gradient = sides(point)
        if not (gradient != 0).any():
            continue
        value = misalignment(right, gradient)
        cosines.append(signed_cosine(value))
        worst = max(worst, value)
        if witness is None and value != 0:
            witness = problem_witness(
                point, "the two sides are not positive multiples of each other",
                **{"right side": right, "gradient": gradient},
            )
    return exact_evidence(
        f"{quantity}: worst 1 - cos|cos|", worst, 0, Relation.EQUAL, instances=len(cosines), witness=witness,
        note=f"cosine from {min(cosines):.3f} to {max(cosines):.3f}",
    )


def signed_cosine(value: fmpq) -> float:
    """Cosine from ``1 - cos |cos|`` (see `verify.identities.misalignment`).

    Args:
        value: between 0 and 2.
    """
    rest = 1 - float(value.p) / float(value.q)
    return float(np.sign(rest) * np.sqrt(abs(rest)))
