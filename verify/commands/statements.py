"""`lemmata list` and `lemmata show`: what the papers say, and the recorded verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from verify.commands import names
from verify.commands.common import CHANGED, Bare, Json, console, emit, progress, say
from verify.suggest import did_you_mean

if TYPE_CHECKING:
    from verify.claim import Claim
    from verify.commands.witnesses import Recheck

LIST_EXIT_CODES = "Exit codes: 0 done; 1 an installed paper could not be loaded; 2 no such paper."

SHOW_EXIT_CODES = (
    "Exit codes: 0 done; 1 with --witness: a recorded refutation was not confirmed; 2 no such statement; "
    "130 interrupted."
)


def list_command(
    papers: Annotated[
        list[str] | None, typer.Argument(help="Papers; all if none.", autocompletion=names.complete_papers)
    ] = None,
    quiet: Bare = False,
    as_json: Json = False,
) -> None:
    """List every statement of the papers, and which of them have a verdict.

    With --quiet, a line "statement TAB verdict" for each.

    Example: lemmata list zhang2025

    Example: lemmata list --quiet | grep refuted
    """
    from verify.paper import broken_papers
    from verify.paper import papers as installed

    broken = broken_papers()
    for paper in papers or []:
        if paper not in installed():
            there = f"there are {', '.join(installed())}{did_you_mean(paper, installed())}"
            raise typer.BadParameter(broken.get(paper, f"no paper {paper!r}; {there}"))
    chosen = list(dict.fromkeys(papers or installed()))
    found = {paper: _rows(paper) for paper in chosen}
    for error in broken.values():
        say(f"left out: {error}", err=True)
    if as_json:
        listed = [{"paper": p, "title": installed()[p].title, "statements": rows} for p, rows in found.items()]
        emit("list", {"papers": listed, "left_out": broken})
    elif quiet:
        for row in (row for rows in found.values() for row in rows):
            say(f"{row['key']}\t{row['verdict'] or 'not recorded'}")
    else:
        for paper, rows in found.items():
            _print_rows(paper, rows)
    raise typer.Exit(CHANGED if broken and not papers else 0)


def _rows(paper: str) -> list[dict[str, Any]]:
    """The statements of a paper with their recorded verdicts; None for one that has none."""
    from verify import ledger as ledgers

    claims = {claim.key: claim for claim in ledgers.ledger() if claim.paper == paper}
    known, found = ledgers.recorded(), []
    for row in ledgers.coverage(paper):
        key = f"{paper}/{row['id']}"
        claim = claims.get(key)
        found.append({
            "key": key, "where": row["where"], "kind": row["kind"], "text": row["text"], "checked": claim is not None,
            "verdict": None if claim is None else recorded_verdict(claim, known.get(key, {})),
        })  # fmt: skip
    return found


def recorded_verdict(claim: Claim, known: dict[str, str]) -> str | None:
    """The recorded verdict of the printed statement; None if one of its variants has none.

    Args:
        claim: the statement.
        known: recorded verdicts by variant.
    """
    from verify.report.verdict_page import recorded_result

    return None if any(v.name not in known for v in claim.variants) else str(recorded_result(claim, known).verdict)


def _print_rows(paper: str, rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(title=f"{paper}: {sum(row['checked'] for row in rows)} of {len(rows)} checked")
    for column in ("id", "where", "kind", "as printed"):
        table.add_column(column, overflow="fold")
    for row in rows:
        verdict = row["verdict"] or ("not recorded" if row["checked"] else "not checked yet")
        cells = (row["key"].partition("/")[2], row["where"], row["kind"], verdict)
        table.add_row(*(cell.replace("[", "\\[") for cell in cells))
    console().print(table)


def show_command(
    id: Annotated[
        str, typer.Argument(help="Statement, such as zeng2022/eq-13-target.", autocompletion=names.complete_statements)
    ],
    witness: Annotated[
        bool, typer.Option("--witness", help="Verify again what refutes it; print the witnesses and the time it took.")
    ] = False,
    quiet: Bare = False,
    as_json: Json = False,
) -> None:
    """Show a statement: what the paper says, the variants, the recorded verdicts.

    With --quiet, a line "statement TAB variant TAB verdict" for each variant.

    Example: lemmata show eq-13-target --witness

    Example: lemmata show zhang2025/lemma-5.7 --witness --json
    """
    from verify import ledger as ledgers

    everything = ledgers.ledger()
    pending = ledgers.unchecked(id, everything)
    rows = {f"{paper}/{row['id']}": row for paper in _papers_of(id) for row in ledgers.coverage(paper)}
    try:
        claims = ledgers.select([id], everything) if not pending else [c for c in everything if id in (c.key, c.id)]
    except KeyError as error:
        raise typer.BadParameter(str(error.args[0])) from None
    known = ledgers.recorded()
    checked = _recheck(claims, hidden=quiet or as_json) if witness else {}
    if as_json:
        shown = [_unchecked_data(key, rows[key]) for key in pending]
        shown += [_data(claim, rows[claim.key], known.get(claim.key, {}), checked.get(claim.key)) for claim in claims]
        emit("show", {"statements": shown})
    elif quiet:
        for key in pending:
            say(f"{key}\t-\tnot checked yet")
        for claim in claims:
            for v in claim.variants:
                say(f"{claim.key}\t{v.name}\t{known.get(claim.key, {}).get(v.name, 'not recorded')}")
    else:
        for key in pending:
            say(f"\n{key} ({rows[key]['where']}), not checked yet:\n  {rows[key]['text']}")
        for claim in claims:
            _print_claim(claim, known.get(claim.key, {}))
            if witness:
                _print_rechecks(checked[claim.key])
    failed = [r for found in checked.values() for r in found if not r.confirmed]
    for r in failed if quiet or as_json else ():
        say(r.sentence, err=True)
    raise typer.Exit(CHANGED if failed else 0)


def _papers_of(id: str) -> list[str]:
    from verify.paper import papers

    return [paper for paper in papers() if "/" not in id or id.startswith(f"{paper}/")]


def _recheck(claims: list[Claim], *, hidden: bool) -> dict[str, list[Recheck]]:
    from verify.commands.witnesses import recheck

    with progress(hidden) as bar:
        task = bar.add_task("", total=None)
        return {
            claim.key: recheck(claim, lambda name, key=claim.key: bar.update(task, description=f"{key} {name}"))  # type: ignore[misc]
            for claim in claims
        }


def _data(
    claim: Claim, row: dict[str, str], known: dict[str, str], checked: list[Recheck] | None
) -> dict[str, Any]:
    found = {
        "key": claim.key, "where": row["where"], "kind": row["kind"], "checked": True, "paper_says": row["text"],
        "verdict": recorded_verdict(claim, known), "summary": claim.summary, "latex": claim.latex, "text": claim.text,
        "hypotheses": claim.hypotheses, "consequence": claim.consequence, "uses": list(claim.used_keys),
        "variants": [
            {"name": v.name, "kind": v.kind.name.lower(), "text": v.text, "part": v.part, "recorded": known.get(v.name)}
            for v in claim.variants
        ],
    }  # fmt: skip
    return found if checked is None else found | {"witnesses": [r.data() for r in checked]}


def _unchecked_data(key: str, row: dict[str, str]) -> dict[str, Any]:
    return {"key": key, "where": row["where"], "kind": row["kind"], "checked": False, "paper_says": row["text"]}


def _print_claim(claim: Claim, known: dict[str, str]) -> None:
    from verify.context import PROFILES, Context

    out = console()
    out.print(f"\n{claim.key}: {claim.summary}", style="bold", markup=False)
    if claim.latex:
        out.print(f"  {claim.latex}", markup=False)
    out.print(f"\n{claim.text}\n", markup=False, highlight=False)
    for variant in claim.variants:
        verdict = known.get(variant.name, "not recorded")
        out.print(f"  {variant.name}: {verdict}\n      {variant.text}", markup=False, highlight=False)
        if variant.sharpness is not None:
            sentence = variant.sharpness.sentence(Context(PROFILES["quick"]))
            out.print(f"      sharpness: {sentence}", markup=False, highlight=False)
    for title, paragraph in (("Hypotheses", claim.hypotheses), ("Consequence", claim.consequence)):
        if paragraph:
            out.print(f"\n{title}: {paragraph}", markup=False, highlight=False)
    if claim.uses:
        out.print(f"\nRests on: {', '.join(claim.used_keys)}", markup=False, highlight=False)


def _print_rechecks(checked: list[Recheck]) -> None:
    out = console()
    if not checked:
        out.print("\nNo variant is recorded as refuted: there is no witness to verify.", markup=False)
    for r in checked:
        out.print(f"\n{r.sentence}", style="bold" if r.confirmed else "red", markup=False, highlight=False)
        for e in r.evidence:
            if e.witness is not None:
                out.print(f"  {e.witness.summary}", markup=False)
                for name, text in e.witness.rows():
                    out.print(f"    {name} = {text}", markup=False, highlight=False)
