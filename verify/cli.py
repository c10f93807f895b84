"""The `lemmata` command."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from mdp.instances import INSTANCES
from rates.sweep import load
from verify import experiment_commands, mdp_commands
from verify.assumptions import AssumptionRow, assumption_matrix
from verify.assumptions.display import matrix_tables, problem_table
from verify.claim import Claim, Kind, Variant
from verify.context import PROFILES, Context
from verify.doctor import doctor_command
from verify.evidence import Evidence, Verdict, judge
from verify.ledger import coverage, ledger, record, recorded, select, unchecked
from verify.new_paper_command import new_paper_command
from verify.paper import PaperError, broken_papers
from verify.report import write_report
from verify.runner import ClaimResult, VariantResult, run_claims
from verify.serialise import comparison, results_as_data
from verify.sweep_commands import sweep_command
from verify.verdict_page import recorded_result

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    help="Checks the theory of decentralised multi-agent actor-critic on finite MDPs, exactly.",
)
app.add_typer(mdp_commands.app, name="mdp")
app.add_typer(experiment_commands.app, name="experiment")
app.command("sweep")(sweep_command)
app.command("new-paper")(new_paper_command)
app.command("doctor")(doctor_command)

RUN_FILE = "run.json"
"""Profile, seed and results of a run, beside its report."""

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

PLAIN_WIDTH = 140
"""Columns of tables when the output is not a terminal, so that rows survive in logs."""

Ids = Annotated[
    list[str] | None, typer.Argument(help="Statements (eq-4, zeng2022/eq-4) or papers (zhang2025); all if none.")
]


def main() -> None:
    """Entry point of the console script."""
    app()


@app.command("list")
def list_statements(
    papers: Annotated[list[str] | None, typer.Argument(help="Papers; all if none.")] = None,
) -> None:
    """List every statement of the papers, and which of them have a verdict.

    Example: lemmata list zhang2025
    """
    console = _console()
    found = {claim.key: claim for claim in ledger()}
    verdicts = recorded()
    _broken()
    for paper in papers or sorted({claim.paper for claim in found.values()}):
        try:
            rows = coverage(paper)
        except (KeyError, PaperError) as error:
            raise typer.BadParameter(str(error.args[0])) from None
        done = sum(f"{paper}/{row['id']}" in found for row in rows)
        table = Table(title=f"{paper}: {done} of {len(rows)} checked")
        for column in ("id", "where", "kind", "as printed"):
            table.add_column(column, overflow="fold")
        for row in rows:
            key = f"{paper}/{row['id']}"
            verdict = _recorded_verdict(found.get(key), verdicts.get(key, {}))
            table.add_row(row["id"], row["where"], row["kind"], verdict)
        console.print(table)


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="Statement, such as zeng2022/eq-13-target.")],
    witness: Annotated[bool, typer.Option("--witness", help="Also run the checks and print the witnesses.")] = False,
) -> None:
    """Show a statement: what the paper says, the variants, the recorded verdicts.

    Example: lemmata show eq-13-target --witness
    """
    console = _console()
    pending = unchecked(id, ledger())
    for key in pending:
        row = next(r for r in coverage(key.split("/")[0]) if key.endswith("/" + r["id"]))
        console.print(f"\n{key} ({row['where']}), not checked yet:\n  {row['text']}", markup=False)
    if pending:
        return
    for claim in _select([id]):
        known = recorded().get(claim.key, {})
        console.print(f"\n{claim.key}: {claim.summary}", style="bold", markup=False)
        if claim.latex:
            console.print(f"  {claim.latex}", markup=False)
        console.print(f"\n{claim.text}\n", markup=False, highlight=False)
        for variant in claim.variants:
            verdict = known.get(variant.name, "not recorded")
            console.print(f"  {variant.name}: {verdict}\n      {variant.text}", markup=False, highlight=False)
        for title, paragraph in (("Hypotheses", claim.hypotheses), ("Consequence", claim.consequence)):
            if paragraph:
                console.print(f"\n{title}: {paragraph}", markup=False, highlight=False)
        if claim.uses:
            console.print(f"\nRests on: {', '.join(claim.used_keys)}", markup=False, highlight=False)
        if witness:
            _print_witnesses(console, claim, known, Context(PROFILES["quick"], jobs=_cores()))


@app.command()
def verify(
    ids: Ids = None,
    profile: Annotated[str, typer.Option(help="quick (minutes) or full (an hour).")] = "quick",
    jobs: Annotated[int, typer.Option(help="Worker processes; 0 means one per core.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the report into this folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print results as JSON and nothing else.")] = False,
    seed: Annotated[int, typer.Option(help="Root of all randomness.")] = 0,
    record_: Annotated[
        bool, typer.Option("--record", help="Record the verdicts found (in a source checkout).")
    ] = False,
) -> None:
    """Check statements and compare their verdicts with the recorded ones.

    The exit code is 0 only if every verdict is the recorded one and every negative control is refuted.

    Example: lemmata verify zeng2022/eq-4 lemma-4.3 --out report
    """
    claims = _select(ids or [])
    broken = not ids and _broken()
    context = _context(profile, jobs, seed)
    if out is not None:
        _require_folder(out)
    results = _run(claims, context, quiet=as_json)
    if record_:
        for path in record(results):
            typer.echo(f"recorded in {path.name}", err=True)
        results = _with_records(results)
    _finish(results, context, out, as_json, whole=not broken)


@app.command()
def assumptions(
    instance: Annotated[str, typer.Option(help="A bundled instance; `lemmata mdp instances` lists them.")] = "ring3",
    all_: Annotated[bool, typer.Option("--all", help="Every bundled instance, side by side.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Show which policy class meets which assumption of the papers, with constants, or what contradicts it.

    Example: lemmata assumptions --instance periodic-trap
    """
    if instance not in INSTANCES:
        raise typer.BadParameter(f"no instance {instance!r}; there are {', '.join(INSTANCES)}")
    names = list(INSTANCES) if all_ else [instance]
    tables: list[list[AssumptionRow]] = []
    with Progress(*_progress_columns(), console=Console(stderr=True), disable=as_json, transient=True) as progress:
        task = progress.add_task("", total=len(names))
        for name in names:
            progress.update(task, description=name)
            tables.extend(assumption_matrix([name], draws=3 if all_ else 20))
            progress.advance(task)
    if as_json:
        typer.echo(json.dumps([asdict(row) for rows in tables for row in rows], indent=1))
        return
    for table in matrix_tables(tables) if all_ else [problem_table(tables[0])]:
        _console().print(table)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A folder written by `lemmata verify --out`.")],
    jobs: Annotated[int, typer.Option(help="Worker processes; 0 means one per core.")] = 0,
) -> None:
    """Rebuild the report of an earlier run from its stored sweeps; every check is computed again.

    Example: lemmata report report
    """
    path = folder / RUN_FILE
    if not path.is_file():
        raise typer.BadParameter(f"{path} does not exist; `lemmata verify --out {folder}` makes it")
    try:
        run = json.loads(path.read_text())
        keys = [statement["key"] for statement in run["results"]]
        context = _context(run["profile"], jobs, int(run["seed"]))
    except (ValueError, KeyError, TypeError) as error:
        raise typer.BadParameter(f"{path} is not a run of lemmata: {error!r}") from None
    for stored in sorted((folder / "data").glob("*.nc")):
        try:
            dataset = load(stored)
        except (OSError, ValueError) as error:
            raise typer.BadParameter(f"{stored} is damaged ({error}); remove it and it is computed again") from None
        if list(dataset["horizon"].values) == context.profile.horizons and dataset.attrs["root_seed"] == context.seed:
            context.datasets[stored.stem] = dataset
    results = _run(_select(keys), context, quiet=False)
    _finish(results, context, folder, as_json=False)


