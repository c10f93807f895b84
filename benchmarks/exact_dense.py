"""Time of every dense closed-form quantity of `mdp.exact` at two sizes, against stated limits.

Run with ``python -m benchmarks.exact_dense``; exits with 1 above a limit.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from mdp import exact, garnet
from mdp.direction import actor_direction
from mdp.fisher import fisher

QUANTITIES = (
    "stationary", "visitation", "restart_stationary", "V", "Q", "advantage", "J", "grad_J", "grad_J_by_solve",
    "td_matrix", "omega_td", "omega_bellman", "omega_td_error", "lambda_star",
)  # fmt: skip
LIMITS = {10: 0.005, 200: 0.5}
"""Seconds for all quantities at S states, four agents with two actions each."""


def seconds(n_states: int, repetitions: int = 15) -> float:
    """Median time to touch every quantity of a fresh view.

    Args:
        n_states: S.
        repetitions: how many fresh views.
    """
    problem, times = garnet(n_states, 2, 3, 4, seed=0), []
    theta = np.random.default_rng(0).normal(size=(4, 3))
    for _ in range(repetitions):
        start = time.perf_counter()
        view = exact(problem, theta)
        for name in QUANTITIES:
            getattr(view, name)
        actor_direction(view, "stationary")
        fisher(view)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main() -> int:
    """Print the table; 0 if every size is within its limit."""
    late = False
    for n_states, limit in LIMITS.items():
        measured = seconds(n_states)
        late = late or measured > limit
        print(f"S = {n_states:4d}: {1e3 * measured:8.2f} ms, limit {1e3 * limit:g} ms")
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
