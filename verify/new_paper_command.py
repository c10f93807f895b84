"""The command `lemmata new-paper`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from verify.new_paper import write_paper


def new_paper_command(
    name: Annotated[str, typer.Argument(help="Key of the paper, such as bhandari2018.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; ./NAME if not given.")] = None,
) -> None:
    """Write a package for the ledger of your own paper: one statement of each kind, with tests that pass.

    Example: lemmata new-paper smith2026 --out ~/papers/smith2026
    """
    folder = Path(name) if out is None else out
    try:
        written = write_paper(name, folder)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    except FileExistsError as error:
        raise typer.BadParameter(str(error)) from None
    except OSError as error:
        raise typer.BadParameter(f"cannot write into {folder}: {error.strerror}") from None
    for path in written:
        typer.echo(f"wrote {path}")
    typer.echo(f"\nNow: pip install -e {folder}; lemmata verify {name}; cd {folder} && pytest")
