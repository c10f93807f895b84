"""The picture of a ledger: which statements of a paper rest on which, coloured by verdict, as SVG text.

Theorems stand above what they rest on. A layer may take several rows; statements of one layer never rest on each
other. The SVG is written by hand, since it has to carry links and to follow the colours of the page it lies in.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from html import escape

import networkx as nx

from verify.dependencies import FALLEN
from verify.evidence import Verdict
from verify.report.figures import TONES, Figure
from verify.report.layout import HEIGHT, MARGIN, WIDTH, Node, place_nodes

SIGNS = {"good": "✓", "bad": "✗", "open": "?", "aside": "○", "none": "·"}
"""Sign before a label, as on the badges: colour is never the only cue. Outlines and corners differ as well."""

NAMED = 12
"""Statements that the description names at most; ours."""

STYLE = {
    "text": 'font: 11px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
    ".arc": "fill: none; stroke: #8a8a86; stroke-width: 1; stroke-opacity: 0.55",
    ".arc.bad": "stroke: var(--bad, #8f2f00); stroke-width: 1.4; stroke-opacity: 0.7",
    ".arc.open": "stroke: var(--open, #6b4a00); stroke-dasharray: 5 3; stroke-opacity: 0.8",
    "rect": "stroke-width: 1.2",
    ".good rect": "fill: var(--good-paper, #d9efe7); stroke: var(--good, #005c46)",
    ".bad rect": "fill: var(--bad-paper, #fbe3d6); stroke: var(--bad, #8f2f00); stroke-width: 2.4",
    ".open rect": "fill: var(--open-paper, #faecc8); stroke: var(--open, #6b4a00); stroke-dasharray: 5 3",
    ".aside rect": "fill: var(--aside-paper, #e8e8e6); stroke: var(--aside, #4d4d4d); stroke-dasharray: 2 2",
    ".none rect": "fill: var(--aside-paper, #e8e8e6); stroke: none",
    ".good text": "fill: var(--good, #005c46)",
    ".bad text": "fill: var(--bad, #8f2f00)",
    ".open text": "fill: var(--open, #6b4a00)",
    ".aside text": "fill: var(--aside, #4d4d4d)",
    ".none text": "fill: var(--aside, #4d4d4d)",
    ".apart": "fill: var(--faint, #5c5c58)",
    "a:hover text": "text-decoration: underline",
    "a:focus text": "text-decoration: underline",
}
"""Rules by selector. Colours are the page's, with its light ones where there is no page."""


def graph_figure(
    graph: nx.DiGraph, paper: str, verdicts: Mapping[str, Verdict], links: Mapping[str, str] | None = None
) -> Figure:
    """Picture of what the statements of a paper rest on.

    Args:
        graph: arcs from each statement to what it rests on, from `verify.dependencies.dependency_graph`.
        paper: key of the paper; statements of others appear where its own rest on them.
        verdicts: verdict of the printed form by key; statements without one are drawn as not checked.
        links: address per key; nodes without one carry no link.

    Returns:
        The figure; its CSV has one row per statement and one per arc.

    Raises:
        ValueError: the paper has no statement in the graph, or the graph has a cycle.
    """
    own = [key for key in graph if key.startswith(f"{paper}/")]
    if not own:
        raise ValueError(f"the graph has no statement of {paper!r}")
    part = nx.DiGraph()
    part.add_nodes_from(own)
    part.add_edges_from((key, used) for key in own for used in graph.successors(key))
    if not nx.is_directed_acyclic_graph(part):
        raise ValueError(f"statements of {paper} rest on themselves; there are no layers")
    nodes, height = place_nodes(part, {key: key.removeprefix(f"{paper}/") for key in part})
    alt = _alt(part, paper, nodes, verdicts)
    caption = (
        "A line goes from a statement down to one that it rests on: heavy where that one is refuted, unsatisfiable or "
        "vacuous, dashed where it is open. ✓ stands, ✗ falls as printed, ? open or ambiguous, ○ out of scope, "
        "· not checked."
    )
    svg = _svg(part, paper, nodes, verdicts, links or {}, alt, height)
    return Figure(svg, _csv(part, nodes, verdicts), alt, caption, WIDTH, height)


