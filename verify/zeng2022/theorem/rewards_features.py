"""zeng2022 Sec. 4: Assumption 3 (bounded rewards) and Assumption 4 (linear features)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from flint import arb, fmpq_mat

from mdp.features import NORM_TOLERANCE
from mdp.instances import INSTANCES
from mdp.linear import rational_array
from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Verdict, Witness, exact_evidence
from verify.identities import rational_points

BOUNDS = (1, 10, 100, 1_000, 10_000)
"""Candidates for R_max in the noisy game; ours. The tail is positive at every number, not only at these."""


@statement("zeng2022", "assumption-3")
def assumption_3() -> tuple[Variant, ...]:
    r"""All local rewards are bounded by one constant.

    .. math:: |r_i(s, a)| \le R_{max} \qquad \forall\, i \in \mathcal{N},\ s \in \mathcal{S},\ a \in \mathcal{A}

    It can be met, and in the paper's setting it cannot fail: N, S and A are finite and r_i is a function on S x A, so
    R_max is the largest of finitely many numbers. It excludes nothing. What it does not cover is the paper's own
    coordination game: there the reward that enters the updates is r_i(s, a) plus standard Gumbel noise, and
    ``P(noise > x) = 1 - exp(-exp(-x))`` is positive for every x, so no R_max bounds the sampled reward. That noise
    has mean Euler's constant and variance pi^2/6; for a frozen policy the exact recursion of the mean-square error
    (`rates.moments`) needs that second moment only.

    Hypotheses: finite S and A; rewards without noise.

    Consequence: harmless for Theorem 3 in the setting of Sec. 2, where it bounds J by R_max / (1 - gamma) and the
    noise of every update. The experiment of Sec. 5 (`coordination-figure`) is run outside it.
    """
    return (
        printed(lambda c: _beyond(c, Fraction(1)), "r_i(s, a) is the local reward, a function on finite sets"),
        reading(
            _excluded, "that it restricts the setting of Sec. 2", "a restriction",
        ),
        reading(
            lambda c: _bounds_respected("coordination game of Sec. 5", _gumbel_tail),
            "the sampled reward r_{i,t} of the coordination game, noise included", "with the noise of Sec. 5",
        ),
        control(lambda c: _beyond(c, Fraction(1, 2)), "half of the largest reward as R_max", "R_max / 2"),
        control(
            lambda c: _bounds_respected("noise uniform on [-1, 1]", _uniform_tail),
            "noise that is bounded by one", "bounded noise",
        ),
    )  # fmt: skip


def _beyond(context: Context, factor: Fraction) -> Evidence:
    """Entries above ``factor * max |r|``, over random rational problems."""
    count, witness, tried = 0, None, 0
    for point in rational_points(context):
        tried += 1
        entries = [Fraction(int(x.p), int(x.q)) for x in point.r.ravel()]
        bound = factor * max(abs(x) for x in entries)
        above = [x for x in entries if abs(x) > bound]
        count += len(above)
        if above and witness is None:
            witness = Witness(f"a reward {above[0]} above {bound}", {"r": point.r})
    return exact_evidence("rewards above R_max", count, 0, Relation.EQUAL, instances=tried, witness=witness)


def _excluded(context: Context) -> Evidence:
    """Problems of Sec. 2, bundled ones without noise and random ones, that no finite R_max serves."""
    bundled = [make().mdp for make in INSTANCES.values()]
    tables = [mdp.r for mdp in bundled if mdp.reward_noise == "none"]
    tables += [np.array([float(x.p) / float(x.q) for x in p.r.ravel()]) for p in rational_points(context)]
    lost = sum(not np.isfinite(np.abs(r).max()) for r in tables)
    return exact_evidence("finite problems without any R_max", lost, 0, Relation.EQUAL, instances=len(tables),
                          establishes=Verdict.VACUOUS)  # fmt: skip


Tail = Callable[[int], arb]


def _gumbel_tail(x: int) -> arb:
    return -(-((-arb(x)).exp())).expm1()


def _uniform_tail(x: int) -> arb:
    return arb(0) if x >= 1 else arb(1 - x) / 2


def _bounds_respected(what: str, tail: Tail) -> Evidence:
    """How many candidate bounds (on the noise beyond the mean reward) hold with probability one."""
    good = [x for x in BOUNDS if not tail(x) > 0]
    return exact_evidence(
        f"bounds among {', '.join(map(str, BOUNDS))} that the reward respects almost surely, {what}", len(good), 0,
        Relation.EQUAL, rigor=Rigor.INTERVAL, instances=len(BOUNDS), establishes=Verdict.UNSATISFIABLE,
        witness=Witness(f"the chance that the noise exceeds 10, {what}", {"P(noise > 10)": str(tail(10))}),
    )


@statement("zeng2022", "assumption-4")
def assumption_4() -> tuple[Variant, ...]:
    r"""Critic and reward model are linear, with features of norm at most one and full column rank.

    .. math:: \hat V(s; \omega) = \phi(s)^T \omega,\quad \hat r(s, a; \lambda) = \varphi(s, a)^T \lambda,\quad
        \|\phi(s)\| \le 1,\ \|\varphi(s, a)\| \le 1,\quad \mathrm{rank}\,\Phi = K,\ \mathrm{rank}\,\Psi = L

    It can be met by every bundled problem, with ranks decided exactly; tabular features meet it on any problem. The
    bound one is a choice of scale (divide the features, multiply omega, and the radius R_omega with it). The rank
    needs K <= |S| and L <= |S||A|. One slip of the pen: Psi is |S||A| x L, and its columns are printed as
    ``[varphi_l(s), s in S]``, which have |S| entries; with more than one joint action that fits no such matrix. The
    columns are ``[varphi_l(s, a)]``, as the code has them.

    Hypotheses: finite S and A. Rank is a property of the tables and knows no policy.

    Consequence: with a stationary law that charges every state and a policy that charges every action it makes lambda*
    and the TD fixed point unique (`assumption-4-unique`). It gives no lower bound on the least eigenvalue of the
    critic's system that would hold for all theta (see `assumption-6`).
    """
    return (
        printed(lambda c: _bundled_features(), "the columns of Psi are over pairs (s, a)"),
        reading(
            lambda c: _printed_columns_fit(range(2, 6)), "the columns of Psi are over states, as printed, |A| >= 2",
            "columns over s",
        ),
        reading(lambda c: _full_rank(c, 1), "more critic features than states", "K > |S|"),
        control(lambda c: _printed_columns_fit(range(1, 6)), "the same with one joint action allowed", "|A| = 1"),
        control(lambda c: _full_rank(c, 0), "as many critic features as states", "K = |S|"),
        control(
            lambda c: _violations([("repeated column", np.array([[0.5, 0.5], [0.25, 0.25]]))]),
            "two equal columns", "equal columns",
        ),
        control(lambda c: _violations([("long", np.array([[1.0], [2.0]]))]), "a feature of norm 2", "norm 2"),
    )  # fmt: skip


def _bundled_features() -> Evidence:
    tables = []
    for name, make in INSTANCES.items():
        features = make().features
        tables += [(f"{name}, phi", features.phi_state)]
        tables += [(f"{name}, varphi", features.phi_joint.reshape(-1, features.phi_joint.shape[-1]))]
    return _violations(tables)


def _violations(tables: Sequence[tuple[str, np.ndarray]]) -> Evidence:
    """Tables with a row longer than one (up to rounding) or dependent columns (exactly, as dyadic rationals)."""
    bad = []
    for name, table in tables:
        exact_rank = rank(table)
        longest = float(np.linalg.norm(table, axis=1).max())
        if longest > 1 + NORM_TOLERANCE or exact_rank < table.shape[1]:
            bad.append((name, table, f"{name}: longest row {longest:.6g}, rank {exact_rank} of {table.shape[1]}"))
    witness = Witness(bad[0][2], {"table": bad[0][1]}) if bad else None
    return exact_evidence(
        "feature tables that break the norm or the rank", len(bad), 0, Relation.EQUAL, rigor=Rigor.FLOAT,
        instances=len(tables), witness=witness, note="ranks exact, norms up to rounding",
    )


def rank(table: np.ndarray) -> int:
    """Rank of a table of floats, each taken at its exact dyadic value.

    Args:
        table: two-dimensional, (n, m).
    """
    rows = rational_array(table)
    # the Gram matrix is small where the table is tall, and has the same rank
    gram = rows.T @ rows
    return int(fmpq_mat(len(gram), len(gram), list(gram.ravel())).rank())


def _printed_columns_fit(joint_actions: range) -> Evidence:
    """Sizes (S, A) at which a column of S entries fits a matrix of S A rows."""
    sizes = [(S, A) for S in range(1, 6) for A in joint_actions]
    fit = [size for size in sizes if size[0] == size[0] * size[1]]
    return exact_evidence(
        "sizes (|S|, |A|) at which [varphi_l(s), s in S] is a column of a |S||A| x L matrix", len(fit), 0,
        Relation.EQUAL, instances=len(sizes), establishes=Verdict.UNSATISFIABLE,
    )


def _full_rank(context: Context, more: int) -> Evidence:
    """Random integer tables of S rows and S + more columns whose rank is full."""
    rng, found = context.rng(63), 0
    for _ in range(context.profile.n_rational):
        S = int(rng.integers(1, 5))
        found += rank(rng.integers(-3, 4, size=(S, S + more)).astype(float)) == S + more
    return exact_evidence(
        f"tables with |S| + {more} columns of full column rank", found, 0, Relation.EQUAL,
        instances=context.profile.n_rational, establishes=Verdict.UNSATISFIABLE,
        note="a matrix with |S| rows has rank at most |S|",
    )
