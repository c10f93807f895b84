"""Pages of experiments: what a run of the ledger measured, and folders that `lemmata experiment NAME --out` wrote.

`EXPERIMENTS` is the registry: a new experiment is one more entry. Its function makes figures from a run, if the run has
statements that the experiment decides; figures from folders join the experiment whose name their files begin with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from verify.context import Context
from verify.report import run_figures
from verify.report.experiment_data import ExperimentFigure, ExperimentPage, ExperimentTable, Run
from verify.report.experiment_folders import read_folder
from verify.report.folder import unique_name
from verify.report.sections import Section

Make = Callable[[Run], tuple[Sequence[ExperimentFigure], Sequence[ExperimentTable]]]
"""Figures and tables of an experiment from a run."""


@dataclass(frozen=True)
class Experiment:
    """An entry of the registry.

    Attributes:
        slug: name of its page.
        title: heading.
        intro: what is run and how to read it, as prose of docstrings.
        statements: keys of statements that it decides; the run needs one of them. None at all: see `make`.
        stems: how the names of its figures begin in a folder of `lemmata experiment`.
        make: figures and tables from a run.
    """

    slug: str
    title: str
    intro: str
    statements: tuple[str, ...]
    stems: tuple[str, ...]
    make: Make | None = None


def _of(paper: str, *ids: str) -> tuple[str, ...]:
    return tuple(f"{paper}/{id}" for id in ids)


RATES = """CAC is run at horizons that grow by half decades, with fresh step sizes for each and independent seeds, and
the slope of each quantity against T is fitted in log-log *above its exact floor*: the value at which it must stay,
computed without sampling from the point where the expected direction rests. Upper bounds are one-sided: a decay at
least as fast as claimed agrees with the claim. Curves of negative controls are on the pages of their statements."""

CONSENSUS = """How much one round of averaging brings N agents together, computed exactly, beside what the papers and
their sources promise. The gap is one minus the factor by which disagreement shrinks: the higher, the faster."""

TERMS = """The bound of Theorem 5.10 is a sum of terms, each blamed on one ingredient of the algorithm. Here every other
ingredient is replaced by an oracle, so that each term stands alone, and expectations are computed rather than sampled.
The printed direction and the repaired one are side by side."""

PROOF = """The proof of Theorem 5.10 bounds the error of the actor's direction by a chain of inequalities, Eqs. (15) to
(36). At chosen outer iterations of a run each of these quantities is computed exactly, given the critics, and put
beside its bound. A line is *tight* from half of its bound on, *loose* below that, *wrong* above its bound; *above*
means that an O(.) was taken with constant one and is exceeded, which refutes nothing."""

COORDINATION = """Agents choose among actions without seeing what the others choose, and are paid for agreeing. CAC and
its rivals IAC, DAC and MDAC are run from the same starts; rewards are exact expectations at the policies of each
checkpoint, not samples of them."""

SPREAD = """Agents on a board are paid for covering landmarks and for keeping apart. The best reward and the reward of
the policies along a run are computed exactly for two and three agents, and for four at the ends, by solving the game.
Curves over the iterations come from `lemmata experiment simple-spread --out DIR`."""

PURSUIT = """Two pursuers must reach an evader together. CAC, which shares the first layers of the actors by consensus,
against DAC and MDAC on the same networks. The runs are shipped with the package; `lemmata experiment pursuit --out DIR`
runs it anew, and on a miniature on which J, grad J and J* are exact."""

RLHF = """Three language models with adapters of low rank are tuned by the actor-critic of zhang2025, each for a reward
of its own, with the listed direction (printed), with its sign reversed (flipped), and repaired. The runs are shipped
with the package; `lemmata experiment rlhf --out DIR` runs it anew, and on a dialogue that is a finite MDP."""

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("rates", "Rates of CAC above their floors", RATES, (), ("ring3",), run_figures.rates),
    Experiment(
        "consensus", "Consensus: bounds and slack", CONSENSUS,
        (*_of("zeng2022", "consensus"), *_of("zhang2025", "consensus-rate")), ("consensus",), run_figures.consensus,
    ),
    Experiment(
        "terms", "Theorem 5.10 of zhang2025, term by term", TERMS,
        _of("zhang2025", "theorem-5.10-term-1", "theorem-5.10-term-4", "theorem-5.10-term-5", "theorem-5.10-term-7"),
        ("terms",), run_figures.terms,
    ),
    Experiment(
        "proof", "The proof of Theorem 5.10, bound beside value", PROOF,
        _of("zhang2025", "eq-15", "eq-16-17", "eq-18-19", "eq-20", "eq-22", "eq-23", "eq-24-25", "eq-26", "eq-27",
            "eq-29", "eq-31-32", "eq-33", "eq-34", "eq-35-36"),
        ("proof",), run_figures.proof,
    ),
    Experiment(
        "coordination", "The coordination game of zeng2022", COORDINATION,
        _of("zeng2022", "coordination-optima", "coordination-figure"), ("coordination",), run_figures.coordination,
    ),
    Experiment(
        "simple-spread", "Simple Spread, the ablations of zhang2025", SPREAD,
        _of("zhang2025", "d1-defaults", "figure-5", "figure-6", "figure-7", "figure-8", "figure-9", "figure-2-10"),
        ("spread",), run_figures.spread,
    ),
    Experiment(
        "pursuit", "Pursuit-evasion of zeng2022", PURSUIT, _of("zeng2022", "pursuit-figure"), ("pursuit",),
        run_figures.pursuit,
    ),
    Experiment(
        "rlhf", "Multi-agent RLHF of zhang2025", RLHF, _of("zhang2025", "figure-4"), ("rlhf", "figure-4"),
        run_figures.rlhf,
    ),
)  # fmt: skip
"""The registry, in the order of the pages."""


def experiment_pages(
    sections: Sequence[Section], context: Context, folders: Sequence[Path] = ()
) -> list[ExperimentPage]:
    """Every experiment that has something to show.

    Args:
        sections: statements of the run.
        context: its datasets.
        folders: written by ``lemmata experiment NAME --out``; a folder of no known experiment gets a page of its own.

    Raises:
        verify.report.experiment_folders.FolderError: a folder that is missing, holds no figure, or a figure that
            cannot be taken as it is.
    """
    brought: dict[str, list[ExperimentFigure]] = {}
    titles: dict[str, str] = {}
    taken = {entry.slug for entry in EXPERIMENTS}
    for folder in dict.fromkeys(folder.resolve() for folder in folders):
        own = unique_name(f"folder-{folder.name}", taken)
        titles[own] = folder.name
        for stem, figure in read_folder(folder):
            brought.setdefault(_known_slug(stem) or own, []).append(figure)
    run = Run({section.claim.key: section for section in sections}, context)
    pages = [page for entry in EXPERIMENTS if (page := _page(entry, run, brought.pop(entry.slug, ())))]
    return pages + [_own_page(slug, titles[slug], figures) for slug, figures in sorted(brought.items())]


def _page(entry: Experiment, run: Run, brought: Sequence[ExperimentFigure]) -> ExperimentPage | None:
    here = tuple(key for key in entry.statements if key in run.sections)
    figures, tables = list[ExperimentFigure](), list[ExperimentTable]()
    if entry.make and (here or not entry.statements):
        made, tabled = entry.make(run)
        figures, tables = list(made), list(tabled)
    figures += brought
    if not figures and not tables:
        return None
    keys = dict.fromkeys([*here, *(key for figure in figures for key in figure.keys)])
    return ExperimentPage(entry.title, entry.slug, entry.intro, tuple(figures), tuple(tables), tuple(keys))


def _own_page(slug: str, title: str, figures: Sequence[ExperimentFigure]) -> ExperimentPage:
    return ExperimentPage(title, slug, "Figures from a folder given to the report.", tuple(figures))


def _known_slug(stem: str) -> str | None:
    return next((entry.slug for entry in EXPERIMENTS if stem.startswith(entry.stems)), None)


def by_statement(pages: Sequence[ExperimentPage]) -> Mapping[str, list[ExperimentPage]]:
    """Pages that say something about a statement, by its key.

    Args:
        pages: from `experiment_pages`.
    """
    found: dict[str, list[ExperimentPage]] = {}
    for page in pages:
        for key in page.statements:
            found.setdefault(key, []).append(replace(page, figures=(), tables=()))
    return found
