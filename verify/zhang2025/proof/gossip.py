"""zhang2025 Appendix C: the consensus rate quoted in Eqs. (20) and (26)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import networkx as nx
import numpy as np
from flint import arb, fmpq

from mdp.linear import identity_like, rational_array, to_float
from mdp.networks.bounds import path_bound
from mdp.networks.schedule import disagreement_norm, metropolis_weights, row_deviation
from mdp.networks.worst import worst_weights
from verify.claim import Variant, control, printed, reading, repaired, source, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence
from verify.identities import largest
from verify.networks import ROUNDING, Bound, random_connected

ROUNDS = 12
"""Gossip rounds over which powers are compared exactly; ours."""

LARGEST_N = 64
"""Agents up to which the closing inequality is enclosed; beyond, the docstring's induction takes over."""


@statement("zhang2025", "consensus-rate", uses=("definition-4.1", "assumption-5.1"))
def consensus_rate() -> tuple[Variant, ...]:
    r"""Rows of A^t approach the average like (1 - eta^(N-1))^t.

    .. math:: \big\| (A^{t})_{i,:} - \tfrac1N 1^T \big\| = O\big((1 - \eta^{N-1})^{t}\big)

    Second opinion: the norm of ``A^t - 11^T/N`` without an edge, by numpy (tests).

    Hypotheses: Assumption 5.1, and a connected graph, which the paper does not ask for.

    Quoted from Nedic and Ozdaglar (2009), whose Proposition 1 gives, entrywise,
    ``2 (1 + eta^-B0) / (1 - eta^B0) (1 - eta^B0)^(t / B0)`` with ``B0 = (N - 1) B``: the exponent there is t / B0. The
    paper drops the division by B0, so its rate does not follow from its source.

    *As printed*, Assumption 5.1 does not ask the graph to be connected (nothing in the paper does), and with A = I
    nothing converges. *With a connected graph* the printed rate is nevertheless true for the fixed A of the paper,
    symmetric or not, for all N and eta, with the constant sqrt(1 - 1/N): by the argument in
    `mdp.networks.bounds.path_bound`, ``||A - 11^T/N|| <= 1 - 4 eta sin^2(pi / 2N)`` (the repaired rate, attained by the
    lazy path), and this is at most ``1 - eta^(N-1)`` as soon as ``4 sin^2(pi / 2N) >= eta^(N-2)``. A row contains its
    own weight and a neighbour's, so eta <= 1/2 and it is enough to look at eta = 1/2: the left side is 2 and 1 against
    1 and 1/2 at N = 2 and 3, and from N = 4 on ``sin x >= 2x/pi`` leaves ``4 / N^2 >= 2^(2-N)``, with equality at 4 and
    true from there by induction. The program encloses N up to 64 in interval arithmetic as well.

    It would fail for time-varying matrices that are connected only over windows (see the reading).

    Consequence: term (5) of Theorem 5.10 has a true rate on connected graphs, a pessimistic one for many agents;
    without connectedness it does not decay.
    """
    return (
        printed(_unconnected, "Assumption 5.1 as printed, which does not ask for a connected graph", "literal"),
        printed(
            lambda c: (
                _exact_powers(c, _printed_square, f"squared row deviation over its bound, t up to {ROUNDS}, worst"),
                _largest_norm(c, _printed_rate),
                _worst_weights(),
                _closing_inequality(),
            ),
            "with a connected graph",
            "connected",
        ),
        reading(
            _windows, "time-varying matrices, connected over windows of three rounds", "connected over windows"
        ),
        source(
            lambda c: _largest_entry_ratio(c), "Nedic and Ozdaglar (2009), Prop. 1, with exponent t / (N - 1)"
        ),
        repaired(
            lambda c: _largest_norm(c, path_bound),
            "||A - 11^T/N|| <= 1 - 4 eta sin^2(pi / 2N), A directed or not",
        ),
        control(
            lambda c: _exact_powers(
                c,
                lambda N, eta, t: (1 - fmpq(1, N)) * (1 - eta) ** (2 * t),
                f"squared row deviation over (1 - eta)^(2t), t up to {ROUNDS}, worst",
            ),
            "the rate (1 - eta)^t",
            "rate 1 - eta",
        ),
        control(
            lambda c: _largest_norm(c, lambda N, eta: 1 - 4.1 * eta * float(np.sin(np.pi / (2 * N))) ** 2),
            "the repaired rate with 4.1 for 4",
            "4.1 for 4",
        ),
    )


