"""zhang2025 Theorem 5.10's parameters, Corollary 5.11 and Remark 5: what the exponents of the bound amount to."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from rates.implications import Monomial, dominated, implies, monomial
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence
from verify.zhang2025.exponents import EQ_41, RADIUS, SIZES, THEOREM_RADIUS, WIDTH_FOR_RADIUS, follows, width

ITERATIONS = monomial("K / D^4", K=1, D=-4)
"""``K = Omega(D^4)``, as a monomial bounded below."""

THEOREM = (width(3, "-11/2"), *THEOREM_RADIUS, ITERATIONS)
"""The parameters of Theorem 5.10, as monomials bounded below."""


@statement("zhang2025", "theorem-5.10-parameters", uses=("eq-23", "eq-35-36", "eq-38-39", "eq-40-41"))
def theorem_5_10_parameters() -> tuple[Variant, ...]:
    r"""The width, radius and iterations of Theorem 5.10 meet the constraints that its proof states.

    .. math:: m = \Omega(d^3 D^{-11/2}), \qquad B = \Theta(m^{1/32} D^{-6}), \qquad K = \Omega(D^4)

    The stated constraints are those before (23): ``m = Omega(d^(3/2) log^(3/2)(m^(3/2)/B) B D^(1/2))``,
    ``B = O(m^(1/2) D^-6 log^-3 m)`` and ``D = O(K^(1/4))``. All three follow, with the logarithms as well: for
    a > 0, ``log y <= y^a / (e a)`` (the largest value of ``y^-a log y`` is at ``y = e^(1/a)``), so each logarithm
    may be replaced by a small power, and the program certifies the stronger monomial conditions with a = 1/5 for
    ``log(m^(3/2)/B)`` and a = 1/8 for ``log m``.

    Reading: the proof uses one more condition without saying so. From the first to the second form of (36) the term
    ``N^(3/2) (1 - eta^(N-1))^t`` disappears into ``N^(3/2) B D^(1/2) (1 - eta^(N-1))^t``, which needs
    ``B D^(1/2) = Omega(1)``. With the radius of the theorem that is ``m = Omega(D^176)``; it does not follow from the
    parameters, so "these are the only constraints" (after (39)) is not right. A width of D^176 does meet everything.

    Hypotheses: D, d and m are at least one, and m at least two where its logarithm stands in a denominator.

    Consequence: the theorem's parameters are admissible for the critic bound it quotes. Its probability,
    1 - exp(-Omega(log^2 m)), is another matter: none of the conditions makes m large when the network is deep.
    """
    hidden = monomial("B D^(1/2)", B=1, D="1/2")
    return (
        printed(_width_with_logarithms, "the width constraint", "width", part="width"),
        printed(_radius_with_logarithms, "the radius constraint", "radius", part="radius"),
        printed(
            lambda c: follows("K = Omega(D^4) implies D = O(K^(1/4))",
                              implies(THEOREM, monomial("K^(1/4) / D", K="1/4", D=-1), SIZES)),
            "the iterations constraint", "iterations", part="iterations",
        ),
        reading(
            lambda c: follows("the parameters imply B D^(1/2) = Omega(1)", implies(THEOREM, hidden, SIZES)),
            "the parameters also allow the absorption in (36)", "hidden constraint",
        ),
        reading(
            lambda c: (
                follows("m = Omega(D^176) implies B D^(1/2) = Omega(1)",
                        implies((*THEOREM, width(0, 176)), hidden, SIZES)),
                follows("B D^(1/2) = Omega(1) forces m = Omega(D^176)",
                        implies((*THEOREM, hidden), width(0, 176), SIZES)),
            ),
            "the absorption in (36) is allowed exactly for m = Omega(D^176)", "width for the absorption",
        ),
        control(
            lambda c: follows("m = Omega(d^(3/2) D^(-11/2)) implies (38)",
                              implies((width("3/2", "-11/2"), *THEOREM_RADIUS), WIDTH_FOR_RADIUS, SIZES)),
            "a width of d^(3/2) D^(-11/2)", "d^(3/2)",
        ),
        control(
            lambda c: follows("K = Omega(D^3) implies D = O(K^(1/4))",
                              implies((monomial("K / D^3", K=1, D=-3),), monomial("K^(1/4) / D", K="1/4", D=-1),
                                      SIZES)),
            "K = Omega(D^3)", "K of D^3",
        ),
    )


def _width_with_logarithms(context: Context) -> tuple[Evidence, Evidence]:
    """(38), and (38) with ``log^(3/2)(m^(3/2)/B)`` replaced by the larger ``(m^(3/2)/B)^(3/10)``, a = 1/5."""
    log = monomial("(m^(3/2) / B)^(3/10)", m="9/20", B="-3/10")
    with_log = WIDTH_FOR_RADIUS / log
    return (
        follows("the parameters imply (38)", implies(THEOREM, WIDTH_FOR_RADIUS, SIZES)),
        follows("the parameters imply (38) with its logarithm", implies(THEOREM, with_log, SIZES)),
    )


def _radius_with_logarithms(context: Context) -> tuple[Evidence, Evidence]:
    """``B = O(m^(1/2) D^-6)``, and the same with ``log^-3 m`` replaced by the smaller ``m^(-3/8)``, a = 1/8."""
    with_log = RADIUS / monomial("m^(3/8)", m="3/8")
    return (
        follows("the parameters imply B = O(m^(1/2) D^-6)", implies(THEOREM, RADIUS, SIZES)),
        follows("the parameters imply B = O(m^(1/2) D^-6 log^-3 m)", implies(THEOREM, with_log, SIZES)),
    )


# --- Corollary 5.11 ------------------------------------------------------------------------------------------

LARGE = ("D", "K", "M", "N", "T", "e", "m")
"""Variables of the corollary; e is 1 / epsilon. All at least one."""


def _theta(name: str, **exponents: int | str | Fraction) -> tuple[Monomial, Monomial]:
    """A monomial and its inverse: the condition that it is of order one."""
    one = monomial(name, **exponents)
    return one, Monomial(f"1 / ({name})", {v: -x for v, x in one.exponents.items()})


CHOICES = (*_theta("T / e", T=1, e=-1), *_theta("M / (N e^2)", M=1, N=-1, e=-2),
           *_theta("K / (N^(1/2) e)", K=1, N="-1/2", e=-1), ITERATIONS)
"""``T = Theta(1/eps), M = Theta(N/eps^2), K = Theta(N^(1/2)/eps)`` and ``K = Omega(D^4)``."""

NETWORK = (*_theta("K / D^4", K=1, D=-4), monomial("N^2 e^4 / m", N=2, e=4, m=-1))
"""The network that makes the corollary's K fit: ``D = Theta(K^(1/4))`` and ``m = O(N^2 / eps^4)``."""

