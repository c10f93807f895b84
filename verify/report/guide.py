"""The reading guide of a paper: for each theorem what it says, what it needs, whether its proof stands, what is true.

Everything comes from the run: verdicts, evidence, what rests on what, and the docstrings of the statements. The
coverage list says which statements belong to a theorem: those whose place in the text names it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx as nx

from verify.claim import Kind
from verify.dependencies import FALLEN
from verify.evidence import Evidence, Rigor, Verdict
from verify.report.experiment_data import ExperimentPage
from verify.report.sections import PlacedFigure, Section, decisive
from verify.runner import VariantResult

THEOREM = r"(?:^|, )((?:Theorem|Lemma|Proposition|Corollary) \w+(?:\.\w+)*)"
"""Place in a text that names a theorem; "after Proposition 1" is a remark and does not."""

FALLS = (Verdict.REFUTED, Verdict.UNSATISFIABLE, Verdict.VACUOUS)
"""Verdicts of a reading that falls; one that is open is neither here nor among those that stand."""

GROUND = ("definition", "algorithm")
"""Kinds of statements with which a guide begins."""


@dataclass(frozen=True)
class Theorem:
    """A theorem of a paper with all that a reader needs to judge it.

    Attributes:
        name: such as ``Theorem 5.10``.
        members: its statements, in paper order.
        assumptions: assumptions on which they rest, directly or through others.
        fallen: other statements below it that do not simply stand as printed, in paper order.
        standing: other statements below it that stand.
        unchecked: keys below it that the run has not checked.
        instead: of its own statements the readings that stand where others of the same line fall, repaired forms, and
            originals that the paper cites.
        measured: evidence of its own statements that is a fitted rate or a statistic, and what decides the forms of
            those that are about a rate; negative controls aside.
        experiments: pages of experiments about its statements.
    """

    name: str
    members: tuple[Section, ...]
    assumptions: tuple[Section, ...]
    fallen: tuple[Section, ...]
    standing: tuple[Section, ...]
    unchecked: tuple[str, ...]
    instead: tuple[tuple[Section, VariantResult], ...]
    measured: tuple[tuple[Section, VariantResult, Evidence], ...]
    experiments: tuple[ExperimentPage, ...]

    @property
    def anchor(self) -> str:
        """Fragment of its address."""
        return re.sub(r"[^a-z0-9.]+", "-", self.name.lower())

    @property
    def figures(self) -> list[tuple[Section, PlacedFigure]]:
        """Figures of its statements, each once."""
        found = {placed.svg: (section, placed) for section in reversed(self.members) for placed in section.figures}
        return list(reversed(found.values()))

    @property
    def counts(self) -> list[tuple[Verdict, int]]:
        """How many of the fallen have which verdict, in the order of `FALLEN`."""
        counts = Counter(section.verdict for section in self.fallen)
        return [(verdict, counts[verdict]) for verdict in FALLEN if counts[verdict]]

    @property
    def mended(self) -> int:
        """How many of the fallen have a repaired form that stands."""
        return sum(bool(stands_repaired(section)) for section in self.fallen)


@dataclass(frozen=True)
class Guide:
    """The reading guide of a paper.

    Attributes:
        paper: its key.
        title: its title.
        address: path of the page from the folder of the report.
        ground: definitions and algorithms, in paper order.
        theorems: in paper order.
    """

    paper: str
    title: str
    address: str
    ground: tuple[Section, ...]
    theorems: tuple[Theorem, ...]


def stands_repaired(section: Section) -> list[VariantResult]:
    """Repaired forms of a statement that stand.

    Args:
        section: the statement.
    """
    return [v for v in section.of("REPAIRED") if v.verdict not in FALLEN]


def standing_readings(section: Section) -> list[VariantResult]:
    """Printed readings of a statement that stand where another reading of the same part falls.

    Args:
        section: the statement.
    """
    forms = section.of("PRINTED")
    falling = {v.variant.part for v in forms if v.verdict in FALLS}
    return [v for v in forms if v.variant.part in falling and v.verdict not in (*FALLEN, Verdict.OUT_OF_SCOPE)]


def guide_of(
    paper: str, title: str, sections: Sequence[Section], graph: nx.DiGraph,
    experiments: Mapping[str, Sequence[ExperimentPage]],
) -> Guide | None:
    """The guide of one paper, None if the run has no theorem of it.

    Args:
        paper: its key.
        title: its title.
        sections: all statements of the run, in order.
        graph: from `verify.dependencies.dependency_graph`.
        experiments: pages by statement.
    """
    own = [section for section in sections if section.claim.paper == paper]
    groups: dict[str, list[Section]] = {}
    for section in own:
        found = re.search(THEOREM, section.place.where)
        if found:
            groups.setdefault(found[1], []).append(section)
    theorems = [_theorem(name, members, sections, graph, experiments) for name, members in groups.items()]
    if not theorems:
        return None
    ground = tuple(section for section in own if section.place.kind in GROUND)
    return Guide(paper, title, f"guides/{re.sub(r'[^a-z0-9]+', '-', paper.lower())}.html", ground, tuple(theorems))


def _theorem(
    name: str, members: Sequence[Section], sections: Sequence[Section], graph: nx.DiGraph,
    experiments: Mapping[str, Sequence[ExperimentPage]],
) -> Theorem:
    keys = {section.claim.key for section in members}
    below = set().union(*(nx.descendants(graph, key) for key in keys)) - keys
    under = [section for section in sections if section.claim.key in below]
    assumptions = tuple(s for s in under if s.place.kind == "assumption")
    others = [s for s in under if s.place.kind != "assumption"]
    shown = [(s, v) for s in members for v in s.result.variants if v.variant.kind is not Kind.CONTROL]
    pages = {page.slug: page for key in [m.claim.key for m in members] for page in experiments.get(key, ())}
    return Theorem(
        name, tuple(members), assumptions,
        tuple(s for s in others if s.verdict in FALLEN), tuple(s for s in others if s.verdict not in FALLEN),
        tuple(sorted(below - {section.claim.key for section in sections})),
        tuple((s, v) for s, v in shown if v.variant.kind in (Kind.REPAIRED, Kind.SOURCE) or v in standing_readings(s)),
        tuple((s, v, e) for s, v in shown for e in v.evidence
              if not e.out_of_scope and (
                  e.fit is not None or e.rigor is Rigor.STATISTICAL or (s.place.kind == "rate" and e is decisive(v)))),
        tuple(pages.values()),
    )  # fmt: skip
