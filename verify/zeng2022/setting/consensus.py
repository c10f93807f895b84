"""zeng2022 Sec. 3.2: consensus of the shared parameters under Assumptions 1-2."""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx
import numpy as np

from mdp.networks.bounds import path_bound, quadratic_bound
from mdp.networks.contraction import product
from mdp.networks.schedule import disagreement_norm
from verify.claim import Variant, control, printed, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence
from verify.identities import largest
from verify.networks import ROUNDING, Bound, random_schedule


@statement("zeng2022", "consensus", uses=("assumption-1", "assumption-2"))
def consensus() -> tuple[Variant, ...]:
    r"""Under Assumptions 1-2 repeated averaging brings the shared parameters to a common vector, geometrically.

    .. math:: \tilde\theta^s_t = W_t\, \theta^s_t, \qquad
        \|Q\, W_{t+B-1} \cdots W_t\, \theta\| \le \rho\, \|Q\, \theta\|, \quad \rho < 1, \quad
        Q = I - \tfrac1N 1 1^T

    Hypotheses: Assumptions 1 and 2: doubly stochastic weights with least entry c, graphs connected over windows of B
    rounds.

    True as printed for the averaging itself (with the actor's gradient steps the shared parameters agree only up
    to O(alpha)). The cited factor per window (Nedic, Olshevsky, Ozdaglar and Tsitsiklis, 2009) is
    ``rho^2 = 1 - c / (2 N^2)``.

    Repaired (sharp): ``rho = 1 - 4 c sin^2(pi / 2N)``, about ``1 - c pi^2 / N^2``. Derivation (in full in
    `mdp.networks.bounds.path_bound`). Let Phi be the product over the window and ``Phi(S, S')`` the sum of its entries
    with row in S and column in S'. It is at most ``min(|S|, |S'|)``, and at most ``|S| - c`` if both have the same
    size, strictly between 0 and N: the indicator of S' stays put until a positive weight first crosses S'; then the |S|
    largest values add up to at most ``|S| - c``, because an agent on either side keeps its self weight and the crossing
    weight is at least c; further averaging never raises that sum. These are the values for the top sets of the lazy
    path ``I - c L``. Vectors of mean zero are nonnegative combinations of indicators of their top sets (up to
    constants), so ``y^T Phi x`` is at most the same form of the lazy path at the sorted vectors, whose norm on mean
    zero is ``1 - 4 c sin^2(pi / 2N)`` for c up to 1/2. The lazy path itself attains it (c up to 1/3, or N = 2).

    Consequence: the disagreement terms of Propositions 1 and 2 are of the order of the step sizes, as their proofs
    need.
    """
    return (
        printed(
            lambda c: _largest_excess(c, quadratic_bound, "contraction of a window minus sqrt(1 - c/(2 N^2))"),
            "geometric contraction per window, with the factor of the cited paper",
        ),
        repaired(
            lambda c: _largest_excess(c, path_bound, "contraction of a window minus 1 - 4 c sin^2(pi/2N)"),
            "the factor 1 - 4 c sin^2(pi / 2N), attained on paths",
        ),
        control(
            lambda c: _largest_excess(c, quadratic_bound, CONTROL_QUANTITY, [_two_pairs()]),
            "Assumption 1 dropped: two groups that never talk",
            "disconnected",
        ),
        control(
            lambda c: _largest_excess(c, quadratic_bound, CONTROL_QUANTITY, [[np.array([[0.0, 1.0], [1.0, 0.0]])]]),
            "W_ii >= c dropped: two agents that swap",
            "no self weight",
        ),
        control(
            lambda c: _largest_excess(
                c,
                lambda N, w: 1 - 4.1 * w * float(np.sin(np.pi / (2 * N))) ** 2,
                "contraction of a window minus 1 - 4.1 c sin^2(pi/2N)",
            ),
            "the repaired factor with 4.1 for 4",
            "4.1 for 4",
        ),
    )


CONTROL_QUANTITY = "contraction of a window minus sqrt(1 - c/(2 N^2)), hypothesis dropped"


def _largest_excess(
    context: Context, bound: Bound, quantity: str, schedules: Sequence[Sequence[np.ndarray]] | None = None
) -> Evidence:
    """Largest measured contraction minus a bound: structured worst cases, then random schedules, or those given."""
    rng = context.rng(4)
    if schedules is None:
        schedules = [*_structured(), *(random_schedule(rng) for _ in range(context.profile.n_search))]
    excesses = [_contraction(W) - bound(len(W[0]), _min_weight(W)) for W in schedules]
    worst = largest(excesses)
    extreme = schedules[int(np.argmax(excesses))]
    witness = Witness(
        f"contraction {_contraction(extreme):.9g}, excess {worst:.3g}", {f"W_{k}": W for k, W in enumerate(extreme)}
    )
    return exact_evidence(
        quantity, worst, ROUNDING, Relation.AT_MOST, rigor=Rigor.FLOAT, instances=len(schedules), witness=witness
    )


def _contraction(matrices: Sequence[np.ndarray]) -> float:
    return disagreement_norm(product(np.stack(matrices), len(matrices)))


def _min_weight(matrices: Sequence[np.ndarray]) -> float:
    stack = np.stack(matrices)
    return float(stack[stack > 0].min())


def _two_pairs() -> list[np.ndarray]:
    pair = np.full((2, 2), 0.5)
    return [np.block([[pair, np.zeros((2, 2))], [np.zeros((2, 2)), pair]])]


def _structured() -> list[list[np.ndarray]]:
    """Slow schedules: lazy paths, at once and one edge at a time, with small and large weights."""
    cases = []
    for N in (2, 3, 4, 6):
        for c in (0.02, 0.1, 0.25, 0.33 if N > 2 else 0.5):
            laplacian = nx.laplacian_matrix(nx.path_graph(N)).toarray()
            cases.append([np.eye(N) - c * laplacian])
            steps = []
            for i in range(N - 1):
                W = np.eye(N)
                W[i : i + 2, i : i + 2] = [[1 - c, c], [c, 1 - c]]
                steps.append(W)
            cases.append(steps)
    return cases
