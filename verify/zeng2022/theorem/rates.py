"""zeng2022 Sec. 4: the choice of step sizes, Theorem 3 and Corollary 1."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import xarray as xr
from flint import fmpq

from algorithms.cac import CACSteps, Sampling
from algorithms.prediction import asymptoticity, ode_prediction
from mdp.direction import actor_direction
from mdp.exact import exact
from mdp.instances import INSTANCES
from mdp.linear import rational_array
from rates.exponents import ExponentCertificate, fastest_decay, power
from rates.fit import fit_rate
from rates.moments import moments_of_view
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence
from verify.experiments.cac import STEPS, cac_sweep, floor
from verify.identities import FLOAT_TOLERANCE
from verify.rate_evidence import rate_evidence
from verify.zeng2022.setting.lower_level import two_state_chain
from verify.zeng2022.theorem.together import all_at_once

CLAIMED = 0.4
"""p of Theorem 3 and Corollary 1."""

NEXT_ORDER = 1e-4
"""How far a log-log slope may be from its limit over T = 10^11 to 10^12; ours: the error is T^-2/5 (1 + O(T^-2/5)),
and T^-2/5 is 4e-5 at 10^11."""

FLOOR_ROUNDING = 1e-15
"""Violation at a rest point below which it is zero up to rounding: squares of residuals near 1e-13, with margin."""

CRITIC_TERMS = (
    power("T^(-1+s2)", -1, sigma_2=1),
    power("T^(-s2)", 0, sigma_2=-1),
    power("T^(s2-2 s1)", 0, sigma_2=1, sigma_1=-2),
    power("T^(-2 s1+2 s2)", 0, sigma_1=-2, sigma_2=2),
    power("T^(-2+2 s2)", -2, sigma_2=2),
    power("T^(-2 s2)", 0, sigma_2=-2),
)
"""The six powers of Proposition 1."""

ACTOR_TERMS = (power("T^(-1+s1)", -1, sigma_1=1), power("T^(-s1)", 0, sigma_1=-1), *CRITIC_TERMS)
"""The eight powers of Proposition 2, which contain those of Proposition 1."""

STEP_BOX = (
    power("sigma_2 <= sigma_1", 0, sigma_2=1, sigma_1=-1),
    power("sigma_1 <= 1", -1, sigma_1=1),
    power("0 <= sigma_2", 0, sigma_2=-1),
)
"""``0 < sigma_2 < sigma_1 < 1``, closed."""

PRINTED_SIGMA = {"sigma_1": Fraction(3, 5), "sigma_2": Fraction(2, 5)}
"""Theorem 3's choice."""


@statement("zeng2022", "step-sizes", uses=("proposition-1", "proposition-2"))
def step_sizes() -> tuple[Variant, ...]:
    r"""The step exponents 3/5 and 2/5 make the bounds of Propositions 1-2 decay fastest, like T^(-2/5).

    .. math:: (\sigma_1, \sigma_2) = (\tfrac35, \tfrac25) = \arg\max_{0<\sigma_2<\sigma_1<1}\ \min_k\, (-e_k(\sigma)),
        \qquad \max = \tfrac25

    Hypotheses: the powers of T in Propositions 1 and 2, taken as they stand.

    True, and the maximiser is unique. Weights 2/5, 2/5 and 1/5 on the terms ``T^(-1+sigma_1)``, ``T^(-sigma_2)``
    and ``T^(-2 sigma_1 + 2 sigma_2)`` make a combination of their exponents that is the constant -2/5, so no choice
    does better; all three weights are positive, so all three terms are tight at any optimum, which fixes sigma.

    It is the *actor's* terms that force it: Proposition 1 alone would allow T^(-1/2) (sigma_2 = 1/2, sigma_1 from
    3/4), at the price of an actor bound no better than T^(-1/4).

    Consequence: given the two propositions, the rate T^(-2/5) of Theorem 3 is the best that they allow.
    """
    return (
        printed(
            lambda c: _certified(c, fastest_decay(ACTOR_TERMS, STEP_BOX)),
            "both propositions together",
        ),
        reading(
            lambda c: _certified(c, fastest_decay(CRITIC_TERMS, STEP_BOX)),
            "the critic's bound (Proposition 1) alone",
            "Proposition 1 alone",
        ),
        control(
            lambda c: _certified(c, fastest_decay(ACTOR_TERMS[1:], STEP_BOX)),
            "Proposition 2 without its term T^(-1+sigma_1)",
            "a term dropped",
        ),
    )


