"""What a page of an experiment is made of."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from verify.context import Context
from verify.report.figures import Figure
from verify.report.sections import Section


@dataclass(frozen=True)
class ExperimentFigure:
    """A figure on the page of an experiment.

    Attributes:
        name: its heading.
        figure: the picture, its data and its words.
        keys: statements that it is evidence for.
    """

    name: str
    figure: Figure
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExperimentTable:
    """A table on the page of an experiment, offered as CSV as well.

    Attributes:
        name: its heading.
        caption: how to read it.
        columns: names of the columns; the first one heads the rows.
        rows: cells as text.
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def csv(self) -> str:
        """The table as comma-separated values."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return buffer.getvalue()


@dataclass(frozen=True)
class ExperimentPage:
    """The page of an experiment.

    Attributes:
        title: heading.
        slug: name of the page.
        intro: what is run and how to read it, as prose of docstrings.
        figures: in the order to show.
        tables: in the order to show.
        statements: keys of the statements that it decides.
    """

    title: str
    slug: str
    intro: str
    figures: tuple[ExperimentFigure, ...] = ()
    tables: tuple[ExperimentTable, ...] = ()
    statements: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """What the pages of experiments may draw from.

    Attributes:
        sections: statements of the run by key.
        context: its budgets and datasets.
    """

    sections: Mapping[str, Section]
    context: Context