SquareBound = Callable[[int, fmpq, int], fmpq]
"""Bound on the squared row deviation from the number of agents, the least positive weight and the round."""


def _printed_rate(n_agents: int, min_weight: float) -> float:
    return 1.0 - min_weight ** (n_agents - 1)


def _printed_square(n_agents: int, min_weight: fmpq, power: int) -> fmpq:
    return (1 - fmpq(1, n_agents)) * (1 - min_weight ** (n_agents - 1)) ** (2 * power)


def _least_positive(A: np.ndarray) -> fmpq:
    return min(x for x in A.ravel() if x > 0)


def _unconnected(context: Context) -> Evidence:
    A = rational_array(np.eye(2, dtype=int))
    eta = fmpq(1, 2)
    measured = max(row_deviation(A, ROUNDS)) / _printed_square(2, eta, ROUNDS)
    return exact_evidence(
        f"squared deviation of A^{ROUNDS} over its bound", measured, 1, Relation.AT_MOST, instances=1,
        witness=Witness(
            "two agents without an edge: A = I meets Assumption 5.1 with eta = 1/2 and never averages",
            {"A": A, "eta": eta, f"squared deviation after {ROUNDS} rounds": max(row_deviation(A, ROUNDS))},
        ),
    )


def _exact_powers(context: Context, bound: SquareBound, quantity: str) -> Evidence:
    """Largest squared row deviation over the bound, in exact arithmetic: lazy paths, then random matrices."""
    rng = context.rng(5)
    matrices = [_lazy_path(N, fmpq(1, k)) for N in (2, 3, 4, 5) for k in (3, 4, 20)]
    matrices += [random_connected(rng, symmetric=bool(k % 2)) for k in range(context.profile.n_rational)]
    worst, extreme = fmpq(0), matrices[0]
    for A in matrices:
        eta, power = _least_positive(A), identity_like(A, len(A))
        for t in range(1, ROUNDS + 1):
            power = power @ A
            ratio = max(((power - fmpq(1, len(A))) ** 2).sum(axis=1)) / bound(len(A), eta, t)
            if ratio > worst:
                worst, extreme = ratio, A
    return exact_evidence(
        quantity, worst, 1, Relation.AT_MOST, instances=len(matrices), witness=Witness("the worst case", {"A": extreme})
    )


def _lazy_path(size: int, eta: fmpq) -> np.ndarray:
    laplacian = nx.laplacian_matrix(nx.path_graph(size)).toarray().astype(int)
    path: np.ndarray = rational_array(np.eye(size, dtype=int)) - eta * rational_array(laplacian)
    return path


def _worst_weights() -> Evidence:
    """The worst weights on small graphs, exactly or with a certified upper bound, against the printed rate."""
    graphs = [nx.path_graph(2), nx.path_graph(3), nx.complete_graph(3), nx.path_graph(4), nx.cycle_graph(4)]
    cases = [(graph, Fraction(1, k)) for graph in graphs for k in (20, 4, 3)]
    excess = [worst_weights(g, eta).upper - _printed_rate(g.number_of_nodes(), float(eta)) for g, eta in cases]
    return exact_evidence(
        "worst ||A - 11^T/N|| over all A on small graphs, minus 1 - eta^(N-1)", largest(excess), ROUNDING,
        Relation.AT_MOST, rigor=Rigor.FLOAT, instances=len(cases),
    )


