"""Geometric mixing, ``sup_s ||P^t(s, .) - mu||_TV <= kappa rho^t``: measured, spectral, and by minorisation.

Total variation is half the 1-norm. The law of the pair (s_t, a_t) mixes with the same constants as that of s_t
when the policy is fixed, for the action is drawn from s_t alone; so one function serves zeng2022 Assumption 6
and zhang2025 Lemma 5.4. Chains may be floats or exact rationals; the bounds of rational chains are exact except
where a root or a singular value enters, and those are rounded up.

The file is long because every bound comes with its proof, source and failure in the docstring.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, log
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from mdp.chain import require_aperiodic, require_irreducible, stationary_law
from mdp.linear import identity_like, is_exact, rational, to_float

Method = Literal["measured", "reversible", "reversibilisation", "doeblin", "uniform"]

ROUNDING = 1e-12
"""Relative amount by which computed roots and singular values are rounded up; ours: 4,500 roundings of float64."""

REVERSIBLE_TOLERANCE = 1e-13
"""Largest relative violation of detailed balance that counts as rounding; ours. Exact chains need none."""


class NoMixingBoundError(ValueError):
    """The method proves no geometric bound for this chain or kernel; the message says why."""


@dataclass(frozen=True)
class Mixing:
    """Constants of ``sup_s ||P^t(s, .) - mu||_TV <= kappa rho^t``.

    Attributes:
        method: how they were found.
        kappa: constant, at least the distance at t = 0.
        rho: rate in [0, 1).
        steps: number of steps m of the power of the chain that was looked at (horizon, when measured).
        all_times: whether the bound is proved for every t; otherwise it is proved up to t = `steps`.
        minorisation: mass of the common part of the m-step rows, for the minorisations.
    """

    method: Method
    kappa: float
    rho: float
    steps: int
    all_times: bool = True
    minorisation: float | None = None

    def bound(self, t: int) -> float:
        """``kappa rho^t``.

        Args:
            t: time, at least 0.
        """
        return self.kappa * self.rho**t

    def time(self, accuracy: float) -> int:
        """Least t with ``kappa rho^t <= accuracy``: the mixing time tau of the papers.

        Args:
            accuracy: total-variation distance, positive.

        Raises:
            ValueError: accuracy is not positive.
        """
        if not accuracy > 0:
            raise ValueError(f"accuracy is {accuracy}; it must be positive")
        if self.kappa <= accuracy:
            return 0
        return 1 if self.rho == 0 else max(0, ceil(log(accuracy / self.kappa) / log(self.rho)))


def tv_decay(chain: Float[np.ndarray, "S S"], horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances to stationarity and between starts, at t = 0..horizon.

    Args:
        chain: irreducible aperiodic transition matrix, floats or rationals, shape (S, S).
        horizon: last t.

    Returns:
        ``max_s ||P^t(s, .) - mu||_TV`` and ``max_{s, s'} ||P^t(s, .) - P^t(s', .)||_TV``, each (horizon + 1,).

    Raises:
        ValueError: negative horizon.
        mdp.chain.ReducibleChainError, mdp.chain.PeriodicChainError: the chain does not mix.
    """
    if horizon < 0:
        raise ValueError(f"horizon is {horizon}; it must not be negative")
    chain = _require_mixing(chain)
    law, power = stationary_law(chain), identity_like(chain, len(chain))
    to_law, between = [], []
    for _ in range(horizon + 1):
        to_law.append((abs(power - law).sum(axis=1) / 2).max())
        between.append(max((abs(power - row).sum(axis=1) / 2).max() for row in power))
        power = power @ chain
    return np.array(to_law, dtype=chain.dtype), np.array(between, dtype=chain.dtype)