def _finish(
    results: list[ClaimResult], context: Context, out: Path | None, as_json: bool, *, whole: bool = True
) -> None:
    data = results_as_data(results)
    if out is not None:
        index = write_report(results, context, out)
        run = {"profile": context.profile.name, "seed": context.seed, "results": data}
        (out / RUN_FILE).write_text(json.dumps(run, indent=1) + "\n")
    if as_json:
        typer.echo(json.dumps(data, indent=1))
    else:
        _print_table(_console(), results)
        if out is not None:
            typer.echo(f"report: {index}")
    raise typer.Exit(0 if whole and all(r.as_recorded for r in results) else 1)


def _recorded_verdict(claim: Claim | None, known: Mapping[str, str]) -> str:
    if claim is None:
        return "not checked yet"
    if any(v.name not in known for v in claim.variants):
        return "not recorded"
    return str(recorded_result(claim, dict(known)).verdict)


def _broken() -> bool:
    """Whether an installed paper could not be loaded; each is named with the reason."""
    for error in broken_papers().values():
        typer.echo(f"left out: {error}", err=True)
    return bool(broken_papers())


def _run(claims: list[Claim], context: Context, *, quiet: bool) -> list[ClaimResult]:
    with Progress(*_progress_columns(), console=Console(stderr=True), disable=quiet, transient=True) as progress:
        task = progress.add_task("", total=sum(len(c.variants) for c in claims))
        started = 0

        def on_variant(claim: Claim, variant: Variant) -> None:
            nonlocal started
            progress.update(task, description=f"{claim.key} {variant.kind.name.lower()}", completed=started)
            started += 1

        context.on_progress = lambda text: progress.update(task, description=text)
        return run_claims(claims, context, recorded(), on_variant)


