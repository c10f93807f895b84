"""`lemmata experiment rlhf`: zhang2025 Sec. 6.2, multi-agent RLHF with language models, printed and repaired."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from verify.commands.common import (
    INTERRUPTED,
    UNWRITABLE,
    Jobs,
    Json,
    ProfileName,
    Quiet,
    Seed,
    console,
    document,
    emit,
    one_of,
    progress,
    require_folder,
    require_whole,
    say,
    workers,
)

if TYPE_CHECKING:
    import xarray as xr

    from verify.experiments.rlhf.runs import Checkpoints

RUNS_FOLDER = "runs"
"""Where checkpoints are kept inside ``--out``, a folder per run."""


def rlhf_command(
    profile: ProfileName = "quick",
    runs: Annotated[int | None, typer.Option(help="Runs of every line, at least 2; by profile 4 or 16.")] = None,
    episodes: Annotated[int | None, typer.Option(help="Dialogues of every run, at least 2; by profile.")] = None,
    gossip: Annotated[
        list[int] | None, typer.Option(help="t_gossip; repeat for more lines, 0 for none; 20 as printed.")
    ] = None,
    direction: Annotated[
        list[str] | None, typer.Option(help="printed, repaired, flipped; repeat for more; the first two.")
    ] = None,
    opening: Annotated[str | None, typer.Option(help="First question of every dialogue; a neutral one.")] = None,
    models: Annotated[
        Path | None, typer.Option(help="Folder of the small models, built on first use; in the user's cache.")
    ] = None,
    size: Annotated[str, typer.Option(help="Of the small models: small, or tiny (seconds, to try things).")] = "small",
    actor: Annotated[Path | None, typer.Option(help="Local folder of a causal model instead, for all actors.")] = None,
    user: Annotated[Path | None, typer.Option(help="Local folder of the causal model that plays the user.")] = None,
    reward: Annotated[
        list[Path] | None, typer.Option(help="Local folder of a reward model; three times, in the order of Table 2.")
    ] = None,
    tokenizer: Annotated[Path | None, typer.Option(help="The actors' tokenizer, if not in their folder.")] = None,
    device: Annotated[str, typer.Option(help="auto (a GPU if there is one), cpu, cuda, ...")] = "auto",
    miniature: Annotated[bool, typer.Option(help="Run the exactly solved miniature too.")] = True,
    out: Annotated[Path | None, typer.Option(help="Folder for runs and figure; the same command resumes.")] = None,
    jobs: Jobs = 0,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Multi-agent RLHF of zhang2025 Sec. 6.2: three language models, each paid by a reward model of its own.

    Printed and repaired direction of Algorithm 1 on the same models, which are small ones that the program trains
    itself, or yours. Needs the extra lemmata[rlhf]; nothing is downloaded.

    Example: lemmata experiment rlhf --out out/rlhf
    """
    from verify.experiments.rlhf.runs import BUDGETS, DIRECTIONS, GOSSIP, SIGNS, Line, Source

    one_of("profile", profile, BUDGETS)
    one_of("size", size, ("small", "tiny"))
    for name, value, least in (("runs", runs, 2), ("episodes", episodes, 2), ("seed", seed, 0)):
        require_whole(name, value, least)
    rounds = list(dict.fromkeys(gossip or [GOSSIP]))
    for value in rounds:
        require_whole("gossip", value, 0)
    signs = list(dict.fromkeys(direction or DIRECTIONS))
    for name in signs:
        one_of("direction", name, SIGNS)
    n_jobs = workers(jobs)
    checkpoints = _checkpoints(actor, user, reward, tokenizer, models)
    if opening is not None and not opening.strip():
        raise typer.BadParameter("opening is empty; every dialogue begins with a question")
    require_folder(out)
    given = {k: v for k, v in (("runs", runs), ("episodes", episodes)) if v is not None}
    budget = replace(BUDGETS[profile], **given)
    folder = models or _cache() / f"rlhf-{size}-{seed}"
    source = Source(folder, size, seed, checkpoints, opening)
    lines = [Line(sign, value) for value in rounds for sign in signs]
    bars = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
            TimeRemainingColumn())  # fmt: skip
    with _errors_of_the_user(out), progress(quiet or as_json, *bars) as bar:
        from algorithms.deep.rlhf import require_extra

        require_extra()
        from verify.experiments.rlhf.runs import device_of, run_anchor, run_lines

        where = device_of(device)
        task = bar.add_task("models", total=1.0)
        source.load(lambda text, share: bar.update(task, description=text, completed=share))
        bar.update(task, description="dialogues", completed=0.0)
        data = run_lines(
            source, lines, budget, seed=seed, jobs=n_jobs, device=where,
            out=None if out is None else out / RUNS_FOLDER,
            on_share=lambda share: bar.update(task, completed=share),
        )  # fmt: skip
        anchor = None
        if miniature:
            bar.update(task, description="miniature", completed=0.0)
            anchor = run_anchor(jobs=n_jobs, on_share=lambda share: bar.update(task, completed=share))
        asked = {**vars(budget), "seed": seed, "device": where, "opening": opening or "", "gossip": rounds}
        summary = _summary(data, anchor, asked, out)
    if as_json:
        emit("experiment-rlhf", summary)
    elif not quiet:
        _print(summary, budget.runs)
        if out is not None:
            say(f"figure, curves and summary: {out / 'rlhf'}.svg, .csv, .json; runs: {out / RUNS_FOLDER}")


