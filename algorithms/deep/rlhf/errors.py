"""What goes wrong before a run: a missing extra, or models that cannot be used. Imports nothing of the extra."""

from __future__ import annotations

from importlib.util import find_spec

from mdp.optional import how_to_install

PACKAGES = ("torch", "transformers", "peft", "tokenizers", "safetensors")
"""What the extra brings."""


class MissingExtraError(ImportError):
    """Packages of the optional extra are not installed; the message names them and the command that installs them."""


class MaterialsError(Exception):
    """Models that cannot be used; the message names the folder or file, what is wrong and what would be right."""


def require_extra() -> None:
    """Check that the packages of the extra are there, without importing them.

    Raises:
        MissingExtraError: some are not.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"multi-agent RLHF needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed: "
            + how_to_install("rlhf")
        )
