"""Tables of the command `lemmata assumptions`: one problem with constants, or all bundled ones side by side."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from verify.assumptions import POLICY_CHECKS, AssumptionRow

COLOURS = {"yes": "green", "no": "red", "not proven": "yellow", "does not apply": "dim"}

MARKS = {"yes": "yes", "no": "no", "not proven": "?", "does not apply": "-"}
"""Short forms for the cells of the matrix."""


def problem_table(rows: Sequence[AssumptionRow]) -> Table:
    """Every assumption and class on one problem, with the constant or what contradicts it.

    Args:
        rows: rows of one instance, grouped by assumption.
    """
    table = Table(title=f"Policy classes against assumptions, on {rows[0].instance}")
    for column in ("assumption", "policy class", "met", "constant, or what contradicts it"):
        table.add_column(column, overflow="fold")
    for k, row in enumerate(rows):
        first = k == 0 or rows[k - 1].assumption != row.assumption
        last = k + 1 == len(rows) or rows[k + 1].assumption != row.assumption
        met = f"[{COLOURS[row.met]}]{row.met}[/]"
        cells = (escape(row.assumption) if first else "", row.policy_class, met, escape(row.constant))
        table.add_row(*cells, end_section=last)
    return table


def matrix_tables(per_instance: Sequence[Sequence[AssumptionRow]]) -> list[Table]:
    """Assumption and class against instance, with the headline constants, and then the reasons.

    Args:
        per_instance: the rows of each instance, the same assumptions and classes in the same order.

    Returns:
        The matrix, and a table of everything that contradicts an assumption or does not apply.
    """
    matrix = Table(
        title="Assumptions against instances: a constant or yes, no, ? for not proven, - for no such class",
        padding=(0, 0), caption="constants in words, and witnesses: --instance NAME or --json",
    )  # fmt: skip
    matrix.add_column("assumption, policy class", overflow="fold", min_width=30)
    for rows in per_instance:
        matrix.add_column(rows[0].instance.replace("-", " "), overflow="fold", vertical="bottom")
    for k, row in enumerate(per_instance[0]):
        first = k == 0 or per_instance[0][k - 1].assumption != row.assumption
        last = k + 1 == len(per_instance[0]) or per_instance[0][k + 1].assumption != row.assumption
        label = f"[bold]{escape(row.assumption)}[/]\n  {row.policy_class}" if first else f"  {row.policy_class}"
        matrix.add_row(label, *(_cell(rows[k]) for rows in per_instance), end_section=last)
    return [matrix, _reasons(per_instance)]


def _cell(row: AssumptionRow) -> str:
    shown = MARKS[row.met]
    if row.met == "yes" and row.value is not None:
        shown = f"{row.value:.2g}"
        if row.value < 1 and shown == "1":  # a rate that is barely below one
            shown = f"1-{1 - row.value:.0e}"
    return f"[{COLOURS[row.met]}]{shown}[/]"


def _reasons(per_instance: Sequence[Sequence[AssumptionRow]]) -> Table:
    table = Table(title="Why not")
    for column in ("instance", "met", "reason", "assumption: policy classes"):
        table.add_column(column, overflow="fold")
    for rows in per_instance:
        groups: dict[tuple[str, str], dict[str, list[str]]] = {}
        for row in rows:
            if row.met != "yes":
                group = groups.setdefault((row.met, row.constant), {})
                group.setdefault(row.assumption, []).append(row.policy_class)
        for k, ((met, reason), where) in enumerate(groups.items()):
            named = [f"{a}: {', '.join(dict.fromkeys(c))}" for a, c in where.items()]
            if len(named) == len(POLICY_CHECKS):
                named = [f"every assumption: {', '.join(dict.fromkeys(c for cs in where.values() for c in cs))}"]
            table.add_row(
                rows[0].instance if k == 0 else "", f"[{COLOURS[met]}]{met}[/]", escape(reason),
                escape("; ".join(named)), end_section=k + 1 == len(groups),
            )  # fmt: skip
    return table