def _largest_norm(context: Context, bound: Bound) -> Evidence:
    """Largest ``||A - 11^T/N||`` minus a bound: paths, rings, complete graphs with extreme weights, then random."""
    rng = context.rng(6)
    matrices = [*_structured(), *(to_float(random_connected(rng)) for _ in range(context.profile.n_search))]
    excess = [disagreement_norm(A) - bound(len(A), float(A[A > 0].min())) for A in matrices]
    worst, extreme = largest(excess), matrices[int(np.argmax(excess))]
    witness = Witness(f"norm {disagreement_norm(extreme):.9g}, excess {worst:.3g}", {"A": extreme})
    return exact_evidence(
        "||A - 11^T/N|| minus its bound, worst", worst, ROUNDING, Relation.AT_MOST, rigor=Rigor.FLOAT,
        instances=len(matrices), witness=witness,
    )


def _structured() -> list[np.ndarray]:
    cases = []
    for N in (2, 3, 4, 5, 8):
        for graph in (nx.path_graph(N), nx.complete_graph(N), nx.star_graph(N - 1)):
            laplacian = nx.laplacian_matrix(graph).toarray()
            top = max(dict(graph.degree).values())
            cases += [np.eye(N) - eta * laplacian for eta in (0.01, 0.1 / top, 1 / (top + 1))]
            cases.append(metropolis_weights(nx.convert_node_labels_to_integers(graph)))
        shift = np.roll(np.eye(N), 1, axis=1)
        cases += [eta * np.eye(N) + (1 - eta) * shift for eta in (0.05, 0.5, 0.9)]
    return cases


def _closing_inequality() -> Evidence:
    """``4 sin^2(pi / 2N) - eta^(N-2)`` at eta = 1/2, least over N, enclosed in interval arithmetic."""
    margins = [4 * (arb.pi() / (2 * N)).sin() ** 2 - arb(1) / 2 ** (N - 2) for N in range(2, LARGEST_N + 1)]
    lowest = min(margins, key=lambda m: float(m.lower()))
    return Evidence(
        f"4 sin^2(pi/2N) - eta^(N-2) at eta = 1/2, least over N = 2..{LARGEST_N}", float(lowest.mid()),
        float(lowest.lower()), float(lowest.upper()), 0.0, Relation.AT_LEAST, Rigor.INTERVAL, instances=len(margins),
    )


def _windows(context: Context) -> Evidence:
    """Two agents that talk every third round with eta = 1/4: 1/2 per window, against (3/4)^3 = 27/64."""
    eta = fmpq(1, 4)
    W = rational_array([[Fraction(3, 4), Fraction(1, 4)], [Fraction(1, 4), Fraction(3, 4)]])
    windows = 10
    measured = max(row_deviation(W, windows)) / _printed_square(2, eta, 3 * windows)
    return exact_evidence(
        f"squared deviation after {windows} windows over its bound", measured, 1, Relation.AT_MOST, instances=1,
        witness=Witness(
            "two agents that talk in every third round only; per window 1/2, the printed rate would give 27/64",
            {"A every third round": W, "eta": eta},
        ),
        note="the ratio grows without bound, so no constant helps",
    )


def _largest_entry_ratio(context: Context) -> Evidence:
    """Nedic and Ozdaglar (2009), Prop. 1: entrywise bound with exponent t / (N - 1) for a static graph."""
    rng = context.rng(7)

    def ratios() -> Iterator[float]:
        for _ in range(context.profile.n_search):
            A = to_float(random_connected(rng))
            N, base = len(A), float(A[A > 0].min()) ** (len(A) - 1)
            product = np.eye(N)
            for t in range(1, ROUNDS + 1):
                product = product @ A
                bound = 2 * (1 + 1 / base) / (1 - base) * (1 - base) ** (t / (N - 1))
                yield float(np.abs(product - 1 / N).max()) / bound

    return exact_evidence(
        "largest entry of |A^t - 11^T/N| over the bound, worst", largest(ratios()), 1, Relation.AT_MOST,
        rigor=Rigor.FLOAT, instances=context.profile.n_search,
    )
