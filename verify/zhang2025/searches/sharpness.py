"""How sharp the repaired variants of zhang2025 are: ratios at exact instances, least constants, or nothing to sharpen.

The instances were found by `verify.search.worst_ratio` and are written down here as parameters of their families; the
ratios are computed from them.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import isqrt

from verify.context import Context
from verify.evidence import Evidence, Number, Relation, Rigor, exact_evidence
from verify.experiments.valley import Valley, descend
from verify.search import ConsensusMatrices, Family, MDPFamily
from verify.search.joined import Joined
from verify.search.shapes import Arrays
from verify.sharpness import Sharpness, at_instance, constant, equality, stronger
from verify.zhang2025.assumptions import circle, mixing_time, regularity, rewards
from verify.zhang2025.proof import combine, critic_sum, decomposition, descent, recursion
from verify.zhang2025.searches import batch, critic, gossip, proof_table, setting_table
from verify.zhang2025.searches import recursion as steps
from verify.zhang2025.searches.networks import CriticPairs
from verify.zhang2025.setting import critic_objective
from verify.zhang2025.theorem import complexity, depth_width

ATTAINED = "attained: the sides are equal at the instance"
ONE_STATE = {"n_states": 1, "n_actions": (2,)}
MEASURED = "a comparison of measured means: how clear it is shows in the interval beside it"


def _in(family: Joined, **sizes: object) -> Joined:
    """The family at smaller sizes."""
    return replace(family, problem=replace(family.problem, **sizes))  # type: ignore[arg-type]


def _shrunk(family: Arrays, **sizes: int) -> Arrays:
    """The family with shorter axes, and symmetric matrices of two agents if it has any."""
    matrices = None if family.matrices is None else ConsensusMatrices(2, symmetric=True)
    return replace(family, sizes=tuple((name, sizes.get(name, 1)) for name, _ in family.sizes), matrices=matrices)


GOSSIP = _shrunk(gossip.TD_BATCHES, N=2)
TWO_STATES = _in(batch.WITHOUT_ERROR, n_states=2, n_actions=(2,))
COIN = _in(batch.WITHOUT_ERROR, **ONE_STATE)
WRONG_COIN = _in(batch.WITH_ERROR, **ONE_STATE)
TWO_ARMS = MDPFamily(1, (2,), policy_features=1)

INSTANCES: dict[str, tuple[Family, str, str]] = {
    "eq-6::repaired[quasi-optimal, two kernels]": (
        _in(setting_table.PAIRS, n_actions=(1,)), "0 0 1 0 0 1 0 1 0 0 1 0 1/2 1 1 1 -1 0 11/12 31/32 1/16 1",
        "the largest ratio found at gamma = 1/2; whether the constant is sharp there is not known",
    ),
    "algorithm-1-step::repaired": (TWO_ARMS, "0 0 0 1 1/2 1 1 0 1", ATTAINED),
    "assumption-5.6::repaired[floor]": (
        _in(setting_table.FLAT, **ONE_STATE), "0 0 0 1 1/2 1 1 0 0 0 0", ATTAINED,
    ),
    "lemma-5.7::repaired": (TWO_ARMS, "0 0 1 0 1/2 1 1 0 1", ATTAINED),
    "lemma-5.7::repaired[square root]": (
        MDPFamily(1, (3,), policy_features=1), "0 0 0 -1 -1 0 1/2 1 1 1 -1 1 0", ATTAINED,
    ),
    "assumption-5.8-J::repaired": (
        _in(setting_table.SMOOTH, **ONE_STATE), "0 0 0 1 0 1 1 0 1 1 1/2 0 0", ATTAINED + ", the Lipschitz constant",
    ),
    "assumption-5.8-Q::repaired[ball]": (CriticPairs(1, 1), "1 -1 0 -1 0", ATTAINED + ", one layer"),
    "corollary-5.11::repaired[rounds]": (
        ConsensusMatrices(2, symmetric=True), "1 1/1000",
        "two agents, tends to one half as the weight does to zero; on paths of many agents it tends to 4/pi^2",
    ),
    "eq-10::repaired": (_shrunk(steps.ANY_STEPS), "1/2 1 0 1 1 1 1/2", ATTAINED + ", a step of (9) with equality"),
    "eq-37::repaired": (
        _shrunk(steps.RUNS), "1 0 0 0 0 1/2 3",
        ATTAINED + " at T = 3, for the errors; the constant 6 is the limit of large T (eq-11)",
    ),
    "eq-23::repaired": (
        _in(critic.CHAINS, n_states=1, n_actions=(1,), critic_features=1), "0 0 0 0 1 1/3 1 2/3 35",
        "the largest ratio found; the order in K is attained, over features of size K^(-1/4), the constant is not",
    ),
    "theorem-5.10-term-7::repaired": (
        _in(critic.CHAINS, n_states=1, n_actions=(1,), critic_features=1), "0 0 0 0 1 1/3 1 2/3 35",
        "the largest ratio found; the order in K is attained, over features of size K^(-1/4), the constant is not",
    ),
    "eq-20::repaired": (_shrunk(gossip.CRITICS, N=2), "1/2 1 1 -1 0 1", ATTAINED),
    "consensus-rate::repaired": (ConsensusMatrices(3, symmetric=True), "1 1 0 1", ATTAINED + ", a lazy path of three"),
    "eq-26::repaired[sharp]": (GOSSIP, "2 1 0 1 0 1 0 1", ATTAINED),
    "eq-27::repaired[printed rate]": (
        GOSSIP, "1 1/1000 0 1 0 1 1 1",
        "tends to one as eta does to zero, two agents; for more agents the rate is far off",
    ),
    "eq-27::repaired[sharp]": (GOSSIP, "1 1/2 0 1 0 1 1 1", ATTAINED + " (the right side is rounded up by 1e-11)"),
    "theorem-5.10-term-5::repaired": (GOSSIP, "2 1 0 1 0 1 1 1", ATTAINED),
    "theorem-5.10-term-4::repaired": (
        COIN, "0 0 1 1 0 1 1 0 1", "the order 1/M is attained, the constant is not: the largest ratio found",
    ),
    "eq-29::repaired": (WRONG_COIN, "0 0 0 0 0 1 1 0 1 2 2", "the largest ratio found, at gamma = 0"),
    "eq-29::repaired[exact critic]": (COIN, "0 0 0 1 0 1 1 1 0", ATTAINED + " at gamma = 0; (1 - gamma)^2 beyond"),
    "eq-31-32::repaired": (
        TWO_STATES, "0 1 0 0 0 0 0 0 1 0 0 1 1/2 1 1 1 1 0 1 0 1",
        "the largest ratio found: the constant X b is generous",
    ),
    "eq-31-32::repaired[one step later]": (TWO_STATES, "0 1 0 1 0 1 1 0 0 0 0 0 2/3 1 1 1 1 0 0 0 0", ATTAINED),
    "eq-33::repaired": (
        COIN, "0 0 1 1 0 1 1 0 1", "the order 1/M is attained, the constant is not: the largest ratio found",
    ),
    "eq-34::repaired": (WRONG_COIN, "0 0 0 0 0 1 1 1 0 -2 2", ATTAINED),
    "eq-34::repaired[fifth]": (WRONG_COIN, "0 0 1 0 0 1 1 0 0 0 2", ATTAINED),
}  # fmt: skip
"""Family, parameters, and what the ratio says; the sides are those of the search with the same key."""


def _eleven() -> Number:
    """Least of the four sharp constants of (11) over the repaired ones."""
    sharp = recursion.GAP.sharp
    return min(sharp.initial, sharp.error, sharp.squared_step / 6, sharp.floor * recursion.GAP.c)


def _opposite_step(shrink: Fraction = Fraction(1, 1000), a: int = 1) -> Number:
    """(8), four agents, g_i = 1 and d_i = -shrink: ``-<g, u> + a ||g||`` over ``(sqrt(N) + a) ||e||``."""
    N, root = 4, isqrt(4)
    return Fraction(N + a * root) / ((root + a) * root * (1 + shrink))


def _worst_angle(alpha: Fraction = Fraction(1, 10**5)) -> Number:
    """(9) at the worst angle of the three-armed circle, a step alpha along ``||d|| = alpha / 1000``, from below."""
    bandit, root_mu = circle.Circle(Fraction(1, 2), Fraction(1), Fraction(1, 2)), Fraction(1, 15)
    gap, error = bandit.worst_gap, alpha / 1000
    gained = (1 - circle.cosine_bounds(alpha)[0]) * bandit.lipschitz / bandit.s
    added = 2 * alpha * error + bandit.smoothness * alpha**2 / 2 + alpha * root_mu * gap
    return (alpha * root_mu * gap - gained) / added


def _descent_ratio(step: Fraction = Fraction(1, 128)) -> Number:
    """Loss of a step from the best angle over ``K h^2 / 2``, from below."""
    return 2 * (1 - circle.cosine_bounds(step)[1]) / step**2


def _valley_limit(context: Context) -> Evidence:
    """``18 T Delta_T`` in the valley at T = 20,000, whose limit is one."""
    T = 20_000
    return exact_evidence(
        f"18 T times the gap in the valley at T = {T:,}, limit one: no faster order holds",
        float(18 * T * descend(Valley(), 7.0, (3.0, 0.1), 20, (T,)).gaps[0]), 0.99, Relation.AT_LEAST,
        rigor=Rigor.FLOAT, instances=1,
    )


def _counted_width(n_inputs: int = 6, d: int = 2) -> Number:
    """Width at which two layers have n parameters, ``2 m^2 >= n``, over the construction's ``2 d n``."""
    return Fraction(isqrt((n_inputs + 1) // 2 - 1) + 1, 2 * d * n_inputs)


def _formulas() -> dict[str, Sharpness]:
    known = "largest ratio of the sides known"
    return {
        "universal-approximation::repaired[wide]": constant(
            "width that a count of parameters asks for over that of the construction, n = 6, d = 2", _counted_width,
            "sufficient, and not shown to be necessary: counting parameters asks for 2 m^2 >= n only",
        ),
        "universal-approximation::repaired[deep]": equality(
            "a size that suffices; that m must be at least two is the refuted reading, nothing between is decided"
        ),
        "eq-8-normalised::repaired": constant(
            f"{known}, four agents, g_i = 1 and d_i = -1/1000", _opposite_step,
            "tends to one as d = -tau g shrinks: sharp",
        ),
        "eq-9::repaired": constant(
            f"{known}, three arms at the worst angle, a step of 10^-5", _worst_angle,
            "tends to one with the step: sharp",
        ),
        "eq-8-descent::repaired": constant(
            "loss over K h^2 / 2 on the circle, a step of 1/128, from below", _descent_ratio,
            "tends to one as the step shrinks: the constant 1/2 is sharp",
        ),
        "eq-11::repaired": constant(
            "least of the four sharp constants over the repaired ones", _eleven,
            "one: every constant is the least that will do for all t",
        ),
        "theorem-5.10-term-1::repaired": Sharpness("the order 1/T is attained", _valley_limit),
    }  # fmt: skip


def _own() -> dict[str, Sharpness]:
    """Numbers that the entries have already: least eigenvalues, margins, attaining corners, certificates."""
    third, one, three = Fraction(1, 3), Fraction(1), Fraction(29, 10)
    return {
        "eq-6::repaired[quasi-optimal, one kernel]": Sharpness(
            "attained on the two-cycle with the feature (1, gamma)", lambda c: critic_objective._attained()
        ),
        "assumption-5.3::repaired[sharp]": Sharpness("attained at corners", lambda c: rewards._attained()),
        "lemma-5.4::repaired": Sharpness("attained by two absorbing states", lambda c: mixing_time._attained()),
        "assumption-5.5::repaired[circular]": Sharpness(
            "both constants are attained", lambda c: (regularity._circle_score(), regularity._circle_fisher())
        ),
        "corollary-5.11::repaired[iterations]": stronger(
            lambda c: complexity._fixed_network("39/10"), "K = N^2 eps^(-3.9)"
        ),
        "remark-5::repaired[width]": Sharpness("the power 48/7 is forced", lambda c: depth_width._regime_is_sharp()),
        "eq-8-cases::repaired[halved]": Sharpness(
            "least margin zero: attained as d = -tau g shrinks", lambda c: descent._margin(c, third, 1 + third)
        ),
        "eq-8-cases::repaired[sharp]": Sharpness(
            "least margin zero: attained as d = -tau g shrinks", lambda c: descent._margin(c, one, 2 * one)
        ),
        "eq-15::repaired": Sharpness(
            "attained by four equal differences", lambda c: decomposition._form(Fraction(4))
        ),
        "eq-24-25::repaired[ball]": stronger(
            lambda c: critic_sum._factor(Fraction(99, 100), 2), "99/100 (1 + gamma)^2 for (1 + gamma)^2"
        ),
        "eq-24-25::repaired[mean square]": stronger(lambda c: critic_sum._orders(three), "2.9 for 3"),
        "eq-35-36::repaired": stronger(
            lambda c: combine.absorbed_under("B D", B=1, D=1), "B D = Omega(1) for B D^(1/2) = Omega(1)"
        ),
    }


EQUALITIES = (
    "eq-5::repaired[output of order one]", "eq-5-dimension::repaired[A outputs]", "eq-5-dimension::repaired[only W]",
    "restart-kernel::repaired[two kernels]", "restart-kernel::repaired[no discount]",
    "algorithm-1-direction::repaired[advantage]", "algorithm-1-direction::repaired[undiscounted]",
    "assumption-5.8-Q::repaired[start]", "remark-3::repaired[additive]", "remark-6::repaired", "algorithm-3::repaired",
    "eq-26::repaired[third]", "eq-28::repaired", "eq-30::repaired",
)
"""Identities and counts."""

OTHERS = {
    "algorithm-1-data::repaired": "a listing: it is well defined or it is not",
    "assumption-5.2::repaired[restart]": "a yes or no about supports: there is no constant to sharpen",
    "assumption-5.5::repaired[all at once]": "an instance: there is no constant to sharpen",
    "d1-defaults::repaired": "a list of values against conditions: there is no constant to sharpen",
    **{f"figure-{k}::repaired": MEASURED for k in ("5", "7", "9", "2-10", "4")},
    "figure-4::repaired[without gossip]": MEASURED,
}
"""Forms without an inequality between numbers."""


def _at_instances() -> dict[str, Sharpness]:
    sides = {**proof_table.RATIOS, **setting_table.RATIOS}
    return {
        key: at_instance(sides[key][0], family, numbers.split(), text)
        for key, (family, numbers, text) in INSTANCES.items()
    }


SHARPNESS: dict[str, Sharpness] = {
    **_at_instances(), **_formulas(), **_own(), **{key: equality() for key in EQUALITIES},
    **{key: equality(why) for key, why in OTHERS.items()},
}
"""By ``id::variant``: every repaired variant of the ledger."""
