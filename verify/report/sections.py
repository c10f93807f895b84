"""A statement as the report shows it: its outcome, its place in the paper, its figures, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx as nx

from verify.claim import Claim, Kind
from verify.dependencies import leans_on, rests_under
from verify.evidence import Evidence, Rigor, Verdict, judge
from verify.ledger import coverage
from verify.paper import PaperError
from verify.report.figures import Figure, Strip, rate_figure, strip_figure
from verify.report.folder import ReportFolder
from verify.runner import ClaimResult, VariantResult


@dataclass(frozen=True)
class PlacedFigure:
    """A figure and where it lies.

    Attributes:
        figure: the figure.
        name: what it belongs to.
        svg: path from the folder of the report.
        csv: path from the folder of the report.
    """

    figure: Figure
    name: str
    svg: str
    csv: str


@dataclass(frozen=True)
class Place:
    """What the coverage list says of a statement.

    Attributes:
        where: place in the text.
        kind: what sort of statement it is.
        text: as printed, in words.
    """

    where: str = ""
    kind: str = ""
    text: str = ""


@dataclass(frozen=True)
class Section:
    """A statement as the report shows it.

    Attributes:
        result: its outcome.
        address: path of its page from the folder of the report.
        place: what the coverage list says.
        rates: figures of the rate fits by variant name.
        strip: figure of the samples, if there are any.
        leans: statements below this one that do not simply stand, with their verdicts.
        direct: statements that rest on this one, with nothing between.
        above: all statements that rest on this one.
    """

    result: ClaimResult
    address: str
    place: Place
    rates: Mapping[str, tuple[PlacedFigure, ...]]
    strip: PlacedFigure | None
    leans: tuple[tuple[str, Verdict], ...]
    direct: tuple[str, ...]
    above: tuple[str, ...]

    @property
    def claim(self) -> Claim:
        """The statement."""
        return self.result.claim

    @property
    def verdict(self) -> Verdict:
        """Verdict of the printed form."""
        return self.result.verdict

    def of(self, *kinds: str) -> list[VariantResult]:
        """Results of the variants of some kinds.

        Args:
            *kinds: names of members of `Kind`.
        """
        return [v for v in self.result.variants if v.variant.kind in {Kind[k] for k in kinds}]

    def fits(self, outcomes: Sequence[VariantResult]) -> list[PlacedFigure]:
        """Figures of the rate fits of some variants.

        Args:
            outcomes: results of the variants.
        """
        return [placed for outcome in outcomes for placed in self.rates[outcome.variant.name]]

    @property
    def refuted_controls(self) -> int:
        """How many negative controls came out refuted."""
        return sum(v.verdict is Verdict.REFUTED for v in self.of("CONTROL"))

    @property
    def rigors(self) -> list[Rigor]:
        """Rigor of the evidence that decides the printed forms, strongest first."""
        found = {rigor_of(outcome) for outcome in self.of("PRINTED")} - {None}
        return [rigor for rigor in Rigor if rigor in found]

    @property
    def figures(self) -> list[PlacedFigure]:
        """Figures of every form that is no negative control, and of the samples."""
        placed = self.fits([v for v in self.result.variants if v.variant.kind is not Kind.CONTROL])
        return placed + ([self.strip] if self.strip else [])


def decisive(outcome: VariantResult) -> Evidence:
    """The piece of evidence that made the verdict of a variant.

    Args:
        outcome: of the variant.
    """
    carrying = [e for e in outcome.evidence if judge(e) is outcome.verdict]
    return next((e for e in carrying if not e.corroborates), (carrying or list(outcome.evidence))[0])


def rigor_of(outcome: VariantResult) -> Rigor | None:
    """Rigor of the evidence that made the verdict; None if nothing was measured.

    Args:
        outcome: of a variant.
    """
    return None if decisive(outcome).out_of_scope else decisive(outcome).rigor


def sections_of(results: Sequence[ClaimResult], graph: nx.DiGraph, folder: ReportFolder) -> list[Section]:
    """Every statement of a run, its figures written.

    Args:
        results: outcomes in the order to show.
        graph: from `verify.dependencies.dependency_graph`.
        folder: where the figures go.
    """
    verdicts = {result.claim.key: result.verdict for result in results}
    places = _places({result.claim.paper for result in results})
    sections = []
    for result in results:
        key = result.claim.key
        name = folder.unique(f"{result.claim.paper}-{result.claim.id}")
        rates, strip = _figures(result, name, folder)
        sections.append(
            Section(
                result, f"statements/{name}.html", places.get(key, Place()), rates, strip,
                tuple(leans_on(graph, key, verdicts)), tuple(sorted(graph.predecessors(key))),
                tuple(rests_under(graph, key)),
            )
        )  # fmt: skip
    return sections


def _places(papers: set[str]) -> dict[str, Place]:
    places: dict[str, Place] = {}
    for paper in papers:
        try:
            rows = coverage(paper)
        except (KeyError, PaperError):  # results of claims that no installed paper has
            continue
        places |= {f"{paper}/{row['id']}": Place(row["where"], row["kind"], row["text"]) for row in rows}
    return places


def _figures(
    result: ClaimResult, name: str, folder: ReportFolder
) -> tuple[dict[str, tuple[PlacedFigure, ...]], PlacedFigure | None]:
    """Figures of the rate fits by variant, and the one of the samples."""
    rates: dict[str, tuple[PlacedFigure, ...]] = {}
    strips = []
    for outcome in result.variants:
        variant, placed = outcome.variant, list[PlacedFigure]()
        for evidence in outcome.evidence:
            if evidence.fit is not None:
                title = f"{variant.name}, {evidence.quantity}"
                placed.append(place(rate_figure(evidence.fit), title, f"{name}-{variant.name}", folder))
            if evidence.sample:
                strips.append(
                    Strip(
                        variant.name, variant.kind, evidence.sample_quantity or evidence.quantity, evidence.relation,
                        evidence.claimed if evidence.sample_claimed is None else evidence.sample_claimed,
                        evidence.sample,
                    )
                )
        rates[variant.name] = tuple(placed)
    strip = place(strip_figure(strips), "samples", f"{name}-samples", folder) if strips else None
    return rates, strip


def place(figure: Figure, title: str, name: str, folder: ReportFolder) -> PlacedFigure:
    """Write a figure into the report.

    Args:
        figure: the figure.
        title: what it belongs to.
        name: what its files are called after.
        folder: of the report.
    """
    return PlacedFigure(figure, title, *folder.place(figure, name))
