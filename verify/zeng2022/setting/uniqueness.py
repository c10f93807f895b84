"""zeng2022 after Assumption 4: do lambda*(theta) and omega*(theta) exist, and are they unique?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat

from mdp.chain import stationary_law
from mdp.linear import identity_like, rational_array
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence


@dataclass(frozen=True, eq=False)
class SupportedPoint:
    """A chain with one closed class and possibly transient states, and a policy that may skip actions; all exact.

    Attributes:
        P: kernel, (S, A, S).
        pi: policy, (S, A), zeros allowed.
        closed: states of the closed class.
        gamma: discount.
        phi_state: critic features, (S, K), full column rank.
        phi_joint: reward features, (S, A, L), full column rank.
    """

    P: np.ndarray
    pi: np.ndarray
    closed: tuple[int, ...]
    gamma: fmpq
    phi_state: np.ndarray
    phi_joint: np.ndarray

    @property
    def P_pi(self) -> np.ndarray:
        """Chain under the policy, (S, S)."""
        return np.einsum("sa,sat->st", self.pi, self.P)

    @property
    def stationary(self) -> np.ndarray:
        """Its only stationary law, zero on transient states, (S,)."""
        law, inside = self.gamma * 0 * np.ones(len(self.P), dtype=int), np.array(self.closed)
        law[inside] = stationary_law(self.P_pi[np.ix_(inside, inside)])
        return law

    @property
    def pairs(self) -> np.ndarray:
        """Probability of each state-action pair, (S, A)."""
        law: np.ndarray = self.stationary[:, None] * self.pi
        return law


def skipped_state() -> SupportedPoint:
    """State 0 moves to state 1, which stays; one action, indicator features, gamma = 1/2; mu = (0, 1).

    The chain is at mu after one step from anywhere, so it mixes at any geometric rate.
    """
    eye = rational_array(np.eye(2, dtype=int))
    return SupportedPoint(
        P=rational_array([[[0, 1]], [[0, 1]]]), pi=rational_array([[1], [1]]), closed=(1,), gamma=fmpq(1, 2),
        phi_state=eye, phi_joint=eye[:, None, :],
    )


@statement("zeng2022", "assumption-4-unique", uses=("assumption-3", "assumption-4", "eq-6", "eq-7"))
def assumption_4_unique() -> tuple[Variant, ...]:
    r"""Under Assumptions 3-4 there are unique optimal solutions lambda*(theta) and omega*(theta).

    .. math:: \mathrm{rank}\, \Phi = K, \quad \mathrm{rank}\, \Psi = L \ \Longrightarrow\
        \lambda^*(\theta), \ \omega^*(\theta) \text{ exist and are unique}

    Existence is true: least-squares problems in finite dimension have minimisers. Uniqueness is refuted. The objectives
    weigh states by mu and pairs by mu x pi, and full column rank over *all* states and pairs says nothing where the
    weight is zero. Two states, 0 moves to 1 and 1 stays, indicator features: mu = (0, 1), so the first component of
    lambda and of omega, in each reading of omega*, is free. Geometric mixing (Assumption 6 in its standard form, stated
    only later) does not exclude it: this chain is at mu after one step.

    Repaired, and sharp: lambda* is unique *if and only if* the rows of Psi with mu(s) pi(a|s) > 0 have rank L, and each
    of the three omega* (minimiser of (7a), of the Bellman residual, TD fixed point) if and only if the rows of Phi with
    mu(s) > 0 have rank K. Sufficient: an irreducible chain and a policy with full support, such as softmax, which is
    what most of the literature assumes and what this paper may mean (reading "full support"). Derivation:
    the support of mu is closed under P_pi. If x is in the kernel of the system, f = Phi x satisfies, on the support,
    ``f(s) = gamma f(s')`` for every possible s' (7a), ``f = gamma P_pi f`` (Bellman), or ``0 = -x^T A x >= (1 - gamma)
    ||f||_mu^2`` (TD); each gives f = 0 there since gamma < 1. Conversely f = 0 on the support puts x in every kernel.
    Checked as equality of exact ranks on random chains with transient states and policies that skip actions, with the
    full-support case among them.

    (Psi is printed with columns ``[phi_l(s), s in S]``; its shape says that the action belongs there.)

    Hypotheses: a unique stationary law; gamma < 1.

    Consequence: none for softmax policies on irreducible chains, which is what Assumption 6 is usually taken to mean;
    but "under these assumptions" needs that word. For policies that approach determinism the solutions stay unique and
    lose their conditioning.
    """
    return (
        printed(lambda c: _free_directions("lambda"), "lambda* is unique", "lambda*", part="lambda*"),
        printed(
            lambda c: _free_directions("td_error"), "omega* of (7a) is unique", "omega*, td-error", part="omega*"
        ),
        printed(
            lambda c: _free_directions("bellman"), "the minimiser of the Bellman residual is unique",
            "omega*, bellman", part="omega*",
        ),
        reading(lambda c: _free_directions("td"), "the TD fixed point is unique", "omega*, td"),
        reading(
            lambda c: (_at_rest_after_one_step(), _free_directions("td_error")),
            "omega* is unique if the chain mixes geometrically as well",
            "with Assumption 6",
        ),
        reading(
            lambda c: _rank_gaps(c, supported=False, full_support=True),
            "all are unique if, besides, mu charges every state and the policy every action",
            "full support",
        ),
        repaired(
            lambda c: _rank_gaps(c, supported=True),
            "unique if and only if the features have full column rank on the support of mu (and of mu x pi)",
        ),
        control(
            lambda c: _rank_gaps(c, supported=False), "the same with the rank over all states and pairs", "all rows"
        ),
    )


def systems(point: SupportedPoint) -> dict[str, np.ndarray]:
    """Matrices whose kernel is the freedom in lambda* and in each omega*, summed sample by sample.

    Args:
        point: the problem.

    Returns:
        By name: ``lambda``, ``td_error``, ``bellman``, ``td``, square, (K, K) or (L, L).
    """
    phi, varphi, mu, gamma = point.phi_state, point.phi_joint, point.stationary, point.gamma
    K, L = phi.shape[1], varphi.shape[2]
    found = {name: rational_array(np.zeros((K, K), int)) for name in ("td_error", "bellman", "td")}
    found["lambda"] = rational_array(np.zeros((L, L), int))
    for s, a in np.ndindex(*point.pi.shape):
        pair = mu[s] * point.pi[s, a]
        found["lambda"] = found["lambda"] + pair * np.outer(varphi[s, a], varphi[s, a])
        for t in range(len(mu)):
            step = phi[s] - gamma * phi[t]
            weight = pair * point.P[s, a, t]
            found["td_error"] = found["td_error"] + weight * np.outer(step, step)
            found["td"] = found["td"] + weight * np.outer(phi[s], step)
    steps = (identity_like(phi, len(mu)) - gamma * point.P_pi) @ phi
    found["bellman"] = steps.T @ (steps * mu[:, None])
    return found


def _rank(matrix: np.ndarray) -> int:
    rows, columns = matrix.shape
    return int(fmpq_mat(rows, columns, [fmpq(x) for x in matrix.ravel()]).rank()) if rows else 0


def _free_directions(name: str) -> Evidence:
    point = skipped_state()
    matrix = systems(point)[name]
    return exact_evidence(
        f"dimension of the set of solutions ({name})", len(matrix) - _rank(matrix), 0, Relation.EQUAL, instances=1,
        witness=Witness(
            "state 0 moves to state 1, which stays: indicator features have full rank, and component 0 is free",
            {
                "P": point.P_pi, "mu": point.stationary, "Phi": point.phi_state, "gamma": point.gamma,
                "matrix of the normal equations": matrix,
            },
        ),
    )


def _at_rest_after_one_step() -> Evidence:
    point = skipped_state()
    gap = abs(point.P_pi - point.stationary[None, :]).max()
    return exact_evidence(
        "largest entry of P - 1 mu^T: the distance from mu after one step", gap, 0, Relation.EQUAL, instances=1
    )


def _rank_gaps(context: Context, supported: bool, full_support: bool = False) -> Evidence:
    wrong, count, full, witness = 0, 0, 0, None
    for point in _random_supports(context):
        states = np.asarray(point.stationary > 0, dtype=bool)
        pairs = np.asarray(point.pairs > 0, dtype=bool)
        if full_support and not pairs.all():
            continue
        count += 1
        full += bool(pairs.all())
        rows = point.phi_state[states] if supported else point.phi_state
        joint = point.phi_joint[pairs] if supported else point.phi_joint.reshape(-1, point.phi_joint.shape[2])
        claimed = {name: _rank(rows) for name in ("td_error", "bellman", "td")} | {"lambda": _rank(joint)}
        for name, matrix in systems(point).items():
            if _rank(matrix) != claimed[name]:
                wrong += 1
                witness = witness or Witness(
                    f"rank {_rank(matrix)} of the system for {name}, {claimed[name]} claimed",
                    {"P_pi": point.P_pi, "pi": point.pi, "mu": point.stationary, "Phi": point.phi_state},
                )
    return exact_evidence(
        "systems whose rank is not that of the features on the stated rows", wrong, 0, Relation.EQUAL,
        instances=count, witness=witness, note=f"{full} of them with full support",
    )


def _random_supports(context: Context) -> Iterator[SupportedPoint]:
    """The smallest case, then random ones: a closed class, states that lead into it, actions that are skipped."""
    yield skipped_state()
    rng = context.rng(2240)
    for k in range(2 * context.profile.n_rational):
        S, A = int(rng.integers(2, 5)), int(rng.integers(1, 3))
        closed = tuple(sorted(int(x) for x in rng.choice(S, size=int(rng.integers(1, S + 1)), replace=False)))
        if k % 3 == 0:
            closed = tuple(range(S))
        weights = rng.integers(1, 5, size=(S, A, S))
        for s in closed:
            weights[s] *= np.isin(np.arange(S), closed)
        policy = rng.integers(0 if k % 2 else 1, 4, size=(S, A))
        policy[policy.sum(axis=1) == 0] = 1
        P, pi = rational_array(weights), rational_array(policy)
        yield SupportedPoint(
            P=P / P.sum(axis=2, keepdims=True), pi=pi / pi.sum(axis=1, keepdims=True), closed=closed,
            gamma=fmpq(int(rng.integers(1, 10)), 10),
            phi_state=_full_rank(rng, S, int(rng.integers(1, S + 1))),
            phi_joint=_full_rank(rng, S * A, int(rng.integers(1, S * A + 1))).reshape(S, A, -1),
        )


def _full_rank(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    while True:
        table = rational_array(rng.integers(-2, 3, size=(rows, columns)))
        if _rank(table) == columns:
            return table
