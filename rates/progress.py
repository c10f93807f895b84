"""How far a sweep is, and how long the rest will take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import log
from statistics import median
from time import perf_counter

from rates.cells import Cell, Run, cell_seed

CALIBRATION_SECONDS = 1.0
"""Ours: a calibration stops at the first horizon that takes this long; a dry run should not keep anyone waiting."""


@dataclass(frozen=True)
class SweepProgress:
    """A moment of a sweep.

    Attributes:
        done: finished cells, those of earlier and of other processes included.
        total: all cells.
        damaged: cells whose files were damaged and are computed again.
        done_iterations: iterations of all runs in the finished cells; the cost of a run grows like its horizon.
        total_iterations: iterations of the whole sweep.
        seconds_left: estimate for the rest, None while no cell has been timed.
    """

    done: int
    total: int
    damaged: int
    done_iterations: int
    total_iterations: int
    seconds_left: float | None


@dataclass(frozen=True)
class CostModel:
    """Seconds per run by horizon, from cells that were timed.

    Where a horizon was timed its median counts, so that one slow first call (a compilation, a cold cache) does not
    speak for all; elsewhere the cost per iteration of the nearest timed horizon (by ratio) does.

    Attributes:
        seconds: median seconds of one run, by horizon.
    """

    seconds: dict[int, float]

    @classmethod
    def from_timings(cls, timings: Iterable[tuple[int, int, float]]) -> CostModel:
        """A model of timed cells.

        Args:
            timings: horizon, number of seeds, seconds of each.
        """
        by_horizon: dict[int, list[float]] = {}
        for horizon, count, seconds in timings:
            by_horizon.setdefault(horizon, []).append(seconds / count)
        return cls({T: median(times) for T, times in by_horizon.items()})

    def cell(self, cell: Cell) -> float:
        """Seconds of work in a cell.

        Args:
            cell: any cell.

        Raises:
            ValueError: nothing was timed.
        """
        if not self.seconds:
            raise ValueError("no cell was timed; there is nothing to estimate from")
        nearest = min(self.seconds, key=lambda T: abs(log(T / cell.horizon)))
        return self.seconds[nearest] * cell.iterations / nearest

    def wall(self, cells: Sequence[Cell], workers: int) -> float:
        """Seconds until the cells are finished: no less than the longest cell takes.

        Args:
            cells: still to be done.
            workers: that share them.
        """
        costs = [self.cell(cell) for cell in cells]
        return max(sum(costs) / workers, max(costs, default=0.0))


def calibrate(run: Run, horizons: Sequence[int], root: int, clock: Callable[[], float] = perf_counter) -> CostModel:
    """Time a run at the first horizons, one second's worth; the results are thrown away.

    The first horizon is run twice and counts once: the first call may compile.

    Args:
        run: the experiment.
        horizons: increasing grid.
        root: root seed.
        clock: monotonic seconds.
    """
    run(horizons[0], cell_seed(root, horizons[0], 0))
    timings = []
    for horizon in horizons:
        start = clock()
        run(horizon, cell_seed(root, horizon, 0))
        timings.append((horizon, 1, clock() - start))
        if sum(seconds for _, _, seconds in timings) >= CALIBRATION_SECONDS:
            break
        if timings[-1][2] * 20 > 10 * CALIBRATION_SECONDS:  # the next horizon, some factor away, would take too long
            break
    return CostModel.from_timings(timings)


def snapshot(
    cells: Sequence[Cell], done: Iterable[Cell], damaged: int, timings: Iterable[tuple[int, int, float]], workers: int
) -> SweepProgress:
    """The progress of a sweep at this moment.

    Args:
        cells: all.
        done: finished.
        damaged: number of cells found damaged.
        timings: of finished cells.
        workers: that share the rest.
    """
    finished = set(done)
    left = [cell for cell in cells if cell not in finished]
    model = CostModel.from_timings(timings)
    total = sum(cell.iterations for cell in cells)
    return SweepProgress(
        done=len(finished), total=len(cells), damaged=damaged,
        done_iterations=total - sum(cell.iterations for cell in left), total_iterations=total,
        seconds_left=model.wall(left, workers) if model.seconds else None,
    )