def _certified(context: Context, best: ExponentCertificate) -> tuple[Evidence, ...]:
    witness = Witness(
        f"the best rate is T^-{best.rate} at {', '.join(f'{v} = {x}' for v, x in best.sigma.items())}; the weighted "
        f"exponents add up to the constant -{best.rate}",
        {f"weight of {name}": weight for name, weight in best.weights.items()},
    )
    distance = sum((abs(best.sigma[v] - x) for v, x in PRINTED_SIGMA.items()), Fraction(0))
    at_optimum = exact_evidence(
        "distance of the optimum found from (3/5, 2/5)", distance, 0, Relation.EQUAL, scope=Scope.CLASS, witness=witness
    )
    rate = exact_evidence(
        "best rate p over all step exponents", best.rate, Fraction(2, 5), Relation.EQUAL, rigor=Rigor.RATIONAL,
        scope=Scope.CLASS, witness=witness, note="LP by a solver, certified by exact weak duality",
    )
    unique = exact_evidence(
        "the weights prove that no other optimum exists (1 = yes)", int(best.unique), 1, Relation.EQUAL,
        scope=Scope.CLASS, witness=witness,
    )
    return rate, at_optimum, unique


@statement("zeng2022", "theorem-3-critic", uses=("proposition-1", "step-sizes", "eq-13-target", "assumption-6"))
def theorem_3_critic() -> tuple[Variant, ...]:
    r"""The time-averaged critic error of CAC decays like T^(-2/5).

    .. math:: \frac1T \sum_{t=0}^{T-1} \sum_{i=1}^N \Big(\mathbb{E}\|\omega_{i,t} - \omega^*(\theta_t)\|^2
        + \mathbb{E}\|\lambda_{i,t} - \lambda^*(\theta_t)\|^2\Big) = O(T^{-2/5})

    Hypotheses: Assumptions 1 to 6 (the last two not at hand), the step exponents 3/5 and 2/5, and projection radii
    that contain the targets.

    With omega* as displayed in (7a), or as the minimiser of the Bellman residual that the text names, the left side
    tends to a positive constant: already on the two-state chain with a single action, where no policy changes
    anything, to 1/9 and 4/225 (exactly: the iterates settle at the TD fixed point 4/3, the targets are 1 and 6/5).
    There any projection radius above 4/3 will do, because a projection onto a ball that contains 4/3 brings no
    iterate further from it; at a radius below 4/3 the iterates are pushed to the radius instead, and only if it
    happens to be the target itself does the display hold. With omega* read as the TD fixed point the rate is what
    the runs show, and on the two-state chain, where the error is computed and not sampled, the slope is -2/5 to
    three digits at T = 10^12: the exponent is attained.

    Two hypotheses are needed and not in the statement. The projection radii must contain the targets (with
    R_lambda below the norm of lambda* the error cannot fall below the difference). And the least eigenvalue of
    the critic's system must stay away from zero along the run; linear independence of the features and uniform
    mixing do not give that by themselves (a softmax policy may starve a state of visits). Assumptions 5-6 of the
    paper, which might, are in a technical report that is not at hand.

    The assumptions can hold at once, on ring3 with its softmax (reading *together*), and they do not force the
    conclusion: the same instance meets them whatever omega* is called, and its omega* of (7a) is another than the
    TD fixed point (`corollary-1-critic`). Nor does *together* give the lower bound on the critic's system. Second
    opinion on the limits 1/9 and 4/225: numerical minimisation of both objectives, and a simulated run (tests).

    Consequence: the first display of the main theorem needs another omega* than the paper defines; with it, the rate
    is right and attained.
    """
    return (
        printed(lambda c: _constant_limit("td_error"), "omega* of Eq. (7a) as displayed", "td-error"),
        printed(lambda c: _constant_limit("bellman"), "omega* minimises the Bellman residual", "bellman"),
        reading(
            lambda c: _radius_too_small(), "any projection radius, as the algorithm's description allows",
            "any radius",
        ),
        reading(
            lambda c: all_at_once(),
            "Assumptions 1 to 6 (5 and 6 in their standard form) hold at once: ring3, on which the rate is measured",
            "together",
        ),
        repaired(
            lambda c: (
                _decay(c, "ring3", "single", "critic_total_td", CLAIMED),
                _decay(c, "ring3-nonrealisable", "single", "critic_total_td", CLAIMED),
                _exact_slope(CLAIMED),
            ),
            "omega* is the TD fixed point, inside the radius, and the critic's system stays well conditioned",
        ),
        control(
            lambda c: _decay(c, "ring3", "single", "critic_total_td", 2 * CLAIMED),
            "the TD reading with exponent 4/5",
            "exponent 4/5",
        ),
        control(
            lambda c: _exact_slope(0.5),
            "the exact slope on the two-state chain against -1/2",
            "exponent 1/2, exactly",
        ),
        control(lambda c: all_at_once(softmax=False), "they hold at once for a ReLU network", "ReLU network"),
    )


