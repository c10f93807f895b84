"""The `lemmata` command: puts the commands of `verify.commands` together, and ends every failure with a message."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from verify.commands import experiment, mdp
from verify.commands.assumptions import assumptions_command
from verify.commands.check import CHECK_EXIT_CODES, report_command, verify_command
from verify.commands.common import EXIT_CODES, INTERRUPTED, SOFTWARE, TRACEBACK, UNWRITABLE, say
from verify.commands.doctor import DOCTOR_EXIT_CODES, doctor_command
from verify.commands.new_paper import NEW_PAPER_EXIT_CODES, new_paper_command
from verify.commands.statements import LIST_EXIT_CODES, SHOW_EXIT_CODES, list_command, show_command
from verify.commands.sweep import SWEEP_EXIT_CODES, sweep_command

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Checks the theory of decentralised multi-agent actor-critic on finite MDPs, exactly.",
    epilog="Examples: lemmata list zhang2025; lemmata show lemma-5.7 --witness; lemmata verify --out report. "
    "Every command has --help with examples and exit codes.",
)
for name, short, codes, command in (
    ("list", "Every statement, with its recorded verdict.", LIST_EXIT_CODES, list_command),
    ("show", "What the paper says, the variants, the verdicts.", SHOW_EXIT_CODES, show_command),
    ("verify", "Check statements; compare with the record.", CHECK_EXIT_CODES, verify_command),
    ("report", "Rebuild a report from its stored sweeps.", CHECK_EXIT_CODES, report_command),
    ("assumptions", "Which policy class meets which assumption.", EXIT_CODES, assumptions_command),
    ("sweep", "An algorithm over horizons and seeds; resumable.", SWEEP_EXIT_CODES, sweep_command),
    ("new-paper", "Start the ledger of a paper of your own.", NEW_PAPER_EXIT_CODES, new_paper_command),
    ("doctor", "What this installation consists of.", DOCTOR_EXIT_CODES, doctor_command),
):
    app.command(name, short_help=short, epilog=codes)(command)
app.add_typer(experiment.app, name="experiment")
app.add_typer(mdp.app, name="mdp")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"lemmata {version('lemmata')}")
        raise typer.Exit


@app.callback()
def lemmata(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Checks the theory of decentralised multi-agent actor-critic on finite MDPs, exactly."""


def main() -> None:
    """Entry point of the console script: an expected failure is a message and an exit code, never a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        _end("interrupted", INTERRUPTED)
    except OSError as error:
        if os.environ.get(TRACEBACK):
            raise
        _end(f"error: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""), UNWRITABLE)
    except MemoryError as error:
        _end(f"error: not enough memory{f': {error}' if str(error) else ''}", SOFTWARE)
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        _end(
            f"error: {type(error).__name__}: {error}\nThis should not happen; {TRACEBACK}=1 shows where it does.",
            SOFTWARE,
        )


def _end(text: str, code: int) -> None:
    print(text, file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