def measured_mixing(chain: Float[np.ndarray, "S S"], rho: Any, *, horizon: int = 100) -> Mixing:
    """Smallest kappa for a given rho from powers of the chain, proved for every t where possible.

    Let d(t) be the distance to mu and b(t) that between starts. Then ``d(t + T) <= d(t) b(T)`` (Dobrushin). So
    if ``b(T) <= rho^T`` for some T up to the horizon, the largest ``d(t) / rho^t`` over t < T is a constant for
    every t, and no smaller one will do.

    Args:
        chain: irreducible aperiodic transition matrix, floats or rationals, shape (S, S).
        rho: rate in (0, 1); a float counts as the dyadic rational it is when the chain is exact.
        horizon: last power that is looked at.

    Returns:
        The constants; `all_times` is false when no such T was found (rho is below the chain's own rate, or the
        horizon is short), and then the bound holds up to the horizon.

    Raises:
        ValueError: rho is not in (0, 1).
        mdp.chain.ReducibleChainError, mdp.chain.PeriodicChainError: the chain does not mix.

    Source: Levin and Peres (2017), Markov Chains and Mixing Times, Lemmas 4.10 and 4.11.
    """
    if not 0 < rho < 1:
        raise ValueError(f"rho is {rho}; a geometric rate lies in (0, 1)")
    to_law, between = tv_decay(chain, horizon)
    if is_exact(to_law):
        rho = rational(rho)
    else:  # t products of float matrices with rows of mass one: an absolute error, added here
        noise = (len(chain) + 2) * np.finfo(float).eps * np.arange(1, horizon + 2)
        to_law, between = to_law + noise, between + noise
    settled = next((t for t in range(1, horizon + 1) if between[t] <= rho**t), None)
    last = horizon + 1 if settled is None else settled
    kappa = max(to_law[t] / rho**t for t in range(last))
    return Mixing("measured", _up(kappa), _up(rho), horizon if settled is None else settled, settled is not None)


def spectral_mixing(chain: Float[np.ndarray, "S S"], *, steps: int | None = None, max_steps: int = 32) -> Mixing:
    """Mixing from the second singular value of ``P^m`` in the inner product of mu.

    With sigma that singular value, ``sum_t (P^m(s, t) - mu_t)^2 / mu_t`` contracts by sigma^2 per m steps from
    ``1 / mu_s - 1``, and total variation is at most half the root of that sum. sigma^2 is the second eigenvalue
    of the multiplicative reversibilisation; for a reversible chain sigma is its second eigenvalue modulus.

    Args:
        chain: irreducible aperiodic transition matrix, floats or rationals, shape (S, S).
        steps: m; by default the least m up to `max_steps` with sigma < 1 (a non-reversible chain can have
            sigma = 1 at m = 1).
        max_steps: limit of that search.

    Returns:
        ``rho = sigma^(1/m)`` and ``kappa = sqrt(1 / min mu - 1) / 2 * rho^(1 - m)``.

    Raises:
        NoMixingBoundError: sigma is 1 (up to rounding) for every m looked at.
        ValueError: steps is below 1.
        mdp.chain.ReducibleChainError, mdp.chain.PeriodicChainError: the chain does not mix.

    Source: Fill (1991), Annals of Applied Probability 1, Theorem 2.1; Diaconis and Stroock (1991), ibid.,
        Proposition 3, for reversible chains.
    """
    if steps is not None and steps < 1:
        raise ValueError(f"steps is {steps}; it must be at least 1")
    chain = _require_mixing(chain)
    law = stationary_law(chain)
    flow = law[:, None] * chain
    slack = 0 if is_exact(chain) else REVERSIBLE_TOLERANCE
    reversible = bool((abs(flow - flow.T) <= slack * (flow + flow.T)).all())
    P, mu = to_float(chain), to_float(law)
    start = 0.5 * float(np.sqrt(1 / mu.min() - 1)) * (1 + ROUNDING)
    for m in [steps] if steps is not None else range(1, max_steps + 1):
        power = np.linalg.matrix_power(P, m)
        # subtracting the rank-one part first leaves sigma as the largest singular value, not the second
        centred = np.sqrt(mu)[:, None] * (power - mu) / np.sqrt(mu)
        sigma = float(np.linalg.svd(centred, compute_uv=False)[0]) + len(mu) * ROUNDING
        if sigma < 1 - len(mu) * ROUNDING:
            rho, kappa = _stretch(sigma, m, start)
            return Mixing("reversible" if reversible else "reversibilisation", kappa, rho, m)
    looked_at = f"m = {steps}" if steps is not None else f"m up to {max_steps}"
    raise NoMixingBoundError(f"the second singular value of P^m is 1 for {looked_at}: no contraction in L2(mu)")