TERMS = (
    monomial("(1) T^-1", T=-1),
    monomial("(4) N^(1/2) M^(-1/2)", N="1/2", M="-1/2"),
    *(monomial(f"({number}) {name}", **{v: x for v, x in EQ_41[name].items() if v != "gossip"})
      for number, name in (("6", "radius"), ("7a", "iterations"), ("7b", "linearisation"))),
)
"""Terms of Theorem 5.10 that the corollary must bring below epsilon, the gossip term aside."""

EPSILON = monomial("epsilon", e=-1)


@statement("zhang2025", "corollary-5.11", uses=("theorem-5.10", "theorem-5.10-parameters", "consensus-rate"))
def corollary_5_11() -> tuple[Variant, ...]:
    r"""Accuracy epsilon from N^2 / epsilon^3 samples and log(N^(3/2)/epsilon) / epsilon rounds.

    .. math:: T = \Omega(\epsilon^{-1}),\; M = \Omega(N\epsilon^{-2}),\; K = \Omega(N^{1/2}\epsilon^{-1}):
        \quad T(NK + NM) = O(N^2 \epsilon^{-3}), \qquad
        t = \Omega(\log(N^{3/2}/\epsilon)): \quad 2 T t = O(\epsilon^{-1} \log(N^{3/2}/\epsilon))

    Every Omega is read as Theta where a cost is computed (an Omega bounds no cost from above).

    *Accuracy, for a given network*: it does not follow. Terms (6) and the second of (7) contain neither T, M, K nor t
    and stay; the first of (7) is ``K^(-1/4) = N^(-1/8) eps^(1/4)``, far above epsilon. *Accuracy, for a network grown
    with 1/epsilon*: the listed K is D^4 for ``D = N^(1/8) eps^(-1/4)``, the depth at which ``N^(1/2) D^-4 = eps``;
    with it, and any width up to N^2 / eps^4, all terms are O(epsilon). The corollary does not say so.
    For a fixed network, ``K = N^2 eps^-4`` is what the first part of (7) needs, and the samples are then
    ``N^3 eps^-5``; (6) and the rest of (7) remain as a floor.

    *Samples*: right, the batch dominates. *Rounds, N and eta fixed*: right, with ``1 / |log(1 - eta^(N-1))|`` in the
    constant. *Rounds, constants free of N*, as the display, which tracks N, suggests: not right. eta is at most 1/2
    on a connected graph, so the constant is at least of order 2^(N-1). With the true contraction of a path,
    ``1 - 4 eta sin^2(pi/2N) <= 1 - 4 eta / N^2``, ``t = N^2 log(N^(3/2)/eps) / (4 eta)`` rounds are enough
    (repaired): ``(1 - x)^t <= exp(-x t)``.

    Hypotheses: Theorem 5.10 is granted here; its own entries say what stands. N at least two, a connected graph.

    Consequence: the headline N^2 / epsilon^3 needs a depth that grows like epsilon^(-1/4). For the network one has,
    the theorem gives accuracy up to terms (6) and (7) only.
    """
    return (
        printed(lambda c: _accuracy(CHOICES), "accuracy for a given network", "any network", part="accuracy"),
        printed(lambda c: _accuracy((*CHOICES, *NETWORK)),
                "accuracy for D = Theta(K^(1/4)) and m up to N^2 / eps^4", "grown network", part="accuracy"),
        printed(lambda c: _samples(2, 3), "samples", "samples", part="samples"),
        printed(_rounds_fixed, "rounds, constants that depend on N and eta", "N and eta fixed", part="rounds"),
        printed(_rounds_uniform, "rounds, constants free of N", "free of N", part="rounds"),
        repaired(lambda c: _fixed_network(4), "fixed network: K = N^2 eps^-4 for the first part of (7)", "iterations"),
        repaired(_rounds_repaired, "N^2 log(N^(3/2)/eps) / (4 eta) rounds, on any connected graph", "rounds"),
        control(lambda c: _accuracy((*CHOICES[:2], *_theta("M / (N e)", M=1, N=-1, e=-1), *CHOICES[4:], *NETWORK)),
                "M = N / epsilon", "smaller batch"),
        control(lambda c: _samples(2, "5/2"), "N^2 / epsilon^(5/2) samples", "fewer samples"),
        control(lambda c: _fixed_network("39/10"), "K = N^2 eps^(-3.9) for a fixed network", "fewer iterations"),
    )


