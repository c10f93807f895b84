"""zhang2025's exponent statements: certificates, verdicts, and witnesses done again by hand."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from rates.implications import Monomial, dominated, implies, monomial
from verify.claim import Claim, Kind
from verify.context import PROFILES, Context
from verify.evidence import Verdict
from verify.report.mathml import mathml
from verify.runner import ClaimResult, run_claims
from verify.zhang2025.theorem.complexity import corollary_5_11
from verify.zhang2025.theorem.depth_width import remark_5
from verify.zhang2025.theorem.exponents import eq_38_39, eq_40_41
from verify.zhang2025.theorem.parameters import theorem_5_10_parameters

CLAIMS = {c.id: c for c in (f() for f in (eq_38_39, eq_40_41, theorem_5_10_parameters, corollary_5_11, remark_5))}

EXPECTED = {
    "eq-38-39": {"printed": "proved", "reading[weakest]": "proved",
        "reading[weakest, radius of the theorem]": "proved"},
    "eq-40-41": {
        "printed[(40)]": "proved", "printed[(41)]": "proved", "printed[u]": "proved", "printed[width]": "proved",
        "printed[depth]": "proved", "reading[every width]": "refuted", "reading[fixed radius]": "refuted",
    },
    "theorem-5.10-parameters": {
        "printed[width]": "proved", "printed[radius]": "proved", "printed[iterations]": "proved",
        "reading[hidden constraint]": "refuted", "reading[width for the absorption]": "proved",
    },
    "corollary-5.11": {
        "printed[any network]": "refuted", "printed[grown network]": "proved",
        "reading[grown network, logarithms]": "proved", "printed[samples]": "proved",
        "printed[N and eta fixed]": "holds", "printed[free of N]": "refuted", "repaired[iterations]": "proved",
        "repaired[rounds]": "holds",
    },
    "remark-5": {
        "printed[depth]": "proved", "printed[width]": "refuted", "reading[deep networks]": "proved",
        "reading[little impact]": "proved", "repaired[width]": "proved", "reading[fixed radius]": "refuted",
        "reading[radius D^-3]": "proved",
    },
}

STATEMENTS = {
    "eq-38-39": Verdict.PROVED, "eq-40-41": Verdict.PROVED, "theorem-5.10-parameters": Verdict.PROVED,
    "corollary-5.11": Verdict.AMBIGUOUS, "remark-5": Verdict.REFUTED,
}


@cache
def outcome(id: str) -> ClaimResult:
    return run_claims([CLAIMS[id]], Context(PROFILES["quick"]), {})[0]


@pytest.mark.parametrize("id", EXPECTED)
def test_verdicts(id: str) -> None:
    found = {v.variant.name: str(v.verdict) for v in outcome(id).variants if v.variant.kind is not Kind.CONTROL}
    assert found == EXPECTED[id]
    assert outcome(id).verdict is STATEMENTS[id]
    assert outcome(id).controls_refuted


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_entry_is_complete(claim: Claim) -> None:
    assert claim.hypotheses
    assert claim.consequence
    assert mathml(claim.latex) is not None


def test_width_by_hand() -> None:
    """At B = m^(1/2) D^-6 the quotient of (38) is (m / (d^3 D^(-11/2)))^(1/2) D^(11/4)."""
    quotient = {"m": Fraction(1) - Fraction(1, 2), "d": Fraction(-3, 2), "D": Fraction(6) - Fraction(1, 2)}
    assert quotient == {"m": Fraction(1, 2), "d": Fraction(-3) / 2, "D": Fraction(11, 2) / 2 + Fraction(11, 4)}
    # and at the radius of the theorem: m^(31/32) >= d^(3/2) D^(-11/2)
    assert (Fraction(3, 2) / Fraction(31, 32), Fraction(-11, 2) / Fraction(31, 32)) == (Fraction(48, 31),
            Fraction(-176, 31))


def test_corollary_network_by_hand() -> None:
    """D = N^(1/8) e^(1/4), K = D^4 and m = N^2 e^4: powers of (N, e) of terms (6), (7a) and (7b), at most (0, -1)."""
    D = np.array([Fraction(1, 8), Fraction(1, 4)])
    root, wide = np.array([Fraction(1, 2), Fraction(0)]), np.array([Fraction(2), Fraction(4)])
    for m in (0 * wide, wide):
        radius, iterations = root + m / 32 - D * Fraction(11, 2), root + m / 32 - D * Fraction(7, 2) - 4 * D / 4
        for powers in (radius, iterations, root - m / 24 - 4 * D):
            assert powers[0] <= 0
            assert powers[1] <= -1


def test_logarithms_of_the_corollary_by_hand() -> None:
    """D = N^(1/8) e^(1/4), K = N^(1/2) e and m = N e^2, each term times m^(3/200) K^(1/200)."""
    D, K, m = (np.array([Fraction(x), Fraction(y)]) for x, y in (("1/8", "1/4"), ("1/2", 1), (1, 2)))
    root = np.array([Fraction(1, 2), Fraction(0)])
    logs = 3 * m / 200 + K / 200
    for term in (m / 32 - D * Fraction(11, 2), m / 32 - D * Fraction(7, 2) - K / 4, -m / 24 - 4 * D):
        powers = root + term + logs
        assert powers[0] <= 0
        assert powers[1] <= -1


@pytest.mark.parametrize("N", [2, 5, 40])
def test_repaired_rounds_by_hand(N: int) -> None:
    """(1 - x)^t <= exp(-x t) with x = 4 eta / N^2, and x is at most 4 eta sin^2(pi / 2N)."""
    eta, eps = 1 / 3, 1e-3
    t = np.ceil(N**2 * np.log(N**1.5 / eps) / (4 * eta))
    assert N**1.5 * (1 - 4 * eta * np.sin(np.pi / (2 * N)) ** 2) ** t <= eps


def test_depth_at_a_radius_by_hand() -> None:
    """B = D^v and K = D^4 in (36): 1/2 + v, 5/2 - 1 + v, 4 + 4v/3; all at most zero exactly for v up to -3."""
    for v, largest in ((0, Fraction(4)), (-3, Fraction(0)), (Fraction(-29, 10), Fraction(2, 15))):
        assert max(Fraction(1, 2) + v, Fraction(3, 2) + v, 4 + Fraction(4, 3) * v) == largest


def test_fixed_network_by_hand() -> None:
    """N^(1/2) K^(-1/4) at K = N^(1/2) / eps is N^(3/8) eps^(1/4); at K = N^2 / eps^4 it is eps."""
    assert (Fraction(1, 2) - Fraction(1, 8), Fraction(1, 4)) == (Fraction(3, 8), Fraction(1, 4))
    assert (Fraction(1, 2) - Fraction(2, 4), Fraction(4, 4)) == (0, 1)


def test_bound_by_width_by_hand() -> None:
    """D = 2^6, K = D^4: terms 2^-33, 2^-27, 2^-24 at m = 1; times 8, 8, 1/16 at m = 2^96."""
    assert (1 + 64 + 512, 8 * 65 + 32) == (577, 552)


def test_rounds_by_hand() -> None:
    assert Fraction(2**24) * (1 - Fraction(2400, 2**15)) > 1


def test_regime_of_the_remark_by_hand() -> None:
    assert (4 - Fraction(11, 2)) / (Fraction(-1, 24) - Fraction(1, 32)) == Fraction(144, 7)
    assert (4 - Fraction(9, 2)) / (Fraction(-1, 24) - Fraction(1, 32)) == Fraction(48, 7)


@pytest.mark.parametrize("seed", range(30))
def test_certificates_against_random_points(seed: int) -> None:
    """A yes is tried on random points of the cone; a no is followed along its direction."""
    rng = np.random.default_rng(seed)
    names = ("x", "y", "z")

    def draw(name: str) -> Monomial:
        return monomial(name, **{v: Fraction(int(e), 2) for v, e in zip(names, rng.integers(-4, 5, size=3),
                strict=True)})

    premises, by, term = (draw("p"), draw("q")), (draw("a"), draw("b")), draw("t")
    found = dominated(term, by, premises, names)
    if found.holds:
        for point in rng.integers(0, 10, size=(300, 3)):
            y = {v: Fraction(int(e)) for v, e in zip(names, point, strict=True)}
            if all(p.along(y) >= 0 for p in premises):
                assert term.along(y) <= max(b.along(y) for b in by)
    else:
        assert all(p.along(found.direction) >= 0 for p in premises)
        assert all(e >= 0 for e in found.direction.values())
        assert min(term.along(found.direction) - b.along(found.direction) for b in by) == found.growth > 0


def test_free_variables_may_shrink() -> None:
    assert not implies((), monomial("B", B=1), ()).holds
    assert implies((monomial("B D", B=1, D=1), monomial("1/D", D=-1)), monomial("B", B=1), ()).holds
    assert implies((), monomial("B", B=1), ("B",)).holds


def test_domination_needs_a_larger_side() -> None:
    with pytest.raises(ValueError, match="no term"):
        dominated(monomial("x", x=1), (), (), ("x",))
