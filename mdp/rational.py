"""The rational twin: problems with exact rational data, at policies with rational probabilities.

A softmax of rational parameters is not rational, but a softmax *policy* may have any positive rational
probabilities, and its score ``psi - E_pi psi`` is then rational too. So a `RationalPoint` holds the
probabilities instead of theta, and `RationalPoint.exact()` runs the formulas of `mdp.exact` over `fmpq`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from mdp.exact import Exact
from mdp.linear import rational, rational_array, to_float
from mdp.policy import softmax_score


@dataclass(frozen=True, eq=False)
class RationalPoint:
    """A finite MDP with features and a softmax policy, all exact.

    Attributes:
        P: kernel, (S, A, S).
        r: local rewards, (N, S, A).
        initial: initial law, (S,).
        gamma: discount in [0, 1).
        tables: per agent, positive probabilities (S, A_i).
        psi: per agent, log-linear features (S, A_i, D).
        phi_state: critic features, (S, K).
        phi_joint: reward features, (S, A, L).

    Entries may be given as ints, `Fraction`, `fmpq` or floats (taken at their exact dyadic value).

    Raises:
        ValueError: on construction: shapes, rows that do not sum to one *exactly*, nonpositive policy
            probabilities, gamma outside [0, 1).
    """

    P: Any
    r: Any
    initial: Any
    gamma: Any
    tables: Any
    psi: Any
    phi_state: Any
    phi_joint: Any

    def __post_init__(self) -> None:
        for name in ("P", "r", "initial", "phi_state", "phi_joint"):
            object.__setattr__(self, name, rational_array(getattr(self, name)))
        for name in ("tables", "psi"):
            object.__setattr__(self, name, tuple(rational_array(t) for t in getattr(self, name)))
        object.__setattr__(self, "gamma", rational(self.gamma))
        if not 0 <= self.gamma < 1:
            raise ValueError(f"gamma is {self.gamma}; the discount factor lies in [0, 1)")
        S, A = self.P.shape[0], prod(t.shape[1] for t in self.tables)
        if self.P.shape != (S, A, S):
            raise ValueError(f"P has shape {self.P.shape}, not (S, A, S) = {(S, A, S)}")
        if self.r.shape != (len(self.tables), S, A):
            raise ValueError(f"r has shape {self.r.shape}, not (N, S, A) = {(len(self.tables), S, A)}")
        _require_exact_rows("P", self.P)
        _require_exact_rows("initial", self.initial)
        for i, table in enumerate(self.tables):
            _require_exact_rows(f"tables[{i}]", table)
            if not all(x > 0 for x in table.ravel()):
                raise ValueError(f"tables[{i}] has a zero: softmax probabilities are positive")

    @property
    def n_actions(self) -> tuple[int, ...]:
        """Number of actions of each agent."""
        return tuple(int(t.shape[1]) for t in self.tables)

    def exact(self) -> Exact:
        """Every quantity of `mdp.exact.Exact`, in exact arithmetic."""
        return self._view(self.P)

    def restart(self) -> Exact:
        """The same for the restart kernel. Source: zhang2025 Sec. 3.1."""
        return self._view(self.gamma * self.P + (1 - self.gamma) * self.initial)

    def _view(self, P: np.ndarray) -> Exact:
        scores = tuple(softmax_score(psi, table) for psi, table in zip(self.psi, self.tables, strict=True))
        return Exact(
            P=P,
            r=self.r,
            initial=self.initial,
            gamma=self.gamma,
            tables=self.tables,
            scores=scores,
            phi_state=self.phi_state,
            phi_joint=self.phi_joint,
        )

    def to_floats(self) -> Exact:
        """The float64 twin: the same formulas on the rounded data."""
        scores = tuple(softmax_score(psi, table) for psi, table in zip(self.psi, self.tables, strict=True))
        return Exact(
            P=to_float(self.P),
            r=to_float(self.r),
            initial=to_float(self.initial),
            gamma=float(to_float(rational_array([self.gamma]))[0]),
            tables=tuple(to_float(t) for t in self.tables),
            scores=tuple(to_float(s) for s in scores),
            phi_state=to_float(self.phi_state),
            phi_joint=to_float(self.phi_joint),
        )


def _require_exact_rows(name: str, array: np.ndarray) -> None:
    for index in np.ndindex(array.shape[:-1]):
        if any(x < 0 for x in array[index]):
            raise ValueError(f"{name}{list(index)} has a negative probability")
        total = sum(array[index], rational(0))
        if total != 1:
            raise ValueError(f"{name}{list(index)} sums to {total}, not 1")
