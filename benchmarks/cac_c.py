"""The CAC kernel against the same loop in C (`cac.c`): one trajectory, two clocks, paired.

The C file is compiled at run time with ``gcc -O3 -march=native`` and called through ctypes. Both get the same
seed, and a run starts by checking that they give the same trajectory: a ratio of times means nothing otherwise.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from algorithms import METRICS, CACSteps
from algorithms._cac_kernel import _cac
from algorithms._inputs import _tables
from algorithms.cac import DRIFT_METRICS
from mdp.features import Features
from mdp.instances import ring3
from mdp.model import FiniteMDP
from mdp.networks.schedule import Schedule, metropolis_weights
from mdp.policy import LogLinearPolicy
from mdp.problem import Problem

FLAGS = ("-O3", "-march=native", "-std=gnu11", "-shared", "-fPIC")
TOLERANCE = 1e-9
"""Largest relative gap between the trajectories; ours. C contracts products and sums, numba does not."""

REPETITIONS = 31
SECONDS_PER_RUN = 0.04  # ours: long against the clock and the call, short against the machine's other jobs
WARMUP_HORIZON = 2000
LIMIT = 1.25


class NoCompilerError(RuntimeError):
    """There is no gcc to compile the yardstick with."""


@dataclass(frozen=True)
class Timing:
    """Paired times of one case.

    Attributes:
        case: what was run.
        microseconds: median time of one numba iteration.
        ratios: numba / C, one per pair of runs.
        gap: largest relative difference of the two trajectories.
    """

    case: str
    microseconds: float
    ratios: tuple[float, ...]
    gap: float

    @property
    def median(self) -> float:
        """Median of the ratios."""
        return float(np.median(self.ratios))


@dataclass
class Run:
    """Fresh state of a run: what the loops write into.

    Attributes:
        theta: policy parameters, (N, D).
        omega: critics, (N, K).
        lam: reward models, (N, L).
        checkpoints: reporting times, the last being the horizon.
        averages: metrics averaged up to each checkpoint.
        instants: last measured metrics at each checkpoint.
    """

    theta: np.ndarray
    omega: np.ndarray
    lam: np.ndarray
    checkpoints: np.ndarray
    averages: np.ndarray
    instants: np.ndarray

    @classmethod
    def of(cls, problem: Problem, checkpoints: list[int]) -> Run:
        """All zeros, for these reporting times."""
        N, rows = problem.mdp.n_agents, len(checkpoints)
        return cls(
            np.zeros((N, problem.policy.n_parameters)),
            np.zeros((N, problem.features.phi_state.shape[1])),
            np.zeros((N, problem.features.phi_joint.shape[2])),
            np.array(checkpoints, dtype=np.int64),
            *np.zeros((2, rows, len(METRICS) + len(DRIFT_METRICS))),
        )


Loop = Callable[[Problem, int, Run, int], float]
"""Runs the loop from a seed into a `Run`, measuring every so many steps; returns the seconds it took."""


def in_numba(problem: Problem, seed: int, run: Run, metric_every: int) -> float:
    """The kernel, timed without the checks of its public face."""
    rng, tables = np.random.default_rng(seed), _tables(problem)
    steps = CACSteps().at(int(run.checkpoints[-1]))
    start = time.perf_counter()
    _cac(
        rng, *tables, True, False, *steps, 1e3, 1e3,
        run.theta, run.omega, run.lam, run.checkpoints, metric_every, run.averages, run.instants,
    )  # fmt: skip
    return time.perf_counter() - start


@contextmanager
def compiled() -> Iterator[Loop]:
    """`cac.c` as a loop like `in_numba`; the library lives in a temporary folder.

    Raises:
        NoCompilerError: gcc is not on the path.
        RuntimeError: gcc fails; the message is gcc's.
    """
    if shutil.which("gcc") is None:
        raise NoCompilerError("gcc is not on the path: install it to compare the kernels with C")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "cac.so"
        command = ["gcc", *FLAGS, str(Path(__file__).with_name("cac.c")), "-o", str(target), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"gcc failed on cac.c:\n{done.stderr}")
        function = ctypes.CDLL(str(target)).cac
        yield lambda *arguments: _in_c(function, *arguments)


def _in_c(function: Any, problem: Problem, seed: int, run: Run, metric_every: int) -> float:
    P, r, r_bar, initial, gamma, noisy, psi, H, n_actions, local_of, phi, varphi, W = _tables(problem)
    N, S, width, D = psi.shape
    sizes = np.array([N, S, P.shape[1], D, H, phi.shape[1], varphi.shape[2], len(W), width], dtype=np.int64)
    generator = _pcg64_words(seed)
    ends = np.append(run.checkpoints, -1)
    alpha, beta, zeta = CACSteps().at(int(run.checkpoints[-1]))
    values = (
        *(generator, sizes, P, r, r_bar, initial, gamma, noisy, psi, n_actions, local_of, phi, varphi, W),
        *(alpha, beta, zeta, 1e3, 1e3, run.theta, run.omega, run.lam, ends, metric_every),
        *(run.averages, run.instants),
    )
    arguments = [_argument(value) for value in values]
    start = time.perf_counter()
    failed = function(*arguments)
    elapsed = time.perf_counter() - start
    if failed:
        raise MemoryError("the C loop could not allocate its scratch")
    return elapsed


def _argument(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if not value.flags.c_contiguous or value.dtype.itemsize != 8:
            raise TypeError(f"C takes contiguous arrays of 8-byte numbers, not {value.dtype} {value.strides}")
        return ctypes.c_void_p(value.ctypes.data)
    if isinstance(value, bool):
        return ctypes.c_int(value)
    return ctypes.c_int64(value) if isinstance(value, int) else ctypes.c_double(value)


def _pcg64_words(seed: int) -> np.ndarray:
    """State and increment of ``default_rng(seed)`` as (high, low) words."""
    state: Any = np.random.default_rng(seed).bit_generator.state
    if state["bit_generator"] != "PCG64":
        raise TypeError(f"default_rng is {state['bit_generator']}; cac.c has PCG64")
    words = []
    for name in ("state", "inc"):
        words += divmod(state["state"][name], 1 << 64)
    return np.array(words, dtype=np.uint64)


def trajectory_gap(problem: Problem, c_loop: Loop, *, seed: int = 1, metric_every: int = 3) -> float:
    """Largest relative difference of anything the two loops write, over a run of 2,000 steps.

    Args:
        problem: what to run on.
        c_loop: the compiled loop.
        seed: of both.
        metric_every: of both.
    """
    checkpoints = [1, 10, 100, WARMUP_HORIZON]
    ours, theirs = Run.of(problem, checkpoints), Run.of(problem, checkpoints)
    in_numba(problem, seed, ours, metric_every)
    c_loop(problem, seed, theirs, metric_every)
    pairs = [(getattr(ours, n), getattr(theirs, n)) for n in ("theta", "omega", "lam", "averages", "instants")]
    return max(float(np.max(np.abs(x - y) / (np.abs(y) + 1e-9))) for x, y in pairs)


def compare(case: str, problem: Problem, c_loop: Loop, *, metrics: bool) -> Timing:
    """Check one trajectory, then time both loops alternately.

    Args:
        case: its name.
        problem: what to run on.
        c_loop: the compiled loop.
        metrics: measure at every step, or only once.

    Raises:
        AssertionError: the trajectories differ by more than `TOLERANCE`.
    """
    gap = trajectory_gap(problem, c_loop)
    if not gap <= TOLERANCE:
        raise AssertionError(f"{case}: the C loop leaves the kernel's trajectory, relative gap {gap:.2g}")
    warm = in_numba(problem, 0, Run.of(problem, [WARMUP_HORIZON]), 1 if metrics else WARMUP_HORIZON)
    per_step = warm / WARMUP_HORIZON
    horizon = max(WARMUP_HORIZON, round(SECONDS_PER_RUN / per_step))
    every = 1 if metrics else horizon
    times = []
    for k in range(REPETITIONS):
        pair = {}
        # who goes first alternates, so that a drift of the clock rate favours neither
        for loop in (in_numba, c_loop) if k % 2 else (c_loop, in_numba):
            pair[loop] = loop(problem, k, Run.of(problem, [horizon]), every)
        times.append((pair[in_numba], pair[c_loop]))
    ratios = tuple(x / y for x, y in times)
    return Timing(case, 1e6 * float(np.median([x for x, _ in times])) / horizon, ratios, gap)


def cases() -> dict[str, Problem]:
    """The problems timed, by a name that says (S, N, joint actions)."""
    return {
        "ring3 (3, 3, 27)": ring3(),
        "random (3, 3, 8)": random_dense(3, (2, 2, 2)),
        "random (10, 4, 16)": random_dense(10, (2, 2, 2, 2)),
    }


def random_dense(n_states: int, n_actions: tuple[int, ...], *, seed: int = 0) -> Problem:
    """A dense random problem of a given size on a ring of agents.

    Args:
        n_states: S.
        n_actions: actions per agent.
        seed: of the tables.
    """
    rng = np.random.default_rng(seed)
    S, N, A = n_states, len(n_actions), int(np.prod(n_actions))
    P = rng.dirichlet(np.ones(S), size=(S, A))
    mdp = FiniteMDP(P / P.sum(axis=-1, keepdims=True), rng.normal(size=(N, S, A)), np.eye(S)[0], 0.9, n_actions)
    policy = LogLinearPolicy(tuple(rng.normal(size=(S, k, 3)) for k in n_actions), n_shared=1)
    phi, varphi = rng.normal(size=(S, max(1, S - 1))), rng.normal(size=(S, A, 4))
    features = Features(
        phi / np.linalg.norm(phi, axis=-1).max(), varphi / np.linalg.norm(varphi, axis=-1).max()
    )
    return Problem(mdp, policy, features, Schedule.static(metropolis_weights(nx.cycle_graph(N))))
