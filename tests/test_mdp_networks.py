"""Networks: families, contraction against every bound, worst and best weights; exact values decide."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, permutations

import networkx as nx
import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from mdp import DisconnectedScheduleError, Schedule, full_average, metropolis_weights
from mdp.linear import rational_array, solve, to_float
from mdp.networks.bounds import cut_bound, entry_bound, papers_bound, path_bound, quadratic_bound
from mdp.networks.contraction import (
    asymptotic_rate,
    connectivity_window,
    deviation,
    ergodic_coefficient,
    intercommunication_interval,
    product,
    round_contractions,
    window_contractions,
)
from mdp.networks.families import (
    FAMILIES,
    b_connected_schedule,
    directed_balanced_weights,
    federated_sampling,
    lazy,
    max_degree_weights,
    pairwise_gossip,
    permutation_mixture,
    sinkhorn_weights,
)
from mdp.networks.fastest import fastest_mixing
from mdp.networks.schedule import disagreement_norm, require_doubly_stochastic, row_deviation
from mdp.networks.table import contraction_table
from mdp.networks.worst import (
    TooManyVerticesError,
    norm_enclosure,
    weight_vertices,
    worst_norm_bound,
    worst_weights,
    worst_weights_search,
)

SEEDS = st.integers(0, 2**32 - 1)
GRAPHS = {"path": nx.path_graph, "cycle": nx.cycle_graph, "complete": nx.complete_graph}
TIGHT = 1e-11

ONE_WAY_BACK = nx.DiGraph([(0, 3), (1, 4), (2, 5), (0, 1), (1, 2), (5, 4), (4, 3), (3, 0)])
"""Three arcs lead from {0, 1, 2} to {3, 4, 5} and one back: weights of 3/10 would have 9/10 return along it."""


def sine(angle: float) -> float:
    return float(np.sin(angle) ** 2)


def laplacian_values(graph: nx.Graph) -> np.ndarray:
    return np.linalg.eigvalsh(nx.laplacian_matrix(graph).toarray().astype(float))


def directed_cycle(size: int) -> nx.DiGraph:
    return nx.cycle_graph(size, create_using=nx.DiGraph)


# --- families ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("family", FAMILIES)
@given(seed=SEEDS, size=st.integers(3, 8))
@settings(max_examples=8, deadline=None)
def test_families_are_valid_seeded_and_contract(family: str, seed: int, size: int) -> None:
    schedule = FAMILIES[family](size, seed)  # Schedule validates sums, signs, self weights, connectivity
    assert (schedule.matrices == FAMILIES[family](size, seed).matrices).all()
    assert schedule.contraction < 1


def test_lazy_moves_eigenvalues() -> None:
    W = metropolis_weights(nx.star_graph(4))
    expected = 0.3 + 0.7 * np.linalg.eigvalsh(W)
    assert np.linalg.eigvalsh(lazy(W, 0.3)) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(("graph", "expected"), [(nx.star_graph(4), 1 - 1 / 5), (nx.complete_graph(4), 0.0)],
                         ids=["star", "complete"])
def test_max_degree_closed_forms(graph: nx.Graph, expected: float) -> None:
    assert disagreement_norm(max_degree_weights(graph)) == pytest.approx(expected, abs=1e-15)


def test_directed_balanced_is_doubly_stochastic_not_symmetric() -> None:
    graph = nx.DiGraph([(0, 1), (1, 2), (2, 0), (2, 3), (3, 2)])
    W = directed_balanced_weights(graph)
    require_doubly_stochastic(W)
    assert np.abs(W - W.T).max() > 0.1
    assert disagreement_norm(directed_balanced_weights(directed_cycle(6))) == pytest.approx(np.cos(np.pi / 6))


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_sinkhorn_on_a_tree_is_symmetric_and_on_a_digraph_keeps_the_pattern(seed: int) -> None:
    tree = nx.random_labeled_tree(6, seed=seed)
    W = sinkhorn_weights(tree, seed)
    assert np.abs(W - W.T).max() < 1e-12
    graph = nx.DiGraph([(0, 1), (1, 2), (2, 0), (0, 2), (2, 3), (3, 1)])
    V = sinkhorn_weights(graph, seed)
    require_doubly_stochastic(V)
    off = V - np.diag(np.diag(V))
    assert ((off > 0) == nx.to_numpy_array(graph, nodelist=range(4)).astype(bool)).all()


@given(SEEDS, st.integers(1, 6))
@settings(max_examples=15, deadline=None)
def test_b_connected_uses_each_edge_once_per_period(seed: int, period: int) -> None:
    graph = nx.cycle_graph(6)
    matrices = b_connected_schedule(graph, period, seed).matrices
    uses = (matrices > 0).sum(axis=0) - period * np.eye(6)
    assert (uses == nx.to_numpy_array(graph)).all()
    assert connectivity_window(matrices) <= intercommunication_interval(matrices) <= period


@given(SEEDS, st.integers(2, 4), st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_federated_sampling_connects_with_the_fewest_server_rounds(seed: int, participants: int, every: int) -> None:
    needed = -(-6 // (participants - 1))
    schedule = federated_sampling(7, every, participants, needed, seed)
    assert schedule.period == every * needed
    assert {int((np.diag(W) < 1).sum()) for W in schedule.matrices[every - 1 :: every]} == {participants}


def test_exact_mixture_is_exactly_doubly_stochastic() -> None:
    W = permutation_mixture(5, 3, exact=True)
    assert (W.sum(axis=0) == 1).all()
    assert (W.sum(axis=1) == 1).all()
    assert np.abs(to_float(W) - permutation_mixture(5, 3)).max() == 0
    # the only vectors that W keeps are the constants: rank of I - W, exactly
    lower = rational_array(np.eye(5, dtype=int)) - W
    bordered = lower + fmpq(1, 5)
    assert (solve(bordered, rational_array([1] * 5)) == 1).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lazy(np.eye(2), 1.0), "stay is 1"),
        (lambda: lazy(np.array([[1.0, 1.0], [0, 0]]), 0.5), "row 0 sums to 2"),
        (lambda: max_degree_weights(directed_cycle(3)), "undirected"),
        (lambda: max_degree_weights(nx.Graph([(1, 2)])), r"nodes are \[1, 2\]"),
        (lambda: directed_balanced_weights(nx.DiGraph([(0, 1), (1, 2), (2, 0), (0, 2)])), "node 0 has 2 outgoing"),
        (lambda: sinkhorn_weights(nx.DiGraph([(0, 1)]), 0), "strongly connected"),
        (lambda: permutation_mixture(3, 0, terms=0), "terms is 0"),
        (lambda: b_connected_schedule(nx.path_graph(3), 0, 0), "period is 0"),
        (lambda: federated_sampling(5, 1, 2, 3, 0), "takes 4"),
        (lambda: federated_sampling(5, 1, 6, 3, 0), "participants is 6"),
        (lambda: pairwise_gossip(nx.path_graph(3), 4, 1.0, 0), "idle is 1"),
        (lambda: pairwise_gossip(nx.empty_graph(2), 4, 0.0, 0), "with an edge"),
        (lambda: contraction_table(np.ones((1, 1, 1))), "single agent"),
        (lambda: contraction_table(Schedule.static(full_average(2)), 0), "rounds is 0"),
        (lambda: deviation(np.eye(2)[None], -1), "rounds is -1"),
        (lambda: cut_bound(1, 0.1), "n_agents is 1"),
        (lambda: path_bound(3, 0.0), "min_weight is 0"),
        (lambda: entry_bound(3, 1.0, 1, 1), "eta = 1"),
        (lambda: worst_norm_bound(nx.path_graph(3), 0.4), "row 1 has 3 entries"),
        (lambda: worst_norm_bound(nx.path_graph(3), float("nan")), "min_weight is nan"),
        (lambda: weight_vertices(nx.DiGraph([(0, 1), (1, 2), (2, 0), (0, 2), (3, 0), (0, 3)]), Fraction(1, 4), limit=2),
         "more than 2"),
        (lambda: weight_vertices(ONE_WAY_BACK, Fraction(3, 10)), "no doubly stochastic matrix on this graph"),
        (lambda: worst_weights(nx.DiGraph([(0, 1)]), 0.1), "not strongly connected"),
        (lambda: worst_weights_search(nx.path_graph(3), 0.1, 0, starts=0), "starts is 0"),
        (lambda: norm_enclosure(np.eye(2)), "exact rationals"),
        (lambda: fastest_mixing(nx.path_graph(3), 0.5), "min_weight is 0.5"),
    ],
)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_disconnected_gossip_names_the_components() -> None:
    with pytest.raises(DisconnectedScheduleError, match=r"never exchange"):
        pairwise_gossip(nx.path_graph(5), 2, 0.0, 1)
    with pytest.raises(DisconnectedScheduleError, match=r"\{0, 1\}, \{2, 3\}"):
        worst_weights(nx.Graph([(0, 1), (2, 3)]), 0.1)


# --- contraction ------------------------------------------------------------------------------------
def random_schedule(seed: int) -> Schedule:
    """A random member of a random family, or a random exact mixture made lazy by a random amount."""
    rng = np.random.default_rng(seed)
    names = [*FAMILIES, "lazy mixture"]
    name, size = names[rng.integers(len(names))], int(rng.integers(3, 7))
    if name == "lazy mixture":
        return Schedule.static(lazy(permutation_mixture(size, rng, terms=2), float(rng.uniform(0, 0.9))))
    return FAMILIES[name](size, int(rng.integers(2**31)))


@given(SEEDS, st.sampled_from([None, 1, 2, 7, 30]), st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_no_bound_that_applies_is_violated(seed: int, rounds: int | None, start: int) -> None:
    table = contraction_table(random_schedule(seed), rounds, start)
    assert not [row for row in table.violated() if row.applies], f"\n{table}"


@given(SEEDS, st.integers(1, 9), st.integers(0, 4))
@settings(max_examples=25, deadline=None)
def test_measures_agree_with_exact_rationals(seed: int, rounds: int, start: int) -> None:
    rng = np.random.default_rng(seed)
    exact = np.stack([permutation_mixture(4, rng, exact=True) for _ in range(2)])
    gap = deviation(exact, rounds, start)
    assert (gap == product(exact, rounds, start) - fmpq(1, 4)).all()
    table = contraction_table(to_float(exact), rounds, start)
    entry = max(abs(x) for x in gap.ravel())
    row = max((gap**2).sum(axis=1))
    assert table.row("entry").measured == pytest.approx(float(Fraction(int(entry.p), int(entry.q))), abs=table.rounding)
    assert table.row("papers").measured**2 == pytest.approx(float(Fraction(int(row.p), int(row.q))), abs=table.rounding)
    low, high = norm_enclosure(gap + fmpq(1, 4))
    assert low - table.rounding <= table.row("cut").measured <= high + table.rounding
    static = deviation(exact[:1], rounds)
    assert ((static**2).sum(axis=1) == row_deviation(exact[0], rounds)).all()


def test_deviation_keeps_relative_accuracy_far_down() -> None:
    """Two agents: the deviation after t rounds is (1 - 2c)^t exactly; a product minus 1/N would stop at 1e-17."""
    W = np.array([[[0.75, 0.25], [0.25, 0.75]]])
    assert np.linalg.norm(deviation(W, 200), 2) == pytest.approx(0.5**200, rel=1e-12)


def test_window_and_rate_of_a_periodic_schedule() -> None:
    schedule = Schedule.periodic([metropolis_weights(nx.path_graph(4)), np.eye(4)])
    value = 1 - (2 - np.sqrt(2)) / 3
    assert round_contractions(schedule) == pytest.approx([value, 1.0])
    assert window_contractions(schedule) == pytest.approx([value, value])
    assert asymptotic_rate(schedule) == pytest.approx(np.sqrt(value))
    assert connectivity_window(schedule.matrices) == 2


def test_intervals_differ_when_a_link_is_rare() -> None:
    """Every round is connected by the path; the chord is used in one round of three."""
    path, ring = metropolis_weights(nx.path_graph(4)), metropolis_weights(nx.cycle_graph(4))
    matrices = np.stack([path, path, ring])
    assert (connectivity_window(matrices), intercommunication_interval(matrices)) == (1, 3)


def test_ergodic_coefficient_by_hand_and_exactly() -> None:
    W = rational_array([[Fraction(1, 2), Fraction(1, 2), 0], [Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)],
                        [0, Fraction(1, 4), Fraction(3, 4)]])
    assert ergodic_coefficient(W) == fmpq(3, 4)  # rows 0 and 2 share 1/4
    assert ergodic_coefficient(full_average(4)) == 0


def _talk(every: int) -> np.ndarray:
    """Two agents with weight 1/4 that talk once in `every` rounds."""
    return np.stack([np.eye(2)] * (every - 1) + [np.array([[0.75, 0.25], [0.25, 0.75]])])


DISCONNECTED = np.kron(np.eye(2), full_average(2))[None]
SWAP = np.array([[[0.0, 1.0], [1.0, 0.0]]])
NOT_NORMAL = permutation_mixture(4, 1)[None]


@pytest.mark.parametrize(
    ("matrices", "rounds", "name", "reason"),
    [
        (_talk(3), 3, "papers", "every round connected"),
        (DISCONNECTED, 1, "cut", "connected sequence"),
        (DISCONNECTED, 1, "path", "connected sequence"),
        (DISCONNECTED, 1, "quadratic", "connected sequence"),
        (DISCONNECTED, 400, "entry", "connected sequence"),
        (DISCONNECTED, 40, "papers", "connected sequence"),
        (np.kron(full_average(2), SWAP[0])[None], 1, "eigenvalue", ""),
        (0.5 * SWAP + 0.5 * SWAP, 1, "dobrushin norm", ""),
        (NOT_NORMAL, 1, "eigenvalue", "normal matrix"),
        (np.stack([full_average(2), np.eye(2)]), 1, "eigenvalue", "fixed matrix"),
    ],
    ids=["papers-windows", "cut-disconnected", "path-disconnected", "quadratic-disconnected", "entry-disconnected",
         "papers-disconnected", "eigenvalue-normal", "dobrushin-swap", "eigenvalue-not-normal", "eigenvalue-varying"],
)
def test_bounds_fail_where_their_hypotheses_do(matrices: np.ndarray, rounds: int, name: str, reason: str) -> None:
    """Controls; the two without a reason meet their hypotheses and must hold."""
    table = contraction_table(matrices, rounds, start=len(matrices) - 1)
    row = table.row(name)
    assert row.applies == (not reason)
    assert reason in row.reason
    assert (row in table.violated()) == bool(reason)


def test_swap_has_no_self_weight_and_breaks_the_weight_bounds() -> None:
    lazy_swap = np.array([[[0.0, 0.5, 0.5, 0.0], [0.0, 0.5, 0.5, 0.0], [0.5, 0.0, 0.0, 0.5], [0.5, 0.0, 0.0, 0.5]]])
    table = contraction_table(lazy_swap, 1)
    assert "W[0][0, 0] is 0" in table.row("path").reason
    assert {"path", "cut"} <= {row.name for row in table.violated()}
    assert "self weights" in str(table)
    with pytest.raises(KeyError, match="there are entry"):
        table.row("none")


# --- the sharp bound and the cut bound against the truth --------------------------------------------
CASES = [
    (name, size, eta)
    for name in GRAPHS
    for size in (2, 3, 4, 5)
    for eta in (Fraction(1, 50), Fraction(1, 10), Fraction(1, 5), Fraction(1, 3))
    if (name != "cycle" or size > 2) and eta * (1 + max(dict(GRAPHS[name](size).degree).values())) <= 1
]


def worst_closed_form(name: str, size: int, eta: float) -> float:
    return {
        "path": 1 - 4 * eta * sine(np.pi / (2 * size)),
        "cycle": 1 - 4 * eta * sine(np.pi / size),
        "complete": 1 - size * eta,
    }[name]


@pytest.mark.parametrize(("name", "size", "eta"), CASES, ids=[f"{n}-{s}-{e}" for n, s, e in CASES])
def test_worst_case_by_all_vertices_closed_form_and_bounds(name: str, size: int, eta: Fraction) -> None:
    """Exact vertices, the closed form, the certificate; and how much of ``1 - norm^2`` the cut bound delivers."""
    graph, c = GRAPHS[name](size), float(eta)
    vertices = weight_vertices(graph, eta)
    truth = max(disagreement_norm(to_float(W)) for W in vertices)
    assert truth == pytest.approx(worst_closed_form(name, size, c), abs=TIGHT)
    found = worst_weights(graph, eta)
    assert found.exact
    assert found.lower <= truth + 1e-15 <= found.upper + 2e-15
    assert truth <= path_bound(size, c) + TIGHT <= cut_bound(size, c) + 2 * TIGHT
    assert cut_bound(size, c) <= quadratic_bound(size, c)
    if name == "path":
        assert truth == pytest.approx(path_bound(size, c), abs=TIGHT)  # sharp
        sharpness = (1 - cut_bound(size, c) ** 2) / (1 - truth**2)
        assert sharpness == pytest.approx((1 - c) / (1 - 2 * c * sine(np.pi / (2 * size))), abs=1e-9)


def digraphs(size: int) -> Iterator[nx.DiGraph]:
    """Strongly connected digraphs up to relabelling."""
    arcs = list(permutations(range(size), 2))
    seen: set[frozenset[tuple[int, int]]] = set()
    for count in range(size, len(arcs) + 1):
        for chosen in combinations(arcs, count):
            if frozenset(chosen) not in seen:
                seen |= {frozenset((p[i], p[j]) for i, j in chosen) for p in permutations(range(size))}
                graph = nx.DiGraph(chosen)
                if len(graph) == size and nx.is_strongly_connected(graph):
                    yield graph


@pytest.mark.parametrize(
    ("size", "count"), [(2, 1), (3, 5), pytest.param(4, 83, marks=pytest.mark.slow)], ids=["2", "3", "4"]
)
@pytest.mark.parametrize("eta", [Fraction(1, 20), Fraction(1, 4), Fraction(1, 3), Fraction(1, 2)], ids=str)
def test_path_bound_is_the_worst_over_all_digraphs(size: int, count: int, eta: Fraction) -> None:
    """Every vertex of every pattern; OEIS A035512 counts the digraphs. At these eta the bound is attained."""
    graphs, worst = list(digraphs(size)), 0.0
    assert len(graphs) == count
    for graph in graphs:
        try:
            vertices = weight_vertices(graph, eta)
        except ValueError:
            continue  # eta is too large for this digraph
        worst = max(worst, *(disagreement_norm(to_float(W)) for W in vertices))
    assert worst == pytest.approx(path_bound(size, float(eta)), abs=TIGHT)


@pytest.mark.parametrize("size", [3, 5, 8])
def test_path_bound_is_attained_over_windows(size: int) -> None:
    """A path's pairs averaged, every other one first and then the rest; and the directed ring with weights 1/2."""
    steps = np.stack([np.eye(size)] * 2)
    for i in range(size - 1):
        steps[i % 2, i : i + 2, i : i + 2] = 0.5
    for matrices in (steps, directed_balanced_weights(directed_cycle(size))[None]):
        table = contraction_table(matrices)
        assert table.row("path").slack == pytest.approx(0, abs=1e-14)


