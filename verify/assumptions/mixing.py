r"""Irreducibility, periods and geometric mixing, for every theta of a class.

Every bundled class gives each action a positive probability at every theta, so the support of ``P_theta``, hence its
classes and its period, are those of the uniform policy. Constants kappa and rho that serve *every* theta are another
matter, and three arguments decide it:

- *Minorisation over all policies* (`mdp.mixing.uniform_minorisation`): constants for every class at once.
- *Probabilities bounded below.* If ``pi(a|s) >= p`` for every theta then ``P_theta >= A p P_uniform`` entrywise, so
  m steps share the mass ``(A p)^m delta`` where delta is the minorisation of ``P_uniform^m``.
- *A bad limit.* If the policies along a ray tend to a policy whose chain has two closed classes or a periodic one,
  then ``P_theta`` has eigenvalues ``lambda -> z`` with ``|z| = 1``, ``z != 1`` or a double eigenvalue 1. As
  ``sup_s ||P_theta^t - mu||_TV >= |lambda|^t / 2`` for every eigenvalue other than the one of mu, no
  ``kappa rho^t`` with rho < 1 is above it for all theta and t.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from mdp.chain import PeriodicChainError, ReducibleChainError, require_aperiodic, require_irreducible
from mdp.mixing import NoMixingBoundError, spectral_mixing, uniform_mixing
from mdp.model import FiniteMDP
from mdp.policies import CircularPolicy, ReducedSoftmaxPolicy
from mdp.policy import LogLinearPolicy, joint_probabilities
from verify.assumptions.rows import Finding
from verify.assumptions.search import Setting

RAYS = 20
"""Random rays along which a bad limit is looked for; ours."""

RAY_LENGTH = 1e4
"""Distance on a ray at which a softmax of generic logits is deterministic to rounding; ours."""

DETERMINISTIC = 1 - 1e-9
"""Probability from which an action counts as the ray's only limit; ours."""

MOST_STEPS, FEWER_STEPS = 64, 8
"""Longest power of the chain that is looked at, for small kernels and for large ones; ours."""

KERNEL_WORK = 50_000_000
"""Multiplications S^3 A of one step up to which a kernel is small; ours: a second for all steps."""


def chain_of_every_policy(mdp: FiniteMDP, *, restart: bool = False) -> Finding:
    """zhang2025 Assumption 5.2, second sentence: irreducible and aperiodic, at every theta of a positive class.

    Args:
        mdp: the MDP.
        restart: ask it of the restart kernel instead of the original one.

    Returns:
        Met; or the communicating classes, or the cyclic classes, that contradict it.
    """
    chain = (mdp.restart() if restart else mdp).P.mean(axis=1)
    try:
        require_irreducible(chain, "P_theta")
        require_aperiodic(chain, "P_theta")
    except (ReducibleChainError, PeriodicChainError) as error:
        return Finding("no", str(error))
    return Finding("yes", "for every theta: the support of P_theta is that of the uniform policy's chain")


def mixing_for_every_theta(setting: Setting) -> Finding:
    """zeng2022 Assumption 6 and zhang2025 Lemma 5.4, original kernel: one kappa and one rho < 1 for all theta.

    Args:
        setting: the problem and the search.
    """
    structure = chain_of_every_policy(setting.mdp)
    if structure.met == "no":
        return structure
    every = _over_all_policies(setting.mdp)
    if isinstance(every, Finding):
        return every
    policy = setting.problem.policy
    if isinstance(policy, CircularPolicy):
        steps, mass = _mass_of_positive_class(setting.mdp, policy.radius)
        if mass > 0:
            return Finding("yes", _shared(steps, mass), 1 - mass / steps)
    witness = bad_limit(setting)
    return Finding("not proven", every) if witness is None else Finding("no", witness)


def restart_mixing(mdp: FiniteMDP) -> Finding:
    """The same under the restart kernel, where it cannot fail: every row has the part ``(1 - gamma) initial``.

    Args:
        mdp: the MDP.
    """
    bound = uniform_mixing(mdp.restart().P, steps=1)
    return Finding("yes", f"kappa = 1, rho = {bound.rho:.4g} <= gamma for every policy", bound.rho)


