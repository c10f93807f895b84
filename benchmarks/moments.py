"""Time per horizon of the exact moments at N K = 12, and of a 300-bit enclosure.

Run with ``python -m benchmarks.moments``; exits with 1 if a horizon takes a second or more, set-up included.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

if not __package__:  # run as a file: the folder above is not on the path then
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from mdp import garnet
from rates.moments import linear_moments
from rates.moments.linear import LinearMoments

HORIZON, LIMIT = 10**12, 1.0
"""Steps, and seconds allowed per horizon on one core (process time, which counts every core)."""

SIZES = {(2, 6): (12, 3), (3, 4): (8, 3), (4, 3): (6, 3), (6, 2): (4, 3), (12, 1): (2, 2)}
"""States and branching of a garnet problem with N agents and K critic features, by (N, K)."""


def model(n_agents: int, n_features: int, horizon: int) -> LinearMoments:
    """A fresh recursion with nothing computed yet.

    Args:
        n_agents: N.
        n_features: K.
        horizon: T; the step is ``T^-0.4``.
    """
    S, branching = SIZES[n_agents, n_features]
    problem = garnet(S, 2, branching, n_agents, seed=0)
    assert problem.features.phi_state.shape[1] == n_features
    return linear_moments(problem, np.zeros((n_agents, problem.policy.n_parameters)), beta=horizon**-0.4)


def main() -> int:
    """Print the table; 0 if every size is within the limit."""
    late = False
    print(f"T = {HORIZON:.0e}, average over t < T; process seconds, limit {LIMIT:g} for set-up and horizon")
    print(f"{'(N, K)':>8}{'coordinates':>13}{'set-up':>9}{'horizon':>9}{'300 bits':>10}{'relative gap':>14}")
    for n_agents, n_features in SIZES:
        moments = model(n_agents, n_features, HORIZON)
        start = time.process_time()
        size = max(len(m.start) for m in moments.system.maps)
        built = time.process_time()
        value = moments.average(HORIZON).total()
        done = time.process_time()
        ball = moments.enclosure(HORIZON).total()
        enclosed = time.process_time()
        late = late or done - start >= LIMIT
        gap = abs(float((value - ball) / ball))
        print(
            f"{f'({n_agents}, {n_features})':>8}{size:13d}{built - start:9.3f}{done - built:9.4f}"
            f"{enclosed - done:10.2f}{gap:14.1e}"
        )
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
