"""What to type when an optional package is missing."""

from __future__ import annotations


def how_to_install(extra: str) -> str:
    """The commands that install an extra of `lemmata`, for error messages.

    Args:
        extra: its name in ``pyproject.toml``.
    """
    return f'pip install "lemmata[{extra}]" (in a clone: pip install -e ".[{extra}]")'
