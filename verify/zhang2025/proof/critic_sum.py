"""zhang2025 Appendix C, Eqs. (24)-(25): the three critic errors summed, and the square of the sum."""

from __future__ import annotations

from fractions import Fraction

import sympy

from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence

GAMMAS = [Fraction(k, 10) for k in range(10)]
"""Discounts at which the factor of (25) is compared."""


@statement("zhang2025", "eq-24-25", uses=("eq-16-17", "eq-18-19", "eq-20", "eq-22", "eq-23"))
def eq_24_25() -> tuple[Variant, ...]:
    r"""The expected squared error of the direction is at most the square of the summed bounds.

    .. math:: \mathbb{E}\Big[\sum_i \|d_t^i - d_t^{i,*}\|^2\Big] \le N (1 + \gamma) (a + b + c)^2
        = O(N^3 B^2 D (1-\eta^{N-1})^{2 t_{gossip}}) + O(N B^2 D)
        + O(N (B^2 D^5 K^{-1/2} + B^{8/3} m^{-1/6} D^8) \log^3 m \log K)

    Here a, b, c are the three bounds of (24): gossip, ball, neural TD. *(24)* is the sum of (19)-(23): right, given
    them.

    *First line of (25), as an inequality up to constants*, which is all that its O's can mean: true, for a reason that
    the proof does not give. W^i is an average of points of the ball and W* lies in it, so ``X <= b`` for every sample,
    with ``b = 2 L_W B sqrt(D)`` the diameter times L_W, and ``(1 + gamma)^2 <= 2 (1 + gamma)``. *First line, as the
    step from (24)* that "therefore" announces: false. (23), hence (24), bounds the first moment of the critic's error,
    and (25) needs the second one: a critic that is exact with probability 1 - 1/n and off by n otherwise has
    ``E X = 1`` and ``E X^2 = n``, so that no constant helps. The maximum over l in (17) adds a gap of the same kind.
    Since the two disagree the line is ambiguous: it stands, its derivation does not.

    A third slip is one of constants only (reading): with both critic errors of (18) at most X the TD difference is at
    most ``(1 + gamma) X``, and the print has lost the square of the factor (errors 1 and -1 at the two ends of a
    transition). *Last line*: follows from the line before.

    Repaired with constants: ``E sum_i ||d^i - d^{i,*}||^2 <= (1 + gamma)^2 b^2``, without N, a and c. Assumption 5.5
    bounds the score of all agents together, so the sum over the agents is an average of their squared TD differences
    with weights ``||psi^i||^2`` of sum at most one. It is attained by one agent at the other end of the ball from W*,
    with errors b and -b at the two ends of a transition. If the ball's diameter is to be replaced by something that
    learning makes small, keep the mean over l (`eq_16_17`) and use (23) in mean square, with N because the worst agent
    may change from sample to sample: ``3 N (1 + gamma)^2 (a^2 + b^2 + E c^2)``, from ``(x + gamma y)^2 =
    (1 + gamma) (x^2 + gamma y^2) - gamma (x - y)^2`` and ``(a + b + c)^2 <= 3 (a^2 + b^2 + c^2)``; 3 and (1 + gamma)^2
    are attained.

    Hypotheses: (17)-(23); all agents' parameters and W* in one ball; X is the modulus of a critic error at a sampled
    pair, a random variable. The ball form needs no connected graph; a, as (20) bounds it, does.

    Consequence: b, the diameter of the ball, bounds the error of the critic alone. So c, that is the neural TD rate
    (23) and term (7) of Theorem 5.10, and a, the critic's part of term (5), can be dropped. That part of the bound then
    holds for critics that never learn and never gossip, which says how little it sees.
    """
    return (
        printed(lambda c: _sum(), "(24), given (19)-(23)", "24", part="24"),
        printed(lambda c: _within_ball(Fraction(2)), "(25), up to constants", "up to constants", part="first line"),
        printed(lambda c: _unbounded_ratio(10**6), "(25), as a step from the first moment of (24), up to constants",
                "step from (24)", part="first line"),
        printed(lambda c: (_orders(Fraction(3)), _exponents(Fraction(1, 4))), "the last line", "orders", part="orders"),
        reading(lambda c: _factor(Fraction(1), 1), "(25), the bound of (24) with its constants", "constants kept"),
        repaired(
            lambda c: (_jensen(), _factor(Fraction(1), 2), _averages_stay(), _shared_score(), _teams(c, Fraction(1))),
            "(1 + gamma)^2 b^2, all agents together", "ball",
        ),
        repaired(
            lambda c: (_jensen(), _factor(Fraction(1), 2), _orders(Fraction(3)), _expectation(Fraction(3))),
            "3 N (1 + gamma)^2 (a^2 + b^2 + E c^2)", "mean square",
        ),
        control(lambda c: _factor(Fraction(99, 100), 2), "99/100 (1 + gamma)^2", "99/100"),
        control(lambda c: _teams(c, Fraction(11, 10)), "(1 + gamma)^2 b^2 for joint scores up to 11/10", "joint score"),
        control(lambda c: _within_ball(Fraction(19, 10)), "(25) with constant 1.9 for the factor", "1.9"),
        control(lambda c: _orders(Fraction(29, 10)), "2.9 for 3 in the square of a sum", "2.9"),
        control(lambda c: _exponents(Fraction(1, 2)), "K^(-1/2) in (24), not squared in the last line", "exponent"),
        control(lambda c: _expectation(Fraction(29, 10)), "2.9 for 3, with the expectation", "2.9, expectation"),
    )  # fmt: skip


