"""Dry runs, cost estimates, progress, and arguments refused before any cell runs."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from rates.cells import Cell, cut, require_seed_counts
from rates.describe import describe, difference, versions
from rates.progress import CostModel, SweepProgress, calibrate, snapshot
from rates.sweep import plan, sweep


def cheap(scale: float, horizon: int, seed: np.random.SeedSequence) -> dict[str, float]:
    return {"value": scale * horizon}


def never(horizon: int, seed: np.random.SeedSequence) -> dict[str, float]:
    raise AssertionError("a cell ran")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizons": [10, 10]}, r"horizons\[1\] = 10 does not exceed horizons\[0\] = 10"),
        ({"horizons": [10, math.nan]}, r"horizons\[1\] is nan"),
        ({"horizons": ["10"]}, r"horizons\[0\] is 10"),
        ({"n_seeds": 0}, "n_seeds is 0; a sweep needs at least one"),
        ({"n_seeds": 2.5}, r"n_seeds is 2\.5"),
        ({"n_seeds": [2, 0]}, r"n_seeds\[1\] is 0"),
        ({"n_seeds": [2]}, "n_seeds has 1 counts for 2 horizons"),
        ({"n_seeds": {10: 2}}, "n_seeds lacks horizon 100"),
        ({"n_seeds": {10: 2, 100: 2, 1000: 2}}, "n_seeds has the unknown horizon 1000"),
        ({"n_seeds": {10: 2, 100: -1}}, r"n_seeds\[100\] is -1"),
        ({"jobs": 0}, "jobs is 0"),
        ({"block": 0}, "block is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": True}, "seed is True"),
        ({"backend": "spark"}, "backend is 'spark'; it is one of loky, threading, dask"),
        ({"run": 3}, "run is 3; it must be callable"),
    ],
)
@pytest.mark.parametrize("command", [sweep, plan])
def test_wrong_arguments_are_errors_before_any_cell(command: Any, changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"run": never, "horizons": [10, 100], "n_seeds": 2} | changes
    with pytest.raises(ValueError, match=message):
        command(arguments.pop("run"), arguments.pop("horizons"), arguments.pop("n_seeds"), **arguments)


def test_dask_without_a_cluster_is_an_error_that_says_how_to_make_one() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(ValueError, match=r"there is no cluster: create a dask\.distributed\.Client first"):
        sweep(never, [10], 1, backend="dask")


def test_a_surrounding_backend_that_cannot_stream_is_an_error_before_any_cell() -> None:
    with joblib.parallel_config(backend="multiprocessing"), pytest.raises(ValueError, match="MultiprocessingBackend"):
        sweep(never, [10], 1, jobs=2)


def test_plan_counts_what_is_there_and_writes_nothing(tmp_path: Path) -> None:
    out, run = tmp_path / "out", partial(cheap, 2.0)
    before = plan(run, [10, 100], [3, 2], out=out)
    assert (before.cells, before.done, len(before.remaining), before.estimated_from) == (5, 0, 5, "calibration")
    assert not out.exists()
    sweep(run, [10, 100], [3, 2], out=out)
    files = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    (out / "cells" / before.remaining[0].name).unlink()
    del files[out / "cells" / before.remaining[0].name]
    after = plan(run, [10, 100], [3, 2], out=out)
    assert (after.done, after.damaged, after.remaining) == (4, 0, before.remaining[:1])
    assert after.estimated_from == "finished cells"
    assert after.seconds > 0
    now = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != "cells"}
    assert now == {path: t for path, t in files.items() if path.name != "cells"}
    sweep(run, [10, 100], [3, 2], out=out)
    assert plan(run, [10, 100], [3, 2], out=out).seconds == 0


def test_cost_model_scales_with_the_horizon_and_uses_medians() -> None:
    model = CostModel.from_timings([(1000, 1, 9.0), (1000, 2, 2.0), (1000, 4, 4.0), (10**6, 1, 500.0)])
    assert model.seconds == {1000: 1.0, 10**6: 500.0}
    assert model.cell(Cell(0, 1000, 0, 3)) == 3
    assert model.cell(Cell(0, 10_000, 0, 1)) == pytest.approx(10)  # nearest by ratio is 1000
    assert model.cell(Cell(0, 10**7, 0, 2)) == pytest.approx(10_000)
    cells = [Cell(0, 10**6, 0, 1), *(Cell(k, 1000, k, 1) for k in range(1, 11))]
    assert model.wall(cells, 1) == pytest.approx(510)
    assert model.wall(cells, 2) == pytest.approx(500), "no less than the longest cell"
    with pytest.raises(ValueError, match="no cell was timed"):
        CostModel({}).cell(cells[0])


def test_calibration_discards_the_first_call_and_stops_in_time() -> None:
    now, calls = [0.0], []

    def timed(horizon: int, seed: np.random.SeedSequence) -> dict[str, float]:
        calls.append(horizon)
        now[0] += 100.0 if len(calls) == 1 else horizon * 1e-4  # the first call compiles
        return {"value": 0.0}

    model = calibrate(timed, [1_000, 10_000, 100_000, 1_000_000], 0, clock=lambda: now[0])
    assert calls == [1_000, 1_000, 10_000]
    assert model.cell(Cell(0, 1_000_000, 0, 1)) == pytest.approx(100)


def test_progress_ends_complete_and_time_left_falls_to_zero(tmp_path: Path) -> None:
    seen: list[SweepProgress] = []
    sweep(partial(cheap, 1.0), [10, 100], 3, out=tmp_path, on_progress=seen.append)
    assert [p.done for p in seen] == list(range(7))
    assert seen[0].seconds_left is None
    assert seen[-1].seconds_left == 0
    assert (seen[-1].done_iterations, seen[-1].total_iterations) == (330, 330)


def test_snapshot_estimates_from_what_is_left() -> None:
    cells = cut([10, 100], [2, 2], 1)
    found = snapshot(cells, cells[:2], 1, [(100, 1, 5.0)], workers=2)
    assert (found.done, found.damaged, found.done_iterations) == (2, 1, 200)
    assert found.seconds_left == pytest.approx(0.5)


def test_seed_counts() -> None:
    assert require_seed_counts(np.int64(3), [1, 2]) == [3, 3]
    assert require_seed_counts((3, 4), [1, 2]) == [3, 4]
    assert require_seed_counts({2: 4, 1: 3}, [1, 2]) == [3, 4]


def test_descriptions_tell_runs_apart() -> None:
    described = [
        describe(value, "run")
        for value in (cheap, never, partial(cheap, 1.0), partial(cheap, 2.0), partial(cheap, scale=2.0),
                      np.arange(3), np.arange(3.0), math.inf, Cell(0, 1, 2, 3), Cell(0, 1, 2, 4))
    ]
    assert all(described[i] != described[j] for i in range(len(described)) for j in range(i))
    with pytest.raises(ValueError, match=r"run is <bound method"):
        describe(_Bound().run, "run")
    assert difference({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "c": 2}) == ["a.b: stored 1, requested 3"]
    assert versions()["numpy"] == np.__version__


class _Bound:
    def run(self, horizon: int, seed: np.random.SeedSequence) -> dict[str, float]:
        return {}
