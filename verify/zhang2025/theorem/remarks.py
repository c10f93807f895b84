"""zhang2025 Remarks 3 and 4, and Table 1: what is said about the theorem, and what compares it with others."""

from __future__ import annotations

from fractions import Fraction

from flint import fmpq

from mdp.compatible import eps_bias
from mdp.optimal import J_star
from mdp.rational import RationalPoint
from rates.exponents import Power, fastest_decay
from verify.claim import Variant, control, out_of_scope, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Verdict, Witness, exact_evidence
from verify.identities import problem_witness
from verify.zeng2022.theorem.rates import ACTOR_TERMS, STEP_BOX
from verify.zhang2025.theorem.domination import three_armed

RADII = tuple(Fraction(k, 10) for k in range(1, 10))
"""Radii of the three-armed circular class; ours."""

EXPONENTS = {
    "(5)": (Fraction(1, 32), Fraction(-11, 2)),
    "(6)": (Fraction(1, 32), Fraction(-11, 2)),
    "(7), first": (Fraction(1, 32), Fraction(-7, 2)),
    "(7), second": (Fraction(-1, 24), Fraction(-4)),
}
"""Exponents of m and D in the network's terms of Theorem 5.10, as printed."""


def coordination(advantage_split: bool = False) -> RationalPoint:
    """Two agents, two actions each, one state, uniform policies: reward 1 for equal actions.

    Args:
        advantage_split: reward the average of the agents' first actions instead, which is a sum over agents.
    """
    half = Fraction(1, 2)
    reward = [1, half, half, 0] if advantage_split else [1, 0, 0, 1]
    eye = [[int(i == j) for j in range(4)] for i in range(4)]
    return RationalPoint(
        P=[[[1]] * 4], r=[[reward], [reward]], initial=[1], gamma=half, tables=([[half, half]], [[half, half]]),
        psi=([[[1], [0]]], [[[1], [0]]]), phi_state=[[1]], phi_joint=[eye],
    )  # fmt: skip


@statement("zhang2025", "remark-3", uses=("theorem-5.10", "assumption-5.6", "universal-approximation"))
def remark_3() -> tuple[Variant, ...]:
    r"""Term (2) stays small because of the networks' capacity; all terms are controlled by size, gossip and batches.

    .. math:: O(\sqrt{\epsilon_{bias}}) \ \mathrm{small}, \qquad
        O(m^{1/32} D^{-11/2}), \ O(m^{1/32} D^{-7/2} K^{-1/4}), \ O(m^{-1/24} D^{-4}) \to 0

    Hypotheses: those of Theorem 5.10; for the first witness only that agents choose independently.

    *Capacity does not help: refuted.* Agents act independently, so joint scores are sums of one function per agent,
    and the best fit of the advantage by scores is the sum of its conditional means, whatever the networks. Two
    agents, reward 1 for equal actions, uniform policies (every network reaches them, at W_D = 0): the advantage is
    +-1/2, both conditional means vanish, and the error is exactly 1/4. The weights of the comparison policy do not
    matter, as the square is 1/4 everywhere.

    *Under Assumption 5.5 it cannot be small: refuted.* eps_bias is at least ``((1 - gamma)(J* - inf J))^2``
    (assumption-5.6), so it is small only if all policies of the class are nearly optimal. On three arms the
    circular class of radius c has ``eps_bias >= ((2 + c)/3)^2``, which is above 4/9 and grows with the class.

    *Size.* The exponents of D are negative, so at fixed width depth brings terms (5) to (7) down. That of m is
    positive in (5), (6) and the first part of (7): a larger width does not control them, and nothing but depth acts
    on (6).

    Consequence: term (2) is a constant of the problem and of the agents' independence, not of the networks; it has
    to be read as the size of the neighbourhood, which no parameter shrinks.
    """
    return (
        printed(lambda c: (_coordination(c), _rich_class(c)), "term (2) is small for rich networks", "term 2",
                "term 2"),
        printed(lambda c: _controlled(1), "increasing the depth controls terms (5) to (7)", "depth", "network size"),
        printed(lambda c: _controlled(0), "increasing the width controls terms (5) to (7)", "width", "network size"),
        repaired(
            _additive,
            "the error vanishes where the advantage is a sum of one function per agent, all of which the scores span",
            "additive",
        ),
        control(lambda c: _controlled(1, flipped=True), "decreasing the depth controls them", "shallower"),
    )  # fmt: skip


def _error(point: RationalPoint) -> fmpq:
    value: fmpq = eps_bias(point.exact(), J_star(point).occupancy)
    return value


