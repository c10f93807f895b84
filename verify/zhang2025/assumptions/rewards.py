"""zhang2025 Assumptions 5.1 and 5.3: the consensus matrix, and rewards with the TD errors they bound."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import networkx as nx
import numpy as np
import sympy
from flint import fmpq

from mdp.exact import Exact
from mdp.linear import rational_array
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence
from verify.identities import exact_identity
from verify.networks import random_doubly_stochastic


@statement("zhang2025", "assumption-5.1", uses=("definition-4.1",))
def assumption_5_1() -> tuple[Variant, ...]:
    r"""The consensus matrix is doubly stochastic with weights at least eta; its powers stay doubly stochastic.

    .. math:: A 1 = A^\top 1 = 1, \quad A_{ii} \ge \eta, \quad A_{ij} \ge \eta \ \mathrm{if} \ (i, j) \in E,
        \qquad A^\tau 1 = (A^\tau)^\top 1 = 1

    Hypotheses: none; entries off the edges are zero by Definition 4.1.

    Every undirected graph has such a matrix: ``A = I - L/(1 + deg)`` with L the Laplacian and deg the largest degree
    has eta = 1/(1 + deg), and no matrix has a larger eta, as the row of that agent has 1 + deg entries of at least
    eta and sum one. Powers: ``A B 1 = A 1 = 1``, likewise for columns, and products of nonnegative matrices are
    nonnegative.

    Nothing here or elsewhere in the paper asks for a *connected* graph. Two agents without an edge and A = I meet the
    assumption with eta = 1, and no number of gossip rounds brings them together.

    Consequence: preservation of the average (Fact C.2) rests on this assumption and stands. Convergence to the
    average (Fact C.2's last sentence, Eqs. (20), (26)) needs connectedness besides; it is a tacit hypothesis of
    Theorem 5.10.
    """
    return (
        printed(_laplacian_weights, "every graph has such a matrix, with eta = 1/(1 + largest degree)", "satisfiable",
                "weights"),
        printed(lambda c: (_power_keeps_sums(), _powers(c, both=True)), "powers of A are doubly stochastic", "powers",
                "powers"),
        reading(_disconnected, "under Assumption 5.1 alone gossip reaches the average", "consensus"),
        control(lambda c: _powers(c, both=False), "powers of a row-stochastic matrix are doubly stochastic",
                "rows only"),
    )  # fmt: skip


def _laplacian_weights(context: Context) -> Evidence:
    """Entries that break the assumption, over random graphs (connected or not), and eta against its upper bound."""
    rng, bad, count = context.rng(2025, 51), 0, context.profile.n_rational
    for _ in range(count):
        n = int(rng.integers(1, 9))
        graph = nx.gnp_random_graph(n, float(rng.uniform(0.1, 1)), seed=int(rng.integers(2**31)))
        degrees = np.array([d for _, d in sorted(graph.degree())], dtype=int)
        eta = fmpq(1, 1 + int(degrees.max(initial=0)))
        adjacency = nx.to_numpy_array(graph, nodelist=range(n)).astype(int)
        A = rational_array(np.eye(n, dtype=int)) - eta * rational_array(np.diag(degrees) - adjacency)
        needed = (adjacency + np.eye(n, dtype=int)) > 0
        bad += int((np.concatenate([A.sum(axis=0), A.sum(axis=1)]) != 1).sum())
        bad += int((A[needed] < eta).sum()) + int((A[~needed] != 0).sum())
        bad += int(eta > fmpq(1, int(needed.sum(axis=1).max())))
    return exact_evidence("entries and sums of I - L/(1 + deg) that break it", bad, 0, Relation.EQUAL, instances=count)


def _power_keeps_sums() -> Evidence:
    """``A B 1 - 1`` and ``1^T A B - 1^T`` for matrices of any size, the step of the induction."""
    A, B, one, row = sympy.symbols("A B one row", commutative=False)
    columns = (A * B * one).subs(B * one, one).subs(A * one, one) - one
    rows = (row * A * B).subs(row * A, row).subs(row * B, row) - row
    return exact_evidence(
        "terms left of A B 1 - 1 and of 1^T A B - 1^T", int(columns != 0) + int(rows != 0), 0, Relation.EQUAL,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS, note="for any number of agents; induction on the power",
    )  # fmt: skip


def _powers(context: Context, *, both: bool) -> Evidence:
    rng, worst, witness, count = context.rng(2025, 52), fmpq(0), None, context.profile.n_rational
    for _ in range(count):
        A = random_doubly_stochastic(rng, int(rng.integers(2, 6)), 2)
        if not both:
            A[0] = A[1]  # rows still sum to one, columns no longer do
        power = A
        for _ in range(3):
            power = power @ A
        gap = max(abs(power.sum(axis=0) - 1).max(), abs(power.sum(axis=1) - 1).max())
        if gap != 0 and witness is None:
            witness = Witness("the fourth power does not have unit column sums", {"A": A, "column sums": power.sum(0)})
        worst = max(worst, gap)
    return exact_evidence(
        "row and column sums of A^4 minus one", worst, 0, Relation.EQUAL, instances=count, witness=witness,
        corroborates=True,
    )  # fmt: skip


def _disconnected(context: Context) -> Evidence:
    A, power = rational_array(np.eye(2, dtype=int)), rational_array(np.eye(2, dtype=int))
    for _ in range(64):
        power = power @ A
    gap = abs(power - fmpq(1, 2)).max()
    return exact_evidence(
        "largest entry of |A^64 - 1/N| for two agents without an edge", gap, fmpq(1, 4), Relation.AT_MOST, instances=1,
        witness=Witness("A = I, N = 2, no edge, eta = 1: every power is A", {"A": A, "A^64": power}),
    )


# --- Assumption 5.3 -----------------------------------------------------------------------------------------------


@statement("zhang2025", "assumption-5.3")
def assumption_5_3() -> tuple[Variant, ...]:
    r"""Rewards lie between 0 and r_max; this bounds Q and the TD errors.

    .. math:: 0 \le r_t^i \le r_{max}, \qquad |\delta| \le \Big(\frac{1+\gamma}{1-\gamma} + 1\Big) r_{max}
        + 2\epsilon_{critic}

    Hypotheses: for the second line, critic values within eps_critic of Q (Assumption 5.9), as used in (26) and (29).

    Any bounded reward meets the first line after adding a constant c, which adds c/(1 - gamma) to every J(theta) and
    leaves gradients alone. Second line: Q lies in ``[0, r_max/(1 - gamma)]``, the TD error is affine in
    ``(Q, Q', r, e, e')``, and over the box it is largest at a corner: its modulus is at most
    ``r_max/(1 - gamma) + (1 + gamma) eps_critic``, attained at both ends. The printed bound is true and loses a
    factor two: it is the sharp one for rewards in [-r_max, r_max]. The 32 corners are compared as polynomials in
    ``g = gamma/(1 - gamma)``, which runs over [0, infinity).

    Consequence: the constant in (26), (29) and (30) is safe.
    """
    return (
        printed(_shift, "adding a constant to rewards shifts every J and no gradient, so the lower end 0 is no loss",
                "rewards", "rewards"),
        printed(lambda c: _corners(2, 2, nonnegative=True), "the bound on TD errors of (26)", "TD errors", "TD errors"),
        repaired(lambda c: (_corners(1, None, nonnegative=True), _attained()),
                 "|delta| <= r_max/(1 - gamma) + (1 + gamma) eps_critic, attained", "sharp"),
        control(lambda c: _corners(1, None, nonnegative=False), "the sharp bound for rewards in [-r_max, r_max]",
                "signed rewards"),
    )  # fmt: skip


def _shift(context: Context) -> tuple[Evidence, Evidence]:
    shift = fmpq(7, 3)

    def moved(point: RationalPoint) -> Exact:
        return replace(point, r=point.r + shift).exact()

    return (
        exact_identity(context, "J(r + c) - J(r) - c/(1 - gamma)",
                       lambda p: moved(p).J - p.exact().J - shift / (1 - p.gamma)),
        exact_identity(context, "grad J(r + c) - grad J(r)", lambda p: moved(p).grad_J - p.exact().grad_J),
    )  # fmt: skip


def td_error_slack(share: int, error_share: int | None, *, nonnegative: bool = True) -> list[sympy.Expr]:
    """Bound minus and plus the TD error at every corner of the box, times 1 + g, as polynomials in g, r_max and eps.

    Args:
        share: multiple of ``r_max/(1 - gamma)`` in the bound.
        error_share: multiple of eps_critic in the bound; None for ``1 + gamma``.
        nonnegative: rewards in [0, r_max], or in [-r_max, r_max].
    """
    g, R, e = symbols()
    gamma, top = g / (1 + g), R * (1 + g)
    bound = share * top + (1 + gamma if error_share is None else error_share) * e
    low = 0 if nonnegative else -1
    found = []
    for q, q2, r, e1, e2 in product((low * top, top), (low * top, top), (low * R, R), (-e, e), (-e, e)):
        delta = q + e1 - r - gamma * (q2 + e2)
        found += [sympy.expand(sympy.cancel((bound - sign * delta) * (1 + g))) for sign in (1, -1)]
    return found


def symbols() -> tuple[sympy.Symbol, sympy.Symbol, sympy.Symbol]:
    """``g = gamma/(1 - gamma)``, r_max and eps_critic, all nonnegative."""
    g, R, e = sympy.symbols("g r_max eps", nonnegative=True)
    return g, R, e


def _corners(share: int, error_share: int | None, *, nonnegative: bool) -> Evidence:
    coefficients = [c for p in td_error_slack(share, error_share, nonnegative=nonnegative) if p != 0
                    for c in sympy.Poly(p, *symbols()).coeffs()]  # fmt: skip
    least = min(coefficients)
    return exact_evidence(
        "least coefficient of bound minus |delta| at the corners (polynomials in g, r_max, eps)", int(least), 0,
        Relation.AT_LEAST, rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
        note="nonnegative coefficients in nonnegative variables",
    )  # fmt: skip


def _attained() -> Evidence:
    tight = sum(p == 0 for p in td_error_slack(1, None))
    return exact_evidence(
        "corners where the bound is attained for every gamma, r_max and eps", tight, 1, Relation.AT_LEAST,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
    )
