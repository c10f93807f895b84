"""Writes a template package for the ledger of another paper."""

from __future__ import annotations

import keyword
import re
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from verify.paper import BUNDLED

NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
"""What a paper may be called: it becomes a key, an entry point and, with underscores, a package."""

INSIDE = ("__init__.py", "identity.py", "assumption.py", "inequality.py", "rate.py", "statements.toml", "verdicts.toml")
"""Templates that go into the package itself."""


def write_paper(name: str, folder: Path) -> list[Path]:
    """Write a package with one statement of each kind, its recorded verdicts, and tests that pass.

    Args:
        name: of the paper, such as ``bhandari2018``: lower case letters, digits, single hyphens or underscores.
        folder: where to write; made if it does not exist.

    Returns:
        The files written.

    Raises:
        ValueError: a name that cannot be a package, or that is taken by a bundled paper or an installed module.
        FileExistsError: `folder` is a file, or is not empty.
        OSError: it cannot be written.
    """
    package = _package(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is there already and is not an empty folder; nothing was written")
    places = {"pyproject.toml": "pyproject.toml", "README.md": "README.md", "test.py": f"tests/test_{package}.py"}
    places |= {template: f"{package}/{template}" for template in INSIDE}
    source = resources.files("verify") / "templates" / "new_paper"
    texts = {place: (source / f"{template}.tmpl").read_text(encoding="utf-8") for template, place in places.items()}
    written = []
    for place, text in texts.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("@NAME@", name).replace("@PACKAGE@", package), encoding="utf-8")
        written.append(path)
    return written


def _package(name: str) -> str:
    """Name of the package of a paper, after making sure that it can be one."""
    if not NAME.fullmatch(name):
        raise ValueError(
            f"name is {name!r}; begin with a lower case letter, then use lower case letters, digits and single "
            "hyphens, such as 'bhandari2018'"
        )
    package = name.replace("-", "_")
    if name in BUNDLED:
        raise ValueError(f"name is {name!r}, which is a bundled paper")
    if keyword.iskeyword(package):
        raise ValueError(f"name is {name!r}, which is a word of Python and cannot be a package")
    if find_spec(package) is not None:
        raise ValueError(f"name is {name!r}, but a module {package!r} is installed already")
    return package