def _summary(data: xr.Dataset, anchor: xr.Dataset | None, asked: dict[str, Any], out: Path | None) -> dict[str, Any]:
    """The summary; with a folder also as a file, beside figure and curves."""
    from verify.experiments.rlhf.summary import as_json

    summary = as_json(data, anchor, **asked)
    if out is None:
        return summary
    from verify.experiments.rlhf.figure import miniature_csv, rlhf_figure

    figure = rlhf_figure(data, anchor)
    summary |= {"caption": figure.caption, "alt": figure.alt}
    contents = {"rlhf.svg": figure.svg, "rlhf.csv": figure.csv}
    if anchor is not None:
        contents["rlhf-miniature.csv"] = miniature_csv(anchor)
    contents["rlhf.json"] = json.dumps(document("experiment-rlhf", summary), indent=1) + "\n"
    for name, content in contents.items():
        (out / name).write_text(content, encoding="utf-8")
    return summary


def _print(summary: dict[str, Any], runs: int) -> None:
    table = Table(title=f"Multi-agent RLHF, {runs} runs; scaled reward per turn, 95 % intervals over runs")
    for column in ("line", "agent", "at the start", "at the end", "gain"):
        table.add_column(column, overflow="fold")
    for k, row in enumerate(summary["results"]):
        last = k + 1 == len(summary["results"]) or summary["results"][k + 1]["line"] != row["line"]
        table.add_row(
            row["line"], str(row["agent"] or "mean"), f"{row['start']:.3f}", f"{row['end']:.3f}",
            f"{row['gain']:.3f} ({row['gain_low']:.3f} to {row['gain_high']:.3f})", end_section=last,
        )  # fmt: skip
    console().print(table)
    for row in summary["miniature"]:
        say(
            f"miniature, {row['direction']}: exact J from {row['start']:.4f} to {row['end']:.4f} "
            f"({row['low']:.4f} to {row['high']:.4f}), best {row['best']:.4f}"
        )
    say("What the paper's text leaves open:")
    for line in summary["open"]:
        say(f"- {line}")


def _checkpoints(
    actor: Path | None, user: Path | None, reward: list[Path] | None, tokenizer: Path | None, models: Path | None
) -> Checkpoints | None:
    from verify.experiments.rlhf.runs import Checkpoints

    if actor is None and user is None and not reward and tokenizer is None:
        return None
    if models is not None:
        raise typer.BadParameter("--models is for the small models; drop it, or --actor, --user, --reward, --tokenizer")
    if actor is None or user is None or len(reward or ()) != 3:
        raise typer.BadParameter(
            f"real models are --actor, --user and three times --reward; --actor is {actor}, --user {user}, and "
            f"--reward was given {len(reward or ())} times"
        )
    return Checkpoints(actor, user, tuple(reward or ()), tokenizer)


def _cache() -> Path:
    """Where programs of this user keep what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lemmata"


@contextmanager
def _errors_of_the_user(out: Path | None) -> Iterator[None]:
    """A missing extra, models that cannot be used, another run in the folder, the disk or Ctrl-C, as messages."""
    from algorithms.deep.rlhf import MissingExtraError
    from algorithms.deep.rlhf.errors import MaterialsError

    try:
        yield
    except (MissingExtraError, MaterialsError, ValueError, FloatingPointError) as error:
        raise typer.BadParameter(str(error)) from None
    except OSError as error:
        say(f"error: {error.strerror or error}", err=True)
        raise typer.Exit(UNWRITABLE) from None
    except KeyboardInterrupt:
        kept = "; the same command goes on" if out is not None else ", nothing kept"
        say(f"stopped{kept}", err=True)
        raise typer.Exit(INTERRUPTED) from None