@given(SEEDS, st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_block_sums_in_the_proof_of_the_path_bound(seed: int, scale: int) -> None:
    """``Phi(S, S') <= |S| - c`` for every two sets of equal size, after a connected window."""
    rng = np.random.default_rng(seed)
    schedule = b_connected_schedule(nx.gnp_random_graph(5, 0.9, seed=seed), scale, rng) if seed % 2 else (
        Schedule.static(permutation_mixture(5, rng)))
    window = schedule.window
    for k in range(1, 5):
        sets = [list(s) for s in combinations(range(5), k)]
        largest = max(window[np.ix_(S, T)].sum() for S in sets for T in sets)
        assert largest <= k - schedule.min_weight + 1e-12


def test_published_rate_follows_from_the_path_bound() -> None:
    for size in range(2, 40):
        for eta in np.linspace(0.001, 0.5, 50):
            assert path_bound(size, eta) * np.sqrt(1 - 1 / size) <= papers_bound(size, eta, 1) + 1e-15


# --- vertices ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("graph", "count"),
    [(nx.complete_graph(3), 6), (nx.complete_graph(4), 24), (nx.cycle_graph(4), 9), (nx.cycle_graph(5), 13),
     (nx.cycle_graph(7), 31), (directed_cycle(5), 2)],
    ids=["K3", "K4", "C4", "C5", "C7", "directed C5"],
)
def test_regular_graphs_have_permutations_as_vertices(graph: nx.Graph, count: int) -> None:
    """Birkhoff: n! for complete graphs, a Lucas number plus two for cycles."""
    assert len(weight_vertices(graph, Fraction(1, 20))) == count