def doeblin_mixing(chain: Float[np.ndarray, "S S"], *, steps: int | None = None, max_steps: int = 64) -> Mixing:
    """Mixing by Doeblin minorisation: ``delta = sum_t min_s P^m(s, t)``, so ``d(m q) <= (1 - delta)^q``.

    Args:
        chain: irreducible aperiodic transition matrix, floats or rationals, shape (S, S).
        steps: m; by default the m up to `max_steps` with the least proved mixing time to distance 1/4.
        max_steps: limit of that search.

    Returns:
        ``rho = (1 - delta)^(1/m)`` and ``kappa = rho^(1 - m)``, which is 1 for m = 1.

    Raises:
        NoMixingBoundError: no column of P^m is positive for any m looked at.
        ValueError: steps is below 1.
        mdp.chain.ReducibleChainError, mdp.chain.PeriodicChainError: the chain does not mix.

    Source: Levin and Peres (2017), proof of Theorem 4.9; Meyn and Tweedie (2009), Theorem 16.2.4.
    """
    if steps is not None and steps < 1:
        raise ValueError(f"steps is {steps}; it must be at least 1")
    chain = _require_mixing(chain)
    last, power = steps or max_steps, identity_like(chain, len(chain))
    common = []
    for _ in range(last):
        power = power @ chain
        common.append(power.min(axis=0).sum())
    best = _best("doeblin", common, steps, is_exact(chain))
    if best is None:
        raise NoMixingBoundError(f"no column of P^m is positive for m {'=' if steps else 'up to'} {last}")
    return best