def bad_limit(setting: Setting) -> str | None:
    """A ray of thetas whose limit policy has a chain that does not mix, described; None if none is found.

    Args:
        setting: the problem and the search.
    """
    for name, theta in _rays(setting):
        tables = setting.problem.policy.probabilities(RAY_LENGTH * theta)
        if min(float(table.max(axis=1).min()) for table in tables) < DETERMINISTIC:
            continue  # the limit may be mixed: not decided by rounding
        limit = joint_probabilities([np.eye(table.shape[1])[table.argmax(axis=1)] for table in tables])
        trouble = _trouble(np.einsum("sa,sat->st", limit, setting.mdp.P))
        if trouble:
            return f"no constants for all theta: along {name} the limit is a deterministic policy whose chain {trouble}"
    return None


def _rays(setting: Setting) -> Iterator[tuple[str, np.ndarray]]:
    policy, rng = setting.problem.policy, np.random.default_rng(setting.seed)
    if isinstance(policy, LogLinearPolicy | ReducedSoftmaxPolicy):
        widths = setting.mdp.n_actions
        for choice in range(max(widths)):  # every agent always plays the same action, if the class can
            rows = []
            for psi, width in zip(policy.psi, widths, strict=True):
                wanted = np.tile(np.eye(width)[min(choice, width - 1)] - 1 / width, len(psi))
                centred = psi - psi.mean(axis=1, keepdims=True)
                rows.append(np.linalg.lstsq(centred.reshape(len(wanted), -1), wanted, rcond=None)[0])
            yield f"the ray towards 'always action {choice}'", np.stack(rows)
    shape = (setting.mdp.n_agents, policy.n_parameters)
    for k in range(RAYS):
        yield f"random ray {k} (seed {setting.seed})", rng.normal(size=shape)


def _trouble(chain: np.ndarray) -> str:
    """Two closed classes or a periodic one, in words; empty if the chain mixes (transient states do no harm)."""
    count, label = connected_components(csr_array((chain > 0).astype(np.int8)), directed=True, connection="strong")
    closed = []
    for k in range(count):
        inside = np.flatnonzero(label == k)
        if not (chain[np.ix_(inside, np.flatnonzero(label != k))] > 0).any():
            closed.append(inside)
    if len(closed) > 1:
        shown = ", ".join("{" + ", ".join(map(str, c[:4])) + (", ..." if len(c) > 4 else "") + "}" for c in closed[:3])
        return f"has {len(closed)} closed classes: {shown}{', ...' if len(closed) > 3 else ''}"
    inside = closed[0]
    try:
        require_aperiodic(chain[np.ix_(inside, inside)], f"on its closed class {inside.tolist()}")
    except PeriodicChainError as error:
        return str(error)
    return ""


@lru_cache(maxsize=4)
def _over_all_policies(mdp: FiniteMDP) -> Finding | str:
    """Constants for every policy at once, or why there are none; the same for every class, so kept."""
    try:
        bound = uniform_mixing(mdp.P, max_steps=_steps(mdp))
        return Finding("yes", f"kappa = {bound.kappa:.4g}, rho = {bound.rho:.4g} for every policy (minorisation)",
                       bound.rho)  # fmt: skip
    except NoMixingBoundError as error:
        reason = str(error)
    if mdp.n_joint_actions == 1:
        bound = spectral_mixing(mdp.P[:, 0])
        return Finding("yes", f"kappa = {bound.kappa:.4g}, 1 - rho = {1 - bound.rho:.4g} for the one policy there is",
                       bound.rho)  # fmt: skip
    reach, rows = np.eye(mdp.n_states), mdp.P.reshape(-1, mdp.n_states)
    for steps in range(1, _steps(mdp) + 1):  # a positive mass too small for a rho below 1 in floating point
        reach = (rows @ reach).reshape(mdp.P.shape).min(axis=1)
        mass = float(reach.min(axis=0).sum())
        if mass > 0:
            return Finding("yes", _shared(steps, mass), 1 - mass / steps)
    return reason


def _steps(mdp: FiniteMDP) -> int:
    return MOST_STEPS if mdp.P.size * mdp.n_states <= KERNEL_WORK else FEWER_STEPS


def _shared(steps: int, mass: float) -> str:
    return f"any {steps} steps share a mass {mass:.2g} for every theta: 1 - rho >= {mass / steps:.2g}"


def _mass_of_positive_class(mdp: FiniteMDP, radius: float) -> tuple[int, float]:
    """Steps and shared mass of the circular class: ``A min pi`` is the product of agents' ``A_i (1 - c) / A_i``."""
    common = (1 - radius) ** mdp.n_agents
    uniform, power = mdp.P.mean(axis=1), np.eye(mdp.n_states)
    for steps in range(1, MOST_STEPS + 1):
        power = power @ uniform
        mass = float(common**steps * power.min(axis=0).sum())
        if mass > 0:
            return steps, mass
    return 0, 0.0