def bases(graph: nx.Graph | nx.DiGraph, eta: Fraction) -> set[tuple[fmpq, ...]]:
    """All basic feasible solutions by solving every subset of 2N - 1 columns, an independent enumeration."""
    size = len(graph)
    directed = graph if graph.is_directed() else graph.to_directed()
    cells = sorted({*directed.edges, *((i, i) for i in range(size))})
    found = set()
    low = fmpq(eta.numerator, eta.denominator)
    right = [1 - low * sum(c[0] == i for c in cells) for i in range(size)]
    right += [1 - low * sum(c[1] == j for c in cells) for j in range(size - 1)]
    for chosen in combinations(cells, 2 * size - 1):
        matrix = fmpq_mat(2 * size - 1, 2 * size - 1)
        for k, (i, j) in enumerate(chosen):
            matrix[i, k] = 1
            if j < size - 1:
                matrix[size + j, k] = 1
        if matrix.det() == 0:
            continue
        x = matrix.solve(fmpq_mat(2 * size - 1, 1, right)).entries()
        if min(x) >= 0:
            W = rational_array(np.zeros((size, size), dtype=int))
            for i, j in cells:
                W[i, j] = low
            for value, (i, j) in zip(x, chosen, strict=True):
                W[i, j] += value
            found.add(tuple(W.ravel()))
    return found


