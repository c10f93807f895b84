"""The results of a run of the ledger as a table, and what in them is not as recorded."""

from __future__ import annotations

from rich.table import Table

from verify.claim import Kind
from verify.commands.common import console
from verify.evidence import Evidence, Verdict, judge
from verify.runner import ClaimResult, VariantResult
from verify.serialise import comparison

COLOURS = {
    Verdict.PROVED: "green",
    Verdict.HOLDS: "green",
    Verdict.CONSISTENT: "cyan",
    Verdict.REFUTED: "red",
    Verdict.AMBIGUOUS: "yellow",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.UNSATISFIABLE: "red",
    Verdict.VACUOUS: "red",
}


def print_table(results: list[ClaimResult]) -> None:
    """Print a row for each printed, repaired and cited form, and a count of the negative controls.

    Args:
        results: outcomes.
    """
    table = Table(title="Verdicts")
    for column in ("statement", "variant", "verdict", "measured against claimed", "rigor"):
        table.add_column(column, overflow="fold")
    for result in results:
        shown = [v for v in result.variants if v.variant.kind in (Kind.PRINTED, Kind.REPAIRED, Kind.SOURCE)]
        for k, v in enumerate(shown):
            decisive = decisive_evidence(v)
            colour = COLOURS.get(v.verdict, "default")
            changed = "" if v.as_recorded else f"\n(recorded: {v.recorded})"
            table.add_row(
                result.claim.key if k == 0 else "",
                v.variant.name.replace("[", "\\["),
                f"[{colour}]{v.verdict}[/]{changed}",
                f"{decisive.quantity}: {comparison(decisive)}".replace("[", "\\["),
                decisive.rigor.name.lower(),
            )
        controls = [v.verdict for v in result.variants if v.variant.kind is Kind.CONTROL]
        refuted = sum(v is Verdict.REFUTED for v in controls)
        table.add_row("", "negative controls", f"{refuted}/{len(controls)} refuted", "", "", end_section=True)
    console().print(table)


def print_changes(results: list[ClaimResult]) -> None:
    """Print a line for each verdict that is not the recorded one, and for each control that stands.

    Args:
        results: outcomes; nothing is printed if all are as recorded.
    """
    out = console()
    if not all(r.as_recorded for r in results):
        out.print("Not as recorded (`--record` accepts what was found):", style="red")
    for result in results:
        for v in result.variants:
            if not v.as_recorded or (v.variant.kind is Kind.CONTROL and v.verdict is not Verdict.REFUTED):
                decisive = decisive_evidence(v)
                out.print(
                    f"{result.claim.key} {v.variant.name}: recorded {v.recorded}, now {v.verdict}; "
                    f"{decisive.quantity}: {comparison(decisive)}",
                    style="red", markup=False, soft_wrap=True,
                )  # fmt: skip
        for name in result.vanished:
            text = f"{result.claim.key} {name}: recorded, but no longer checked"
            out.print(text, style="red", markup=False, soft_wrap=True)


def decisive_evidence(result: VariantResult) -> Evidence:
    """The piece of evidence that made the verdict.

    Args:
        result: outcome of a variant.
    """
    return next((e for e in result.evidence if judge(e) is result.verdict), result.evidence[0])
