"""Griffe extension: what docstrings write in reStructuredText, formulas and simple tables, becomes Markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe


class Docstrings(griffe.Extension):
    """Rewrites docstrings before they are parsed."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of one object.

        Args:
            obj: module, class, function or attribute.
            **kwargs: not used.
        """
        if obj.docstring is not None:
            obj.docstring.value = markdown_of(obj.docstring.value)


def markdown_of(doc: str) -> str:
    """A docstring as Markdown: ``.. math::`` as display math, tables between rules of ``===`` as tables.

    Args:
        doc: the docstring, indentation removed.
    """
    out: list[str] = []
    lines = doc.splitlines()
    k = 0
    while k < len(lines):
        line = lines[k]
        k += 1
        bare = line.strip()
        if bare.startswith(".. math::"):
            formula = [bare.removeprefix(".. math::").strip()]
            while k < len(lines) and (not lines[k].strip() or _indent(lines[k]) > _indent(line)):
                formula.append(lines[k].strip())
                k += 1
            out += ["", " " * _indent(line) + "\\[" + " ".join(filter(None, formula)) + "\\]", ""]
        elif bare.startswith("====") and set(bare) <= {"=", " "}:
            rows = []
            while k < len(lines) and lines[k].strip():
                rows.append(lines[k])
                k += 1
            out += ["", *table_of(line, rows), ""]
        else:
            out.append(line)
    return "\n".join(out)


def table_of(rule: str, lines: list[str]) -> list[str]:
    """A simple table of reStructuredText as one of Markdown.

    Args:
        rule: the line of ``===`` above the header, which says where the columns are.
        lines: from the header to the closing rule; a row without a first cell continues the one above.
    """
    starts = [m.start() for m in re.finditer(r"=+", rule)]
    rows: list[list[str]] = []
    for line in lines:
        if set(line.strip()) <= {"=", " "}:
            continue
        cells = [line[a:b].strip().replace("|", "\\|") for a, b in zip(starts, [*starts[1:], None], strict=True)]
        if cells[0] or not rows:
            rows.append(cells)
        else:
            rows[-1] = [f"{old} {more}".strip() for old, more in zip(rows[-1], cells, strict=True)]
    shown = ["| " + " | ".join(row) + " |" for row in rows]
    return [shown[0], "|" + "---|" * len(starts), *shown[1:]]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
