"""The report: a folder of pages that open from disk, with figures and the data behind them.

Same results, same bytes: nothing here depends on time, path, or number of workers. All text of claims and data passes
through autoescaping; the only markup made in Python comes from `verify.report.markup`, `verify.report.mathml` and
`verify.report.graph`. Nothing is fetched: styles and one plain script lie beside the pages, which work without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import networkx as nx
from markupsafe import Markup

from verify.context import Context
from verify.dependencies import dependency_graph
from verify.evidence import Verdict
from verify.ledger import known_keys
from verify.paper import papers
from verify.report.counterexamples import refutations
from verify.report.datasets import save_datasets
from verify.report.environment import environment
from verify.report.experiment_data import ExperimentPage
from verify.report.experiments import by_statement, experiment_pages
from verify.report.folder import ReportFolder
from verify.report.graph import graph_figure
from verify.report.guide import Guide, guide_of
from verify.report.sections import PlacedFigure, Section, place, sections_of
from verify.runner import ClaimResult

ASSETS = ("style.css", "site.js")
"""Files beside the pages, as they are in the package."""


@dataclass(frozen=True)
class PlacedGraph:
    """The picture of what rests on what in a paper.

    Attributes:
        anchor: fragment of its address on the overview.
        placed: the figure beside the pages.
        inline: the same with links to the statements, to be put into the overview.
    """

    anchor: str
    placed: PlacedFigure
    inline: Markup


@dataclass(frozen=True)
class Site:
    """What every page may show.

    Attributes:
        sections: statements in order.
        context: of the run.
        guides: reading guides by paper.
        experiments: pages of experiments.
        titles: titles of the papers by key.
    """

    sections: Sequence[Section]
    context: Context
    guides: Mapping[str, Guide]
    experiments: Sequence[ExperimentPage]
    titles: Mapping[str, str]

    @property
    def shared(self) -> dict[str, Any]:
        """Variables of every template."""
        return {
            "sections": self.sections,
            "by_key": {s.claim.key: s for s in self.sections},
            "addresses": {s.claim.key: s.address for s in self.sections},
            "context": self.context,
            "guides": self.guides,
            "experiments": self.experiments,
            "experiments_of": by_statement(self.experiments),
            "titles": self.titles,
            "refutations": refutations(self.sections),
            "used_verdicts": [v for v in Verdict if any(s.verdict is v for s in self.sections)],
        }


def write_report(
    results: Sequence[ClaimResult], context: Context, out: Path, experiments: Sequence[Path] = ()
) -> Path:
    """Write the report of a run of the ledger.

    Files of an earlier report in the same folder are overwritten; its pages and figures that this one does not have
    are removed, if its manifest lists them and they are as it wrote them. Nothing else is touched.

    Args:
        results: outcomes in the order to show.
        context: what they were computed with; its datasets are saved beside the pages.
        out: folder, made if needed.
        experiments: folders written by ``lemmata experiment NAME --out``, to be shown as well.

    Returns:
        The path of ``index.html``.

    Raises:
        OSError: the folder cannot be written.
        verify.report.experiment_folders.FolderError: a folder of an experiment that cannot be shown.
    """
    folder = ReportFolder(out)
    graph = dependency_graph([result.claim for result in results], known_keys())
    sections = sections_of(results, graph, folder)
    pages = experiment_pages(sections, context, experiments)
    titles = {paper: _title(paper) for paper in dict.fromkeys(s.claim.paper for s in sections)}
    around = by_statement(pages)
    found = {paper: guide_of(paper, title, sections, graph, around) for paper, title in titles.items()}
    site = Site(sections, context, {paper: guide for paper, guide in found.items() if guide}, pages, titles)
    _write_pages(site, graph, folder)
    for name in ASSETS:
        folder.write(name, (resources.files("verify") / "templates" / name).read_text(encoding="utf-8"))
    folder.finish()
    return out / "index.html"


def _write_pages(site: Site, graph: nx.DiGraph, folder: ReportFolder) -> None:
    templates, shared = environment(), site.shared

    def write(path: str, template: str, **variables: Any) -> None:
        root = "../" * path.count("/")
        text = templates.get_template(template).render(shared | {"root": root, "here": path, "paper": ""} | variables)
        folder.write(path, text)

    numbers = {name: version(name) for name in ("lemmata", "numpy", "scipy", "numba")}
    graphs = _graphs(site, graph, folder)
    write("index.html", "index.html.j2", counts=_counts(site.sections), versions=numbers, graphs=graphs)
    write("statements.html", "statements.html.j2")
    write("counterexamples.html", "counterexamples.html.j2")
    write("words.html", "words.html.j2", data=save_datasets(site.context, folder.out))
    write("experiments.html", "experiments.html.j2")
    for page in site.experiments:
        figures = [(f, place(f.figure, f.name, f"experiment-{page.slug}", folder)) for f in page.figures]
        tables = []
        for table in page.tables:
            path = f"figures/{folder.unique(f'experiment-{page.slug}-{table.name}')}.csv"
            folder.write(path, table.csv)
            tables.append((table, path))
        write(f"experiments/{page.slug}.html", "experiment.html.j2", page=page, figures=figures, tables=tables)
    for paper, guide in site.guides.items():
        write(guide.address, "guide.html.j2", guide=guide, paper=paper)
    around = [None, *site.sections, None]
    for before, s, after in zip(around, site.sections, around[2:], strict=False):
        write(s.address, "statement.html.j2", s=s, before=before, after=after, paper=s.claim.paper)


def _title(paper: str) -> str:
    """Title of a paper; its key if no installed paper has it."""
    found = papers().get(paper)
    return found.title if found else paper


def _counts(sections: Sequence[Section]) -> dict[str, Counter[Verdict]]:
    counts: dict[str, Counter[Verdict]] = {}
    for section in sections:
        counts.setdefault(section.claim.paper, Counter())[section.verdict] += 1
    return counts


def _graphs(site: Site, graph: nx.DiGraph, folder: ReportFolder) -> dict[str, PlacedGraph]:
    """Picture per paper in which some statement rests on another."""
    graphs = {}
    verdicts = {section.claim.key: section.verdict for section in site.sections}
    links = {section.claim.key: section.address for section in site.sections}
    for paper in site.titles:
        if not any(key.startswith(f"{paper}/") for key, _ in graph.edges):
            continue
        name = f"{paper}-graph"
        placed = place(graph_figure(graph, paper, verdicts), paper, name, folder)
        # graph_figure escapes everything that comes from claims
        graphs[paper] = PlacedGraph(name, placed, Markup(graph_figure(graph, paper, verdicts, links).svg))
    return graphs
