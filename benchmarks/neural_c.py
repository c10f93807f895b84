"""The neural actor-critic kernel against the same loop in C (`neural.c`): one trajectory, two clocks, paired.

Both get the same seed, and a run starts by checking that they give the same trajectory. C is compiled with
``gcc -O3 -march=native`` and with the same leave to reorder sums that the kernel's inner products have
(``-fassociative-math`` and what it needs); `STRICT` is the same without. ``python -m benchmarks.neural_c`` prints both.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from algorithms.neural import PRINTED, CriticNetwork, Loop, Steps
from algorithms.neural._critics import network_arrays
from algorithms.neural._policies import policy_arrays
from algorithms.neural._state import Environment
from algorithms.neural.loop import gossip_matrix, plan_of
from benchmarks.cac_c import NoCompilerError, _argument, _pcg64_words, random_dense
from mdp.problem import Problem

STRICT = ("-O3", "-march=native", "-std=gnu11", "-shared", "-fPIC")
REORDERED = (*STRICT, "-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math")
"""What the kernel's inner products are allowed as well."""

TOLERANCE = 1e-9
"""Largest relative gap between the trajectories after `COMPARED` iterations; ours: sums come in another order."""

COMPARED = 2000
REPETITIONS = 21
SECONDS_PER_RUN = 0.05  # ours: long against the clock and the call, short against the machine's other jobs
LIMIT = 1.3
MICROSECONDS = 60.0


@dataclass(frozen=True, eq=False)
class Case:
    """The default configuration of zhang2025 Appendix D.1 on a random problem.

    Attributes:
        problem: five states, two agents with three actions each.
        network: m = 20, D = 5.
        steps: K = M = 1, t_gossip = 10.
    """

    problem: Problem
    network: CriticNetwork
    steps: Steps

    @classmethod
    def default(cls) -> Case:
        """N = 2, m = 20, D = 5, K = M = 1, t_gossip = 10, with an active ball."""
        problem = random_dense(5, (3, 3))
        return cls(
            problem,
            CriticNetwork.draw(np.eye(45), width=20, depth=5, seed=1),
            Steps(alpha=0.005, alpha_exponent=0.0, beta=0.001, gossip_rounds=10, radius=0.5),
        )

    def in_numba(self, seed: int, horizon: int) -> tuple[float, np.ndarray]:
        """Seconds, and all that was written, end to end.

        Args:
            seed: of the run.
            horizon: outer iterations.
        """
        mdp, steps = self.problem.mdp, self.steps
        loop = Loop(
            Environment(mdp.P.copy(), mdp.r.copy(), mdp.initial.copy(), False),
            policy_arrays(self.problem.policy),
            network_arrays(self.network, mdp.n_states, mdp.n_joint_actions),
            plan_of(PRINTED, steps, mdp.gamma),
            gossip_matrix(self.problem.schedule, mdp.n_agents, steps.gossip_rounds),
            np.zeros((mdp.n_agents, self.problem.policy.n_parameters)),
            np.random.default_rng(seed),
        )
        start = time.perf_counter()
        loop.advance(horizon)
        elapsed = time.perf_counter() - start
        return elapsed, np.concatenate([x.ravel() for x in (loop.state.theta, loop.state.W, loop.state.direction)])

    def in_c(self, function: Any, seed: int, horizon: int) -> tuple[float, np.ndarray]:
        """The same in C.

        Args:
            function: of the library.
            seed: of the run.
            horizon: outer iterations.
        """
        mdp, steps, net = self.problem.mdp, self.steps, self.network
        policy = policy_arrays(self.problem.policy)
        psi = policy.psi  # type: ignore[union-attr]
        N, S, width, P = psi.shape
        A, D, m = mdp.n_joint_actions, net.depth, net.width
        sizes = np.array([N, S, A, P, m, D, steps.critic_iterations, steps.batch, width], dtype=np.int64)
        rates = np.array([mdp.gamma, steps.alpha, steps.alpha_exponent, steps.critic_step, steps.radius])
        gossip = gossip_matrix(self.problem.schedule, N, steps.gossip_rounds)
        out = (np.zeros((N, P)), np.zeros((N, D, m, m)), np.zeros((N, P)))
        inputs = (sizes, rates, mdp.P, mdp.r, mdp.initial, psi, policy.n_actions)
        values = (_pcg64_words(seed), *inputs, net.first_layer(), net.W0, net.b, gossip, horizon, *out)
        arguments = [_argument(value) for value in values]
        start = time.perf_counter()
        failed = function(*arguments)
        elapsed = time.perf_counter() - start
        if failed:
            raise RuntimeError({1: "the C loop could not allocate its scratch", 2: "not finite"}[failed])
        return elapsed, np.concatenate([x.ravel() for x in out])