def _coordination(context: Context) -> Evidence:
    point = coordination()
    view, error = point.exact(), _error(point)
    return exact_evidence(
        "eps_bias of two independent agents at the uniform policy, reward 1 for equal actions", error, Fraction(1, 10),
        Relation.AT_MOST, instances=1,
        witness=problem_witness(point, "conditional means of the advantage vanish, so no score can fit it", **{
            "Adv": view.advantage, "grad J": view.grad_J, "eps_bias": error}),
    )  # fmt: skip


def _rich_class(context: Context) -> Evidence:
    """Least eps_bias of the circular classes on three arms, by radius."""
    errors = {str(radius): _error(three_armed(radius)) for radius in RADII}
    return exact_evidence(
        "least eps_bias of circular classes on three arms", min(errors.values()), Fraction(1, 10), Relation.AT_MOST,
        instances=len(errors), witness=Witness("eps_bias by radius of the class, at the worst angle", errors),
    )


def _additive(context: Context) -> Evidence:
    return exact_evidence(
        "eps_bias where the reward is a sum over agents, uniform policies", _error(coordination(True)), 0,
        Relation.EQUAL, instances=1,
    )


def _controlled(which: int, *, flipped: bool = False) -> Evidence:
    """Largest exponent of the size (0: width, 1: depth) over the network's terms; it must be negative."""
    found = {term: (-1 if flipped else 1) * exponents[which] for term, exponents in EXPONENTS.items()}
    return exact_evidence(
        f"largest exponent of {'D' if which else 'm'} in terms (5) to (7)", max(found.values()), Fraction(-1, 100),
        Relation.AT_MOST, rigor=Rigor.RATIONAL, scope=Scope.CLASS, witness=Witness("exponents by term", found),
        note="below zero: at most -1/100",
    )


@statement("zhang2025", "remark-4", uses=("theorem-5.10", "lemma-5.7"))
def remark_4() -> tuple[Variant, ...]:
    r"""Algorithm 1 converges to a neighbourhood of the global optimum at rate 1/T, as fast as in the linear case.

    .. math:: J(\theta^*) - J(\theta_T) = O(1/T) + O(\sqrt{\epsilon_{bias}}) + \dots

    Hypotheses: those of Theorem 5.10, with Assumptions 5.5 and 5.6 for every theta.

    *Vacuous.* The neighbourhood is ``J* - J <= sqrt(eps_bias)/(1 - gamma)``, up to constants of at least one, and
    under the assumptions every policy of the class lies in it (theorem-5.10): the infimum of J is approached along
    almost stationary points, where Lemma 5.7 leaves only this term. On three arms the worst policy of the class is
    exactly on its border, at every radius of the class.

    *The same rate?* The linear result bounds ``||grad J||^2`` by O(1/T), this one bounds the gap. Through Lemma 5.7
    the former gives a gap of order T^-1/2 above the floor, so "the same rate" compares a square with a first power.

    Consequence: "global optimality as opposed to a stationary point" is not what sets the theorem apart: under
    its assumptions stationary points are globally optimal up to the neighbourhood, and so is every other point.
    """
    return (
        printed(lambda c: _everything_inside(Fraction(1)), "the neighbourhood is reached at rate 1/T"),
        reading(lambda c: _same_rate(), "by Lemma 5.7 a squared gradient of order 1/T gives a gap of order 1/T",
                "same rate"),
        control(lambda c: _everything_inside(Fraction(9, 10)), "nine tenths of the neighbourhood hold every policy too",
                "nine tenths"),
    )  # fmt: skip


def _everything_inside(share: Fraction) -> Evidence:
    """Largest squared gap of a worst policy over the squared (share of the) neighbourhood, three arms."""
    ratios = {}
    for radius in RADII:
        point = three_armed(radius)
        gap = J_star(point).J - point.exact().J
        border = fmpq(share.numerator, share.denominator) ** 2 * _error(point) / (1 - point.gamma) ** 2
        ratios[str(radius)] = gap**2 / border
    return exact_evidence(
        "largest squared gap of the worst policy over the squared neighbourhood, three arms", max(ratios.values()), 1,
        Relation.AT_MOST, instances=len(ratios), establishes=Verdict.VACUOUS,
        witness=Witness("ratio by radius of the circular class", ratios), note="the general proof is in the text",
    )


def _same_rate() -> Evidence:
    squared_gradient = Fraction(1)
    gap = squared_gradient / 2  # sqrt(mu) gap <= ||grad J||
    return exact_evidence(
        "exponent of 1/T of the gap that Lemma 5.7 gives from ||grad J||^2 = O(1/T)", gap, 1, Relation.AT_LEAST,
        scope=Scope.CLASS,
        witness=Witness("the square root of 1/T", {"exponent for ||grad J||^2": squared_gradient, "for the gap": gap}),
    )


