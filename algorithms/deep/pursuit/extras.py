"""Whether the optional packages of this experiment are there."""

from __future__ import annotations

from importlib.util import find_spec

from mdp.optional import how_to_install

PACKAGES = ("torch", "pettingzoo", "pygame")
"""What the extra ``lemmata[pursuit]`` installs."""


class MissingExtraError(ImportError):
    """An optional package is not installed; the message says which extra brings it."""


def require_extra(packages: tuple[str, ...] = PACKAGES) -> None:
    """Check that the packages of the extra can be found, without importing them.

    Args:
        packages: their names.

    Raises:
        MissingExtraError: one is missing; the message names it and the command that installs it.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"{', '.join(missing)} not installed: {how_to_install('pursuit')}")
