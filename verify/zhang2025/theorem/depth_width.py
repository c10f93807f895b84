"""zhang2025 Remark 5: which orders of depth and width dominate the bound of Theorem 5.10."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from rates.implications import Monomial, dominated, implies, monomial
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.evidence import Evidence, Relation, Scope, Witness, exact_evidence
from verify.zhang2025.theorem.exponents import EQ_36, EQ_41, follows
from verify.zhang2025.theorem.parameters import ITERATIONS, order_of


@statement("zhang2025", "remark-5", uses=("theorem-5.10", "eq-40-41"))
def remark_5() -> tuple[Variant, ...]:
    r"""The dominant orders of depth and width are D^-4 and m^(-1/24).

    .. math:: m^{1/32} D^{-11/2} + m^{1/32} D^{-7/2} K^{-1/4} + m^{-1/24} D^{-4}, \qquad K = \Omega(D^4)

    *Depth, at a fixed width*: right, the other terms are at most D^(-9/2) and D^(-11/2). On the *width*, for all m,
    as an order in m: wrong. The terms with m^(1/32) dominate once m is large, and the bound then grows with the
    width; so says the paper itself after (41). For networks that are deep for their width, a restriction that the
    remark does not have (reading *deep networks*): right. D = 5 and m = 20, the default of the experiments, would be
    in that regime at ``K >= D^4 = 625``; the experiments have K = 1 (`d1-defaults`), where ``m^(1/32) D^(-7/2)``
    leads at every width. *Little impact* (reading): doubling the width multiplies no power by more than ``2^(1/24)``,
    3 %; the factor log^(3/2) m, left out here, adds a third at m = 20 and 8 % at m = 10^4. *Width, repaired*:
    m^(-1/24) D^-4 dominates (6) up to ``m = D^(144/7)`` and, at K = D^4, the first part of (7) up to ``m =
    D^(48/7)``; both powers are sharp. With K of a larger order than D^4 the second limit moves towards the first.

    The paper names one term, m^(-1/24) D^-4, for both orders. It is the largest term when D grows at a fixed m, so the
    remark describes networks that are deep for their width; in these the order m^(-1/24) is that of the repaired form.

    Readings: "increasing depth significantly improves the performance" holds for the radius ``B = m^(1/32) D^-6``,
    which shrinks as the network deepens. At a radius free of D the bound carries D^4, and at B = D^v the largest power
    is ``4 + 4v/3``, so that depth helps exactly when the radius shrinks faster than D^-3. The comparison with the
    D^(7/2) of Gaur et al. (2024) is one of radii, not of networks.

    Hypotheses: those of Theorem 5.10; orders up to logarithms, D, m and K at least one.

    Consequence: the remark on depth states what the bound says, not what depth does; the remark on width holds for
    networks that are not extremely wide for their depth. No experiment on a fixed radius is predicted by it.
    """
    return (
        printed(lambda c: _dominates("linearisation", (monomial("1 / m", m=-1),)), "D^-4 at a fixed width", "depth",
                part="depth"),
        printed(lambda c: _dominates("linearisation", ()), "m^(-1/24) at every width", "width", part="width"),
        reading(lambda c: _dominates("linearisation", (monomial("D^(48/7) / m", D="48/7", m=-1),)),
                "m^(-1/24) in networks deep for their width, m = O(D^(48/7)), at K = Omega(D^4)", "deep networks"),
        reading(lambda c: _doubled_width(Fraction(3, 100)),
                "little impact: doubling the width changes no power by more than 3 %, logarithms left out",
                "little impact"),
        repaired(
            lambda c: (
                *_dominates("linearisation", (monomial("D^(48/7) / m", D="48/7", m=-1),)),
                *_regime_is_sharp(),
            ),
            "m^(-1/24) D^-4 dominates for m = O(D^(48/7)), and not for more at K = D^4", "width",
        ),
        reading(lambda c: _depth_at_radius(Fraction(0)), "the bound does not grow with depth at a radius free of D",
                "fixed radius"),
        reading(lambda c: _depth_at_radius(Fraction(-3)), "the bound does not grow with depth at a radius of D^-3",
                "radius D^-3"),
        control(lambda c: _dominates("radius", (monomial("1 / m", m=-1),)), "D^(-11/2) claimed to dominate",
                "radius term"),
        control(lambda c: _depth_at_radius(Fraction(-29, 10)), "no growth with depth at a radius of D^(-29/10)",
                "radius D^(-29/10)"),
        control(lambda c: _dominates("linearisation", (monomial("D^7 / m", D=7, m=-1),)), "the width up to D^7", "D^7"),
        control(lambda c: _doubled_width(Fraction(29, 1000)), "2.9 % for a doubling of the width", "2.9 %"),
    )


def _term(name: str) -> Monomial:
    return monomial(f"{name} term", **{v: x for v, x in EQ_41[name].items() if v != "gossip"})


def _dominates(name: str, premises: Sequence[Monomial]) -> tuple[Evidence, ...]:
    """Whether every term of (41), the gossip term aside, is at most a constant times the one called `name`."""
    others = [k for k in ("radius", "iterations", "linearisation") if k != name]
    return tuple(
        follows(f"the {k} term is at most the {name} term",
                dominated(_term(k), (_term(name),), (*premises, ITERATIONS), ("D", "K", "m", "N")))
        for k in others
    )


def _regime_is_sharp() -> tuple[Evidence, ...]:
    """If the last term dominates at K = D^4, the width is at most D^(48/7); for the radius term alone D^(144/7)."""
    equal = order_of("K / D^4", K=1, D=-4)
    iterations = (*equal, _term("linearisation") / _term("iterations"))
    radius = (*equal, _term("linearisation") / _term("radius"))
    return (
        follows("dominance over the iterations term forces m = O(D^(48/7))",
                implies(iterations, monomial("D^(48/7) / m", D="48/7", m=-1), ("D", "m"))),
        follows("dominance over the radius term forces m = O(D^(144/7))",
                implies(radius, monomial("D^(144/7) / m", D="144/7", m=-1), ("D", "m"))),
    )


def _doubled_width(most: Fraction) -> Evidence:
    """Largest relative change of a term of (41) when m is doubled, certified: ``2^|power of m| - 1``."""
    powers = {name: abs(Fraction(p["m"])) for name, p in EQ_41.items()}
    steepest = max(powers.values())
    # 2^(p/q) - 1 <= x exactly if 2^p <= (1 + x)^q
    within = 2**steepest.numerator <= (1 + most) ** steepest.denominator
    return exact_evidence(
        f"whether doubling m changes every term of (41) by at most {most} of itself (1 = yes)", int(within), 1,
        Relation.EQUAL, scope=Scope.CLASS, witness=Witness("powers of m, in size", dict(powers)),
    )


def _depth_at_radius(v: Fraction) -> Evidence:
    """Powers of D in (36) for a radius D^v, m fixed and the least K allowed: none may be positive."""
    iterations = -ITERATIONS.at("D") / ITERATIONS.at("K")  # K = D^iterations meets K = Omega(D^4) with equality
    powers = {
        name: Fraction(rest["D"]) + iterations * Fraction(rest.get("K", "0")) + v * Fraction(radius)
        for name, (rest, radius) in EQ_36.items()
    }
    return exact_evidence(
        f"largest power of D at a radius of the order D^({v})", max(powers.values()), 0, Relation.AT_MOST,
        scope=Scope.CLASS,
        witness=Witness(f"powers of D in (36) with B = D^({v}), m fixed and K = D^{iterations}", dict(powers)),
    )
