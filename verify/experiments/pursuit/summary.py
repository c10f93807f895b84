"""The pursuit experiment in numbers: gains and differences with Student intervals over runs, curves, JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from verify.experiments.coordination.summary import CONFIDENCE, student_interval
from verify.experiments.pursuit.plan import OPEN, Plan
from verify.experiments.pursuit.runs import LineResult

TAIL = 10
"""A start and an end are means over one block in so many; ours."""

BINS = 20
"""Points of a drawn curve: the returns of single blocks are noisy; ours."""

Returns = Float[np.ndarray, "run episode"]


@dataclass(frozen=True)
class Interval:
    """A mean over runs with its 95 % Student interval.

    Attributes:
        mean: over runs.
        low: lower end.
        high: upper end.
    """

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Float[np.ndarray, " run"]) -> Interval:
        """The interval of independent values.

        Args:
            values: at least two.
        """
        mean, half = (float(x) for x in student_interval(np.asarray(values, dtype=float)))
        return cls(mean, mean - half, mean + half)

    def __str__(self) -> str:
        return f"{self.mean:.2f} ({self.low:.2f} to {self.high:.2f})"


def start_of(returns: Returns) -> Float[np.ndarray, " run"]:
    """Each run's mean return over its first blocks.

    Args:
        returns: per run and block.
    """
    mean: np.ndarray = returns[:, : _tail(returns)].mean(axis=1)
    return mean


def end_of(returns: Returns) -> Float[np.ndarray, " run"]:
    """Each run's mean return over its last blocks.

    Args:
        returns: per run and block.
    """
    mean: np.ndarray = returns[:, -_tail(returns) :].mean(axis=1)
    return mean


def end_after(returns: Returns, share: float) -> Float[np.ndarray, " run"]:
    """Each run's mean return over the last blocks of its first part.

    Args:
        returns: per run and block.
        share: of the blocks that this part has, in (0, 1].
    """
    last = max(1, round(share * returns.shape[1]))
    mean: np.ndarray = returns[:, max(0, last - _tail(returns)) : last].mean(axis=1)
    return mean


def gain(returns: Returns) -> Interval:
    """End minus start.

    Args:
        returns: per run and block.
    """
    return Interval.of(end_of(returns) - start_of(returns))


def curve(returns: Returns) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Blocks (their middle), mean return and half width of its interval, over at most `BINS` bins.

    Args:
        returns: per run and block.

    Returns:
        Three arrays with one number per bin.
    """
    bins = np.array_split(np.arange(returns.shape[1]), min(BINS, returns.shape[1]))
    binned = np.stack([returns[:, part].mean(axis=1) for part in bins], axis=1)
    mean, half = student_interval(binned)
    return np.array([part.mean() + 0.5 for part in bins]), mean, half


def as_json(plan: Plan, found: Sequence[LineResult], versions: Mapping[str, str]) -> dict[str, Any]:
    """The summary for programs: plan, versions, what is open, and every line's outcome.

    Args:
        plan: what was run.
        found: what `run_plan` returned.
        versions: of the libraries.
    """
    rows = []
    for result in found:
        row: dict[str, Any] = {"line": result.line.name, "runs": result.line.runs, "episodes": result.returns.shape[1]}
        row |= {name: asdict(Interval.of(f(result.returns))) for name, f in (("start", start_of), ("end", end_of))}
        row["gain"] = asdict(gain(result.returns))
        if result.line.exact:
            row["J"] = asdict(Interval.of(result.measured["J"][:, -1]))
            row["J_start"] = asdict(Interval.of(result.measured["J"][:, 0]))
            row["J_star"] = result.optimum
            for name in ("trained", "exact_critic", "anchored"):
                row[f"cosine_{name}"] = asdict(Interval.of(result.measured[name].mean(axis=1)))
            row["gradient_agreement"] = float(result.measured["agreement"].max())
        rows.append(row)
    board = {r.line.name: r.returns for r in found if not r.line.exact}
    rivals = [name for name in board if name != "CAC" and "CAC" in board]
    differences = {name: asdict(Interval.of(end_of(board["CAC"]) - end_of(board[name]))) for name in rivals}
    return {
        "plan": plan.as_json(), "versions": dict(versions), "confidence": CONFIDENCE, "open": list(OPEN),
        "results": rows, "end_of_CAC_minus": differences,
    }  # fmt: skip


def _tail(returns: Returns) -> int:
    return max(1, returns.shape[1] // TAIL)