@contextmanager
def compiled(flags: tuple[str, ...] = REORDERED) -> Iterator[Callable[..., int]]:
    """The C function; the library lives in a temporary folder.

    Args:
        flags: of gcc.

    Raises:
        NoCompilerError: gcc is not on the path.
        RuntimeError: gcc fails; the message is gcc's.
    """
    if shutil.which("gcc") is None:
        raise NoCompilerError("gcc is not on the path: install it to compare the kernels with C")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "neural.so"
        command = ["gcc", *flags, str(Path(__file__).with_name("neural.c")), "-o", str(target), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"gcc failed on neural.c:\n{done.stderr}")
        yield ctypes.CDLL(str(target)).neural


def trajectory_gap(case: Case, function: Any, *, seed: int = 1) -> float:
    """Largest difference of anything the two loops write, relative to the largest entry.

    Args:
        case: what to run.
        function: of the library.
        seed: of both.
    """
    ours, theirs = case.in_numba(seed, COMPARED)[1], case.in_c(function, seed, COMPARED)[1]
    return float(np.abs(ours - theirs).max() / np.abs(ours).max())


def compare(case: Case, function: Any) -> tuple[float, np.ndarray]:
    """Median microseconds of one numba iteration, and the paired ratios numba / C.

    Args:
        case: what to run.
        function: of the library.

    Raises:
        AssertionError: the trajectories differ by more than `TOLERANCE`.
    """
    gap = trajectory_gap(case, function)
    if not gap <= TOLERANCE:
        raise AssertionError(f"the C loop leaves the kernel's trajectory, relative gap {gap:.2g}")
    horizon = max(COMPARED, round(SECONDS_PER_RUN * COMPARED / case.in_numba(0, COMPARED)[0]))
    pairs = []
    for k in range(REPETITIONS):  # who goes first alternates, so that a drift of the clock rate favours neither
        if k % 2:
            ours, theirs = case.in_numba(k, horizon)[0], case.in_c(function, k, horizon)[0]
        else:
            theirs, ours = case.in_c(function, k, horizon)[0], case.in_numba(k, horizon)[0]
        pairs.append((ours, theirs))
    times = np.array(pairs)
    return 1e6 * float(np.median(times[:, 0])) / horizon, times[:, 0] / times[:, 1]


def main() -> int:
    """Print the table; 0 if both limits are met, 1 if not, 2 without a compiler."""
    print(f"zhang2025, printed loop, N = 2, m = 20, D = 5, K = M = 1: numba / C, {REPETITIONS} paired runs")
    print(f"limits: {MICROSECONDS:g} us per outer iteration, {LIMIT:g} times C (sums reordered in both)")
    met = True
    try:
        for name, flags in (("-O3, sums reordered", REORDERED), ("-O3", STRICT)):
            with compiled(flags) as function:
                microseconds, ratios = compare(Case.default(), function)
            spread = f"{ratios.min():.2f}..{ratios.max():.2f}"
            print(f"{name:22}{microseconds:8.1f} us  median {np.median(ratios):.2f}  ({spread})")
            met &= microseconds <= MICROSECONDS and float(np.median(ratios)) <= LIMIT
    except NoCompilerError as error:
        print(error, file=sys.stderr)
        return 2
    return int(not met)


if __name__ == "__main__":
    raise SystemExit(main())
