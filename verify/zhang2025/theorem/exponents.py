"""zhang2025 Appendix C, Remark, Eqs. (38)-(41), and the parameters of Theorem 5.10: which orders imply which."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy

from rates.implications import ImplicationCertificate, Monomial, implies, monomial
from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence

SIZES = ("D", "d", "m")
"""Depth, input dimension and width: all at least one."""

RADIUS = monomial("m^(1/2) D^-6 / B", m="1/2", D=-6, B=-1)
"""``B = O(m^(1/2) D^-6)``, as a monomial bounded below."""

WIDTH_FOR_RADIUS = monomial("m / (d^(3/2) B D^(1/2))", m=1, d="-3/2", B=-1, D="-1/2")
"""Eq. (38), as a monomial bounded below."""

THEOREM_RADIUS = (
    monomial("B / (m^(1/32) D^-6)", B=1, m="-1/32", D=6),
    monomial("(m^(1/32) D^-6) / B", B=-1, m="1/32", D=-6),
)
"""``B = Theta(m^(1/32) D^-6)`` of Theorem 5.10."""


def width(d: int | str, D: int | str) -> Monomial:
    """``m = Omega(d^a D^b)`` as a monomial bounded below.

    Args:
        d: a.
        D: b.
    """
    return monomial(f"m / (d^{d} D^{D})", m=1, d=-Fraction(d), D=-Fraction(D))


def follows(quantity: str, certificate: ImplicationCertificate, *, corroborates: bool = False) -> Evidence:
    """Evidence of an implication certificate: the power by which the ratio grows, which must be zero.

    Args:
        quantity: the implication in words.
        certificate: its certificate.
        corroborates: whether it only supports other pieces.
    """
    if certificate.holds:
        summary = "Farkas weights: the ratio is at least the product of the premises' constants to these powers"
        values: Mapping[str, object] = {**certificate.weights, **{f"share of {k}": v for k, v in
                                                                  certificate.shares.items() if v != 1}}
    else:
        summary = "along v = x^power the premises hold and the ratio grows like a power of x: no constant helps"
        values = {**certificate.direction, "growth": certificate.growth}
    return exact_evidence(
        f"{quantity}: growth of the ratio along the worst curve", certificate.growth, 0, Relation.AT_MOST,
        scope=Scope.CLASS, witness=Witness(summary, values), corroborates=corroborates,
    )


@statement("zhang2025", "eq-38-39", uses=("eq-23",))
def eq_38_39() -> tuple[Variant, ...]:
    r"""The width m = Omega(d^3 D^(-11/2)) is large enough for the radius B = O(m^(1/2) D^-6).

    .. math:: m = \Omega\big(d^{3/2} B D^{1/2}\big), \qquad m = \Omega\big(d^3 D^{-11/2}\big), \qquad
        B = O\big(m^{1/2} D^{-6}\big)

    True as printed, and with slack. With the largest radius, (38) reads ``m^(1/2) >= C d^(3/2) D^(-11/2)``, that is
    ``m = Omega(d^3 D^-11)``: squaring the bracket was forgotten for D, so the printed power is half the one needed;
    since D is at least one the printed condition is the stronger. The exact Farkas weights are 1 for the radius and
    1/2 for (39). The weakest sufficient order is shown from both sides: D^-11 suffices, and with B of the largest
    order (38) forces it. With the radius of Theorem 5.10 it would be ``m = Omega(d^(48/31) D^(-176/31))``.

    Second opinion: at B = m^(1/2) D^-6 the exponents can be compared by hand,
    ``m / (d^(3/2) m^(1/2) D^(-11/2)) = (m / (d^3 D^(-11/2)))^(1/2) D^(11/4)``.

    Hypotheses: D, d and m are at least one; logarithms are ignored, as the paper says (they are put back in
    the entry on the parameters of Theorem 5.10).

    Consequence: the width condition of Theorem 5.10 is safe. It says little: for a fixed input dimension it asks for
    less width the deeper the network is, and nothing at all once D is above d^(6/11).
    """
    largest = monomial("B / (m^(1/2) D^-6)", B=1, m="-1/2", D=6)
    return (
        printed(lambda c: _width_suffices(width(3, "-11/2")), "(39) and the radius imply (38)"),
        reading(
            lambda c: (
                _width_suffices(width(3, -11)),
                follows("(38) forces m = Omega(d^3 D^-11)", implies((WIDTH_FOR_RADIUS, largest), width(3, -11), SIZES)),
            ),
            "the weakest width for the largest radius: d^3 D^-11 suffices and is forced",
            "weakest",
        ),
        reading(
            lambda c: (
                _width_suffices(width("48/31", "-176/31"), THEOREM_RADIUS),
                follows(
                    "(38) forces m = Omega(d^(48/31) D^(-176/31))",
                    implies((WIDTH_FOR_RADIUS, *THEOREM_RADIUS), width("48/31", "-176/31"), SIZES),
                ),
            ),
            "the weakest width for the radius m^(1/32) D^-6",
            "weakest, radius of the theorem",
        ),
        control(lambda c: _width_suffices(width(3, -12)), "a width of d^3 D^-12", "D^-12"),
        control(lambda c: _width_suffices(width("5/2", "-11/2")), "a width of d^(5/2) D^(-11/2)", "d^(5/2)"),
    )


def _width_suffices(condition: Monomial, radius: tuple[Monomial, ...] = (RADIUS,)) -> Evidence:
    return follows(f"{condition.name} bounded below implies (38)", implies((condition, *radius), WIDTH_FOR_RADIUS,
            SIZES))


# --- Eqs. (40) and (41) -------------------------------------------------------------------------------------

SYMBOLS = {"u": sympy.Symbol("u"), "v": sympy.Symbol("v")}

Powers = Mapping[str, str]
"""Exponents of N, m, D, K and of the gossip factor, as text in u and v; absent means zero."""

EQ_36: Mapping[str, tuple[Powers, str]] = {
    "gossip": ({"N": "3/2", "D": "1/2", "gossip": "1"}, "1"),
    "radius": ({"N": "1/2", "D": "1/2"}, "1"),
    "iterations": ({"N": "1/2", "D": "5/2", "K": "-1/4"}, "1"),
    "linearisation": ({"N": "1/2", "m": "-1/12", "D": "4"}, "4/3"),
}
"""Terms of (36) that contain B: the other exponents, and that of B."""

EQ_40: Mapping[str, Powers] = {
    "gossip": {"N": "3/2", "m": "u", "D": "v + 1/2", "gossip": "1"},
    "radius": {"N": "1/2", "m": "u", "D": "v + 1/2"},
    "iterations": {"N": "1/2", "m": "u", "D": "v + 5/2", "K": "-1/4"},
    "linearisation": {"N": "1/2", "m": "(16*u - 1)/12", "D": "(4*v + 12)/3"},
}
"""Terms of (40) as printed."""

EQ_41: Mapping[str, Powers] = {
    "gossip": {"N": "3/2", "m": "1/32", "D": "-11/2", "gossip": "1"},
    "radius": {"N": "1/2", "m": "1/32", "D": "-11/2"},
    "iterations": {"N": "1/2", "m": "1/32", "D": "-7/2", "K": "-1/4"},
    "linearisation": {"N": "1/2", "m": "-1/24", "D": "-4"},
}
"""Terms of (41), which are terms (5) to (7) of Theorem 5.10, as printed."""


@statement("zhang2025", "eq-40-41", uses=("eq-37", "eq-38-39"))
def eq_40_41() -> tuple[Variant, ...]:
    r"""The exponents of width and depth for a radius B = m^u D^v, and for u = 1/32, v = -6.

    .. math:: N^{3/2} m^{u} D^{v+1/2} (1-\eta^{N-1})^{t} + N^{1/2} m^{u} D^{v+1/2}
        + N^{1/2} m^{u} D^{v+5/2} K^{-1/4} + N^{1/2} m^{(16u-1)/12} D^{(4v+12)/3}

    The substitution into (36) and (37) is right, term by term, and so are the exponents at u = 1/32, v = -6, the
    bound u <= 1/16 for a last term that does not grow with the width, and the sentence on depth.

    The sentence on width, "as the width m increases, the overall convergence error increases", is right of the bound
    *for large m at a fixed depth*: the power 1/32 wins. *At every width* it is not (reading): at D = 64, K = D^4 the
    terms, with constants one, add up to 577 units of 2^-33 at m = 1 and to 552 at m = 2^96. At K = D^4 the bound falls
    in m up to the order D^(48/7) and rises after.

    Reading: the depth only helps because the radius is made to shrink with it. At a radius that does not depend on
    D (v = 0) the same terms carry D^(1/2), D^(5/2) and D^4. The sum has no best v: it decreases without end as
    v tends to minus infinity, where the critic never leaves its initial weights. What a small radius costs is
    hidden in epsilon_critic, whose W* lies in the same ball.

    Hypotheses: those of (37); orders up to logarithms; D, m, N and K at least one.

    Consequence: terms (5) to (7) of Theorem 5.10 are copied from (37) without a slip. Term (5) inherits an
    omission of (36): the actor's gossip error, which has neither m nor D, was absorbed into it and is larger.
    """
    return (
        printed(lambda c: _substitution({}), "(40) is (36) with B = m^u D^v", "(40)", part="(40)"),
        printed(lambda c: _specialisation({"u": "1/32", "v": "-6"}), "(41) is (40) at u = 1/32, v = -6", "(41)",
                part="(41)"),
        printed(lambda c: _last_width_power("1/16"), "u <= 1/16 cancels m in the last term", "u", part="u"),
        printed(_eventually_wider, "the bound grows with m, for large m", "width", part="width"),
        printed(lambda c: _deeper("-6"), "the bound falls with D", "depth", part="depth"),
        reading(_always_wider, "the bound grows with m, at every width", "every width"),
        reading(lambda c: _deeper("0"), "the bound falls with D at a radius that does not depend on D", "fixed radius"),
        control(lambda c: _substitution({"linearisation": {"N": "1/2", "m": "(16*u + 1)/12", "D": "(4*v + 12)/3"}}),
                "(40) with (16u + 1)/12 in the last term", "sign in the last term"),
        control(lambda c: _specialisation({"u": "1/32", "v": "-5"}), "(41) claimed of v = -5", "v = -5"),
        control(lambda c: _last_width_power("1/15"), "u <= 1/15 cancels m in the last term", "u to 1/15"),
    )


def _value(text: str) -> sympy.Expr:
    return sympy.sympify(text, locals=SYMBOLS, rational=True)


def _substitution(changed: Mapping[str, Powers]) -> Evidence:
    """Exponents of (36) with B = m^u D^v minus those of (40), as polynomials in u and v."""
    different = []
    for name, (rest, radius) in EQ_36.items():
        claimed = changed.get(name, EQ_40[name])
        for variable in ("N", "m", "D", "K", "gossip"):
            ours = _value(rest.get(variable, "0")) + _value(radius) * {"m": SYMBOLS["u"], "D": SYMBOLS["v"]}.get(
                variable, sympy.Integer(0))
            if sympy.expand(ours - _value(claimed.get(variable, "0"))) != 0:
                different.append(f"{name}, power of {variable}: {sympy.expand(ours)}")
    return exact_evidence(
        "exponents that differ, as polynomials in u and v", len(different), 0, Relation.EQUAL, rigor=Rigor.SYMBOLIC,
        scope=Scope.CLASS, witness=Witness("what differs", {f"{k}": d for k, d in enumerate(different)}),
    )


def _specialisation(values: Mapping[str, str]) -> Evidence:
    """Exponents of (40) at given u and v that are not those of (41)."""
    at = {SYMBOLS[k]: sympy.Rational(x) for k, x in values.items()}
    different = {
        f"{name}, power of {variable}": str(_value(text).subs(at))
        for name, powers in EQ_40.items()
        for variable, text in powers.items()
        if _value(text).subs(at) != _value(EQ_41[name][variable])
    }
    return exact_evidence(
        f"exponents of (41) that differ from (40) at u = {values['u']}, v = {values['v']}", len(different), 0,
        Relation.EQUAL, rigor=Rigor.SYMBOLIC, scope=Scope.CLASS, witness=Witness("what (40) gives", different),
    )


def _last_width_power(largest: str) -> Evidence:
    """Largest power of m in the last term over u in (0, largest]: it is affine and increasing in u."""
    power = _value(EQ_40["linearisation"]["m"])
    slope, top = sympy.diff(power, SYMBOLS["u"]), power.subs(SYMBOLS["u"], sympy.Rational(largest))
    if slope <= 0:
        raise ValueError(f"the power of m has slope {slope}; its maximum is not at the end")
    return exact_evidence(
        f"largest power of m in the last term for u up to {largest}", Fraction(str(top)), 0, Relation.AT_MOST,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS, witness=Witness("the largest u", {"u": largest, "power": str(top)}),
    )


def _eventually_wider(context: Context) -> Evidence:
    """Terms of (41) with a positive power of m at fixed N, D, K and t: one is enough for the bound to diverge."""
    growing = {name: p["m"] for name, p in EQ_41.items() if Fraction(p["m"]) > 0}
    return exact_evidence(
        "terms of (41) with a positive power of m", len(growing), 1, Relation.AT_LEAST, scope=Scope.CLASS,
        witness=Witness("powers of m that are positive", growing),
        note="a sum of powers with positive coefficients grows in the end exactly if its leading power is positive",
    )


def _always_wider(context: Context) -> Evidence:
    """(41) without gossip error at D = 64 = 2^6, K = D^4, N = 1: m = 1 against m = 2^96, constants one."""
    depth, exponent = 6, 96
    sums = []
    for log_m in (0, exponent):
        total = Fraction(0)
        for name in ("radius", "iterations", "linearisation"):
            p = {k: Fraction(x) for k, x in EQ_41[name].items()}
            log = p["m"] * log_m + p["D"] * depth + p.get("K", Fraction(0)) * 4 * depth
            if log.denominator != 1:
                raise ValueError(f"2^{log} is not rational; the instance needs other powers of two")
            total += Fraction(2) ** int(log)
        sums.append(total)
    return exact_evidence(
        "bound at m = 2^96 minus bound at m = 1", sums[1] - sums[0], 0, Relation.AT_LEAST, instances=1,
        witness=Witness("D = 64, K = D^4, N = 1, constants one, perfect gossip",
                        {"bound at m = 1": sums[0], "bound at m = 2^96": sums[1]}),
    )


def _deeper(v: str) -> Evidence:
    """Terms of (40) that do not fall with D at a given v, with m and K fixed."""
    at = {SYMBOLS["u"]: sympy.Rational(1, 32), SYMBOLS["v"]: sympy.Rational(v)}
    powers = {name: Fraction(str(_value(p["D"]).subs(at))) for name, p in EQ_40.items()}
    return exact_evidence(
        f"terms that do not fall with D at v = {v}", sum(p >= 0 for p in powers.values()), 0, Relation.EQUAL,
        scope=Scope.CLASS, witness=Witness(f"powers of D with B = m^(1/32) D^({v})", dict(powers)),
    )
