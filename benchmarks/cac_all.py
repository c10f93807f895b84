"""CAC per iteration in one run: C, this package (solving and regenerating), NumPy, JAX; three sizes, one and two cores.

``python -m benchmarks.cac_all`` prints the table and the requirements with what was measured; exits with 1 if one is
missed, 2 without a compiler. Double sampling, metrics thinned to one measurement. On two cores two runs go side by
side in threads (in processes for NumPy, which holds the lock) and the time is that of an iteration of either; JAX
has its batch of 128 seeds to spread. Without JAX (extra ``jax``) its rows are left out. Every loop is checked first: C
and NumPy by the trajectory, regeneration and JAX by the law (`tests/test_algorithms_sampler.py`, `check_jax`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if not __package__:  # run as a file: the folder above is not on the path then
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from algorithms import CACSteps
from algorithms._cac_lazy_kernel import _cac_lazy
from algorithms._inputs import _tables
from algorithms._sampler_setup import dynamics_of, empty_anchor
from benchmarks import cac_jax
from benchmarks.cac_c import TOLERANCE, Loop, NoCompilerError, Run, compiled, in_numba, random_dense, trajectory_gap
from benchmarks.cac_numpy import in_numpy
from mdp.problem import Problem

SIZES = {"(3, 3, 8)": (3, (2, 2, 2)), "(10, 4, 16)": (10, (2, 2, 2, 2)), "(50, 4, 16)": (50, (2, 2, 2, 2))}
HORIZON = 20_000
"""Of the loops that are fast; its steps are those of Theorem 3 for this horizon. NumPy stops at the last three."""

SHORT = 200
PATIENCE = 60.0
"""Seconds a process of NumPy or JAX may take; ours: they take about eight."""

REPETITIONS = 11
Z_LIMIT = 5.0


def in_regeneration(problem: Problem, seed: int, run: Run, metric_every: int) -> float:
    """The loop that draws by regeneration, timed like `benchmarks.cac_c.in_numba`."""
    rng, tables, dynamics = np.random.default_rng(seed), _tables(problem), dynamics_of(problem)
    steps, anchor = CACSteps().at(int(run.checkpoints[-1])), empty_anchor(dynamics)
    start = time.perf_counter()
    _cac_lazy(
        rng, dynamics, anchor, *tables, True, *steps, 1e3, 1e3,
        run.theta, run.omega, run.lam, run.checkpoints, metric_every, run.averages, run.instants,
    )  # fmt: skip
    return time.perf_counter() - start


def rounds(loops: dict[str, Loop], problem: Problem, cores: int) -> dict[str, list[float]]:
    """Microseconds per iteration of every loop, in rounds that take turns.

    Args:
        loops: by name.
        problem: where.
        cores: how many runs go side by side, in threads.
    """
    times: dict[str, list[float]] = {name: [] for name in loops}
    with ThreadPoolExecutor(cores) as pool:
        for repetition in range(REPETITIONS + 1):
            order = list(loops.items())
            for name, loop in order if repetition % 2 else order[::-1]:
                horizon = HORIZON // 10 if name in ("C", "numba") and problem.mdp.n_states > 20 else HORIZON

                def once(seed: int, loop: Loop = loop, horizon: int = horizon) -> float:
                    return loop(problem, seed, Run.of(problem, [horizon]), horizon)

                elapsed = max(pool.map(once, range(repetition, repetition + cores)))
                if repetition:  # the first round loads and warms
                    times[name].append(1e6 * elapsed / horizon)
    return times


def numpy_microseconds(problem: Problem) -> float:
    """The NumPy loop, best of five."""
    times = [in_numpy(problem, seed, Run.of(problem, [SHORT])) for seed in range(6)]
    return 1e6 * min(times[1:]) / SHORT


def worker(kind: str, size: str) -> float:
    """What a pinned process of its own does: time ``numpy`` or ``jax``, or ``check`` the law of JAX."""
    problem = random_dense(*SIZES[size])
    if kind == "check":
        return check_jax(problem)
    if kind == "numpy":
        return numpy_microseconds(problem)
    return cac_jax.microseconds(problem, CACSteps().at(HORIZON))


def elsewhere(kind: str, size: str, cores: list[int], processes: int = 1) -> float:
    """`worker` in fresh processes, process k on ``cores[k]`` if there are several; the slowest one's answer.

    NaN where they do not finish in `PATIENCE` seconds: batched solutions in JAX 0.10 sometimes hang on two cores.
    """
    command = [sys.executable, "-m", "benchmarks.cac_all", kind, size]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    running = []
    for k in range(processes):
        allowed = ",".join(map(str, cores if processes == 1 else [cores[k]]))
        running.append(
            subprocess.Popen([*command, allowed], stdout=subprocess.PIPE, text=True, env=environment,
                             cwd=Path(__file__).resolve().parents[1])
        )  # fmt: skip
    try:
        outputs = [process.communicate(timeout=PATIENCE)[0] for process in running]
    except subprocess.TimeoutExpired:
        for process in running:
            process.kill()
            process.wait()
        return float("nan")
    if any(process.returncode for process in running):
        raise RuntimeError(f"the {kind} benchmark failed at {size}")
    return max(float(output.split()[-1]) for output in outputs)


def check(problem: Problem, c_loop: Loop) -> None:
    """C and NumPy follow the kernel's trajectory.

    Args:
        problem: where.
        c_loop: the compiled C loop.

    Raises:
        AssertionError: one does not, so its time means nothing.
    """
    gaps = {"C": trajectory_gap(problem, c_loop, metric_every=1000)}
    ours, theirs = Run.of(problem, [SHORT]), Run.of(problem, [SHORT])
    in_numba(problem, 1, ours, SHORT)
    in_numpy(problem, 1, theirs)
    pairs = ((getattr(ours, n), getattr(theirs, n)) for n in ("theta", "omega", "lam"))
    gaps["NumPy"] = max(float(np.abs(x - y).max()) for x, y in pairs)
    for name, gap in gaps.items():
        if not gap <= TOLERANCE:
            raise AssertionError(f"the {name} loop leaves the kernel's trajectory, gap {gap:.2g}")


def check_jax(problem: Problem, horizon: int = 30, batches: int = 8) -> float:
    """Largest |z| between JAX and the kernel over the means and second moments of omega and lambda.

    Args:
        problem: where.
        horizon: of the runs.
        batches: of 128 seeds each.

    Raises:
        AssertionError: above `Z_LIMIT`.
    """
    import jax

    rates, runs = CACSteps().at(horizon), cac_jax.SEEDS * batches
    keys = jax.random.split(jax.random.key(1), runs)
    theirs = [np.asarray(x) for x in cac_jax.compiled_loop(problem, rates)(keys, horizon)]
    ended = [Run.of(problem, [horizon]) for _ in range(runs)]
    for seed, run in enumerate(ended):
        in_numba(problem, seed, run, horizon)
    worst = 0.0
    for name, there in zip(("theta", "omega", "lam"), theirs, strict=True):
        here = np.array([getattr(run, name) for run in ended])
        for power in (1, 2):
            x, y = here**power, there**power
            z = (x.mean(0) - y.mean(0)) / np.sqrt((x.var(0) + y.var(0)) / runs)
            worst = max(worst, float(np.abs(z).max()))
    if not worst < Z_LIMIT:
        raise AssertionError(f"the JAX loop has another law, |z| = {worst:.1f}")
    return worst


def requirements(size: str, cores: int, rows: dict[str, float], paired: float) -> list[tuple[str, float, float]]:
    """(what, measured, at least) of each requirement that speaks of this size and number of cores."""
    best, small = min(rows["numba"], rows["regenerate"]), size != "(50, 4, 16)"
    out = [("C / numba, same arithmetic", paired, 1 / 1.15)]
    if small:
        out.append(("NumPy / ours", rows["NumPy"] / best, 20.0))
    else:
        out.append(("C / regenerate", rows["C"] / rows["regenerate"], 5.0))
    if small and cores == 2 and "JAX" in rows:
        out.append(("JAX / ours", 2 * rows["JAX"] / best, 3.0))  # ours ran two seeds in that time
    return out


def main() -> int:
    """Print the table; 0 if every requirement is met."""
    usable = sorted(os.sched_getaffinity(0))[:2]
    missed = []
    print("CAC, double sampling, metrics once a run: microseconds per iteration")
    titles = "".join(f"{title:>9}" for title in ("C", "numba", "regen.", "NumPy", "JAX"))
    print(f"{'(S, N, joint actions)':22}{'cores':>6}{titles}   JAX: per seed")
    try:
        with compiled() as c_loop:
            loops: dict[str, Loop] = {"C": c_loop, "numba": in_numba, "regenerate": in_regeneration}
            for size, shape in SIZES.items():
                problem = random_dense(*shape)
                check(problem, c_loop)
                if cac_jax.available():
                    elsewhere("check", size, usable[:1])
                for cores in range(1, len(usable) + 1):
                    missed += row(size, cores, usable[:cores], loops, problem)
    except NoCompilerError as error:
        print(error, file=sys.stderr)
        return 2
    print("all requirements met" if not missed else "MISSED: " + "; ".join(missed))
    return int(bool(missed))


def row(size: str, cores: int, allowed: list[int], loops: dict[str, Loop], problem: Problem) -> list[str]:
    """Measure and print one row and its requirements; returns those that are missed."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, allowed)
    times = rounds(loops, problem, cores)
    os.sched_setaffinity(0, everywhere)
    rows = {name: min(values) for name, values in times.items()}  # the least disturbed, for JAX and NumPy too
    rows["NumPy"] = elsewhere("numpy", size, allowed, processes=cores)
    if cac_jax.available():
        rows["JAX"] = elsewhere("jax", size, allowed)
        if np.isnan(rows["JAX"]):
            del rows["JAX"]
            print(f"JAX hung at {size} on {cores} cores", file=sys.stderr)
    columns = ("C", "numba", "regenerate", "NumPy", "JAX")
    cells = "".join(f"{rows[name]:9.2f}" if name in rows else f"{'-':>9}" for name in columns)
    print(f"{size:22}{cores:6d}{cells}", flush=True)
    paired = float(np.median(np.array(times["C"]) / np.array(times["numba"])))
    missed = []
    for what, measured, least in requirements(size, cores, rows, paired):
        met = measured >= least
        print(f"{'':28}{what:30}{measured:8.2f}  (at least {least:.2f}){'' if met else '  MISSED'}", flush=True)
        if not met:
            missed.append(f"{what} at {size} on {cores}: {measured:.2f}")
    return missed


if __name__ == "__main__":
    if len(sys.argv) > 3:
        os.sched_setaffinity(0, [int(k) for k in sys.argv[3].split(",")])
        print(worker(sys.argv[1], sys.argv[2]))
        raise SystemExit(0)
    raise SystemExit(main())