@pytest.mark.parametrize(
    "graph",
    [nx.path_graph(4), nx.cycle_graph(4), nx.star_graph(3), nx.Graph([(0, 1), (1, 2), (2, 0), (2, 3)]),
     nx.DiGraph([(0, 1), (1, 2), (2, 3), (3, 0), (1, 0), (2, 0)]), nx.DiGraph([(0, 1), (1, 2), (2, 0), (0, 2)])],
    ids=["path", "cycle", "star", "paw", "digraph", "unbalanced"],
)
def test_vertices_are_the_basic_feasible_solutions(graph: nx.Graph) -> None:
    eta = Fraction(1, 9)
    vertices = weight_vertices(graph, eta)
    assert {tuple(W.ravel()) for W in vertices} == bases(graph, eta)
    for W in vertices:
        assert (W.sum(axis=0) == 1).all()
        assert (W.sum(axis=1) == 1).all()


@given(SEEDS, st.integers(2, 4), st.booleans())
@settings(max_examples=25, deadline=None)
def test_random_weights_stay_below_the_worst_case(seed: int, size: int, directed: bool) -> None:
    """Convexity and the certificate: mixtures of vertices, and Sinkhorn weights with their own least entry."""
    rng = np.random.default_rng(seed)
    graph = nx.gnp_random_graph(size, 0.8, seed=seed, directed=directed)
    nx.add_cycle(graph, range(size))
    eta = Fraction(1, 2 * size)
    worst = worst_weights(graph, eta)
    assert worst.exact
    assert worst.upper <= worst_norm_bound(graph, eta) + TIGHT
    low, high = norm_enclosure(worst.W)
    assert low == worst.lower
    assert high <= worst.upper
    vertices = weight_vertices(graph, eta)
    mixture = np.tensordot(rng.dirichlet(np.ones(len(vertices))), [to_float(W) for W in vertices], axes=1)
    assert disagreement_norm(mixture) <= worst.upper
    W = sinkhorn_weights(graph, rng)
    assert disagreement_norm(W) <= worst_norm_bound(graph, Fraction(float(W[W > 0].min()) * (1 - 1e-9)))


