"""zeng2022 Sec. 4: Proposition 1 and the remark that sigma_1 must exceed sigma_2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np

from mdp.exact import exact
from mdp.instances import INSTANCES
from mdp.linear import to_float
from rates.moments import critic_slopes, linear_moments, moments_of_view
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence
from verify.experiments.cac import cac_sweep
from verify.rate_evidence import rate_evidence
from verify.zeng2022.setting.lower_level import two_state_chain
from verify.zeng2022.theorem.other_steps import other_sweep, steps_of
from verify.zeng2022.theorem.powers import covered, necessary_and_sufficient
from verify.zeng2022.theorem.rates import CRITIC_TERMS

SLOPE_TOLERANCE = 1e-3
"""How far an exact slope between T = 10^14 and 10^15 may be from its limit; ours. The error is the leading power times
1 + O(T^-0.3), and T^-0.3 is 6e-5 at 10^14."""

SIGMA_2 = (0.3, 0.5, 0.7)
"""Critic exponents at which limits are computed."""

HORIZONS = (10**14, 10**15)


@statement(
    "zeng2022", "proposition-1",
    uses=("assumption-1", "assumption-2", "assumption-3", "assumption-4", "assumption-5", "assumption-6",
          "algorithm-1", "consensus", "eq-13-target", "assumption-4-unique"),
)  # fmt: skip
def proposition_1() -> tuple[Variant, ...]:
    r"""The time-averaged critic error of CAC is of the order of six powers of T.

    .. math:: \frac1T \sum_{t=0}^{T-1} \sum_{i=1}^N \Big(\mathbb{E}\|\omega_{i,t} - \omega^*(\theta_t)\|^2
        + \mathbb{E}\|\lambda_{i,t} - \lambda^*(\theta_t)\|^2\Big) = O(T^{-1+\sigma_2}) + O(T^{-\sigma_2})
        + O(T^{\sigma_2 - 2\sigma_1}) + O(T^{-2\sigma_1 + 2\sigma_2}) + O(T^{-2+2\sigma_2}) + O(T^{-2\sigma_2})

    All six powers tend to zero for ``0 < sigma_2 < sigma_1 < 1``. So with omega* as displayed in (7a), or as minimiser
    of the Bellman residual, the statement is false for every choice of steps: on the two-state chain with
    one action the left side tends to 1/9 or 4/225 (the iterates settle at 4/3, the targets are 1 and 6/5),
    with any radius above 4/3.

    Repaired: omega* is the TD fixed point. For a frozen policy the error is computed, not sampled: its slope
    is ``-sigma_2`` when started at the fixed point and ``-(1 - sigma_2)`` when the start dominates, so the first
    two powers are attained; disagreement among agents alone is beta^2 times a constant, the last power. With a moving
    policy the runs agree with the bound at (3/5, 2/5) and at (3/4, 1/2), where it is T^(-2/5) and T^(-1/2). Second
    opinion: the Lyapunov equations of `rates.moments.leading_coefficients` give the same leading terms.

    Three powers say as much as six: ``T^(-2+2 sigma_2) <= T^(-1+sigma_2)``, ``T^(-2 sigma_2) <= T^(-sigma_2)`` and
    ``T^(sigma_2 - 2 sigma_1) <= T^(-sigma_2)`` on the whole triangle. The term ``T^(-2 sigma_1 + 2 sigma_2)``, the
    squared lag of a critic behind its target, cannot be dropped from the *bound*; where the policy comes to
    rest the lag is felt only in the transient, and the runs with sigma_1 <= sigma_2 (`proposition-1-must`) do not show
    it. No instance of a policy that keeps circling, which would show it, is given here.

    Hypotheses: Assumptions 1-6; besides, projection radii that contain the targets, and a least eigenvalue of the
    critic's system that stays away from zero along the run (`assumption-6` shows that it need not). Constants alpha_0,
    beta_0, zeta_0 must keep the linear updates stable at the least T considered, or T be large.

    Consequence: with the TD fixed point the lower level is what Theorem 3 needs, at (3/5, 2/5) the bound T^(-2/5). As
    printed, with (7a), Theorem 3's first display falls with it.
    """
    return (
        printed(lambda c: _limit("td_error"), "omega* of Eq. (7a) as displayed", "td-error"),
        printed(lambda c: _limit("bellman"), "omega* minimises the Bellman residual", "bellman"),
        repaired(
            lambda c: (
                *_moving_policy(c, Fraction(2, 5), Fraction(1, 2)),
                *(replace(e, corroborates=True) for e in _limit("td")),
                _slope("start at the fixed point", at_rest=True, sigma=0.3, claimed=-0.3),
                _slope("start at zero", at_rest=False, sigma=0.7, claimed=-0.3),
                _disagreement(2),
            ),
            "omega* is the TD fixed point",
        ),
        reading(lambda c: covered(CRITIC_TERMS, (0, 1, 3)), "the powers 1, 2 and 4 of the list dominate the others",
                "three powers"),
        control(lambda c: covered(CRITIC_TERMS, (0, 1)), "the powers 1 and 2 dominate the others", "two powers"),
        control(lambda c: _moving_policy(c, Fraction(4, 5), Fraction(4, 5)), "twice the exponent", "exponent 4/5"),
        control(
            lambda c: _slope("start at zero", at_rest=False, sigma=0.7, claimed=-0.7),
            "the power T^(-1+sigma_2) left out, frozen policy, sigma_2 = 7/10", "T^(-sigma_2) alone",
        ),
        control(lambda c: _disagreement(1), "disagreement of order beta", "disagreement, beta"),
        control(lambda c: _limit("td", at_least=Fraction(4, 225)),
                "that the limit against the TD fixed point is positive too, at least 4/225", "td, positive limit"),
    )  # fmt: skip


def _limit(target: str, at_least: Fraction = Fraction(0)) -> tuple[Evidence, ...]:
    """Limit of the left side on the two-state chain, exactly, and the exact moments at T = 10^12 beside it.

    The limit is claimed to be zero, or (in a control) at least a positive number.
    """
    view = two_state_chain().exact()
    aim = getattr(view, f"omega_{target}")
    gap = view.omega_td[0] - aim[0]
    values = {}
    for sigma in SIGMA_2:
        moments = moments_of_view(view, np.ones((1, 1, 1)), beta=10.0 ** (-12 * sigma))
        values[sigma] = float(moments.average(10**12).total(to_float(aim)))
    apart = max(abs(v - float(to_float(np.array([gap**2]))[0])) for v in values.values())
    witness = Witness(
        "two states, one action, one agent: no policy changes anything",
        {"P": view.P_pi, "r": view.r_pi, "gamma": view.gamma, "phi": view.phi_state[:, 0], "omega_td": view.omega_td,
         f"omega_{target}": aim},
    )  # fmt: skip
    limit = exact_evidence(
        f"limit of the time-averaged squared error against omega_{target}",
        gap**2, at_least, Relation.AT_LEAST if at_least else Relation.EQUAL, instances=1, witness=witness,
        note="; ".join(f"sigma_2 = {s:g}: {v:.6g} at T = 10^12" for s, v in values.items()),
    )
    near = exact_evidence(
        "distance of the exact error at T = 10^12 from that limit, sigma_2 = 0.3 to 0.7", apart, 1e-3, Relation.AT_MOST,
        rigor=Rigor.FLOAT, instances=len(SIGMA_2), corroborates=True,
    )
    return limit, near


def _moving_policy(context: Context, at_theorem: Fraction, elsewhere: Fraction) -> tuple[Evidence, ...]:
    """Runs of CAC against two decays: at (3/5, 2/5), shared with Theorem 3, and at (3/4, 1/2)."""
    swept = other_sweep(context, steps_of(0.75, 0.5))
    return (
        *(rate_evidence(cac_sweep(context, name, "single"), "critic_total_td", float(at_theorem),
                        f"{name}, single sampling, sigma = (3/5, 2/5)") for name in ("ring3", "ring3-nonrealisable")),
        rate_evidence(swept, "critic_total_td", float(elsewhere), "ring3, double sampling, sigma = (3/4, 1/2)"),
    )  # fmt: skip


def _slope(start: str, *, at_rest: bool, sigma: float, claimed: float) -> Evidence:
    """Exact local slope of the critic error on ring3 at theta = 0."""
    problem = INSTANCES["ring3"]()
    theta = np.zeros((problem.mdp.n_agents, problem.policy.n_parameters))
    fixed = np.tile(exact(problem, theta).omega_td, (len(theta), 1))
    found = critic_slopes(problem, theta, sigmas=(sigma,), horizons=HORIZONS, omega_0=fixed if at_rest else None)
    slope = float(found.slopes[0, -1])
    return exact_evidence(
        f"distance of the exact slope from {claimed:g}, ring3, frozen policy, sigma_2 = {sigma:g}, {start}",
        abs(slope - claimed), SLOPE_TOLERANCE, Relation.AT_MOST, rigor=Rigor.FLOAT, instances=1, corroborates=True,
        note=f"slope {slope:.6f} between T = 10^14 and 10^15",
    )


def _disagreement(order: int) -> Evidence:
    """Disagreement at rest at a step and at a tenth of it, over ten to the order."""
    problem = INSTANCES["ring3"]()
    theta = np.zeros((problem.mdp.n_agents, problem.policy.n_parameters))
    large, small = (float(linear_moments(problem, theta, beta=b).limit.disagreement) for b in (1e-3, 1e-4))
    return exact_evidence(
        f"distance from {order} of the order in beta of the agents' disagreement at rest, ring3",
        abs(float(np.log10(large / small)) - order), SLOPE_TOLERANCE, Relation.AT_MOST, rigor=Rigor.FLOAT, instances=1,
        corroborates=True,
    )


@statement("zeng2022", "proposition-1-must", uses=("proposition-1",))
def proposition_1_must() -> tuple[Variant, ...]:
    r"""For the bound of Proposition 1 to be useful sigma_1 must exceed sigma_2.

    .. math:: O(T^{-2\sigma_1 + 2\sigma_2}) \to 0 \iff \sigma_1 > \sigma_2

    True of the bound, both ways: at ``sigma_1 <= sigma_2`` the fourth exponent ``2 (sigma_2 - sigma_1)`` is not
    negative, and for ``0 < sigma_2 < sigma_1 < 1`` all six are negative, each being a nonnegative combination, not all
    zero, of ``-sigma_2``, ``sigma_2 - sigma_1`` and ``sigma_1 - 1``.

    Not true of the algorithm. The sentence that follows ("omega*(theta_t) is constantly drifting, so the actor should
    update slowly compared with the critic") suggests that otherwise the error stays. It need not: one state, two
    actions that pay the same, constant features. There omega* = 1 and lambda* = 1/2 whatever the policy, the updates
    are the deterministic recursions ``e -> (1 - beta/2) e`` and ``e -> (1 - zeta) e``, and the average error is
    ``(1 - (1 - beta/2)^{2T}) / (T beta (1 - beta/4)) + ...``, below ``2 T^(sigma_2 - 1)`` whatever sigma_1, while the
    policy does move. That instance has a target that stands still. On ring3 it moves, and with sigma_1 = sigma_2 and
    even sigma_1 < sigma_2 the measured error decays like a power near T^-1/2: the policy comes to rest, and
    after that there is no drift to lag behind. A policy that never rests would be needed to make the term count.

    Hypotheses: step sizes as in Proposition 1; steps small enough for stability.

    Consequence: sigma_1 > sigma_2 is a requirement of the proof. Theorem 3's choice (3/5, 2/5) meets it. Whether
    single-timescale CAC has a rate is not decided by Proposition 1.
    """
    return (
        printed(lambda c: necessary_and_sufficient(CRITIC_TERMS),
                "the bound tends to zero if and only if sigma_1 > sigma_2, for exponents between 0 and 1"),
        reading(
            lambda c: (_still_target(), *(_no_decay(c, s) for s in ((0.4, 0.4), (0.3, 0.4)))),
            "the error itself does not tend to zero when sigma_1 <= sigma_2", "algorithm",
            recheck=lambda c: _still_target(),
        ),
        control(
            lambda c: necessary_and_sufficient(tuple(t for k, t in enumerate(CRITIC_TERMS) if k != 3)),
            "the bound without its fourth power", "fourth power dropped",
        ),
    )  # fmt: skip


def still_target_error(horizon: int, step: Fraction, rate: Fraction, start: Fraction) -> Fraction:
    """``(1/T) sum_{t<T} e_t^2`` for ``e -> (1 - step rate) e``, exactly.

    Args:
        horizon: T.
        step: beta or zeta.
        rate: 1 - gamma for the critic, 1 for the reward model.
        start: e_0.
    """
    factor = (1 - step * rate) ** 2
    return start**2 * (1 - factor**horizon) / (1 - factor) / horizon


def _still_target() -> Evidence:
    """Average error at T = 4^k with beta = zeta = 1/sqrt(T) = 2^-k (sigma_2 = 1/2), exact, for any sigma_1."""
    errors: Mapping[int, Fraction] = {
        4**k: still_target_error(4**k, Fraction(1, 2**k), Fraction(1, 2), Fraction(1))
        + still_target_error(4**k, Fraction(1, 2**k), Fraction(1), Fraction(1, 2))
        for k in (3, 5)
    }
    ratio = errors[4**5] / errors[4**3]
    return exact_evidence(
        "average error at T = 1024 over that at T = 64 (a limit that is not zero would bring it near one)",
        ratio, Fraction(9, 10), Relation.AT_LEAST, instances=1,
        witness=Witness(
            "one state, two actions, r = 1/2 for both, gamma = 1/2, phi = varphi = 1, start at zero, sigma_2 = 1/2 and "
            "any sigma_1, also below: omega* = 1, lambda* = 1/2, e -> (1 - beta/2) e and e -> (1 - zeta) e",
            {f"average error, T = {T}": float(e) for T, e in errors.items()} | {"2 / sqrt(1024)": Fraction(1, 16)},
        ),
    )


def _no_decay(context: Context, sigma: tuple[float, float]) -> Evidence:
    """The measured slope on ring3 against "no decay"."""
    found = rate_evidence(
        other_sweep(context, steps_of(*sigma)), "critic_total_td", sigma[1],
        f"ring3, double sampling, sigma = ({sigma[0]:g}, {sigma[1]:g})",
    )
    return Evidence(
        found.quantity, found.measured, found.low, found.high, 0, Relation.AT_LEAST, Rigor.STATISTICAL,
        instances=found.instances, note=found.note, fit=found.fit, corroborates=True,
    )