def _sum() -> Evidence:
    """Slack of (24) minus the slacks of (19)-(23), with expectations of each modulus as symbols."""
    total, gossip, rest, ball, neural, a, b, c = sympy.symbols("total gossip rest ball neural a b c")
    slacks = [gossip + rest - total, ball + neural - rest, a - gossip, b - ball, c - neural]
    residual = sympy.expand((a + b + c - total) - sum(slacks))
    return exact_evidence(
        "slack of (24) minus the slacks of (19), (21), (20), (22), (23)", Fraction(int(residual)), 0, Relation.EQUAL,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
    )


def _factor(share: Fraction, power: int) -> Evidence:
    """Largest ``(x + gamma y)^2 - share (1 + gamma)^power`` over ``|x|, |y| <= 1``: convex, so at a corner."""
    corners = [(x, y) for x in (-1, 1) for y in (-1, 1)]
    worst, gamma = max((max((x + g * y) ** 2 for x, y in corners) - share * (1 + g) ** power, g) for g in GAMMAS)
    return exact_evidence(
        f"(x + gamma y)^2 - {share} (1 + gamma)^{power} X^2 with X = 1, worst of ten discounts", worst, 0,
        Relation.AT_MOST, instances=len(GAMMAS), corroborates=share == 1 and power == 2,
        witness=Witness(
            "Q-hat(W^i) - Q-hat(W*) is 1 at (s, a) and -1 at (s', a'): the TD difference is 1 + gamma",
            {"gamma": gamma, "squared TD difference": (1 + gamma) ** 2, "claimed": share * (1 + gamma) ** power},
        ),
    )


def _within_ball(constant: Fraction) -> Evidence:
    """``(1 + gamma)^2 b^2`` over ``(1 + gamma) (a + b + c)^2``, largest at a = c = 0 and gamma to one: 1 + gamma."""
    gamma, rest, b = sympy.symbols("gamma rest b", positive=True)
    ratio = (1 + gamma) ** 2 * b**2 / ((1 + gamma) * (b + rest) ** 2)
    top = sympy.limit(sympy.simplify(ratio.subs(rest, 0)), gamma, 1)
    return exact_evidence(
        "supremum of (1 + gamma)^2 b^2 / ((1 + gamma)(a + b + c)^2) over gamma < 1 and a + c >= 0",
        Fraction(int(top)), constant, Relation.AT_MOST, scope=Scope.CLASS,
        note="increasing in gamma, decreasing in a + c; X <= b surely",
    )


def _averages_stay() -> Evidence:
    """``p x^2 + (1 - p) y^2 - (p x + (1 - p) y)^2`` is ``p (1 - p)(x - y)^2``: averages stay in a ball, by layers."""
    x, y, p = sympy.symbols("x y p")
    residual = sympy.expand(p * x**2 + (1 - p) * y**2 - (p * x + (1 - p) * y) ** 2 - p * (1 - p) * (x - y) ** 2)
    return exact_evidence(
        "average of squares minus square of average minus p (1 - p)(x - y)^2", Fraction(int(residual)), 0,
        Relation.EQUAL, rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
        note="the gossiped W^i is an average of points of the ball, so it lies in it",
    )


def _shared_score() -> Evidence:
    """``x^2 - w x^2 - (1 - w) y^2 = (1 - w)(x^2 - y^2)``: an average is at most its largest term, two terms."""
    w, x, y = sympy.symbols("w x y")
    residual = sympy.expand(x**2 - w * x**2 - (1 - w) * y**2 - (1 - w) * (x**2 - y**2))
    return exact_evidence(
        "x^2 - (w x^2 + (1 - w) y^2) - (1 - w)(x^2 - y^2)", Fraction(int(residual)), 0, Relation.EQUAL,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS, note="terms are added one at a time; x is the larger",
    )


