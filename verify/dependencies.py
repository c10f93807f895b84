"""Which statements rest on which: the graph of a ledger, and where a refuted statement shows up."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import networkx as nx

from verify.claim import Claim
from verify.evidence import Verdict

FALLEN = (Verdict.REFUTED, Verdict.UNSATISFIABLE, Verdict.AMBIGUOUS, Verdict.VACUOUS, Verdict.INCONCLUSIVE)
"""Verdicts that a reader of a dependent theorem must know about, worst first."""


def dependency_graph(claims: Sequence[Claim], known: Collection[str]) -> nx.DiGraph:
    """Graph with an arc from each statement to every statement it rests on.

    Args:
        claims: the ledger.
        known: keys that may be used, those of the coverage lists.

    Raises:
        ValueError: a statement uses an unknown one, or itself through others (the cycle is named).
    """
    graph = nx.DiGraph()
    for claim in claims:
        graph.add_node(claim.key)
        for used in claim.used_keys:
            if used not in known:
                raise ValueError(f"{claim.key} uses {used}, which no coverage list has")
            graph.add_edge(claim.key, used)
    if not nx.is_directed_acyclic_graph(graph):
        cycle = [arc[0] for arc in nx.find_cycle(graph)]
        raise ValueError(f"statements rest on themselves: {' -> '.join([*cycle, cycle[0]])}")
    return graph


def leans_on(graph: nx.DiGraph, key: str, verdicts: Mapping[str, Verdict]) -> list[tuple[str, Verdict]]:
    """Statements below `key` whose verdict its reader must know about, worst first, then nearest first.

    Args:
        graph: from `dependency_graph`.
        key: a statement.
        verdicts: verdict of the printed form by key; statements without one are left out.

    Raises:
        KeyError: `key` is not in the graph.
    """
    if key not in graph:
        raise KeyError(f"{key} is not in the graph")
    distance = nx.single_source_shortest_path_length(graph, key)
    below = [k for k in distance if k != key and verdicts.get(k) in FALLEN]
    below.sort(key=lambda k: (FALLEN.index(verdicts[k]), distance[k], k))
    return [(k, verdicts[k]) for k in below]


def rests_under(graph: nx.DiGraph, key: str) -> list[str]:
    """Statements that rest on `key`, directly or through others, in alphabetical order.

    Args:
        graph: from `dependency_graph`.
        key: a statement.

    Raises:
        KeyError: `key` is not in the graph.
    """
    if key not in graph:
        raise KeyError(f"{key} is not in the graph")
    return sorted(nx.ancestors(graph, key))
