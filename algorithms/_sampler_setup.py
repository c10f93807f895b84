"""Building what the exact samplers read and write; see `algorithms._sampler` for the method."""

from __future__ import annotations

import numpy as np

from algorithms._inputs import _tables
from algorithms._sampler import EPS, MOVES, SOLVING, STEPS, Anchor, Dynamics, _move_anchor
from mdp.problem import Problem

SMALL = 8
"""States from which regeneration wins over elimination in `benchmarks.samplers`; ours."""


def dynamics_of(problem: Problem) -> Dynamics:
    """The fixed tables of the samplers.

    Args:
        problem: log-linear policy class, dense kernel.

    Returns:
        Cumulative rows of P and of the initial law, and how far a policy moves with its parameter.
    """
    P, _, _, initial, gamma, _, psi, _, n_actions, *_ = _tables(problem)
    reach = np.zeros(len(psi))
    for i, size in enumerate(n_actions):
        table = psi[i, :, :size]
        reach[i] = np.linalg.norm(table[:, :, None] - table[:, None, :], axis=-1).max()
    return Dynamics(psi, n_actions, P, _cumulative(P), _cumulative(initial), float(gamma), reach)


def empty_anchor(dynamics: Dynamics) -> Anchor:
    """An anchor that the first `_approach` will set.

    Args:
        dynamics: of the same problem.

    Returns:
        Arrays of the right shapes; their content means nothing yet.
    """
    N, S, width, D = dynamics.psi.shape
    return Anchor(
        theta=np.zeros((N, D)),
        tables=np.zeros((N, S, width)),
        joint=np.zeros((S, dynamics.P.shape[1])),
        chain=np.zeros((S, S)),
        power=np.zeros((S, S)),
        work=np.zeros((S, S)),
        nu_cdf=np.zeros((2, S)),
        residual_cdf=np.zeros((2, S, S)),
        law_cdf=np.zeros(S),
        gap=np.zeros(N),
        leave=np.zeros(N),
        row=np.zeros(width),
        numbers=np.zeros(8),
    )


def prefers_regeneration(problem: Problem, theta: np.ndarray) -> bool:
    """Whether the chain at `theta` forgets fast enough for regeneration to replace the solution for mu_theta.

    The rule of ``sampler="auto"``: below `SMALL` states elimination is as cheap, and a chain that is not forgotten in
    a block of `algorithms._sampler.LONGEST` steps is solved for anyway.

    Args:
        problem: log-linear policy class, dense kernel.
        theta: parameters, (N, D).
    """
    dynamics = dynamics_of(problem)
    anchor = empty_anchor(dynamics)
    _move_anchor(dynamics, anchor, np.ascontiguousarray(theta, dtype=float))
    return bool(problem.mdp.n_states >= SMALL and anchor.numbers[SOLVING] == 0.0)


def describe(anchor: Anchor) -> dict[str, float]:
    """What the sampler settled on.

    Args:
        anchor: after at least one draw.

    Returns:
        ``steps`` (m), ``eps`` (eps_m), ``moves`` of the anchor so far, ``solving`` (1 if the law is solved for).
    """
    numbers = anchor.numbers
    return {
        "steps": float(numbers[STEPS]),
        "eps": float(numbers[EPS]),
        "moves": float(numbers[MOVES]),
        "solving": float(numbers[SOLVING] > 0.0),
    }


def _cumulative(laws: np.ndarray) -> np.ndarray:
    """Cumulative rows; from the last positive entry on exactly one."""
    cdf = np.cumsum(laws, axis=-1)
    cdf /= cdf[..., -1:]
    last = laws.shape[-1] - 1 - np.argmax(laws[..., ::-1] > 0, axis=-1)
    return np.where(np.arange(laws.shape[-1]) >= last[..., None], 1.0, cdf)
