"""zhang2025 Corollary 5.11: what accuracy, samples and rounds the bound of Theorem 5.10 amounts to."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import arb

from rates.implications import Monomial, dominated, monomial
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence
from verify.zhang2025.theorem.exponents import EQ_41, follows
from verify.zhang2025.theorem.parameters import ITERATIONS, order_of

LARGE = ("D", "K", "M", "N", "T", "e", "m")
"""Variables of the corollary; e is 1 / epsilon. All at least one."""

CHOICES = (*order_of("T / e", T=1, e=-1), *order_of("M / (N e^2)", M=1, N=-1, e=-2),
           *order_of("K / (N^(1/2) e)", K=1, N="-1/2", e=-1), ITERATIONS)
"""``T = Theta(1/eps), M = Theta(N/eps^2), K = Theta(N^(1/2)/eps)`` and ``K = Omega(D^4)``."""

GROWN = (*order_of("K / D^4", K=1, D=-4), *order_of("m / (N e^2)", m=1, N=-1, e=-2))
"""A network whose terms leave room for the logarithms: ``D = Theta(K^(1/4))`` and ``m = Theta(N / eps^2)``."""

LOGARITHMS = monomial("m^(3/200) K^(1/200)", m="3/200", K="1/200")
"""Above ``log^(3/2) m log^(1/2) K`` up to a constant: ``log y <= y^a / (e a)`` with a = 1/100."""

NETWORK = (*order_of("K / D^4", K=1, D=-4), monomial("N^2 e^4 / m", N=2, e=4, m=-1))
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

    Every Omega is read as Theta where a cost is computed (an Omega bounds no cost from above), and accuracy is meant up
    to logarithms, which the theorem hides in its tildes.

    *Accuracy, for a given network*: it does not follow. Terms (6) and the second of (7) contain neither T, M, K nor t
    and stay; the first of (7) is ``K^(-1/4) = N^(-1/8) eps^(1/4)``, far above epsilon. *Accuracy, for a network grown
    with 1/epsilon*: the listed K is D^4 for ``D = N^(1/8) eps^(-1/4)``, the depth at which ``N^(1/2) D^-4 = eps``;
    with it, and any width up to N^2 / eps^4, all terms are O(epsilon). The corollary does not say so. With a width of
    the order N / eps^2 there is room for the logarithms of (37) as well (reading).
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
        reading(_accuracy_with_logarithms,
                "accuracy with the logarithms, for D = Theta(K^(1/4)) and m = Theta(N / eps^2)",
                "grown network, logarithms"),
        printed(lambda c: _samples(2, 3), "samples", "samples", part="samples"),
        printed(_rounds_fixed, "rounds, constants that depend on N and eta", "N and eta fixed", part="rounds"),
        printed(_rounds_uniform, "rounds, constants free of N", "free of N", part="rounds"),
        repaired(lambda c: _fixed_network(4), "fixed network: K = N^2 eps^-4 for the first part of (7)", "iterations"),
        repaired(_rounds_repaired, "N^2 log(N^(3/2)/eps) / (4 eta) rounds, on any connected graph", "rounds"),
        control(lambda c: _accuracy((*CHOICES[:2], *order_of("M / (N e)", M=1, N=-1, e=-1), *CHOICES[4:], *NETWORK)),
                "M = N / epsilon", "smaller batch"),
        control(lambda c: _rounds_repaired(c, Fraction(49, 100)), "49/100 of the repaired rounds", "fewer rounds"),
        control(lambda c: _samples(2, "5/2"), "N^2 / epsilon^(5/2) samples", "fewer samples"),
        control(lambda c: _fixed_network("39/10"), "K = N^2 eps^(-3.9) for a fixed network", "fewer iterations"),
    )


def _accuracy(premises: Sequence[Monomial]) -> tuple[Evidence, ...]:
    return tuple(follows(f"{term.name} is O(epsilon)", dominated(term, (EPSILON,), premises, LARGE)) for term in TERMS)


def _accuracy_with_logarithms(context: Context) -> tuple[Evidence, ...]:
    """Terms (6) and (7) times the logarithms; terms (1) and (4) have none."""
    larger = [
        Monomial(f"{t.name} with logarithms", {v: t.at(v) + LOGARITHMS.at(v) for v in LARGE}) for t in TERMS
        if t.name.startswith(("(6)", "(7"))
    ]
    premises = (*CHOICES, *GROWN)
    return tuple(follows(f"{t.name} is O(epsilon)", dominated(t, (EPSILON,), premises, LARGE)) for t in larger)


def _samples(agents: int | str, accuracy: int | str) -> tuple[Evidence, ...]:
    claimed = monomial(f"N^{agents} e^{accuracy}", N=agents, e=accuracy)
    parts = (monomial("T N K", T=1, N=1, K=1), monomial("T N M", T=1, N=1, M=1))
    return tuple(follows(f"{p.name} is O({claimed.name})", dominated(p, (claimed,), CHOICES, LARGE)) for p in parts)


def _fixed_network(power: int | str) -> Evidence:
    """The first part of (7) at fixed D and m, once K = N^2 / eps^power."""
    term = next(t for t in TERMS if t.name.startswith("(7a)"))
    fixed = Monomial(term.name, {v: x for v, x in term.exponents.items() if v in ("N", "K")})
    premises = order_of(f"K / (N^2 e^{power})", K=1, N=-2, e=-Fraction(power))
    return follows(f"N^(1/2) K^(-1/4) is O(epsilon) for K = N^2 eps^-{power}",
                   dominated(fixed, (EPSILON,), premises, ("K", "N", "e")))


BITS = 192
"""Bits kept when powers are rounded in the safe direction; ours, far below the smallest power met (2^-58)."""


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


def _rounds_above(argument: int, factor: Fraction) -> int:
    """The least integer of at least ``factor ln(argument)``, certified by an enclosure."""
    least = (arb(argument).log() * factor.numerator / factor.denominator).ceil().unique_fmpz()
    if least is None:
        raise ArithmeticError(f"the enclosure of {factor} ln {argument} contains an integer")
    return int(least)


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


def _rounds_repaired(context: Context, share: Fraction = Fraction(1)) -> Evidence:
    """``1 - 4 eta / N^2 >= path_bound`` (`mdp.networks.bounds`), squared gossip term after the repaired rounds."""
    worst, cases = Fraction(0), 0
    for N in (2, 3, 4, 8, 16, 64):
        for eta in (Fraction(1, 2), Fraction(1, 10)):
            unit = share / eta
            for k in (1, 6, 20):
                rounds = _rounds_above(N**3 * 4**k, unit * N**2 / 8)
                worst = max(worst, _squared_gossip(N, 1 - 4 * eta / N**2, rounds, 2**k, above=True))
                cases += 1
    return exact_evidence(
        "squared gossip term over epsilon^2, an upper bound, worst", worst, 1, Relation.AT_MOST,
        rigor=Rigor.INTERVAL, instances=cases,
    )