def _svg(
    graph: nx.DiGraph, paper: str, nodes: Mapping[str, Node], verdicts: Mapping[str, Verdict],
    links: Mapping[str, str], alt: str, height: int,
) -> str:
    # it goes into selectors: nothing but letters, digits and hyphens
    name = "graph-" + re.sub(r"[^a-zA-Z0-9]+", "-", paper)
    number = {key: k for k, key in enumerate(nodes)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{name}" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="group" aria-labelledby="{name}-alt">',
        f'<desc id="{name}-alt">{escape(alt)}</desc>',
        *_style(name, len(nodes)),
    ]
    parts += [_arc(nodes[key], nodes[used], verdicts, number) for key, used in graph.edges]
    standing = [node.y for node in nodes.values() if node.layer is None]
    if standing:
        what = "No statement here rests on these, nor they on any:"
        parts.append(f'<text class="apart" x="{MARGIN}" y="{min(standing) - 8}">{what}</text>')
    parts += [_box(node, graph, number[node.key], verdicts, links.get(node.key)) for node in nodes.values()]
    return "\n".join([*parts, "</svg>", ""])


def _style(name: str, count: int) -> list[str]:
    """The style element; every rule starts with the picture's name, so that none leaks into the page.

    Pointing at a statement, or moving to it with the keyboard, makes its lines heavy.
    """
    rules = [f"#{name} {selector} {{ {rule} }}" for selector, rule in STYLE.items()]
    heavy = "{ stroke-width: 3; stroke-opacity: 1 }"
    rules += [f"#{name}:has(.n{k}:hover,.n{k}:focus-within) :is(.f{k},.t{k}) {heavy}" for k in range(count)]
    return ["<style>", *rules, "</style>"]


def _tone(key: str, verdicts: Mapping[str, Verdict]) -> str:
    return TONES[verdicts[key]] if key in verdicts else "none"


def _arc(upper: Node, lower: Node, verdicts: Mapping[str, Verdict], number: Mapping[str, int]) -> str:
    top, bottom = upper.y + HEIGHT, lower.y
    bend = round(min(70.0, (bottom - top) / 2), 1)
    tone = _tone(lower.key, verdicts)
    kind = f"arc {tone}" if tone in ("bad", "open") else "arc"
    curve = f"M{upper.centre} {top}C{upper.centre} {top + bend} {lower.centre} {bottom - bend} {lower.centre} {bottom}"
    return f'<path class="{kind} f{number[upper.key]} t{number[lower.key]}" d="{curve}"/>'


def _box(node: Node, graph: nx.DiGraph, number: int, verdicts: Mapping[str, Verdict], link: str | None) -> str:
    tone, verdict = _tone(node.key, verdicts), str(verdicts.get(node.key, "not checked"))
    used = ", ".join(key.split("/", 1)[1] for key in graph.successors(node.key)) or "nothing here"
    radius = {"good": 12, "bad": 0}.get(tone, 5)
    inside = (
        f"<title>{escape(f'{node.label}: {verdict}; rests on {used}')}</title>"
        f'<rect x="{node.x}" y="{node.y}" width="{node.width}" height="{HEIGHT}" rx="{radius}"/>'
        f'<text x="{round(node.x + 8, 1)}" y="{node.y + 16}">{SIGNS[tone]} {escape(node.label)}</text>'
    )
    if link is not None:
        inside = f'<a href="{escape(link)}" aria-label="{escape(f"{node.label}, {verdict}")}">{inside}</a>'
    return f'<g class="{tone} n{number}">{inside}</g>'


def _alt(graph: nx.DiGraph, paper: str, nodes: Mapping[str, Node], verdicts: Mapping[str, Verdict]) -> str:
    """The picture in words: its size, and the fallen statements on which most others rest."""
    deep = 1 + max((node.layer for node in nodes.values() if node.layer is not None), default=-1)
    text = (
        f"Graph of {paper}: {len(nodes)} statements, {graph.number_of_edges()} lines to what they rest on, "
        f"{deep} layers. "
    )
    fallen = [(len(nx.ancestors(graph, key)), key) for key in nodes if verdicts.get(key) in FALLEN]
    borne = sorted(((count, key) for count, key in fallen if count), key=lambda pair: (-pair[0], pair[1]))
    if not borne:
        return text + "No statement rests on one that does not stand."
    listed = [f"{nodes[key].label} ({verdicts[key]}, under {count})" for count, key in borne[:NAMED]]
    rest = f", and {len(borne) - NAMED} more" if len(borne) > NAMED else ""
    return text + f"Statements that do not simply stand and on which others rest: {', '.join(listed)}{rest}."


def _csv(graph: nx.DiGraph, nodes: Mapping[str, Node], verdicts: Mapping[str, Verdict]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("statement", "verdict", "layer", "rests_on", "verdict_of_that"))
    for key, node in nodes.items():
        head = (key, verdicts.get(key, "not checked"), "" if node.layer is None else node.layer)
        writer.writerow((*head, "", ""))
        writer.writerows((*head, used, verdicts.get(used, "not checked")) for used in graph.successors(key))
    return buffer.getvalue()
