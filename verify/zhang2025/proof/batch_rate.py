"""zhang2025 Appendix C, Step 2(c), Eq. (33): the batch error that diagonal and cross terms add up to."""

from __future__ import annotations

from fractions import Fraction

from flint import fmpq

from verify.claim import Kind, Variant, control, printed, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.zhang2025.proof.batch_chain import Batch, batch, coin
from verify.zhang2025.proof.batch_error import KEY
from verify.zhang2025.proof.batch_lines import Sides, compare, line_variant
from verify.zhang2025.proof.mixing_error import repaired_bounds, repaired_problems

BATCHES = (1, 2, 5)
"""Batch sizes that are compared exactly; ours."""

FAR = (4_000,)
"""A batch size at which a wrong order shows for one state; ours."""


@statement("zhang2025", "eq-33", uses=("eq-28", "eq-29", "eq-31-32"))
def eq_33() -> tuple[Variant, ...]:
    r"""The batch error is of the order N epsilon_critic^2 / M.

    .. math:: \sum_i \| h^i - g^i \|^2 \le N \Big( \tfrac1M O(\epsilon^2) + 2 C^2 \kappa
        \sum_{l_1 \ne l_2} \rho^{l_2-l_1} \Big) \le N \Big( \tfrac1M O(\epsilon^2) + 4 C^2 \kappa
        \tfrac{\rho}{1-\rho} \Big) = O\Big( \tfrac{N \epsilon^2}{M} \Big)

    Expectations are understood on the left. Line by line: *the first line* has lost the 1/M^2 of (28) before the double
    sum. As a step from (29) and (32) that is harmless; as a fact it fails with an exact critic, since (29) and (32) do.
    *The second line*: ``sum rho^|l2 - l1|`` is ``2 sum_j (M - j) rho^j``, about ``2 M rho / (1 - rho)``, and not at
    most ``2 rho / (1 - rho)``: 5/2 against 2 at M = 3, rho = 1/2; with signed powers, as printed, it is larger still.
    With the lost 1/M^2 put back the line is right, with room to spare (reading): the sum over M^2 is at most
    ``2 rho / ((1 - rho) M)``.
    *The last equality*: the second term of the line before contains neither M nor epsilon.

    *What is true of the printed TD error*, with the exact Q of the data's kernel (reading): the TD errors are
    martingale differences, and ``E|h^i - g^i|^2 = |g^i|^2 + E[delta^2 |psi^i|^2] / M``, exactly, in a stationary batch.
    The limit is ``|g|^2``: the direction h tends to zero and not to the gradient. So O(N/M) fails too.

    Repaired, for the undiscounted TD error with the original V: ``E sum_i |h^i - g^i|^2 <=
    (X^2 + 2 X b kappa / (1 - rho)) / M`` with X, b of (32), kappa = 1 and rho = gamma: sum the repaired (32) over lags.
    No factor N: Assumption 5.5 bounds the score of all agents together. The order 1/M is sharp (one state, where the
    batch is independent: the error is the variance over M).

    Second opinion: the exact values from `algorithms.neural.oracles`, which knows nothing of these entries, by summing
    over all paths, and by simulation (tests).

    Hypotheses: as for (29) and (32); the batch starts in the stationary law in the exact values.

    Consequence: term (4) of Theorem 5.10 does not hold for Algorithm 1 as printed. For the repaired TD error it is
    M^(-1/2), and the N^(1/2) is not needed.
    """
    return (
        printed(_first_line_step, "first line, as a step from (28), (29) and (32)", "first line, step", part="first"),
        printed(_first_line_fact, "first line, of the batch error itself, exact critic", "first line, fact",
                part="first"),
        printed(lambda c: _geometric_sum(signed=False), "second line, absolute lags", "second line", part="second"),
        printed(lambda c: _geometric_sum(signed=True), "second line, signed lags as printed", "second line, signed",
                part="second"),
        Variant(Kind.READING, "second line, 1/M^2 restored",
                "second line, with the 1/M^2 of (28) before the double sum", lambda c: _geometric_sum_over_squares()),
        printed(_last_line, "last line, exact critic: zero for every M", "last line", part="last"),
        line_variant(Kind.READING, "E|h - g|^2 is |g|^2 + E[delta^2 psi^2] / M for an exact critic", "exact value",
                     _exact_value, key=KEY, relation=Relation.EQUAL),
        Variant(Kind.READING, "N / M", "O(N / M) with the constant 4 C^2 of (29): the coin at M = 1000",
                _order_one_over_m),
        repaired(lambda c: compare("M E|h - g|^2 minus its bound", _repaired_batch, repaired_problems(c)),
                 "(X^2 + 2 X b / (1 - gamma)) / M, all agents together, for the undiscounted TD error"),
        control(lambda c: compare("M^2 E|h - g|^2 minus its bound, the coin", lambda b, i: _repaired_batch(b, i, 2,
                FAR),
                                  [(coin(), batch(coin(), "v"))]), "the repaired bound with 1/M^2", "1/M^2"),
        control(lambda c: compare("M E|h - g|^2 minus its bound, the coin", lambda b, i: _repaired_batch(b, i, 1, FAR),
                                  [(coin(), batch(coin()))]), "the repaired bound for the printed TD error",
                                          "printed TD error"),
    )


def _first_line_step(context: Context) -> Evidence:
    """``(1/M^2) sum`` against ``sum``: the difference of the coefficients of the double sum, M up to 64."""
    worst = max(Fraction(1, M**2) - 1 for M in range(1, 65))
    return exact_evidence("coefficient of the double sum in (28) minus that of (33), largest", worst, 0,
                          Relation.AT_MOST, instances=64)


