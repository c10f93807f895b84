"""A finite MDP with exact rational entries: what files with ``1/3`` in them hold before any rounding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np

from mdp.linear import rational, rational_array, to_float
from mdp.model import FiniteMDP, RewardNoise
from mdp.rational import RationalPoint


@dataclass(frozen=True, eq=False)
class RationalMDP:
    """A finite MDP as a file states it, entry by entry exact.

    Attributes:
        P: kernel, (S, A, S), exact rationals.
        r: mean local rewards, (N, S, A), exact rationals.
        initial: initial law, (S,), exact rationals.
        gamma: discount factor in [0, 1), exact.
        n_actions: actions of each agent; their product is A, agent 0 slowest.
        reward_noise: as in `mdp.model.FiniteMDP`.
        name: for tables and files.
        labels: state labels, name to sorted states; kept from a file that has them.

    Entries may be given as ints, `Fraction`, `fmpq` or floats (taken at their exact dyadic value). Rows that
    do not sum to one exactly are allowed here, because decimals in a file need not: `to_mdp` allows the
    rounding that `FiniteMDP` does, `at` allows none.

    Raises:
        ValueError: on construction: shapes that disagree, gamma outside [0, 1), an entry that is no number.
    """

    P: Any
    r: Any
    initial: Any
    gamma: Any
    n_actions: tuple[int, ...]
    reward_noise: RewardNoise = "none"
    name: str = ""
    labels: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in ("P", "r", "initial"):
            object.__setattr__(self, key, rational_array(getattr(self, key)))
        object.__setattr__(self, "gamma", rational(self.gamma))
        object.__setattr__(self, "n_actions", tuple(int(n) for n in self.n_actions))
        object.__setattr__(self, "labels", MappingProxyType({k: tuple(v) for k, v in self.labels.items()}))
        if not 0 <= self.gamma < 1:
            raise ValueError(f"gamma is {self.gamma}; the discount factor lies in [0, 1)")
        S, A, N = self.initial.shape[0] if self.initial.ndim == 1 else 0, prod(self.n_actions), len(self.n_actions)
        for key, shape in (("initial", (S,)), ("P", (S, A, S)), ("r", (N, S, A))):
            got = getattr(self, key).shape
            if got != shape or not S:
                raise ValueError(f"{key} has shape {got}, not {shape} (S = {S}, A = {A}, N = {N})")

    @classmethod
    def near(cls, mdp: FiniteMDP, *, max_denominator: int = 1000, tolerance: float = 1e-14) -> RationalMDP:
        """The exact MDP that `mdp` was before its entries were rounded, if it had small denominators.

        Args:
            mdp: doubles such as 0.33333333333333337 that stand for 1/3.
            max_denominator: largest denominator to look for.
            tolerance: largest allowed distance, absolute below one and relative above.

        Raises:
            ValueError: an entry with no such rational near it, or a row whose rationals do not sum to one.
        """
        parts = {}
        for key in ("P", "r", "initial", "gamma"):
            values = np.asarray(getattr(mdp, key), dtype=float)
            near = np.empty(values.shape, dtype=object)
            for index in np.ndindex(values.shape):
                value = float(values[index])
                near[index] = Fraction(value).limit_denominator(max_denominator)
                if abs(float(near[index] - Fraction(value))) > tolerance * max(1.0, abs(value)):
                    raise ValueError(f"{key}{list(index)} is {value!r}, not near p/q with q at most {max_denominator}")
            parts[key] = near
        for key in ("P", "initial"):
            sums = parts[key].sum(axis=-1)
            off = np.argwhere(np.asarray(sums != 1))
            if len(off):
                where = tuple(int(k) for k in off[0])
                total = sums[where] if where else sums
                raise ValueError(f"{key}{list(where)} sums to {total} over its nearest rationals, not 1")
        return cls(
            P=parts["P"], r=parts["r"], initial=parts["initial"], gamma=parts["gamma"].item(),
            n_actions=mdp.n_actions, reward_noise=mdp.reward_noise, name=mdp.name,
        )

    def to_mdp(self) -> FiniteMDP:
        """The nearest float64 MDP (each entry is rounded once).

        Raises:
            ValueError: rows off one by more than rounding, negative probabilities (the entry is named).
        """
        return FiniteMDP(
            P=to_float(self.P), r=to_float(self.r), initial=to_float(self.initial),
            gamma=float(to_float(rational_array([self.gamma]))[0]), n_actions=self.n_actions,
            reward_noise=self.reward_noise, name=self.name,
        )

    def at(self, tables: Any, psi: Any, phi_state: Any, phi_joint: Any) -> RationalPoint:
        """This MDP at a softmax policy with rational probabilities, every quantity exact.

        Args:
            tables: per agent, positive probabilities (S, A_i).
            psi: per agent, log-linear features (S, A_i, D).
            phi_state: critic features, (S, K).
            phi_joint: reward features, (S, A, L).

        Raises:
            ValueError: as `mdp.rational.RationalPoint`; rows have to sum to one exactly.
        """
        return RationalPoint(
            P=self.P, r=self.r, initial=self.initial, gamma=self.gamma,
            tables=tables, psi=psi, phi_state=phi_state, phi_joint=phi_joint,
        )

    def tabular_uniform(self) -> RationalPoint:
        """This MDP at the uniform policy, with one logit per state and action and tabular features.

        Raises:
            ValueError: rows that do not sum to one exactly.
        """
        S, A, widest = len(self.initial), prod(self.n_actions), max(self.n_actions)
        one_hot = np.eye(S * widest, dtype=int).reshape(S, widest, S * widest)
        return self.at(
            tables=tuple(rational_array(np.ones((S, n), dtype=int)) / rational(n) for n in self.n_actions),
            psi=tuple(one_hot[:, :n] for n in self.n_actions),
            phi_state=np.eye(S, dtype=int),
            phi_joint=np.eye(S * A, dtype=int).reshape(S, A, S * A),
        )