def two_state_error(horizon: int, target: str = "omega_td", omega_0: Fraction = Fraction(0)) -> float:
    """Exact time-averaged ``E (omega_t - target)^2`` of the critic on the two-state chain, steps of Theorem 3.

    Args:
        horizon: T, up to 10^12 and beyond.
        target: ``"omega_td"`` (4/3), ``"omega_bellman"`` (6/5) or ``"omega_td_error"`` (1).
        omega_0: where the critic starts.

    Source: `rates.moments`.
    """
    _, beta, _ = CACSteps().at(horizon)
    moments = moments_of_view(two_state_chain().exact(), np.ones((1, 1, 1)), beta=beta, x_0=rational_array([[omega_0]]))
    return float(moments.average(horizon).total(target))


def _constant_limit(target: str) -> tuple[Evidence, Evidence]:
    """Limit of the time-averaged error against a target the iterates do not go to, and the error at T = 10^12."""
    view = two_state_chain().exact()
    aim = getattr(view, f"omega_{target}")
    gap = view.omega_td[0] - aim[0]
    at_last = two_state_error(10**12, f"omega_{target}")
    limit = exact_evidence(
        f"limit of the time-averaged squared error against omega_{target}",
        gap**2,
        0,
        Relation.EQUAL,
        instances=1,
        witness=Witness(
            "two states, one action, one agent: no policy changes anything",
            {
                "P": view.P_pi, "r": view.r_pi, "gamma": view.gamma, "phi": view.phi_state[:, 0],
                "omega_td": view.omega_td, f"omega_{target}": aim, "R_omega": "any radius above 4/3",
            },
        ),
        note=f"the exact recursion gives {at_last:.9g} at T = 10^12",
    )
    # the recursion knows nothing of where the iterates should settle
    near = exact_evidence(
        "distance of the exact error at T = 10^12 from that limit", abs(at_last - (float(gap.p) / float(gap.q)) ** 2),
        NEXT_ORDER, Relation.AT_MOST, rigor=Rigor.FLOAT, instances=1, corroborates=True,
    )
    return limit, near


def _exact_slope(claimed: float) -> Evidence:
    """Slope of the exact error between T = 10^11 and 10^12 on the two-state chain, started at the fixed point.

    Started elsewhere the transient adds a term of order T^-(1 - sigma_2), which still shows at these horizons.
    """
    errors = [two_state_error(10**k, omega_0=Fraction(4, 3)) for k in (11, 12)]
    slope = float(np.log10(errors[1] / errors[0]))
    return exact_evidence(
        f"distance from -{claimed:g} of the exact error's slope between T = 10^11 and 10^12, two-state chain",
        abs(slope + claimed), NEXT_ORDER, Relation.AT_MOST, rigor=Rigor.FLOAT, instances=1,
        note=f"slope {slope:.6f}: the exponent is attained", corroborates=True,
    )


def _radius_too_small() -> Evidence:
    """Two-state chain with the reward feature (1, 0): lambda* = 1, and R_lambda = 1/2 keeps lambda away from it."""
    view = two_state_chain().exact()
    radius = fmpq(1, 2)
    distance = view.lambda_star[0] - radius
    return exact_evidence(
        "least possible squared error of lambda inside the ball", distance**2, 0, Relation.EQUAL, instances=1,
        witness=Witness(
            "the two-state chain with R_lambda = 1/2 and lambda* = 1: |lambda - lambda*| >= 1/2 at all times",
            {"lambda_star": view.lambda_star, "R_lambda": radius},
        ),
    )