TABLE = {
    "Xu et al. (2020a)": ("Linear", "Global", Fraction(1)),
    "Gaur et al. (2024)": ("Linear", "Global", Fraction(1)),
    "Hairi et al. (2022)": ("Linear", "Stationary", Fraction(1)),
    "Zeng et al. (2022)": ("Linear", "Stationary", Fraction(2, 5)),
    "Chen et al. (2022)": ("Linear", "Global", Fraction(1)),
    "This work": ("Nonlinear", "Global", Fraction(1)),
}
"""Rows of Table 1 with a rate: approximation, convergence, exponent of 1/T."""

GAUR_IN_REMARK_5 = {"D": Fraction(7, 2), "m": Fraction(-1, 12)}
"""Exponents of the bound that Remark 5 quotes from Gaur et al. (2024), for networks of depth D and width m."""


@statement("zhang2025", "table-1", uses=("theorem-5.10", "remark-4", "zeng2022/step-sizes"))
def table_1() -> tuple[Variant, ...]:
    r"""Rates of nine algorithms; this one has O(1/T) to the global optimum, with nonlinear approximation.

    .. math:: \mathrm{This\ work:\ MARL,\ nonlinear,\ global,} \ O(T^{-1})

    Hypotheses: none; the rows quote other papers.

    *Gaur et al. (2024)* is listed as linear. Remark 5 says that it "introduces an actor-critic framework with DNNs"
    and quotes its bound, in which the depth has the exponent 7/2 and the width -1/12; a bound for linear
    approximation has neither. The row contradicts the paper's own text.

    *This work.* Its global O(1/T) is Theorem 5.10, which is vacuous: the error terms beside 1/T cover every policy
    (checked again here). The column compares squared gradients ("stationary") with gaps ("global"), see remark-4.

    *Zeng et al. (2022)* with T^(-2/5), stationary: as that paper's Theorem 3 has it for the mean squared gradient,
    and the exponent is the best that its two propositions allow (recomputed here by a certified linear program).
    Whether that theorem stands is a matter of the other ledger. The six remaining rows quote papers that are not at
    hand; they would be decided by reading these.

    Consequence: nothing in the proofs uses the table. The distinction it is drawn for, first nonlinear global
    guarantee, rests on a row that misquotes its nearest competitor and on a theorem without content.
    """
    return (
        printed(lambda c: _row_of_gaur(c), "the row of Gaur et al. (2024): linear", "Gaur", "Gaur"),
        printed(lambda c: _everything_inside(Fraction(1)), "the row of this work: O(1/T), global", "this work",
                "this work"),
        printed(lambda c: _row_of_zeng(), "the row of Zeng et al. (2022): T^(-2/5)", "Zeng", "Zeng"),
        out_of_scope("the six other rows", "they quote papers that are not at hand; their texts would decide",
                     "others", "others"),
        control(lambda c: _row_of_zeng(ACTOR_TERMS[1:]), "the same row without one term of the actor's bound",
                "a term dropped"),
        control(lambda c: _row_of_gaur(c, approximation="Nonlinear", flipped=True),
                "a nonlinear row has no exponents of depth and width", "nonlinear"),
    )  # fmt: skip


def _row_of_gaur(context: Context, approximation: str = "", *, flipped: bool = False) -> Evidence:
    """Size exponents in the quoted bound: none may appear if the approximation is linear (or, flipped, nonlinear)."""
    kind = approximation or TABLE["Gaur et al. (2024)"][0]
    forbidden = kind == ("Nonlinear" if flipped else "Linear")
    found = sum(exponent != 0 for exponent in GAUR_IN_REMARK_5.values()) if forbidden else 0
    return exact_evidence(
        "exponents of depth and width in the bound quoted in Remark 5 for a row without a network", found, 0,
        Relation.EQUAL, instances=1,
        witness=Witness("Table 1 against Remark 5", {"approximation in Table 1": kind, **{
            f"exponent of {name} in Remark 5": e for name, e in GAUR_IN_REMARK_5.items()}}),
    )  # fmt: skip


def _row_of_zeng(terms: tuple[Power, ...] = ACTOR_TERMS) -> Evidence:
    """The best exponent of 1/T that Propositions 1 and 2 of zeng2022 allow, against the row of Table 1."""
    best = fastest_decay(terms, STEP_BOX)
    return exact_evidence(
        "best exponent of 1/T in the bounds of zeng2022", best.rate, TABLE["Zeng et al. (2022)"][2], Relation.EQUAL,
        instances=1, note="squared gradient, plus the floors eps_app and eps_sp, which the table leaves out",
    )
