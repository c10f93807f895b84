"""What the public faces of the kernels have in common: checks of arguments, and the arrays that kernels read."""

from __future__ import annotations

from math import isfinite
from numbers import Real
from typing import Any

import numpy as np

from mdp.chain import require_aperiodic, require_irreducible
from mdp.policy import LogLinearPolicy, joint_probabilities
from mdp.problem import Problem
from mdp.validate import as_float_array, require_shape


def _whole(name: str, value: float) -> int:
    if not isinstance(value, Real) or not isfinite(value) or value != int(value) or value < 1:
        raise ValueError(f"{name} is {value}; it is a whole number of at least 1")
    return int(value)


def _generator(seed: int | np.random.SeedSequence | np.random.Generator) -> np.random.Generator:
    return seed if isinstance(seed, np.random.Generator) else np.random.default_rng(seed)


def _initial(name: str, value: np.ndarray | None, shape: tuple[int, int]) -> np.ndarray:
    if value is None:
        return np.zeros(shape)
    array = as_float_array(name, value, 2)
    require_shape(name, array, shape, "(agents, parameters)")
    return array.copy()


def _tables(problem: Problem) -> tuple[Any, ...]:
    """What the kernel reads and never writes, in the order of its arguments."""
    mdp, policy, features = problem.mdp, problem.policy, problem.features
    assert isinstance(policy, LogLinearPolicy)
    local_of = np.stack(np.unravel_index(np.arange(mdp.n_joint_actions), mdp.n_actions))
    return (
        *(mdp.P, mdp.r, np.ascontiguousarray(mdp.r_bar), mdp.initial, mdp.gamma),
        mdp.reward_noise == "gumbel",
        *(_padded(policy), policy.n_shared, np.array(mdp.n_actions, dtype=np.int64), local_of),
        *(features.phi_state, features.phi_joint, problem.schedule.matrices),
    )


def _padded(policy: LogLinearPolicy) -> np.ndarray:
    """Policy features as one (N, S, Amax, D) array; the kernel never reads the padding."""
    S, D = policy.n_states, policy.n_parameters
    out = np.zeros((len(policy.psi), S, max(policy.n_actions), D))
    for i, table in enumerate(policy.psi):
        out[i, :, : table.shape[1]] = table
    return out


def _require_mixing(problem: Problem) -> None:
    """A softmax policy has full support, so irreducibility and the period do not depend on theta."""
    uniform = [np.full((problem.mdp.n_states, k), 1.0 / k) for k in problem.mdp.n_actions]
    P_pi = np.einsum("sa,sat->st", joint_probabilities(uniform), problem.mdp.P)
    require_irreducible(P_pi, "P_pi")
    require_aperiodic(P_pi, "P_pi")