def _with_records(results: list[ClaimResult]) -> list[ClaimResult]:
    return [
        ClaimResult(
            r.claim,
            tuple(VariantResult(v.variant, v.evidence, v.verdict, v.seconds, str(v.verdict)) for v in r.variants),
        )
        for r in results
    ]


def _print_table(console: Console, results: list[ClaimResult]) -> None:
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
    console.print(table)
    if not all(r.as_recorded for r in results):
        console.print("Not as recorded (`--record` accepts what was found):", style="red")
    for result in results:
        for v in result.variants:
            if not v.as_recorded or (v.variant.kind is Kind.CONTROL and v.verdict is not Verdict.REFUTED):
                console.print(
                    f"{result.claim.key} {v.variant.name}: recorded {v.recorded}, now {v.verdict}; "
                    f"{decisive_evidence(v).quantity}: {comparison(decisive_evidence(v))}",
                    style="red", markup=False,
                )
        for name in result.vanished:
            console.print(f"{result.claim.key} {name}: recorded, but no longer checked", style="red", markup=False)
    good = sum(r.as_recorded for r in results)
    console.print(f"{good} of {len(results)} statements as recorded")


def decisive_evidence(result: VariantResult) -> Evidence:
    """The piece of evidence that made the verdict.

    Args:
        result: outcome of a variant.
    """
    return next((e for e in result.evidence if judge(e) is result.verdict), result.evidence[0])


def _print_witnesses(console: Console, claim: Claim, known: Mapping[str, str], context: Context) -> None:
    """Recompute the witness of every refuted form, by its short check where there is one, and print it."""
    for variant in claim.variants:
        if variant.kind is Kind.CONTROL or known.get(variant.name) != str(Verdict.REFUTED):
            continue
        found = (variant.recheck or variant.check)(context)
        for e in (found,) if isinstance(found, Evidence) else found:
            if e.witness is not None and judge(e) is Verdict.REFUTED:
                head = f"\n{variant.name}: {comparison(e)} ({e.rigor.name.lower()}, recomputed)"
                console.print(head, style="bold", markup=False)
                console.print(f"  {e.witness.summary}", markup=False)
                for name, text in e.witness.rows():
                    console.print(f"    {name} = {text}", markup=False, highlight=False)


def _select(ids: list[str]) -> list[Claim]:
    try:
        return select(ids)
    except KeyError as error:
        raise typer.BadParameter(str(error.args[0])) from None


def _context(profile: str, jobs: int, seed: int) -> Context:
    if profile not in PROFILES:
        raise typer.BadParameter(f"profile {profile!r} is not one of {', '.join(PROFILES)}")
    if seed < 0:
        raise typer.BadParameter(f"seed is {seed}; it is a whole number of at least 0")
    if jobs < 0:
        raise typer.BadParameter(f"jobs is {jobs}; it is a number of workers, or 0 for one per core")
    return Context(PROFILES[profile], seed=seed, jobs=jobs or _cores())


def _require_folder(out: Path) -> None:
    """Find out before the run, not after it, whether the report can be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"cannot write into {out}: {error.strerror}") from None
    if not os.access(out, os.W_OK):
        raise typer.BadParameter(f"cannot write into {out}: permission denied")


def _progress_columns() -> tuple[ProgressColumn, ...]:
    return (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=PLAIN_WIDTH)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    main()
