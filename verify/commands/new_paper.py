"""`lemmata new-paper`: a template package for the ledger of another paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from verify.commands.common import Json, Quiet, emit, say

NEW_PAPER_EXIT_CODES = (
    "Exit codes: 0 done; 2 a name that cannot be used, or a folder that is not empty or cannot be written."
)


def new_paper_command(
    name: Annotated[str, typer.Argument(help="Key of the paper, such as bhandari2018.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; ./NAME if not given.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write a package for the ledger of your own paper: one statement of each kind, with tests that pass.

    Example: lemmata new-paper smith2026 --out ~/papers/smith2026
    """
    from verify.new_paper import write_paper

    folder = Path(name) if out is None else out
    try:
        written = write_paper(name, folder)
    except (ValueError, FileExistsError) as error:
        raise typer.BadParameter(str(error)) from None
    except OSError as error:
        raise typer.BadParameter(f"cannot write into {folder}: {error.strerror}") from None
    if as_json:
        emit("new-paper", {"name": name, "folder": str(folder), "files": [str(path) for path in written]})
    elif not quiet:
        for path in written:
            say(f"wrote {path}")
        say(f"\nNow: pip install -e {folder}; lemmata verify {name}; pip install pytest; python -m pytest {folder}")
