"""Assumptions that do not speak of policies: networks, rewards, features.

The functions take raw arrays where the library's own types would refuse what violates the assumption.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mdp.model import FiniteMDP
from mdp.networks.schedule import DisconnectedScheduleError, require_connected, require_doubly_stochastic
from verify.assumptions.rows import Finding


def connectivity(matrices: Float[np.ndarray, "T N N"]) -> Finding:
    """zeng2022 Assumption 1: the least window B whose aligned unions of graphs are all connected.

    Args:
        matrices: one period of the sequence of weight matrices, (T, N, N).

    Returns:
        Met with the least B; or the groups of agents that never meet.
    """
    period = len(matrices)
    try:
        require_connected(matrices)
    except DisconnectedScheduleError as error:
        return Finding("no", str(error))
    for B in range(1, period + 1):
        # windows start at multiples of B; modulo the period these are finitely many
        starts = {(low * B) % period for low in range(period)}
        if all(_connected(matrices[[(start + k) % period for k in range(B)]]) for start in starts):
            return Finding("yes", f"B = {B}", float(B))
    raise AssertionError("a whole period is connected, so B = period is a window")


def _connected(matrices: np.ndarray) -> bool:
    try:
        require_connected(matrices)
    except DisconnectedScheduleError:
        return False
    return True


def weights(matrices: Float[np.ndarray, "T N N"]) -> Finding:
    """zeng2022 Assumption 2: doubly stochastic with positive diagonals; c is the least positive entry.

    ``W_ij < 1`` off the diagonal then follows: column j holds ``W_jj >= c`` as well.

    Args:
        matrices: one period of the sequence of weight matrices, (T, N, N).
    """
    for t, W in enumerate(matrices):
        try:
            require_doubly_stochastic(W, f"W[{t}]")
        except ValueError as error:
            return Finding("no", str(error))
        if (np.diag(W) <= 0).any():
            i = int(np.flatnonzero(np.diag(W) <= 0)[0])
            return Finding("no", f"W[{t}][{i}, {i}] = {W[i, i]:g}: an agent without weight on itself")
    least = float(matrices[matrices > 0].min())
    return Finding("yes", f"c = {least:.4g}", least)


def fixed_weights(matrices: Float[np.ndarray, "T N N"]) -> Finding:
    """zhang2025 Assumption 5.1: one matrix, doubly stochastic, at least eta on the diagonal and on edges.

    Connectivity is not part of the assumption; what the matrix at hand has is said.

    Args:
        matrices: one period of the sequence of weight matrices, (T, N, N).
    """
    found = weights(matrices)
    if found.met == "no":
        return found
    different = next((t for t, W in enumerate(matrices) if not np.array_equal(W, matrices[0])), None)
    if different is not None:
        return Finding(
            "no", f"W[{different}] differs from W[0]: one fixed matrix is assumed (each round has eta >= "
            f"{found.value:.4g})", found.value,
        )  # fmt: skip
    connected = "connected" if _connected(matrices[:1]) else "not connected, which is not asked"
    return Finding("yes", f"eta = {found.value:.4g}; the graph is {connected}", found.value)


def bounded_reward(mdp: FiniteMDP) -> Finding:
    """zeng2022 Assumption 3: ``|r_i(s, a)| <= R_max``.

    Args:
        mdp: the MDP; Gumbel noise has no bound.
    """
    bound = float(np.abs(mdp.r).max())
    if mdp.reward_noise != "none":
        return Finding("no", f"{mdp.reward_noise} noise is unbounded (mean rewards: |r| <= {bound:.4g})")
    return Finding("yes", f"R_max = {bound:.4g}", bound)


def nonnegative_reward(mdp: FiniteMDP) -> Finding:
    """zhang2025 Assumption 5.3: ``0 <= r_t^i <= r_max``.

    Args:
        mdp: the MDP.
    """
    low, high = float(mdp.r.min()), float(mdp.r.max())
    if mdp.reward_noise != "none":
        return Finding("no", f"{mdp.reward_noise} noise is unbounded (mean rewards in [{low:.4g}, {high:.4g}])")
    if low < 0:
        i, s, a = (int(k) for k in np.unravel_index(mdp.r.argmin(), mdp.r.shape))
        return Finding("no", f"r[{i}, {s}, {a}] = {low:.4g} < 0; adding {-low:.4g} gives r_max = {high - low:.4g}")
    return Finding("yes", f"r_max = {high:.4g}", high)


def feature_tables(phi_state: np.ndarray, phi_joint: np.ndarray) -> Finding:
    """zeng2022 Assumption 4: feature vectors of norm at most one, matrices of full column rank.

    Args:
        phi_state: critic features, (S, K).
        phi_joint: reward features, (S, A, L).
    """
    parts, least = [], np.inf
    for name, table in (("phi", phi_state), ("varphi", phi_joint.reshape(-1, phi_joint.shape[-1]))):
        norms = np.linalg.norm(table, axis=1)
        if norms.max() > 1 + 1e-12:
            return Finding("no", f"|{name}| = {norms.max():.4g} in row {int(norms.argmax())}, above 1")
        values = np.linalg.svd(table, compute_uv=False)
        rank = int((values > values[0] * max(table.shape) * np.finfo(float).eps).sum())
        if rank < table.shape[1]:
            return Finding("no", f"{name} has {table.shape[1]} columns and rank {rank}")
        parts.append(f"|{name}| <= {norms.max():.4g}, least singular value {values[-1]:.4g}")
        least = min(least, float(values[-1]))
    return Finding("yes", "; ".join(parts), least)