def _teams(context: Context, score: Fraction) -> Evidence:
    """``sum_i ||(1/M) sum_l x_l^i psi_l^i||^2`` minus the largest squared x, joint scores of length `score`; worst."""
    rng = context.rng(25)
    cases = [([[Fraction(1)]], [[Fraction(1)]])]
    for _ in range(context.profile.n_rational):
        M, N = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        differences = [[Fraction(int(x), 4) for x in row] for row in rng.integers(-4, 5, (M, N))]
        # joint scores of length one: one agent has it all, or two share it as 3/5 and 4/5
        units = []
        for _ in range(M):
            first, second = (int(k) for k in rng.permutation(max(N, 2))[:2])
            shares = {first: Fraction(3, 5), second: Fraction(4, 5)} if N > 1 else {0: Fraction(1)}
            units.append([shares.get(j, Fraction(0)) for j in range(N)])
        cases.append((differences, units))
    excesses = []
    for differences, scores in cases:
        means = [
            sum((x[i] * u[i] * score for x, u in zip(differences, scores, strict=True)), Fraction(0)) / len(scores)
            for i in range(len(scores[0]))
        ]
        excesses.append(sum((v**2 for v in means), Fraction(0)) - max(x**2 for row in differences for x in row))
    return exact_evidence(
        "sum over agents minus the largest squared TD difference, worst", max(excesses), 0, Relation.AT_MOST,
        instances=len(cases), corroborates=score == 1,
        witness=Witness("one agent, one sample", {"TD difference": 1, "score": score}),
    )


def _unbounded_ratio(constant: int) -> Evidence:
    """``E X^2`` over ``(E X)^2`` for a critic that is off by n with probability 1/n, n ten times the constant."""
    n = 10 * constant
    probability, value = Fraction(1, n), Fraction(n)
    first, second = probability * value, probability * value**2
    return exact_evidence(
        "E X^2 over (E X)^2", second / first**2, constant, Relation.AT_MOST, instances=1,
        witness=Witness("a critic error X that is 0 or n; a = b = 0, gamma = 0",
                        {"n": n, "P(X = n)": probability, "E X": first, "E X^2": second}),
        note="the ratio is n: no constant helps",
    )


def _jensen() -> Evidence:
    x, y, gamma = sympy.symbols("x y gamma")
    residual = sympy.expand((1 + gamma) * (x**2 + gamma * y**2) - (x + gamma * y) ** 2 - gamma * (x - y) ** 2)
    return exact_evidence(
        "(1 + gamma)(x^2 + gamma y^2) - (x + gamma y)^2 - gamma (x - y)^2", Fraction(int(residual)), 0, Relation.EQUAL,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
    )


def _expectation(factor: Fraction) -> Evidence:
    """Largest ``E (a + b + X)^2 - factor (a^2 + b^2 + E X^2)`` over two-point laws of X, a = b = 0 first."""
    laws = [(Fraction(1, 2), Fraction(2)), (Fraction(1), Fraction(1)), (Fraction(1, 10), Fraction(10))]
    worst, witness = None, None
    for p, value in laws:
        for a, b in ((0, 0), (1, 0), (1, 1)):
            first, second = p * value, p * value**2
            left = (a + b) ** 2 + 2 * (a + b) * first + second
            right = factor * (a * a + b * b + second)
            if witness is None and left > right:
                witness = Witness(
                    "a critic error X that is 0 or one value",
                    {"value": value, "probability": p, "a": a, "b": b, "left": left, "right": right},
                )
            worst = left - right if worst is None else max(worst, left - right)
    assert worst is not None
    return exact_evidence(
        "E (a + b + X)^2 minus its bound, worst two-point law", worst, 0, Relation.AT_MOST, instances=9,
        witness=witness, corroborates=True,
    )


def _orders(factor: Fraction) -> Evidence:
    """Least eigenvalue of ``factor I - 1 1^T`` of order three: ``(a + b + c)^2 <= factor (a^2 + b^2 + c^2)``."""
    matrix = sympy.Rational(factor.numerator, factor.denominator) * sympy.eye(3) - sympy.ones(3, 3)
    least = min(matrix.eigenvals())
    return exact_evidence(
        f"least eigenvalue of {factor} I - 1 1^T, order 3", Fraction(int(least.p), int(least.q)), 0, Relation.AT_LEAST,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS, witness=Witness("a = b = c = 1", {"left": 9, "right": 3 * factor}),
    )


def _exponents(rate: Fraction) -> Evidence:
    """Terms of the last line minus N times the squared terms of (24), as monomials; all must vanish."""
    N, B, D, m, K, decay, log_m, log_K = sympy.symbols("N B D m K decay log_m log_K", positive=True)
    power = sympy.Rational
    logs = log_m ** power(3, 2) * log_K ** power(1, 2)
    bounds = [
        N * decay * B * D ** power(1, 2), B * D ** power(1, 2),
        B * D ** power(5, 2) * K ** -power(rate.numerator, rate.denominator) * logs,
        B ** power(4, 3) * m ** -power(1, 12) * D**4 * logs,
    ]  # fmt: skip
    last = [
        N**3 * B**2 * D * decay**2, N * B**2 * D, N * B**2 * D**5 * K ** -power(1, 2) * log_m**3 * log_K,
        N * B ** power(8, 3) * m ** -power(1, 6) * D**8 * log_m**3 * log_K,
    ]  # fmt: skip
    wrong = sum(sympy.simplify(N * x**2 / y) != 1 for x, y in zip(bounds, last, strict=True))
    return exact_evidence(
        "terms of the last line of (25) that are not N times the square of a term of (24)", wrong, 0, Relation.EQUAL,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
    )
