"""What the commands share: exit codes, options, output for people and for programs, checks before any computation.

Modules of commands import what computes inside their functions, so that ``--help`` and completion answer at once.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

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

from verify.commands import names
from verify.suggest import unknown

CHANGED = 1
"""Exit code when a verdict is not the recorded one, or `doctor` found a problem."""

USAGE = 2
"""Exit code of a wrong argument, before anything was computed."""

SOFTWARE = 70
"""Exit code when a check or the program itself failed (EX_SOFTWARE of sysexits.h)."""

UNWRITABLE = 74
"""Exit code when results cannot be written while a command runs (EX_IOERR of sysexits.h)."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""

CLOSED = 141
"""Exit code when the reader of a pipe has gone, as shells have it: 128 + SIGPIPE."""

EXIT_CODES = (
    "Exit codes: 0 done; 2 a wrong argument, nothing was computed; 70 something failed that should not; "
    "74 results could not be written; 130 interrupted."
)
"""Last paragraph of the help of most commands."""

PLAIN_WIDTH = 140
"""Columns of tables when the output is not a terminal, so that rows survive in logs."""

TRACEBACK = "LEMMATA_TRACEBACK"
"""Variable that, if set, lets the traceback of an unexpected failure through."""

MOST_JOBS = 1024
"""Most workers; ours: more is a slip of the keyboard, and starting them would stop the machine."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing if all is well.")]
Bare = Annotated[bool, typer.Option("--quiet", "-q", help="Bare lines with tabs, for other programs; no headings.")]
Jobs = Annotated[int, typer.Option(help="Workers; 0 means one per core.")]
Seed = Annotated[int, typer.Option(help="Root of all randomness.")]
ProfileName = Annotated[
    str, typer.Option(help="How much work: quick or full.", autocompletion=names.complete(names.PROFILES))
]


class _Console(Console):
    def on_broken_pipe(self) -> None:
        closed_pipe()


def console() -> Console:
    """Where tables go: colours on a terminal only (never with NO_COLOR), a fixed width elsewhere."""
    found = _Console()
    return found if found.is_terminal else _Console(width=PLAIN_WIDTH)


def say(text: str = "", *, err: bool = False) -> None:
    """Print a line.

    Args:
        text: plain, without markup.
        err: on standard error.
    """
    try:
        typer.echo(text, err=err)
    except BrokenPipeError:
        closed_pipe()


def closed_pipe() -> NoReturn:
    """End quietly after the reader of standard output has gone, as after ``lemmata list | head -1``."""
    with contextlib.suppress(OSError, ValueError):  # standard output may be no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
    raise typer.Exit(CLOSED)


def emit(kind: str, data: Mapping[str, Any]) -> None:
    """Print the JSON document of a command; its first key is ``format``, ``lemmata-KIND-1``.

    Args:
        kind: name of the document.
        data: the rest, JSON-ready; see `document`.
    """
    say(json.dumps(document(kind, data), indent=1, ensure_ascii=False))


def document(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """A document as `emit` prints it. The number in its format changes when a key goes or changes its meaning.

    Args:
        kind: name of the document.
        data: what it holds; numbers that JSON does not have become ``"nan"``, ``"inf"`` and ``"-inf"``.
    """
    return {"format": f"lemmata-{kind}-1", **{key: _plain(value) for key, value in data.items()}}


def progress(hidden: bool, *columns: ProgressColumn) -> Progress:
    """A progress bar on standard error that leaves no trace, and is not there when nobody would see it.

    Args:
        hidden: whether the user asked for none, by ``--quiet`` or ``--json``.
        *columns: of the bar; a spinner, a text, the bar, the count and the time by default.
    """
    usual = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    where = Console(stderr=True)
    return Progress(*(columns or usual), console=where, disable=hidden or not where.is_terminal, transient=True)


def one_of(name: str, value: str, known: Iterable[str]) -> str:
    """`value`, if it is one of a few names.

    Args:
        name: of the argument.
        value: what was typed.
        known: what there is.

    Raises:
        typer.BadParameter: it is none of them; the message lists them and says which is near.
    """
    allowed = list(known)
    if value not in allowed:
        raise typer.BadParameter(unknown(name, value, allowed))
    return value


def require_whole(name: str, value: int | None, least: int, most: int | None = None) -> None:
    """Refuse a number that is too small or too large.

    Args:
        name: of the argument.
        value: what was typed; None passes.
        least: smallest allowed.
        most: largest allowed, if there is one.

    Raises:
        typer.BadParameter: the value is outside.
    """
    if value is not None and (value < least or (most is not None and value > most)):
        bound = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise typer.BadParameter(f"{name} is {value}; it is a whole number {bound}")


def workers(jobs: int) -> int:
    """How many workers `--jobs` means.

    Args:
        jobs: what was typed; 0 means one per core that this process may use.

    Raises:
        typer.BadParameter: negative, or beyond `MOST_JOBS`.
    """
    if jobs < 0:
        raise typer.BadParameter(f"jobs is {jobs}; it is a number of workers, or 0 for one per core")
    if jobs > MOST_JOBS:
        raise typer.BadParameter(f"jobs is {jobs}; at most {MOST_JOBS} workers are started")
    return jobs or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def require_folder(out: Path | None, *, make: bool = True) -> None:
    """Find out before the computation, not after it, whether its results can be written.

    Args:
        out: the folder; None passes.
        make: whether to make it; if not, only what is there is looked at.

    Raises:
        typer.BadParameter: it is a file, lies in one, cannot be written, or is a Python package, as ``rates`` is in a
            clone.
    """
    if out is None:
        return
    if (out / "__init__.py").exists():
        raise typer.BadParameter(f"{str(out)!r} is a Python package; results would lie among its modules")
    there = next((place for place in (out, *out.absolute().parents) if os.path.lexists(place)), out)
    try:
        if make:
            out.mkdir(parents=True, exist_ok=True)
            there = out
        with tempfile.TemporaryFile(dir=there):  # also finds a full disk, and what root may do but the disk refuses
            pass
    except (OSError, ValueError) as error:  # ValueError: a null character
        file = next((place for place in (out, *out.parents) if place.is_file()), None)
        reason = f"{str(file)!r} is a file" if file else getattr(error, "strerror", None) or str(error)
        raise typer.BadParameter(f"cannot write into {str(out)!r}: {reason}") from None


def _plain(value: Any) -> Any:
    """`value` with numbers that JSON does not have as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