def uniform_minorisation(kernel: Float[np.ndarray, "S A S"], *, steps: int = 1) -> np.ndarray:
    """Lower bounds on ``P_theta^m(s, t)`` that hold for every policy, by dynamic programming.

    ``u_0 = 1{. = t}`` and ``u_{k+1}(s) = min_a sum_{s'} P(s' | s, a) u_k(s')``: the least probability of being in
    t after m steps over all policies, also those that depend on time and past. For one step it is exact
    (``min_a P(t | s, a)``) over stationary policies too; for more it is a lower bound for them.

    Args:
        kernel: P, floats or rationals, shape (S, A, S).
        steps: m, at least 1.

    Returns:
        ``min_s u_m(s)`` for every target t, shape (S,); the sum over t is the minorisation.

    Raises:
        ValueError: steps below 1, or a kernel of another shape.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}; it must be at least 1")
    if kernel.ndim != 3 or kernel.shape[0] != kernel.shape[2]:
        raise ValueError(f"the kernel has shape {kernel.shape}, not (S, A, S)")
    reach = identity_like(kernel, len(kernel))  # reach[s, t]: all targets side by side
    for _ in range(steps):
        reach = (kernel @ reach).min(axis=1)
    least: np.ndarray = reach.min(axis=0)
    return least


def uniform_mixing(
    kernel: Float[np.ndarray, "S A S"], *, steps: int | None = None, max_steps: int = 64
) -> Mixing:
    """Mixing constants that hold for every policy at once, by a minorisation uniform over policies.

    One step: ``delta = sum_t min_{s, a} P(t | s, a)``, ``rho = 1 - delta``, ``kappa = 1``. More steps: see
    `uniform_minorisation`. A restart kernel ``gamma P + (1 - gamma) initial`` always has rho <= gamma.

    Args:
        kernel: P, floats or rationals, shape (S, A, S).
        steps: m; by default the m up to `max_steps` with the least proved mixing time to distance 1/4.
        max_steps: limit of that search.

    Raises:
        NoMixingBoundError: no state is reached with positive probability from everywhere under every policy in
            exactly m steps, for any m looked at. When the sets of states that cannot avoid a target have
            started to repeat, the message says that no number of steps will do.
        ValueError: steps below 1, or a kernel of another shape.

    Source: zeng2022 Assumption 6 (a geometric rate for all theta), constructed as in `doeblin_mixing`.
    """
    common = [uniform_minorisation(kernel, steps=steps).sum()] if steps is not None else []
    if steps is None:
        reach = identity_like(kernel, len(kernel))
        uniform_minorisation(kernel)  # the shape check
        for _ in range(max_steps):
            reach = (kernel @ reach).min(axis=1)
            common.append(reach.min(axis=0).sum())
    best = _best("uniform", common if steps is None else [0] * (steps - 1) + common, steps, is_exact(kernel))
    if best is not None:
        return best
    ever = "any number of" if steps is None and _never_unavoidable(kernel) else f"{steps or max_steps}"
    raise NoMixingBoundError(
        f"every state can be avoided, from some start and by some policy, at the end of {ever} steps: "
        "no minorisation is uniform over all policies"
    )


def _never_unavoidable(kernel: np.ndarray) -> bool:
    """Whether no target is unavoidable at any horizon: the support patterns repeat before one is."""
    support = np.asarray(kernel > 0, dtype=bool)
    pattern: np.ndarray = np.eye(len(kernel), dtype=bool)
    seen: set[bytes] = set()
    # patterns are finitely many but can take long to repeat: the limit makes the answer "not proved"
    for _ in range(4096):
        if pattern.all(axis=0).any():
            return False
        key = pattern.tobytes()
        if key in seen:
            return True
        seen.add(key)
        hits: np.ndarray = support.astype(np.int64) @ pattern.astype(np.int64)
        pattern = np.asarray((hits > 0).all(axis=1))
    return False


def _best(method: Method, common: list[Any], steps: int | None, exact: bool) -> Mixing | None:
    """The number of steps with the least mixing time to 1/4, among those with a positive common part."""
    found: Mixing | None = None
    for m, mass in enumerate(common, start=1):
        if (steps is not None and m != steps) or not mass > 0:
            continue
        # float masses carry rounding of m products: less is claimed. A whole common part leaves rho = 0
        claimed = mass if exact else mass * (1 - m * ROUNDING)
        left = max(_up(1 - claimed), 0.0)
        rho, kappa = (left, 1.0) if m == 1 else _stretch(left, m, 1.0)
        if rho < 1:
            bound = Mixing(method, kappa, rho, m, minorisation=float(to_float(np.array([mass]))[0]))
            # by rho alone ever larger m would win, with a useless kappa
            if found is None or bound.time(0.25) < found.time(0.25):
                found = bound
    return found


def _stretch(contraction: float, m: int, start: float) -> tuple[float, float]:
    """Rate and constant of ``start * contraction^floor(t / m)``, for ``floor(t / m) >= (t - m + 1) / m``."""
    if m > 1:
        contraction = max(contraction, 2.0**-52)  # a power that has mixed fully would make kappa infinite
    rho = contraction ** (1 / m) * (1 + ROUNDING)
    if not rho < 1:
        return 1.0, inf
    return rho, start * contraction ** (-(m - 1) / m) * (1 + ROUNDING) if m > 1 else start


def _up(value: Any) -> float:
    """Nearest float or the next above it: never below `value`."""
    if not is_exact(np.asarray(value)):
        return float(value)
    nearest = float(to_float(np.array([value]))[0])
    return nearest if rational(nearest) >= value else float(np.nextafter(nearest, inf))


def _require_mixing(chain: np.ndarray) -> np.ndarray:
    chain = np.asarray(chain)
    if chain.ndim != 2 or chain.shape[0] != chain.shape[1]:
        raise ValueError(f"the chain has shape {chain.shape}, not (S, S)")
    require_irreducible(chain)
    require_aperiodic(chain)
    return chain
