"""Where the statements of a dependency graph stand in its picture: layers, their order, and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx as nx

WIDTH, MARGIN, HEIGHT = 1140, 10, 24  # CSS pixels: the page at full width; a node is one line of text
ROW_GAP, LAYER_GAP, NODE_GAP = 14, 44, 12
CHARACTER = 6.7  # width of a monospaced character of 11 px, generously
SWEEPS = 12
"""Rounds of the barycentre heuristic (Sugiyama, Tagawa and Toda, 1981); ours: the order is stable well before."""


@dataclass(frozen=True)
class Node:
    """A statement in the picture.

    Attributes:
        key: its key.
        label: what is written: its id, with the paper if that is another one.
        layer: 0 for what rests on nothing here; None if it stands apart.
        x: left edge.
        y: top edge.
    """

    key: str
    label: str
    layer: int | None
    x: float
    y: float

    @property
    def width(self) -> float:
        """Width of the box."""
        return box_width(self.label)

    @property
    def centre(self) -> float:
        """Where lines meet the box, from the left."""
        return round(self.x + self.width / 2, 1)


def box_width(label: str) -> float:
    """Width of the box around a label and its sign.

    Args:
        label: the text.
    """
    return round(CHARACTER * (len(label) + 2) + 18, 1)


def layers(graph: nx.DiGraph) -> dict[str, int]:
    """Layer of every statement: one above the highest that it rests on, 0 if it rests on nothing.

    Args:
        graph: acyclic, arcs downwards.
    """
    level: dict[str, int] = {}
    for key in reversed(list(nx.lexicographical_topological_sort(graph))):
        level[key] = 1 + max((level[used] for used in graph.successors(key)), default=-1)
    return level


def place_nodes(graph: nx.DiGraph, labels: Mapping[str, str]) -> tuple[dict[str, Node], int]:
    """Every statement with its place, from top to bottom, and the height of the picture.

    Args:
        graph: acyclic, arcs from a statement to what it rests on.
        labels: what is written, per key.
    """
    apart = [key for key in graph if graph.degree(key) == 0]
    order = ordered_layers(graph.subgraph([key for key in graph if graph.degree(key) > 0]))
    nodes: dict[str, Node] = {}
    y = float(MARGIN)
    for layer in sorted(order, reverse=True):
        for row in _dealt(order[layer], labels):
            # equal gaps: a row spans the picture
            gap = (WIDTH - 2 * MARGIN - sum(box_width(labels[key]) for key in row)) / (len(row) + 1)
            nodes |= _set_row(row, labels, layer, MARGIN + gap, gap, y)
            y += HEIGHT + ROW_GAP
        y += LAYER_GAP - ROW_GAP
    y += HEIGHT if apart else 0  # room for the line that says what they are
    for row in _filled(apart, labels):
        nodes |= _set_row(row, labels, None, MARGIN, NODE_GAP, y)
        y += HEIGHT + ROW_GAP
    return nodes, round(y - ROW_GAP + MARGIN)


def ordered_layers(graph: nx.DiGraph) -> dict[int, list[str]]:
    """Keys of each layer from left to right: by the mean place of what lies above, then below, to cross fewer lines.

    Args:
        graph: acyclic.
    """
    order: dict[int, list[str]] = {}
    for key, layer in layers(graph).items():
        order.setdefault(layer, []).append(key)
    place = {key: (k + 0.5) / len(keys) for keys in order.values() for k, key in enumerate(keys)}
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        near = graph.predecessors if downwards else graph.successors
        for layer in sorted(order, reverse=downwards):
            mean = {}
            for key in order[layer]:
                around = [place[k] for k in near(key)] or [place[key]]
                # rounded: the order must not hang on the last bit of a sum
                mean[key] = (round(sum(around) / len(around), 9), key)
            order[layer] = sorted(order[layer], key=mean.__getitem__)
            place |= {key: (k + 0.5) / len(order[layer]) for k, key in enumerate(order[layer])}
    return order


def _set_row(
    row: Sequence[str], labels: Mapping[str, str], layer: int | None, x: float, gap: float, y: float
) -> dict[str, Node]:
    nodes = {}
    for key in row:
        nodes[key] = Node(key, labels[key], layer, round(x, 1), y)
        x += nodes[key].width + gap
    return nodes


def _fits(row: Sequence[str], labels: Mapping[str, str]) -> bool:
    return len(row) == 1 or sum(box_width(labels[key]) + NODE_GAP for key in row) <= WIDTH - 2 * MARGIN


def _dealt(keys: Sequence[str], labels: Mapping[str, str]) -> list[list[str]]:
    """Rows that fit, dealt out in turn, so that each spans the picture in the order of the layer."""
    count = 1
    while not all(_fits(keys[k::count], labels) for k in range(count)):
        count += 1
    return [list(keys[k::count]) for k in range(count)]


def _filled(keys: Sequence[str], labels: Mapping[str, str]) -> list[list[str]]:
    """Rows that fit, filled like lines of text."""
    rows: list[list[str]] = []
    for key in keys:
        if rows and _fits([*rows[-1], key], labels):
            rows[-1].append(key)
        else:
            rows.append([key])
    return rows
