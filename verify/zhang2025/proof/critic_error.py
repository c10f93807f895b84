"""zhang2025 Appendix C, Eq. (20): the critics' distance from their average after gossip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import sympy
from flint import fmpq

from mdp.linear import identity_like, rational_array
from verify.claim import Variant, control, printed, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence
from verify.networks import random_connected

ROUNDS = 3
"""Largest number of gossip rounds of the instances; ours."""


@statement("zhang2025", "eq-20", uses=("assumption-5.8-Q", "fact-c.2", "consensus-rate"))
def eq_20() -> tuple[Variant, ...]:
    r"""After gossip every agent's critic is close to the average.

    .. math:: |\hat Q(s, a; W_t^i) - \hat Q(s, a; \bar W_t)| \le L_W \|W_t^i - \bar W_t\|
        = L_W \Big\| \big[(A^{t_{gossip}})_{i,:} W_{t,K}\big]^T - \frac1N W_{t,K}^i \Big\|
        = L_W \Big\| \Big((A^{t_{gossip}})_{i,:} - \frac1N 1^T\Big) W_{t,K} \Big\|
        \le L_W \Big\| (A^{t_{gossip}})_{i,:} - \frac1N 1^T \Big\| \cdot \|W_{t,K}\|
        \le L_W O(N (1 - \eta^{N-1})^{t_{gossip}}) \cdot O(B D^{1/2})

    Line by line. *Second line*: false as printed, the sum over agents is missing: two agents that agree on W = 1 give 0
    against 1/2. *Third line*: right if W_{t,K} are the parameters before gossip, wrong if it is the output of
    Algorithm 2, as Fact C.2 has it (gossip would act twice). *Fourth line*: Cauchy-Schwarz, right. *Size*:
    ``||W_{t,K}|| = O(B sqrt(D))`` is false. The ball of radius B per layer is about W(0), and ``E ||W(0)||^2 = 2 D
    m^2`` for entries N(0, 2), with relative variance ``2/(D m^2)``; over ``B^2 D`` this grows like ``m^2/B^2``, at
    least like m for the largest B allowed.

    *Conclusion*: with Assumption 5.1 as printed, which allows A = I, nothing decays. On a connected graph it is true,
    whatever became of the lines before. The row ``A^t - 1^T/N`` sums to zero, so W(0) may be
    subtracted from every row, and ``||W - 1 W(0)^T|| <= B sqrt(N D)``; with `consensus_rate` the product is ``sqrt(N -
    1) (1 - eta^(N-1))^t B sqrt(D)``, better than the printed order N.

    The first two slips are of the pen; the size is not, but harmless once W(0) is subtracted.

    Repaired and sharp: ``||W_t^i - W-bar_t|| <= B sqrt(D) sum_j |(A^t)_{ij} - 1/N|``, attained when agent j sits at the
    boundary of the ball on the side of the sign of its entry. At t = 0 this is ``2 (1 - 1/N) B sqrt(D)``.

    Hypotheses: Assumption 5.8 for the critic, parameters of all agents in one ball (lines 8-9 of Algorithm 2), and a
    connected graph, which no assumption asks for (`consensus_rate`).

    Consequence: term (5) of Theorem 5.10 stands, with sqrt(N) less than printed, once W(0) is subtracted.
    """
    return (
        printed(lambda c: _identity(c, _second_line), "as printed", "second line", part="second line"),
        printed(
            lambda c: _identity(c, lambda w: w.gap(w.power, w.before)), "W_{t,K} before gossip", "third line, before",
            part="third line",
        ),
        printed(
            lambda c: _identity(c, lambda w: w.gap(w.power, w.after)), "W_{t,K} after gossip, as in Fact C.2",
            "third line, after", part="third line",
        ),
        printed(lambda c: _bounded(c, _cauchy_schwarz, "||row W||^2 - ||row||^2 ||W||^2"), "norm of a product",
                "fourth line", part="fourth line"),
        printed(lambda c: _size(), "||W_{t,K}|| = O(B sqrt(D))", "size", part="size"),
        printed(
            lambda c: _bounded(c, lambda w: _over_rate(w, Fraction(1)), "||W^i - W-bar||^2 minus its bound"),
            "first line at most sqrt(N-1) (1 - eta^(N-1))^t B sqrt(D) L_W, connected graph", "conclusion",
            part="conclusion",
        ),
        printed(lambda c: _without_edges(), "first line at most N (1 - eta^(N-1))^t B sqrt(D) L_W, Assumption 5.1 only",
                "conclusion, literal", part="conclusion"),
        repaired(
            lambda c: _bounded(c, lambda w: _over_row_sum(w, Fraction(1)), "||W^i - W-bar||^2 minus its bound"),
            "B sqrt(D) sum_j |(A^t)_ij - 1/N|, attained",
        ),
        control(
            lambda c: _bounded(c, lambda w: _over_row_sum(w, Fraction(99, 100)), "||W^i - W-bar||^2 minus its bound"),
            "99/100 of the repaired bound", "99/100",
        ),
        control(
            lambda c: _bounded(c, lambda w: _over_rate(w, Fraction(9, 10)), "||W^i - W-bar||^2 minus its bound"),
            "9/10 of the conclusion", "9/10",
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class Gossiped:
    """Critics of N agents with D layers of one parameter, before and after gossip, for agent 0.

    Attributes:
        A: doubly stochastic, (N, N).
        rounds: gossip rounds t.
        before: parameters before gossip, (N, D), each within one of `centre`.
        centre: W(0), (D,).
    """

    A: np.ndarray
    rounds: int
    before: np.ndarray
    centre: np.ndarray

    @property
    def power(self) -> np.ndarray:
        """Row 0 of ``A^t``, (N,)."""
        found = identity_like(self.A, len(self.A))
        for _ in range(self.rounds):
            found = found @ self.A
        row: np.ndarray = found[0]
        return row

    @property
    def after(self) -> np.ndarray:
        """The output of Algorithm 2: ``A^t W``, in the shape of W."""
        found = self.before
        for _ in range(self.rounds):
            found = self.A @ found
        return found

    @property
    def distance(self) -> fmpq:
        """``||W_t^0 - W-bar_t||^2`` from the output of Algorithm 2."""
        mean = self.after.sum(axis=0) / len(self.A)
        return ((self.after[0] - mean) ** 2).sum()

    def gap(self, row: np.ndarray, parameters: np.ndarray) -> fmpq:
        """``||(row - 1^T/N) parameters||^2``.

        Args:
            row: (N,).
            parameters: (N, D).
        """
        return (((row - fmpq(1, len(self.A))) @ parameters) ** 2).sum()


def _cases(context: Context) -> list[Gossiped]:
    """Two agreeing agents, then random gossip: parameters at random, and at the ends that the row's signs ask for."""
    rng = context.rng(20)
    pair = rational_array([[Fraction(3, 4), Fraction(1, 4)], [Fraction(1, 4), Fraction(3, 4)]])
    ones = rational_array(np.ones((2, 1), dtype=int))
    ends = rational_array([[1], [-1]])
    found = [Gossiped(pair, 1, ones, ones[0] * 0), Gossiped(pair, 1, ends, ends[0] * 0),
             Gossiped(pair, 0, ends, ends[0] * 0)]  # fmt: skip
    for k in range(context.profile.n_rational):
        A, t, D = random_connected(rng), int(rng.integers(0, ROUNDS + 1)), int(rng.integers(1, 4))
        centre = rational_array(rng.integers(-20, 21, D))
        offsets = rational_array(rng.integers(-4, 5, (len(A), D))) / 4
        if k % 2:
            row = Gossiped(A, t, offsets, centre).power - fmpq(1, len(A))
            offsets = rational_array([[1 if x > 0 else -1] * D for x in row])
        found.append(Gossiped(A, t, centre + offsets, centre))
    return found


