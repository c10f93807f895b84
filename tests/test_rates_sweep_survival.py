"""Sweeps in processes that are killed, interrupted, run twice, or lose their workers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from joblib.externals.loky import get_reusable_executor

from rates import describe
from rates.sweep import SweepInterrupted, save, sweep
from rates.workers import in_workers

GRID, N_SEEDS, DELAY = [10, 100, 1000], 8, 0.02
N_CELLS = len(GRID) * N_SEEDS

FRESH = multiprocessing.get_context("forkserver")
"""Processes without the state of this one, that need not import everything again."""
FRESH.set_forkserver_preload(["rates.sweep"])


def slow(delay: float, horizon: int, seed: np.random.SeedSequence) -> dict[str, float]:
    time.sleep(delay)
    return {"value": np.random.default_rng(seed).standard_normal() / horizon}


def child(out: Path, jobs: int, delay: float, die_at: int, pipe: Connection) -> None:
    """Sweep; send word with each cell, and the message of an interrupt."""
    os.setsid()
    describe.SOURCES = ()  # an edit of the project during the tests is not their subject
    # a shell's background job starts with SIGINT ignored, and its children inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    fsync, calls = os.fsync, []

    def fatal(handle: int) -> None:
        calls.append(1)
        if len(calls) == die_at:  # between writing a file and renaming it
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(handle)

    os.fsync = fatal
    try:
        data = sweep(
            partial(slow, delay), GRID, N_SEEDS, seed=3, jobs=jobs, out=out,
            on_progress=lambda now: pipe.send(now.done),
        )
        save(data, out.with_suffix(".nc"))
    except SweepInterrupted as stop:
        pipe.send(str(stop))
    finally:
        if jobs > 1:  # a process of multiprocessing waits for its children, joblib's idle workers among them
            get_reusable_executor().shutdown(wait=True)


@dataclass
class Sweeper:
    process: Any
    pipe: Connection

    def wait_for(self, cells: int) -> None:
        """Until so many cells are finished."""
        while self.pipe.recv() < cells:
            pass

    def kill(self, number: int) -> None:
        """Signal the process and its workers, as a terminal does."""
        os.killpg(self.process.pid, number)

    def join(self) -> list[Any]:
        """What it sent until it ended."""
        sent = []
        while True:
            try:
                sent.append(self.pipe.recv())
            except (EOFError, ConnectionResetError):
                break
        self.process.join(60)
        assert self.process.exitcode is not None, "the process hangs"
        return sent


def start(tmp_path: Path, name: str, jobs: int = 1, delay: float = DELAY, die_at: int = 0) -> Sweeper:
    ours, theirs = FRESH.Pipe()
    process = FRESH.Process(target=child, args=(tmp_path / name, jobs, delay, die_at, theirs))
    process.start()
    theirs.close()
    return Sweeper(process, ours)


def finish(sweeper: Sweeper) -> None:
    sweeper.join()
    assert sweeper.process.exitcode == 0


def cell_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "cells").iterdir())}


def result(tmp_path: Path, name: str) -> tuple[bytes, dict[str, bytes]]:
    """The merged file and every cell file (leftovers would show up among them)."""
    return (tmp_path / f"{name}.nc").read_bytes(), cell_bytes(tmp_path / name)


@pytest.mark.parametrize(
    ("kills", "jobs"),
    [(3, 1), pytest.param(10, 1, marks=pytest.mark.slow), pytest.param(4, 2, marks=pytest.mark.slow)],
    ids=["three-kills", "ten-kills", "four-kills-two-workers"],
)
def test_killed_and_damaged_sweeps_end_bit_identical(tmp_path: Path, kills: int, jobs: int) -> None:
    undisturbed = start(tmp_path, "undisturbed", jobs=jobs)
    rng = np.random.default_rng(kills)
    finished = []
    for _ in range(kills):
        process = start(tmp_path, "killed", jobs=jobs)
        # some cells later, anywhere within a cell; in seconds the moment would depend on how busy the machine is
        process.wait_for(min((finished or [0])[-1] + rng.integers(0, 6), N_CELLS - 2))
        time.sleep(rng.uniform(0, 2 * DELAY))
        os.kill(process.process.pid, signal.SIGKILL)
        process.join()
        finished.append(len(list((tmp_path / "killed" / "cells").glob("*.json"))))
    finish(undisturbed)
    assert finished == sorted(finished), "a kill lost a finished cell"
    assert finished[-1] >= 2, "the kills came before any work; the test would show nothing"
    truncated, altered = sorted((tmp_path / "killed" / "cells").glob("*.json"))[:2]
    truncated.write_bytes(truncated.read_bytes()[:200])
    raw = bytearray(altered.read_bytes())
    raw[rng.integers(len(raw))] ^= 1 << rng.integers(8)
    altered.write_bytes(raw)
    assert cell_bytes(tmp_path / "killed") != cell_bytes(tmp_path / "undisturbed")
    finish(start(tmp_path, "killed", jobs=jobs))
    assert result(tmp_path, "killed") == result(tmp_path, "undisturbed")


def test_killed_in_the_middle_of_writing(tmp_path: Path) -> None:
    start(tmp_path, "killed", delay=0, die_at=9).join()
    assert len(list((tmp_path / "killed").rglob(".*.tmp"))) == 1, "the kill did not fall into a write"
    finish(start(tmp_path, "killed", delay=0))
    finish(start(tmp_path, "undisturbed", delay=0))
    assert result(tmp_path, "killed") == result(tmp_path, "undisturbed")


def test_two_processes_share_a_folder_and_compute_each_cell_once(tmp_path: Path) -> None:
    both = [start(tmp_path, "shared", delay=0.05) for _ in range(2)]
    counts = [len(process.join()) for process in both]
    assert min(counts) > 2, "one of them did nothing; the test would show nothing"
    lines = (tmp_path / "shared" / "timings.csv").read_text().splitlines()
    assert len(lines) == N_CELLS, "a cell was computed twice, or never"
    alone = start(tmp_path, "alone", delay=0.05)
    finish(alone)
    assert result(tmp_path, "shared") == result(tmp_path, "alone")


def test_a_survivor_takes_over_the_cells_of_a_killed_process(tmp_path: Path) -> None:
    survivor, victim = (start(tmp_path, "shared", delay=0.05) for _ in range(2))
    survivor.wait_for(1)
    victim.wait_for(2)
    victim.kill(signal.SIGKILL)
    finish(survivor)
    assert len(cell_bytes(tmp_path / "shared")) == N_CELLS


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_interrupt_leaves_everything_resumable_and_says_so(tmp_path: Path, jobs: int) -> None:
    process = start(tmp_path, "out", jobs=jobs, delay=0.1)
    process.wait_for(3)
    process.kill(signal.SIGINT)
    message = process.join()[-1]
    assert f"of {N_CELLS} cells are finished and kept in {tmp_path / 'out'}; the same call goes on" in message
    assert not list((tmp_path / "out").rglob(".*.tmp"))
    kept = cell_bytes(tmp_path / "out")
    assert 3 <= len(kept) < N_CELLS
    finish(start(tmp_path, "out", delay=0.1))
    assert kept.items() <= cell_bytes(tmp_path / "out").items()
    assert len(cell_bytes(tmp_path / "out")) == N_CELLS


def test_an_interrupt_in_memory_says_that_nothing_is_kept() -> None:
    def interrupted(horizon: int, seed: np.random.SeedSequence) -> dict[str, float]:
        raise KeyboardInterrupt

    with pytest.raises(SweepInterrupted, match="0 of 1 cells are finished, and lost, because the sweep has no folder"):
        sweep(interrupted, [10], 1)


# --- workers ------------------------------------------------------------------------------------------------


def fragile(marks: str, deaths: int, horizon: int, seed: np.random.SeedSequence) -> dict[str, float]:
    """Kills its process, `deaths` times in all; then counts its calls."""
    folder = Path(marks)
    if horizon == 100 and len(list(folder.glob("death-*"))) < deaths:
        (folder / f"death-{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / f"call-{horizon}-{seed.spawn_key[1]}-{os.getpid()}-{time.monotonic_ns()}").touch()
    time.sleep(0.02)
    return {"value": np.random.default_rng(seed).standard_normal()}


def calls(marks: Path) -> int:
    return len(list(marks.glob("call-*")))


def marked(tmp_path: Path) -> tuple[Path, Path]:
    marks = tmp_path / "marks"
    marks.mkdir()
    return marks, tmp_path / "out"


@pytest.mark.slow
def test_a_killed_worker_costs_only_its_cells(tmp_path: Path) -> None:
    marks, out = marked(tmp_path)
    run = partial(fragile, str(marks), 1)
    data = sweep(run, [10, 100, 1000], 4, jobs=2, out=out)
    assert len(list(marks.glob("death-*"))) == 1
    expected = sweep(partial(fragile, str(marks), 0), [10, 100, 1000], 4)
    assert data.equals(expected)


@pytest.mark.slow
def test_workers_end_with_the_sweep_that_started_them(tmp_path: Path) -> None:
    process = start(tmp_path, "out", jobs=2, delay=0.3)
    process.wait_for(2)
    workers = [p for p in psutil.Process(process.process.pid).children() if "LokyProcess" in " ".join(p.cmdline())]
    assert len(workers) == 2
    os.kill(process.process.pid, signal.SIGKILL)
    gone, alive = psutil.wait_procs(workers, timeout=10)
    assert (len(gone), alive) == (2, [])


BLOCKED = """
import signal
from rates.workers import in_workers