@statement("zeng2022", "theorem-3-actor", uses=("proposition-2", "step-sizes", "eq-10-direction"))
def theorem_3_actor() -> tuple[Variant, ...]:
    r"""The time-averaged stationarity violation of CAC is O(T^(-2/5)) plus errors of approximation and sampling.

    .. math:: \frac1T \sum_{t=0}^{T-1} \Big(\mathbb{E}\|Q\,\theta^s_t\|^2
        + N\,\mathbb{E}\|\nabla_{\theta^s}J(\theta_t)\|^2
        + \sum_{i=1}^N \mathbb{E}\|\nabla_{\theta^p_i}J(\theta_t)\|^2\Big)
        = O(T^{-2/5}) + O(\varepsilon_{app} + \varepsilon_{sp})

    Hypotheses: as the first display; eps_app and eps_sp are read as squared biases of the expected direction.

    eps_app and eps_sp are defined in a technical report that is not at hand. Taken literally ("there exist two
    constants") the display is satisfied by any bounded algorithm, so they are read here as the squared biases of the
    expected actor direction (lower level solved, states from mu) against (1 - gamma) grad J: that direction vanishes
    at a point where grad J does not, and the violation there is what the time average tends to. (Even for two given
    positive constants the display alone would ask for no more than boundedness, as T grows: what is tested is the
    stronger claim that the part above the floor decays.)

    At such a rest point ``(1 - gamma) grad J = -bias``, so with this reading floor = bias^2 / (1 - gamma)^2
    exactly. On ring3, whose features represent everything, the floor is due to sampling alone. Under this reading
    the statement stands as far as the runs can tell: the part above the floor decays at least like T^(-2/5), and on
    ring3-nonrealisable the average stays below its floor. What cannot be decided here is whether the paper's own
    eps_app and eps_sp bound these biases.

    A hypothesis is needed and not in the statement, as in the first display: the radii must contain the targets.
    `corollary-1-actor` has a problem of one state, so that mu = d and no error of sampling is possible, whose
    features represent everything and whose violation does not vanish because R_lambda is too small (further reading).

    Consequence: CAC comes to rest where the squared gradient is exactly bias^2 / (1 - gamma)^2, with the bias of its
    expected direction there; the T-term is no slower than claimed.
    """
    return (
        printed(
            lambda c: (
                _above_floor(c, "ring3", "single", CLAIMED),
                _above_floor(c, "ring3-nonrealisable", "single", CLAIMED),
                _floor_is_bias("ring3"),
                _floor_is_bias("ring3-nonrealisable"),
            ),
            "eps_app and eps_sp read as the squared biases of the expected direction",
        ),
        reading(
            lambda c: _trapped_by_projection(),
            "any projection radius, as the algorithm's description allows, with mu = d and exact features",
            "any radius",
        ),
        control(
            lambda c: _decay(c, "ring3", "single", "stationarity", CLAIMED),
            "no floor under single sampling",
            "floor 0",
        ),
        control(
            lambda c: _above_floor(c, "ring3", "single", 2 * CLAIMED), "exponent 4/5 above the floor", "exponent 4/5"
        ),
    )


@statement("zeng2022", "corollary-1-critic", uses=("theorem-3-critic", "algorithm-2"))
def corollary_1_critic() -> tuple[Variant, ...]:
    r"""With double sampling the critic error still decays like T^(-2/5).

    .. math:: \frac1T \sum_{t=0}^{T-1} \sum_{i=1}^N \Big(\mathbb{E}\|\omega_{i,t} - \omega^*(\theta_t)\|^2
        + \mathbb{E}\|\lambda_{i,t} - \lambda^*(\theta_t)\|^2\Big) = O(T^{-2/5})

    Hypotheses: as Theorem 3, with the second sample from d for the actor.

    As Theorem 3's first display: refuted for omega* as displayed in (7a) and for the Bellman residual reading,
    consistent for the TD fixed point. The second sample enters the actor only, so that where a single action leaves the
    policy no choice the two algorithms have the same critic, sample by sample: the witness of Theorem 3 serves here. A
    second route, where the policy does move, are the runs on ring3, whose error against (7a) does not decay.

    Consequence: double sampling changes nothing for the critic, neither its rate nor the trouble with omega*.
    """
    return (
        printed(
            lambda c: (*_constant_limit("td_error"), _measured_constant(c)), "omega* of Eq. (7a) as displayed",
            "td-error", recheck=lambda c: _constant_limit("td_error"),
        ),
        printed(lambda c: _constant_limit("bellman"), "omega* minimises the Bellman residual", "bellman"),
        repaired(
            lambda c: (
                _decay(c, "ring3", "double", "critic_total_td", CLAIMED),
                _decay(c, "ring3-nonrealisable", "double", "critic_total_td", CLAIMED),
                _exact_slope(CLAIMED),
            ),
            "omega* is the TD fixed point, inside the radius, and the critic's system stays well conditioned",
        ),
        control(
            lambda c: _decay(c, "ring3", "double", "critic_total_td", 2 * CLAIMED),
            "the TD reading with exponent 4/5",
            "exponent 4/5",
        ),
    )