def _second_line(world: Gossiped) -> fmpq:
    return ((world.power @ world.after - world.after[0] / len(world.A)) ** 2).sum()


def _identity(context: Context, right: Callable[[Gossiped], fmpq]) -> Evidence:
    """Largest difference between ``||W^i - W-bar||^2`` and a right side; the smallest violation is the witness."""
    cases = _cases(context)
    gaps = [abs(world.distance - right(world)) for world in cases]
    bad = next((w for w, gap in zip(cases, gaps, strict=True) if gap != 0), None)
    witness = None if bad is None else Witness(
        "agent 1 of two, one parameter",
        {"A": bad.A, "t_gossip": bad.rounds, "W before gossip": bad.before, "||W^1 - W-bar||^2": bad.distance,
         "right side squared": right(bad)},
    )  # fmt: skip
    return exact_evidence(
        "squared distance from the average minus the squared right side, largest", max(gaps), 0, Relation.EQUAL,
        instances=len(cases), witness=witness,
    )


def _bounded(context: Context, excess: Callable[[Gossiped], fmpq], quantity: str) -> Evidence:
    cases = _cases(context)
    values = [excess(world) for world in cases]
    worst = cases[values.index(max(values))]
    return exact_evidence(
        f"{quantity}, worst", max(values), 0, Relation.AT_MOST, instances=len(cases),
        witness=Witness("the worst case", {"A": worst.A, "t_gossip": worst.rounds, "W before gossip": worst.before}),
        note="attained" if max(values) == 0 else "",
    )