@pytest.mark.parametrize(
    ("graph", "expected"),
    [(nx.random_labeled_tree(40, seed=4), None), (nx.star_graph(9), 1 - 1 / 20), (nx.hypercube_graph(4), 1 - 2 / 20),
     (nx.complete_graph(12), 1 - 12 / 20), (nx.cycle_graph(30), 1 - sine(np.pi / 30) / 5)],
    ids=["tree", "star", "hypercube", "complete", "cycle"],
)
def test_large_graphs_have_a_certified_closed_form(graph: nx.Graph, expected: float | None) -> None:
    graph = nx.convert_node_labels_to_integers(graph)
    eta = Fraction(1, 20)
    worst = worst_weights(graph, eta)
    assert (worst.method, worst.exact) == ("closed form", True)
    value = 1 - laplacian_values(graph)[1] / 20 if expected is None else expected
    assert worst.lower == pytest.approx(value, abs=TIGHT)
    if len(graph) < 13:
        search = worst_weights_search(graph, eta, 0, starts=1)
        assert worst.lower == pytest.approx(search.lower, abs=TIGHT)


def test_directed_cycle_and_bipartite_worst_cases() -> None:
    """On a directed ring W = a I + (1 - a) shift; on K_{3,3} a perfect matching beats the identity."""
    ring = worst_weights(directed_cycle(6), Fraction(1, 10))
    assert ring.method == "vertices"
    assert ring.lower == pytest.approx(np.sqrt(1 - 0.36 * sine(np.pi / 6)), abs=1e-14)
    bipartite = worst_weights(nx.complete_bipartite_graph(3, 3), Fraction(1, 10))
    assert bipartite.lower == pytest.approx(0.8, abs=1e-14)  # 1 - 2 eta, above 1 - 3 eta
    assert worst_norm_bound(nx.complete_bipartite_graph(3, 3), 0.1) == pytest.approx(0.8, abs=TIGHT)
    assert bipartite.method == "vertices"
    large = worst_weights(nx.complete_bipartite_graph(5, 5), Fraction(1, 20), limit=100)
    assert (large.method, large.exact) == ("local search", True)
    with pytest.raises(TooManyVerticesError, match="cycles"):
        weight_vertices(nx.complete_bipartite_graph(5, 5), Fraction(1, 20), limit=100)


