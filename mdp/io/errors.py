"""What reading a file can complain about, and how a missing optional package is reported."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from mdp.optional import how_to_install

Built = TypeVar("Built")

SHOWN_CHARACTERS = 60
"""Longest piece of a file's text that a message repeats; ours: enough to find the place."""


class FormatError(ValueError):
    """A file does not hold what its format promises; the message names the file and the key or line."""


def shown(text: object) -> str:
    """Text from a file as it may appear in a message: quoted, control characters escaped, cut to a short length.

    Args:
        text: anything read from a file.
    """
    quoted = ascii(text)
    return quoted if len(quoted) <= SHOWN_CHARACTERS else quoted[: SHOWN_CHARACTERS - 3] + "..."


def built(where: str | Path, constructor: Callable[..., Built], /, **parts: Any) -> Built:
    """Call `constructor` on data from a file and put the file's name before whatever it complains about.

    Args:
        where: file name, with the key if there is one.
        constructor: a class of `mdp` that validates its arguments.
        parts: its keyword arguments.

    Raises:
        FormatError: the constructor raised a ValueError or TypeError.
    """
    try:
        return constructor(**parts)
    except (ValueError, TypeError) as error:
        raise FormatError(f"{where}: {error}") from error


def optional_package(name: str, extra: str) -> Any:
    """Import an optional package.

    Args:
        name: the package.
        extra: the extra of `lemmata` that installs it.

    Raises:
        ImportError: it is not installed; the message gives the command that installs it.
    """
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ImportError(
            f"{package} is not installed; it is optional and comes with: {how_to_install(extra)}"
        ) from error