@statement("zeng2022", "corollary-1-actor", uses=("theorem-3-actor", "algorithm-2", "unbiased-actor"))
def corollary_1_actor() -> tuple[Variant, ...]:
    r"""With double sampling the sampling error is gone from the stationarity violation.

    .. math:: \frac1T \sum_{t=0}^{T-1} \Big(\mathbb{E}\|Q\,\theta^s_t\|^2
        + N\,\mathbb{E}\|\nabla_{\theta^s}J(\theta_t)\|^2
        + \sum_{i=1}^N \mathbb{E}\|\nabla_{\theta^p_i}J(\theta_t)\|^2\Big) = O(T^{-2/5}) + O(\varepsilon_{app})

    Hypotheses: as Theorem 3, with the second sample from d for the actor; features that represent V and the reward
    for a zero floor.

    Consistent where the features represent V and the reward (eps_app = 0 under any definition by best fits, or by
    the TD fixed point where the critic settles; not by the omega* of (7a), see `approximation-inevitable`): the
    floor is zero and the whole violation decays at least like T^(-2/5). The control is the same claim for single
    sampling, whose floor stays. (With features that represent too little the expected direction of
    ring3-nonrealisable rests at a violation of 0.236; at the horizons of the quick profile its runs are above that
    by less than their noise.)

    A hypothesis is needed and not in the statement: the projection radii must contain omega* and lambda*. With one
    state, two actions, r = (-1, -2), tabular features and R_lambda^2 = 1/2 the projected model (-1/2, -1/2) gives
    no actor direction at p = (3/4, 1/4), a stable point where grad J is not zero, although eps_app = 0.

    Consequence: double sampling removes the sampling bias as claimed; what is left is approximation.
    """
    return (
        printed(
            lambda c: (
                _above_floor(c, "ring3", "double", CLAIMED),
                exact_evidence(
                    "floor of ring3 under double sampling", floor("ring3", "double").floor, FLOOR_ROUNDING,
                    Relation.AT_MOST, rigor=Rigor.FLOAT, instances=1, corroborates=True,
                ),
            ),
            "no floor where eps_app = 0",
        ),
        reading(
            lambda c: _trapped_by_projection(), "any projection radius, as the algorithm's description allows",
            "any radius",
        ),
        control(
            lambda c: _decay(c, "ring3", "single", "stationarity", CLAIMED),
            "the same claim for single sampling",
            "single sampling",
        ),
    )


def _measured_constant(context: Context) -> Evidence:
    """Runs with double sampling on ring3 against omega_td_error: beside the exact limit, where the policy moves."""
    return replace(_decay(context, "ring3", "double", "critic_total_td_error", CLAIMED), corroborates=True)


def _decay(context: Context, instance: str, sampling: Sampling, metric: str, claimed: float) -> Evidence:
    return rate_evidence(cac_sweep(context, instance, sampling), metric, claimed, f"{instance}, {sampling} sampling")


def _above_floor(context: Context, instance: str, sampling: Sampling, claimed: float) -> Evidence:
    limit, data = floor(instance, sampling).floor, cac_sweep(context, instance, sampling)
    return rate_evidence(
        data, "stationarity", claimed, f"{instance}, {sampling} sampling",
        floor=limit if limit > FLOOR_ROUNDING else 0.0,
        note=f"exact floor {limit:.6g}; {_fitted_floor(data)}; {_how_asymptotic(data, instance, sampling)}",
    )


def _fitted_floor(data: xr.Dataset) -> str:
    """The floor that a fit finds which knows nothing of the exact one."""
    found = fit_rate(data, "stationarity", CLAIMED, floor="unknown").floor_fit
    if found is None or not np.isfinite([found.floor_low, found.floor_high]).all():
        return "these data alone do not identify a floor"
    odd = ", though one power does not describe these data" if found.misfit else ""
    return f"fitted without it: {found.floor:.4g} [{found.floor_low:.4g}, {found.floor_high:.4g}]{odd}"