def _accuracy(premises: Sequence[Monomial]) -> tuple[Evidence, ...]:
    return tuple(follows(f"{term.name} is O(epsilon)", dominated(term, (EPSILON,), premises, LARGE)) for term in TERMS)


def _samples(agents: int | str, accuracy: int | str) -> tuple[Evidence, ...]:
    claimed = monomial(f"N^{agents} e^{accuracy}", N=agents, e=accuracy)
    parts = (monomial("T N K", T=1, N=1, K=1), monomial("T N M", T=1, N=1, M=1))
    return tuple(follows(f"{p.name} is O({claimed.name})", dominated(p, (claimed,), CHOICES, LARGE)) for p in parts)


def _fixed_network(power: int | str) -> Evidence:
    """The first part of (7) at fixed D and m, once K = N^2 / eps^power."""
    term = next(t for t in TERMS if t.name.startswith("(7a)"))
    fixed = Monomial(term.name, {v: x for v, x in term.exponents.items() if v in ("N", "K")})
    premises = _theta(f"K / (N^2 e^{power})", K=1, N=-2, e=-Fraction(power))
    return follows(f"N^(1/2) K^(-1/4) is O(epsilon) for K = N^2 eps^-{power}",
                   dominated(fixed, (EPSILON,), premises, ("K", "N", "e")))


