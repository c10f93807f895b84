"""The exact view of a large MDP, from a log-linear policy or from tables, checked first.

Source: as in `mdp.exact`, whose quantities these are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mdp.large.blocks import thread_count
from mdp.large.policy import BlockLogLinear, LogLinear
from mdp.large.protocol import LargeMDP
from mdp.large.solvers import TOLERANCE
from mdp.large.view import SparseExact
from mdp.policy import LogLinearPolicy
from mdp.validate import as_float_array, require_probability_rows, require_shape


def sparse_exact(
    mdp: LargeMDP,
    policy: LogLinear | LogLinearPolicy,
    theta: Float[np.ndarray, "N D"],
    *,
    tolerance: float = TOLERANCE,
    workers: int | None = None,
) -> SparseExact:
    """Exact quantities of a large MDP at a log-linear policy.

    Args:
        mdp: `SparseMDP`, `SimpleSpread`, or another `LargeMDP`.
        policy: `ObservedLogLinear`, `BlockLogLinear`, or a `LogLinearPolicy` with full feature arrays.
        theta: parameters, shape (N, D).
        tolerance: error asked of the linear solves, relative to ``max |r_pi| / (1 - gamma)`` for V and to 1 for
            the visitation.
        workers: threads; all processors of this process if None.

    Raises:
        ValueError: theta or the policy does not fit.
    """
    large = BlockLogLinear.of(policy) if isinstance(policy, LogLinearPolicy) else policy
    return _view(mdp, large.probabilities(theta), large, tolerance, workers)


def sparse_exact_from_tables(
    mdp: LargeMDP, tables: Sequence[np.ndarray], *, tolerance: float = TOLERANCE, workers: int | None = None
) -> SparseExact:
    """Exact quantities of a large MDP at a policy given as tables; all but `grad_J`.

    Args:
        mdp: the problem.
        tables: one (S, A_i) array pi_i(a_i | s) per agent.
        tolerance: as for `sparse_exact`.
        workers: threads; all processors of this process if None.

    Raises:
        ValueError: wrong shapes or a row that is no probability vector (with its index).
    """
    return _view(mdp, tables, None, tolerance, workers)


def _view(
    mdp: LargeMDP, tables: Sequence[np.ndarray], policy: LogLinear | None, tolerance: float, workers: int | None
) -> SparseExact:
    if len(tables) != len(mdp.n_actions):
        raise ValueError(f"{len(tables)} tables for {len(mdp.n_actions)} agents")
    if not 0.0 < tolerance < 1.0:
        raise ValueError(f"tolerance is {tolerance:g}; it lies in (0, 1)")
    checked = []
    for i, (table, width) in enumerate(zip(tables, mdp.n_actions, strict=True)):
        array = as_float_array(f"tables[{i}]", table, 2)
        require_shape(f"tables[{i}]", array, (mdp.n_states, width), "(S, A_i)")
        require_probability_rows(f"tables[{i}]", array)
        checked.append(array)
    pi = np.concatenate(checked, axis=1)
    pi.setflags(write=False)
    return SparseExact(mdp, pi, policy, tolerance, thread_count(workers))