def _first_line_fact(context: Context) -> Evidence:
    """The coin at M = 2, epsilon = 0, kappa = 1/1000, rho = 1/2 (the law given the state is nu at once)."""
    b, kappa, rho, M = batch(coin()), fmpq(1, 1000), fmpq(1, 2), 2
    left, right = b.batch_error(0, M), 2 * b.bound**2 * kappa * 2 * rho
    return exact_evidence(
        "E|h - g|^2 minus the first line", left - right, 0, Relation.AT_MOST, instances=1,
        witness=Witness(
            "one state, two equally likely actions, rewards 1 and 0, scores 1 and -1, gamma = 1/2, exact critic, M = 2",
            {"E|h - g|^2": left, "g": b.target, "C": b.bound, "kappa": kappa, "rho": rho, "first line": right},
        ),
    )


def _geometric_sum(signed: bool) -> Evidence:
    """M = 3, rho = 1/2: the double sum over different indices against 2 rho / (1 - rho)."""
    M, rho = 3, Fraction(1, 2)
    total = sum(rho ** ((k - j) if signed else abs(k - j)) for j in range(M) for k in range(M) if j != k)
    claimed = 2 * rho / (1 - rho)
    return exact_evidence(
        f"sum of rho^{'(l2 - l1)' if signed else '|l2 - l1|'} over l1 != l2, M = 3, rho = 1/2", total, claimed,
        Relation.AT_MOST, instances=1, witness=Witness("M = 3, rho = 1/2", {"sum": total,
                "2 rho / (1 - rho)": claimed}),
    )


def _geometric_sum_over_squares() -> Evidence:
    """``(1/M) sum rho^|l2 - l1|`` against ``2 rho / (1 - rho)``, M up to 40: the worst over six rates."""
    rates = [Fraction(k, 10) for k in (1, 3, 5, 7, 9)] + [Fraction(99, 100)]
    gaps = [
        2 * sum((M - j) * rho**j for j in range(1, M)) / Fraction(M) - 2 * rho / (1 - rho)
        for rho in rates for M in range(2, 41)
    ]
    return exact_evidence(
        "M times (1/M^2) sum of rho^|l2 - l1| minus 2 rho / (1 - rho), worst", max(gaps), 0, Relation.AT_MOST,
        instances=len(gaps), note="M - j <= M, and the geometric series",
    )


def _last_line(context: Context) -> Evidence:
    """The coin: with an exact critic the right side is zero for every constant; the left is 1/4 + 1/(16 M)."""
    b = batch(coin())
    errors = {f"M = {M}": b.batch_error(0, M) for M in (1, 2, 8)}
    if any(b.batch_error_by_paths(0, M) != errors[f"M = {M}"] for M in (1, 2, 8)):
        raise ValueError("the batch error by expansion and by paths differ")
    return exact_evidence(
        "least E|h - g|^2 over M = 1, 2, 8 at epsilon_critic = 0", min(errors.values()), 0, Relation.AT_MOST,
            instances=3,
        witness=Witness(
            "one state, two equally likely actions, rewards 1 and 0, scores 1 and -1, gamma = 1/2, exact critic",
            {"E|h - g|^2": list(errors.values()), "M": [1, 2, 8], "|g|^2": b.target[0] ** 2},
        ),
    )


def _exact_value(b: Batch, i: int) -> Sides | None:
    if b.critic_error != 0:
        return None
    square = b.mean(b.delta**2 * (b.score[i] ** 2)[:, None])
    pairs = [(b.batch_error(i, M), b.target[i] ** 2 + square / M) for M in BATCHES]
    return max(pairs, key=lambda pair: abs(pair[0] - pair[1]))


def _order_one_over_m(context: Context) -> Evidence:
    """M times the exact value for the coin, against 4 C^2 = 64."""
    b, M = batch(coin()), 1000
    square = b.mean(b.delta**2 * (b.score[0] ** 2)[:, None])
    value = M * (b.target[0] ** 2 + square / M)
    return exact_evidence(
        "M E|h - g|^2 at M = 1000", value, 4 * b.bound**2, Relation.AT_MOST, instances=1,
        witness=Witness(
            "one state, two equally likely actions, rewards 1 and 0, scores 1 and -1, gamma = 1/2, exact critic: "
            "E|h - g|^2 = |g|^2 + E[delta^2 psi^2] / M, the mean of a stationary batch of martingale differences",
            {"M": M, "|g|^2": b.target[0] ** 2, "E[delta^2 psi^2]": square, "C": b.bound, "M E|h - g|^2": value},
        ),
        note="grows like M / 4: no constant helps",
    )


def _repaired_batch(b: Batch, i: int, power: int = 1, sizes: tuple[int, ...] = BATCHES) -> Sides | None:
    """``M^power E sum_i |h^i - g^i|^2`` against the repaired constant, at the worst of a few batch sizes."""
    if i > 0:
        return None  # all agents together, once
    X, width = repaired_bounds(b)
    right = X**2 + 2 * X * width / (1 - b.gamma)
    left = max(M**power * sum((_batch_error(b, j, M) for j in range(len(b.score))), fmpq(0)) for M in sizes)
    return left, right


def _batch_error(b: Batch, i: int, size: int) -> fmpq:
    """`Batch.batch_error`; for one state, where cross terms do not depend on the lag, in closed form."""
    if len(set(b.states)) == 1:
        cross = b.cross(i, 1)
        return (b.mean(b.sample(i) ** 2) - cross) / size + cross
    return b.batch_error(i, size)