def _cauchy_schwarz(world: Gossiped) -> fmpq:
    row = world.power - fmpq(1, len(world.A))
    return world.gap(world.power, world.before) - (row**2).sum() * (world.before**2).sum()


def _over_row_sum(world: Gossiped, share: Fraction) -> fmpq:
    total = sum((abs(x) for x in world.power - fmpq(1, len(world.A))), fmpq(0))
    return world.distance - fmpq(share.numerator, share.denominator) ** 2 * total**2 * len(world.centre)


def _over_rate(world: Gossiped, share: Fraction) -> fmpq:
    N, eta = len(world.A), min(x for x in world.A.ravel() if x > 0)
    bound = (N - 1) * (1 - eta ** (N - 1)) ** (2 * world.rounds) * len(world.centre)
    return world.distance - fmpq(share.numerator, share.denominator) ** 2 * bound


def _without_edges() -> Evidence:
    """A = I, parameters 1 and -1, eight rounds, eta = 1/2: the distance stays 1, the bound is 2 / 2^8."""
    ends, rounds, eta = rational_array([[1], [-1]]), 8, fmpq(1, 2)
    world = Gossiped(rational_array(np.eye(2, dtype=int)), rounds, ends, ends[0] * 0)
    bound = 4 * (1 - eta) ** (2 * rounds)
    return exact_evidence(
        "||W^i - W-bar||^2 minus its bound, two agents without an edge", world.distance - bound, 0, Relation.AT_MOST,
        instances=1,
        witness=Witness("A = I meets Assumption 5.1 with eta = 1/2; B = D = 1",
                        {"A": world.A, "t_gossip": rounds, "W": ends, "||W^1 - W-bar||^2": world.distance,
                         "squared bound": bound}),
        note="the distance does not depend on t, so no constant helps",
    )


def _size() -> Evidence:
    """Exponent of m in ``E ||W(0)||^2 / (B^2 D)`` at the largest B allowed, ``B = m^(1/2) D^(-6)``."""
    m, D, k = sympy.symbols("m D k", positive=True)
    second = D * m**2 * 2  # D layers of m x m entries of variance two
    ratio = second / ((sympy.sqrt(m) * D**-6) ** 2 * D)
    exponent = sympy.simplify(sympy.log(sympy.simplify(ratio.subs(m, k * m) / ratio)) / sympy.log(k))
    return exact_evidence(
        "exponent of m in E ||W(0)||^2 / (B^2 D), B as large as allowed", Fraction(int(exponent)), 0, Relation.AT_MOST,
        rigor=Rigor.SYMBOLIC, instances=1,
        witness=Witness(
            "all agents still at W(0), with B = sqrt(m) D^(-6)",
            {"E ||W(0)||^2": str(second), "B^2 D": "m D^(-11)", "ratio": str(ratio)},
        ),
    )
