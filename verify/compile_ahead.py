"""Compiles the kernels that late statements need, in a process beside the first ones.

numba keeps what it has compiled on disk, so that this matters once on a machine: the first run of the ledger would
otherwise wait for the better part of a minute with one of its cores idle.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

MANY = 60
"""Statements from which on it is worth a process; ours: fewer seldom reach a late kernel."""

NICENESS = 10
"""Ours: the checks themselves go first where cores are short."""


@contextmanager
def compiling_ahead(statements: int) -> Iterator[None]:
    """Have late kernels compiled meanwhile, if many statements are to be checked and no compiled ones are on disk.

    Args:
        statements: how many are to be checked.
    """
    if statements < MANY or not cold():
        yield
        return
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, "-m", __name__], stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def cold() -> bool:
    """Whether numba has nothing on disk yet for the kernels that `compile_late_kernels` runs."""
    from algorithms import _baselines_kernel as kernel

    folder = Path(kernel._mdac.stats.cache_path)
    return not any(folder.glob(f"{Path(kernel.__file__).stem}.*.nbi"))


def compile_late_kernels() -> None:
    """Run the coordination game and Simple Spread for a few iterations, in the ways the ledger does."""
    from verify.experiments.coordination import runs as coordination
    from verify.experiments.simple_spread import runs as spread
    from verify.experiments.simple_spread.lines import Line
    from verify.zhang2025.simple_spread.runs import DEFAULTS, EXACT

    coordination.coordination((2,), budget=coordination.Budget(2, 4, 2))
    settings = (DEFAULTS, replace(DEFAULTS, actor="network"), EXACT, replace(DEFAULTS, rewards="local"))
    spread.run_lines([Line(str(k), one) for k, one in enumerate(settings)], spread.Budget(2, 4, 1))


if __name__ == "__main__":
    if hasattr(os, "nice"):  # not on Windows
        os.nice(NICENESS)
    compile_late_kernels()