# --- fastest mixing ---------------------------------------------------------------------------------
def edge_transitive_optimum(graph: nx.Graph) -> float:
    """One weight a on all edges, a <= 1/d_max: max(1 - a lambda_2, a lambda_N - 1) at its least."""
    values, degree = laplacian_values(graph), max(dict(graph.degree).values())
    a = min(2 / (values[1] + values[-1]), 1 / degree)
    return float(max(1 - a * values[1], a * values[-1] - 1))


@pytest.mark.parametrize(
    ("graph", "expected"),
    [(nx.path_graph(n), np.cos(np.pi / n)) for n in (2, 3, 6)]  # Boyd, Diaconis, Sun and Xiao (2006)
    + [(nx.star_graph(n - 1), (n - 2) / (n - 1)) for n in (4, 7)]
    + [(nx.complete_graph(5), 0.0)]
    + [(g, edge_transitive_optimum(g)) for g in (nx.cycle_graph(6), nx.cycle_graph(7), nx.petersen_graph(),
                                                 nx.complete_bipartite_graph(2, 4))],
    ids=["P2", "P3", "P6", "S4", "S7", "K5", "C6", "C7", "petersen", "K24"],
)
def test_fastest_mixing_closed_forms(graph: nx.Graph, expected: float) -> None:
    fastest = fastest_mixing(graph)
    assert fastest.lower - 1e-12 <= expected <= fastest.norm + 1e-12
    assert fastest.norm - fastest.lower < 1e-7
    require_doubly_stochastic(fastest.W)
    assert fastest.norm <= disagreement_norm(metropolis_weights(graph)) + 1e-8


def test_fastest_mixing_with_a_least_weight() -> None:
    """On a path with weights at least c, the diagonal inside holds c: the rest is 1/2 - c/2 per edge by symmetry."""
    fastest = fastest_mixing(nx.path_graph(3), 0.1)
    assert fastest.norm == pytest.approx(0.55, abs=1e-7)  # eigenvalue 1 - w, w <= (1 - 0.1) / 2
    assert 0 <= fastest.norm - fastest.lower < 1e-7
    assert Schedule.static(fastest.W).min_weight >= 0.1 - 1e-12
    irregular = nx.Graph([(0, 1), (1, 2), (2, 0), (2, 3), (3, 4)])
    best = fastest_mixing(irregular, 0.05)
    assert 0 <= best.norm - best.lower < 1e-6
    for other in (metropolis_weights(irregular), max_degree_weights(irregular)):
        assert best.lower <= disagreement_norm(other)