BITS = 64
"""Bits kept when powers are rounded in the safe direction; ours."""


def _squared_gossip(n_agents: int, factor: Fraction, rounds: int, inverse_epsilon: int, *, above: bool) -> Fraction:
    """A bound on ``(N^(3/2) factor^t / eps)^2``: at most one when the gossip term is at most epsilon."""
    return n_agents**3 * inverse_epsilon**2 * _rounded_power(factor, 2 * rounds, above=above)


def _rounded_power(base: Fraction, exponent: int, *, above: bool) -> Fraction:
    """A power of a number in [0, 1], rounded up or down to a multiple of 2^-BITS after every product.

    Exact powers would have thousands of digits; monotone products keep the bound on its side.
    """

    def rounded(value: Fraction) -> Fraction:
        scaled = value * 2**BITS
        return Fraction(-(-scaled // 1) if above else scaled // 1, 2**BITS)

    power, square = Fraction(1), rounded(base)
    while exponent:
        if exponent % 2:
            power = rounded(power * square)
        square, exponent = rounded(square * square), exponent // 2
    return power


def _rounds_fixed(context: Context) -> Evidence:
    """N = 2..6, eta = 1/2: t = c log2(N^(3/2) / eps) with c = 2^(N-1), for eps down to 2^-20.

    ``(1 - x)^(1/x) <= 1/e <= 1/2`` shows that c = 1/x with x = eta^(N-1) is enough for every N and eta.
    """
    worst, cases = Fraction(0), 0
    for N in range(2, 7):
        for k in (1, 4, 10, 20):
            rounds = -(-2 ** (N - 1) * _twice_log2(N**3 * 4**k) // 2)
            worst = max(worst, _squared_gossip(N, 1 - Fraction(1, 2 ** (N - 1)), rounds, 2**k, above=True))
            cases += 1
    return exact_evidence(
        "squared gossip term over epsilon^2, an upper bound, worst", worst, 1, Relation.AT_MOST,
        rigor=Rigor.INTERVAL, instances=cases,
    )


def _twice_log2(square: int) -> int:
    """Smallest k with ``2^k >= square``: an upper bound on twice the logarithm of its root, rounded up."""
    return (square - 1).bit_length()


def _rounds_uniform(context: Context) -> Evidence:
    """A hundred times log2(N^(3/2)/eps) rounds at N = 16, eta = 1/2, eps = 1/64: N^(3/2)/eps = 2^12."""
    N, inverse, rounds = 16, 64, 100 * 12
    value = _squared_gossip(N, 1 - Fraction(1, 2 ** (N - 1)), rounds, inverse, above=False)
    return exact_evidence(
        "squared bound on the gossip term over epsilon^2, from below", value, 1, Relation.AT_MOST,
        rigor=Rigor.INTERVAL, instances=1,
        witness=Witness(
            "N = 16, eta = 1/2, eps = 1/64, t = 100 log2(N^(3/2)/eps) = 1200; by Bernoulli it is at least "
            "2^24 (1 - 2400/2^15)",
            {"N": N, "eta": Fraction(1, 2), "eps": Fraction(1, inverse), "t": rounds,
             "at least": 2**24 * (1 - Fraction(2 * rounds, 2**15))},
        ),
        note="the factor 100 may be any constant: the rounds needed grow like 2^(N-1)",
    )


def _rounds_repaired(context: Context) -> Evidence:
    """``1 - 4 eta / N^2 >= path_bound`` (`mdp.networks.bounds`), squared gossip term after the repaired rounds."""
    worst, cases = Fraction(0), 0
    for N in (2, 3, 4, 8, 16, 64):
        for eta in (Fraction(1, 2), Fraction(1, 10)):
            for k in (1, 6, 20):
                rounds = -(-N**2 * _twice_log2(N**3 * 4**k) // (8 * eta))
                worst = max(worst, _squared_gossip(N, 1 - 4 * eta / N**2, int(rounds), 2**k, above=True))
                cases += 1
    return exact_evidence(
        "squared gossip term over epsilon^2, an upper bound, worst", worst, 1, Relation.AT_MOST,
        rigor=Rigor.INTERVAL, instances=cases,
    )


# --- Remark 5 --------------------------------------------------------------------------------------------------


@statement("zhang2025", "remark-5", uses=("theorem-5.10", "eq-40-41"))
def remark_5() -> tuple[Variant, ...]:
    r"""The dominant orders of depth and width are D^-4 and m^(-1/24).

    .. math:: m^{1/32} D^{-11/2} + m^{1/32} D^{-7/2} K^{-1/4} + m^{-1/24} D^{-4}, \qquad K = \Omega(D^4)

    *Depth, at a fixed width*: right, the other terms are at most D^(-9/2) and D^(-11/2). *Width, for all m*: wrong.
    The terms with m^(1/32) dominate once m is large, and the bound then grows with the width; so says the paper
    itself after (41). *Width, repaired*: m^(-1/24) D^-4 dominates (6) up to ``m = D^(144/7)`` and, at K = D^4, the
    first part of (7) up to ``m = D^(48/7)``; both powers are sharp. With K of a larger order than D^4 the second limit
    moves towards the first.

    Reading: "increasing depth significantly improves the performance" holds for the radius ``B = m^(1/32) D^-6``, which
    shrinks as the network deepens. At a radius that does not depend on D the bound carries D^4: the comparison with
    the D^(7/2) of Gaur et al. (2024) is one of radii, not of networks.

    Hypotheses: those of Theorem 5.10; orders up to logarithms, D, m and K at least one.

    Consequence: the remark on depth states what the bound says, not what depth does; the remark on width holds for
    networks that are not extremely wide for their depth. No experiment on a fixed radius is predicted by it.
    """
    return (
        printed(lambda c: _dominates("linearisation", (monomial("1 / m", m=-1),)), "D^-4 at a fixed width", "depth",
                part="depth"),
        printed(lambda c: _dominates("linearisation", ()), "m^(-1/24) at every width", "width", part="width"),
        repaired(
            lambda c: (
                *_dominates("linearisation", (monomial("D^(48/7) / m", D="48/7", m=-1),)),
                *_regime_is_sharp(),
            ),
            "m^(-1/24) D^-4 dominates for m = O(D^(48/7)), and not for more at K = D^4", "width",
        ),
        reading(_depth_at_fixed_radius, "the bound falls with depth at a radius that does not depend on D",
                "fixed radius"),
        control(lambda c: _dominates("radius", (monomial("1 / m", m=-1),)), "D^(-11/2) claimed to dominate",
                "radius term"),
        control(lambda c: _dominates("linearisation", (monomial("D^7 / m", D=7, m=-1),)), "the width up to D^7", "D^7"),
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
    equal = _theta("K / D^4", K=1, D=-4)
    iterations = (*equal, _term("linearisation") / _term("iterations"))
    radius = (*equal, _term("linearisation") / _term("radius"))
    return (
        follows("dominance over the iterations term forces m = O(D^(48/7))",
                implies(iterations, monomial("D^(48/7) / m", D="48/7", m=-1), ("D", "m"))),
        follows("dominance over the radius term forces m = O(D^(144/7))",
                implies(radius, monomial("D^(144/7) / m", D="144/7", m=-1), ("D", "m"))),
    )


def _depth_at_fixed_radius(context: Context) -> Evidence:
    """Powers of D in (36) at fixed B, m and K = D^4 (the least K allowed): none may be positive."""
    powers = {"radius": Fraction(1, 2), "iterations": Fraction(5, 2) - 1, "linearisation": Fraction(4)}
    return exact_evidence(
        "largest power of D at a fixed radius", max(powers.values()), 0, Relation.AT_MOST, scope=Scope.CLASS,
        witness=Witness("powers of D in (36) with B fixed and K = D^4", dict(powers)),
    )