def _how_asymptotic(data: xr.Dataset, instance: str, sampling: Sampling) -> str:
    """Measured excess over its leading term at the longest horizon (see `algorithms.prediction`)."""
    horizon = int(data["horizon"][-1])
    prediction = ode_prediction(INSTANCES[instance](), None, STEPS, horizon, sampling=sampling, closure=False)
    violation = (data["shared_gradient"] + data["personal_gradient"]).isel(horizon=-1).dropna("seed").values
    found = asymptoticity(prediction, violation)
    return (
        f"measured excess over the leading term of the slow ODE at T = {horizon:,}: "
        f"{found.leading_ratio:.2f} [{found.low:.2f}, {found.high:.2f}] (1 when asymptotic)"
    )


def _floor_is_bias(instance: str) -> Evidence:
    """The floor against ``bias^2 / (1 - gamma)^2`` at the rest point, both from exact quantities."""
    problem, rest = INSTANCES[instance](), floor(instance, "single")
    view, H = exact(problem, rest.theta), problem.policy.n_shared
    bias = actor_direction(view, "stationary") - (1 - view.gamma) * view.grad_J
    square = len(bias) * (bias[:, :H].mean(axis=0) ** 2).sum() + (bias[:, H:] ** 2).sum()
    return exact_evidence(
        f"floor minus bias^2 / (1 - gamma)^2, {instance}, single sampling",
        abs(rest.floor - float(square) / (1 - view.gamma) ** 2), FLOAT_TOLERANCE, Relation.AT_MOST, rigor=Rigor.FLOAT,
        instances=1, note=f"floor {rest.floor:.6g}", corroborates=True,
    )


def _trapped_by_projection() -> Evidence:
    """One state, gamma = 1/2, r = (-1, -2), tabular features: lambda* = (-1, -2) projects to a constant reward.

    The projected stationary point of the reward regression at p = (3/4, 1/4) on the ball of radius sqrt(1/2) is
    (-1/2, -1/2): the residual p (r - lambda) = (-3/8, -3/8) is a positive multiple kappa of lambda. A constant reward
    model gives no actor direction, while grad J = p (1 - p) (r_0 - r_1) / (1 - gamma). The point is stable: with
    ``lambda_k = p_k r_k / (p_k + kappa)`` and |lambda| fixed, lambda_0 - lambda_1 falls through zero as p_0 grows.
    """
    p, r, lam = (Fraction(3, 4), Fraction(1, 4)), (Fraction(-1), Fraction(-2)), (Fraction(-1, 2), Fraction(-1, 2))
    pull = [p[k] * (r[k] - lam[k]) for k in (0, 1)]
    on_sphere = lam[0] ** 2 + lam[1] ** 2 == Fraction(1, 2)
    normal = on_sphere and pull[0] * lam[1] == pull[1] * lam[0] and pull[0] / lam[0] > 0
    kappa = pull[0] / lam[0]
    # d lambda_k / d p_0 = along[k] + across[k] kappa', with kappa' from lambda . d lambda = 0 (the norm is fixed)
    along = [sign * r[k] * kappa / (p[k] + kappa) ** 2 for k, sign in ((0, 1), (1, -1))]
    across = [-p[k] * r[k] / (p[k] + kappa) ** 2 for k in (0, 1)]
    kappa_slope = -(lam[0] * along[0] + lam[1] * along[1]) / (lam[0] * across[0] + lam[1] * across[1])
    slope = along[0] - along[1] + (across[0] - across[1]) * kappa_slope
    direction = p[0] * p[1] * (lam[0] - lam[1])
    gradient = p[0] * p[1] * (r[0] - r[1]) / (1 - Fraction(1, 2))
    at_rest = normal and direction == 0 and slope < 0
    return exact_evidence(
        "stationarity violation at a rest point with eps_app = 0", 2 * gradient**2 if at_rest else 0, 0, Relation.EQUAL,
        instances=1,
        witness=Witness(
            "one state, two actions, one agent, gamma = 1/2, tabular features and logits, R_lambda^2 = 1/2",
            {"pi": p, "r": r, "projected lambda": lam, "pull on lambda": pull, "actor direction": direction,
             "slope of lambda_0 - lambda_1 in pi_0": slope, "dJ/dlogit": gradient},
        ),
    )
