"""`lemmata verify` and `lemmata report`: check statements, and compare their verdicts with the recorded ones."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from verify.commands import names
from verify.commands.common import (
    CHANGED,
    SOFTWARE,
    TRACEBACK,
    Jobs,
    Json,
    ProfileName,
    Quiet,
    Seed,
    emit,
    one_of,
    progress,
    require_folder,
    require_whole,
    say,
    workers,
)

if TYPE_CHECKING:
    from verify.claim import Claim, Variant
    from verify.context import Context
    from verify.runner import ClaimResult

RUN_FILE = "run.json"
"""Profile, seed and results of a run, beside its report."""

Experiments = Annotated[
    list[Path] | None,
    typer.Option(help="A folder of `lemmata experiment NAME --out`, to be shown in the report; repeat for more."),
]
"""Folders of experiments that the report shows."""

CHECK_EXIT_CODES = (
    "Exit codes: 0 every verdict is the recorded one and every negative control is refuted; 1 not so; 2 a wrong "
    "argument, nothing was computed; 70 a check failed to run; 74 the report could not be written; 130 interrupted."
)


def verify_command(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            help="Statements (eq-4, zeng2022/eq-4) or papers (zhang2025); all if none.",
            autocompletion=names.complete_statements,
        ),
    ] = None,
    profile: ProfileName = "quick",
    jobs: Jobs = 0,
    out: Annotated[Path | None, typer.Option(help="Write the report into this folder.")] = None,
    experiments: Experiments = None,
    quiet: Quiet = False,
    as_json: Json = False,
    seed: Seed = 0,
    record_: Annotated[
        bool, typer.Option("--record", help="Record the verdicts found (in a source checkout).")
    ] = False,
) -> None:
    """Check statements and compare their verdicts with the recorded ones.

    With --quiet, only what is not as recorded is printed, a line for each.

    Example: lemmata verify zeng2022/eq-4 lemma-4.3 --out report

    Example: lemmata verify --quiet && echo all as recorded
    """
    from verify.ledger import record

    context = _context(profile, jobs, seed)
    claims = _select(ids or [])
    require_folder(out)
    _require_experiments(experiments, out)
    broken = not ids and _broken()
    results = _run(claims, context, hidden=quiet or as_json)
    if record_:
        for path in record(results):
            if not quiet:
                say(f"recorded in {path.name}", err=True)
        results = _with_records(results)
    _finish(results, context, out, experiments, quiet=quiet, as_json=as_json, whole=not broken)


def report_command(
    folder: Annotated[Path, typer.Argument(help="A folder written by `lemmata verify --out`.")],
    experiments: Experiments = None,
    jobs: Jobs = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Rebuild the report of an earlier run from its stored sweeps; every check is computed again.

    Pages and figures of the earlier report that the new one does not have are removed, if they are as it wrote them.

    Example: lemmata report report

    Example: lemmata report report --experiments out/spread --experiments out/coordination
    """
    path = folder / RUN_FILE
    if not path.is_file():
        raise typer.BadParameter(f"{path} does not exist; `lemmata verify --out {folder}` makes it")
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        keys = [str(statement["key"]) for statement in run["results"]]
        profile, seed = str(run["profile"]), int(run["seed"])
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise typer.BadParameter(f"{path} is not a run of lemmata: {error!r}") from None
    context = _context(profile, jobs, seed)
    require_folder(folder)
    _require_experiments(experiments, folder)
    _load_sweeps(folder, context)
    results = _run(_select(keys), context, hidden=quiet or as_json)
    _finish(results, context, folder, experiments, quiet=quiet, as_json=as_json)


def _load_sweeps(folder: Path, context: Context) -> None:
    """Give the context the datasets that a run of its profile and seed stored."""
    from verify.report.datasets import stored_datasets

    try:
        context.datasets |= stored_datasets(folder, context.profile.name, context.seed)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None


def _require_experiments(folders: list[Path] | None, out: Path | None) -> None:
    """Find out before the run, not after it, whether the folders can be shown, and where."""
    from verify.report.experiment_folders import FolderError, read_folder

    if folders and out is None:
        raise typer.BadParameter("--experiments needs --out: they are shown in the report")
    try:
        for folder in folders or ():
            list(read_folder(folder))
    except FolderError as error:
        raise typer.BadParameter(str(error)) from None


def _finish(
    results: list[ClaimResult], context: Context, out: Path | None, experiments: list[Path] | None, *, quiet: bool,
    as_json: bool, whole: bool = True,
) -> None:
    from verify.serialise import results_as_data

    data, index = results_as_data(results), None
    if out is not None:
        from verify.report.site import write_report

        index = write_report(results, context, out, experiments or ())
        run = {"profile": context.profile.name, "seed": context.seed, "results": data}
        (out / RUN_FILE).write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    good = whole and all(r.as_recorded for r in results)
    if as_json:
        from verify.paper import broken_papers

        emit("verify", {
            "profile": context.profile.name, "seed": context.seed, "as_recorded": good,
            "report": None if index is None else str(index), "left_out": {} if whole else broken_papers(),
            "results": data,
        })  # fmt: skip
    else:
        from verify.commands.verdict_table import print_changes, print_table

        if not quiet:
            print_table(results)
        print_changes(results)
        if not quiet:
            say(f"{sum(r.as_recorded for r in results)} of {len(results)} statements as recorded")
            if index is not None:
                say(f"report: {index}")
    raise typer.Exit(0 if good else CHANGED)


def _broken() -> bool:
    """Whether an installed paper could not be loaded; each is named with the reason."""
    from verify.paper import broken_papers

    for error in broken_papers().values():
        say(f"left out: {error}", err=True)
    return bool(broken_papers())


def _run(claims: list[Claim], context: Context, *, hidden: bool) -> list[ClaimResult]:
    from verify.compile_ahead import compiling_ahead
    from verify.ledger import recorded
    from verify.runner import run_claims

    with progress(hidden) as bar, compiling_ahead(len(claims)):
        task = bar.add_task("", total=sum(len(c.variants) for c in claims))
        started, name = 0, ""

        def on_variant(claim: Claim, variant: Variant) -> None:
            nonlocal started, name
            name = f"{claim.key} {variant.name}"
            bar.update(task, description=f"{claim.key} {variant.kind.name.lower()}", completed=started)
            started += 1

        context.on_progress = lambda text: bar.update(task, description=text)
        try:
            return run_claims(claims, context, recorded(), on_variant)
        except Exception as error:  # a check is anybody's code
            if os.environ.get(TRACEBACK):
                raise
            failure = error
    say(f"error: the check of {name} failed to run: {_where(failure)}\n{TRACEBACK}=1 shows the whole way", err=True)
    raise typer.Exit(SOFTWARE)


def _where(error: Exception) -> str:
    """An exception and the line it comes from, in words."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"
    return f"{type(error).__name__}: {error}{place}"


def _with_records(results: list[ClaimResult]) -> list[ClaimResult]:
    """The results as they are after their verdicts were recorded."""
    return [
        replace(r, variants=tuple(replace(v, recorded=str(v.verdict)) for v in r.variants), vanished=())
        for r in results
    ]


def _select(ids: list[str]) -> list[Claim]:
    from verify.ledger import select

    try:
        return select(ids)
    except KeyError as error:
        raise typer.BadParameter(str(error.args[0])) from None


def _context(profile: str, jobs: int, seed: int) -> Context:
    from verify.context import PROFILES, Context

    one_of("profile", profile, PROFILES)
    require_whole("seed", seed, 0)
    return Context(PROFILES[profile], seed=seed, jobs=workers(jobs))
