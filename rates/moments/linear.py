"""Exact second moments of a decentralised linear recursion: values, averages, limits, enclosures.

Source: ours; the derivation is in `rates.moments.blocks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any

import numpy as np
from flint import arb, ctx
from jaxtyping import Float

from mdp.enclose import balls
from mdp.exact import Exact
from mdp.linear import is_exact
from mdp.model import RewardNoise
from mdp.validate import as_float_array, require_shape
from rates.moments.outcomes import Kind, Sampling
from rates.moments.powers import Path, enclose_run, is_stable, limit_state, run, spectral_radius
from rates.moments.system import System, ball_view, rounded_view, to_step
from rates.moments.values import MomentValue

TARGETS: dict[Kind, tuple[str, ...]] = {
    "critic": ("omega_td", "omega_bellman", "omega_td_error"),
    "reward": ("lambda_star",),
}
"""Named targets of each recursion, attributes of `mdp.exact.Exact`; the first is the fixed point under mu."""


class UnstableStepError(ValueError):
    """A quantity that exists only for mean-square stable step sizes was asked for at another."""


@dataclass(frozen=True, eq=False)
class LinearMoments:
    """Second moments of N agents' critics or reward models at a fixed policy. See `rates.moments.linear_moments`.

    Attributes:
        view: the problem at the policy, over floats or rationals.
        matrices: (B, N, N), consensus matrices.
        kind: ``"critic"`` or ``"reward"``.
        sampling: ``"iid"`` or ``"markov"``.
        law: of the samples (i.i.d.) or of the first state (Markovian).
        beta: step size.
        x_0: (N, K), where the agents start.
        reward_noise: noise of the local rewards.
    """

    view: Exact
    matrices: np.ndarray
    kind: Kind
    sampling: Sampling
    law: Any
    beta: Any
    x_0: np.ndarray
    reward_noise: RewardNoise

    @property
    def n_agents(self) -> int:
        """N."""
        return int(self.matrices.shape[1])

    @property
    def period(self) -> int:
        """B, number of consensus matrices."""
        return len(self.matrices)

    @cached_property
    def system(self) -> System:
        """Outcomes and maps over floats."""
        return System.build(self._float_view, self, None)

    @cached_property
    def _float_view(self) -> Exact:
        return self.view if not is_exact(self.view.P) else rounded_view(self.view)

    @property
    def fixed_point(self) -> Float[np.ndarray, " K"]:
        """Where the mean update of the average agent vanishes under the law of the samples, shape (K,)."""
        return self.system.centre

    def at(self, t: int) -> MomentValue:
        """Moments of the iterates at time t (time 0 is the start).

        Args:
            t: number of updates made, nonnegative.

        Raises:
            ValueError: t is not a whole number of at least 0.
            OverflowError: the moments leave the floats (the step size is not mean-square stable).
        """
        t = _whole("t", t, 0)
        return self._value([path.state for path in self._paths(t)], f"t = {t}")

    def average(self, horizon: int) -> MomentValue:
        """Time averages over t < T: what a run of T iterations reports.

        Args:
            horizon: T, at least 1; 10^12 and beyond take as many doublings as T has bits.

        Raises:
            ValueError: the horizon is not a whole number of at least 1.
            OverflowError: the moments leave the floats (the step size is not mean-square stable).
        """
        horizon = _whole("horizon", horizon, 1)
        return self._value([path.total / horizon for path in self._paths(horizon)], f"average over t < {horizon}")

    @cached_property
    def limit(self) -> MomentValue:
        """Limits of the time averages as T grows at this step size (averages over a period at rest).

        Raises:
            UnstableStepError: the step size is not mean-square stable, so there is none.
        """
        if not all(is_stable(m) for m in self.system.maps):
            raise UnstableStepError(
                f"beta = {self.float_beta:g} is not mean-square stable: the moment map has spectral radius "
                f"{self.spectral_radius:.12g}; see step_range"
            )
        return self._value([limit_state(m) for m in self.system.maps], "at rest")

    @property
    def spectral_radius(self) -> float:
        """Spectral radius of the moment map over one period of the schedule; below one iff mean-square stable.

        For tiny steps it rounds to one; `step_range` does not.
        """
        return max(spectral_radius(m) for m in self.system.maps)

    def enclosure(self, horizon: int, *, bits: int = 300, averaged: bool = True) -> MomentValue:
        """As `average` (or `at`) in ball arithmetic: every entry is an `arb` that contains the exact number.

        The problem enclosed is that of the floats (or rationals) as they are: kernel, rewards, features, policy tables,
        laws given as arrays, W, beta and x_0. Two conventions say what rounded rows mean: a row of the chain, and the
        last row and column of W, have whatever entry makes them exactly stochastic.

        Args:
            horizon: T, at least 1.
            bits: working precision; at 300 bits and T = 10^12 some 260 to 290 relative bits are left.
            averaged: over t < T, otherwise at T.

        Raises:
            ValueError: horizon or bits out of range.
            ArithmeticError: a linear system cannot be told from a singular one; more bits may decide.
        """
        horizon, bits = _whole("horizon", horizon, 1), _whole("bits", bits, 64)
        with ctx.workprec(bits):
            view = ball_view(self.view, bits)
            system = System.build(view, self, bits)
            paths = [enclose_run(m, horizon) for m in system.maps]
            values = [p.total / arb(horizon) if averaged else p.state for p in paths]
            return self._value(values, f"{'average over t < ' if averaged else 't = '}{horizon}", system)

    def target(self, target: str | Float[np.ndarray, " K"], system: System | None = None) -> np.ndarray:
        """The named target, or a target checked for its shape.

        Args:
            target: a name in `TARGETS`, ``"fixed_point"``, or an array (K,).
            system: over balls, for internal use.

        Raises:
            ValueError: an unknown name or a wrong shape.
        """
        system = system or self.system
        if not isinstance(target, str):
            array = as_float_array("target", target, 1)
            require_shape("target", array, system.centre.shape, "(K,)")
            return array if system.bits is None else balls(array, system.bits)
        if target == "fixed_point":
            return system.centre
        if target not in TARGETS[self.kind]:
            names = ", ".join(TARGETS[self.kind])
            raise ValueError(f"target is {target!r}; for the {self.kind}: 'fixed_point', {names}, or an array (K,)")
        if target == TARGETS[self.kind][0] and (self.sampling == "markov" or _is_stationary(self.law)):
            return system.centre  # the same point: its two computations differ by rounding
        value: np.ndarray = getattr(system.view, target)
        return value

    @cached_property
    def float_beta(self) -> float:
        """The step size as a float."""
        return to_step(self.beta)

    def _paths(self, horizon: int) -> tuple[Path, ...]:
        if horizon not in self._cache:
            self._cache.clear()
            self._cache[horizon] = tuple(run(m, horizon) for m in self.system.maps)
        return self._cache[horizon]

    @cached_property
    def _cache(self) -> dict[int, tuple[Path, ...]]:
        return {}

    def _value(self, states: list[np.ndarray], when: str, system: System | None = None) -> MomentValue:
        system = system or self.system
        mean = system.maps[0]
        N, K = self.n_agents, len(system.centre)
        zero = np.zeros((0, K), dtype=states[0].dtype)
        disagreement, cross, first = np.zeros((0, 0)), np.zeros((K, 0)), zero
        if N > 1:
            disagreement = system.maps[1].second_moment(states[1])
            first = system.maps[1].first_moment(states[1]).reshape(N - 1, K)
            cross = system.maps[2].second_moment(states[2])
        chosen = system

        def resolve(target: str | np.ndarray) -> np.ndarray:
            return self.target(target, chosen)

        return MomentValue(
            when=when, centre=system.centre, mean_first=mean.first_moment(states[0]),
            mean_second=mean.second_moment(states[0]), disagreement_first=first,
            disagreement_second=disagreement, cross=cross, n_agents=N, bits=system.bits, resolve=resolve,
        )  # fmt: skip


def _is_stationary(law: Any) -> bool:
    return isinstance(law, str) and law == "stationary"


def _whole(name: str, value: Any, least: int) -> int:
    if not isinstance(value, Integral) and not (isinstance(value, float) and value.is_integer()):
        raise ValueError(f"{name} is {value}; it is a whole number of at least {least}")
    if int(value) < least:
        raise ValueError(f"{name} is {value}; it is a whole number of at least {least}")
    return int(value)