def blocked():
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())

print(set(in_workers([(blocked,)] * 4, BACKEND, 2)), blocked())
"""
"""Whether workers hear no Ctrl-C, and whether the process that has them does not, then."""


@pytest.mark.parametrize(("backend", "deaf"), [("loky", True), ("threading", False)])
def test_worker_processes_leave_an_interrupt_to_the_process_that_sweeps(backend: str, deaf: bool) -> None:
    # a worker that is still importing would print a traceback; threads may start programs that must hear it.
    # In a process of its own, because pools that were there before change what has to be started.
    code = BLOCKED.replace("BACKEND", repr(backend))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert (done.stdout, done.stderr) == (f"{ {deaf} } False\n", "")


def test_an_interrupt_while_workers_start_is_not_lost_and_stops_them() -> None:
    def tasks() -> Iterator[tuple[Any, ...]]:
        signal.raise_signal(signal.SIGINT)  # drawn while the pool is made
        yield time.sleep, 30
        yield time.sleep, 30
        time.sleep(0.5)  # loky's own thread can fail if a pool is stopped in the moment it is given work

    began = time.monotonic()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            list(in_workers(tasks(), "loky", 2))
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 30


@pytest.mark.slow
def test_workers_that_keep_dying_are_an_error_with_what_is_kept(tmp_path: Path) -> None:
    marks, out = marked(tmp_path)
    with pytest.raises(Exception, match="unexpectedly terminated") as caught:
        sweep(partial(fragile, str(marks), 1000), [100], 2, jobs=2, out=out)
    assert "0 of 2 cells are finished and kept in" in caught.value.__notes__[-1]


def failing(horizon: int, seed: np.random.SeedSequence) -> dict[str, float]:
    if horizon == 10 and seed.spawn_key[1] == 1:
        raise ZeroDivisionError("the run's own error")
    return {"value": 1.0}


@pytest.mark.parametrize("backend", [None, "threading"])
def test_an_error_in_a_run_says_where_and_what_is_kept(tmp_path: Path, backend: str | None) -> None:
    with pytest.raises(ZeroDivisionError, match="the run's own error") as caught:
        sweep(failing, [10, 100], 3, out=tmp_path, backend=backend)
    assert "in the run at horizon 10, seed 1" in caught.value.__notes__
    assert "the same call goes on from there" in caught.value.__notes__[-1]
    assert len(list((tmp_path / "cells").glob("T*100-*.json"))) == 3


def disagreeing(horizon: int, seed: np.random.SeedSequence) -> dict[str, float]:
    return {"value": 1.0} if horizon == 10 else {"other": 1.0}


@pytest.mark.parametrize("in_folder", [False, True], ids=["memory", "folder"])
def test_cells_that_report_different_metrics_are_an_error(tmp_path: Path, in_folder: bool) -> None:
    with pytest.raises(ValueError, match=r"the run at horizon 10 reported \['value'\], another one \['other'\]"):
        sweep(disagreeing, [10, 100], 1, out=tmp_path if in_folder else None)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the cluster's own, about the worker that was killed
def test_a_killed_dask_worker_costs_only_its_cells(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    marks, out = marked(tmp_path)
    options: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster):
        data = sweep(partial(fragile, str(marks), 1), [10, 100, 1000], 20, out=out, backend="dask")
    assert len(list(marks.glob("death-*"))) == 1
    made = calls(marks)
    assert data.equals(sweep(partial(fragile, str(marks), 0), [10, 100, 1000], 20))
    assert 60 <= made < 90, "far more than the cells of the dead worker were computed again"
