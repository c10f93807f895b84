"""The report: one folder that opens from disk, with a page, figures, and the data behind them.

Same results, same bytes: nothing here depends on time, path, or number of workers. All text of claims and
data passes through autoescaping; the only markup made in Python comes from `verify.markup` and `verify.mathml`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import jinja2
import networkx as nx
from markupsafe import Markup

from rates.sweep import save
from verify.claim import Kind
from verify.context import Context
from verify.dependencies import dependency_graph, leans_on
from verify.evidence import Relation, Rigor, Scope, Verdict, judge
from verify.figures import TONES, Figure, Strip, rate_figure, strip_figure
from verify.graph_figure import graph_figure
from verify.ledger import known_keys
from verify.markup import exact_or_text, inline, matrices, number, prose
from verify.mathml import mathml
from verify.runner import ClaimResult, VariantResult

RELATIONS = {
    Relation.AT_MOST: "≤", Relation.AT_LEAST: "≥", Relation.EQUAL: "=",
    Relation.NOT_SLOWER: "decays at least like exponent",
}  # fmt: skip
"""Relations as printed before the claimed value."""

@dataclass(frozen=True)
class PlacedFigure:
    """A figure and where it lies.

    Attributes:
        figure: the figure.
        name: what it belongs to.
        svg: path from the page.
        csv: path from the page.
    """

    figure: Figure
    name: str
    svg: str
    csv: str


@dataclass(frozen=True)
class Section:
    """A statement as the page shows it.

    Attributes:
        anchor: fragment of its address.
        result: its outcome.
        rates: figures of the rate fits by variant name.
        strip: figure of the samples, if there are any.
        leans: statements below this one that do not simply stand, with their verdicts.
    """

    anchor: str
    result: ClaimResult
    rates: Mapping[str, tuple[PlacedFigure, ...]]
    strip: PlacedFigure | None
    leans: tuple[tuple[str, Verdict], ...] = ()

    def of(self, *kinds: str) -> list[VariantResult]:
        """Results of the variants of some kinds.

        Args:
            *kinds: names of members of `Kind`.
        """
        return [v for v in self.result.variants if v.variant.kind in {Kind[k] for k in kinds}]

    @property
    def refuted_controls(self) -> int:
        """How many negative controls came out refuted."""
        return sum(v.verdict is Verdict.REFUTED for v in self.of("CONTROL"))


@dataclass(frozen=True)
class PlacedGraph:
    """The picture of what rests on what in a paper.

    Attributes:
        anchor: fragment of its address.
        placed: the figure beside the page.
        inline: the same with links to the statements, to be put into the page.
    """

    anchor: str
    placed: PlacedFigure
    inline: Markup


@dataclass(frozen=True)
class DataFile:
    """A dataset beside the page.

    Attributes:
        key: its key in the context.
        path: path from the page.
        sizes: dimensions in words.
        variables: names of its variables.
    """

    key: str
    path: str
    sizes: str
    variables: str


def write_report(results: Sequence[ClaimResult], context: Context, out: Path) -> Path:
    """Write the report of a run of the ledger.

    Files of an earlier report in the same folder are overwritten; others are left alone.

    Args:
        results: outcomes in the order to show.
        context: what they were computed with; its datasets are saved beside the page.
        out: folder, made if needed.

    Returns:
        The path of ``index.html``.

    Raises:
        OSError: the folder cannot be written.
    """
    (out / "figures").mkdir(parents=True, exist_ok=True)
    names: set[str] = set()
    graph = dependency_graph([result.claim for result in results], known_keys())
    verdicts = {result.claim.key: result.verdict for result in results}
    sections = [
        replace(_section(result, out, names), leans=tuple(leans_on(graph, result.claim.key, verdicts)))
        for result in results
    ]
    page = _environment().get_template("report.html.j2")
    by_paper = [(paper, list(group)) for paper, group in groupby(sections, lambda s: s.result.claim.paper)]
    anchors = {s.result.claim.key: s.anchor for s in sections}
    text = page.render(
        sections=sections,
        anchors=anchors,
        by_paper=by_paper,
        graphs=_graphs(graph, verdicts, anchors, out, names),
        counts=_counts(results),
        verdicts=[v for v in Verdict if any(r.verdict is v for r in results)],
        context=context,
        versions={name: version(name) for name in ("lemmata", "numpy", "scipy", "numba")},
        data=_save_datasets(context, out),
    )
    index = out / "index.html"
    index.write_text(text, encoding="utf-8", newline="\n")
    return index


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("verify", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        mathml=mathml, prose=prose, inline=inline, number=number, exact=exact_or_text, judge=judge,
        tone=TONES.__getitem__,
    )
    environment.globals.update(
        matrices=matrices, relations=RELATIONS, Scope=Scope, Rigor=Rigor, Verdict=Verdict, Kind=Kind
    )
    return environment


def _counts(results: Sequence[ClaimResult]) -> dict[str, Counter[Verdict]]:
    counts: dict[str, Counter[Verdict]] = {}
    for result in results:
        counts.setdefault(result.claim.paper, Counter())[result.verdict] += 1
    return counts


def _section(result: ClaimResult, out: Path, names: set[str]) -> Section:
    anchor = _unique(f"{result.claim.paper}-{result.claim.id}", names)
    rates: dict[str, tuple[PlacedFigure, ...]] = {}
    strips = []
    for outcome in result.variants:
        variant, placed = outcome.variant, list[PlacedFigure]()
        for evidence in outcome.evidence:
            if evidence.fit is not None:
                name = f"{variant.name}, {evidence.quantity}"
                stem = _unique(f"{anchor}-{variant.name}", names)
                placed.append(_place(rate_figure(evidence.fit), name, stem, out))
            if evidence.sample:
                strips.append(
                    Strip(
                        variant.name, variant.kind, evidence.sample_quantity or evidence.quantity, evidence.relation,
                        evidence.claimed if evidence.sample_claimed is None else evidence.sample_claimed,
                        evidence.sample,
                    )
                )
        rates[variant.name] = tuple(placed)
    strip = None
    if strips:
        strip = _place(strip_figure(strips), "samples", _unique(f"{anchor}-samples", names), out)
    return Section(anchor, result, rates, strip)


def _place(figure: Figure, name: str, stem: str, out: Path) -> PlacedFigure:
    svg, table = f"figures/{stem}.svg", f"figures/{stem}.csv"
    (out / svg).write_text(figure.svg, encoding="utf-8", newline="\n")
    (out / table).write_text(figure.csv, encoding="utf-8", newline="\n")
    return PlacedFigure(figure, name, svg, table)


def _graphs(
    graph: nx.DiGraph, verdicts: Mapping[str, Verdict], anchors: Mapping[str, str], out: Path, names: set[str]
) -> dict[str, PlacedGraph]:
    """Picture per paper in which some statement rests on another."""
    graphs = {}
    for paper in dict.fromkeys(key.split("/", 1)[0] for key in verdicts):
        if not any(key.startswith(f"{paper}/") for key, _ in graph.edges):
            continue
        figure = graph_figure(graph, paper, verdicts)
        links = {key: f"#{anchor}" for key, anchor in anchors.items()}
        # graph_figure escapes everything that comes from claims
        inline = Markup(graph_figure(graph, paper, verdicts, links).svg)
        stem = _unique(f"{paper}-graph", names)
        graphs[paper] = PlacedGraph(stem, _place(figure, paper, stem, out), inline)
    return graphs


def _save_datasets(context: Context, out: Path) -> list[DataFile]:
    files, names = [], set[str]()
    for key, dataset in sorted(context.datasets.items()):
        (out / "data").mkdir(exist_ok=True)
        path = f"data/{_unique(key, names)}.nc"
        save(dataset, out / path)
        sizes = ", ".join(f"{name} {size}" for name, size in dataset.sizes.items())
        files.append(DataFile(key, path, sizes, ", ".join(map(str, dataset.data_vars))))
    return files


def _unique(text: str, taken: set[str]) -> str:
    """A file name and fragment made from `text`, not yet in `taken`, to which it is added."""
    stem = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80] or "unnamed"
    name, k = stem, 1
    while name in taken:
        k += 1
        name = f"{stem}-{k}"
    taken.add(name)
    return name
