"""Small MDPs with a policy by integer weights: the same parameters give a float problem and an exact one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from flint import fmpq

from mdp.exact import Exact
from mdp.linear import identity_like, is_exact, rational, rational_array
from mdp.policy import softmax_score
from mdp.rational import RationalPoint
from verify.identities import problem_witness
from verify.search.family import normalised_rows, require_range


@dataclass(frozen=True, eq=False)
class FloatPoint:
    """The float64 counterpart of `mdp.rational.RationalPoint`: the same fields and the same two views.

    Attributes:
        P: kernel, (S, A, S).
        r: local rewards, (N, S, A).
        initial: initial law, (S,).
        gamma: discount.
        tables: per agent, probabilities (S, A_i).
        psi: per agent, policy features (S, A_i, D).
        phi_state: critic features, (S, K).
        phi_joint: reward features, (S, A, L).
    """

    P: np.ndarray
    r: np.ndarray
    initial: np.ndarray
    gamma: float
    tables: tuple[np.ndarray, ...]
    psi: tuple[np.ndarray, ...]
    phi_state: np.ndarray
    phi_joint: np.ndarray

    @cached_property
    def _scores(self) -> tuple[np.ndarray, ...]:
        return tuple(softmax_score(psi, table) for psi, table in zip(self.psi, self.tables, strict=True))

    def exact(self) -> Exact:
        """Closed forms on the original kernel, in double precision."""
        return self._view(self.P)

    def restart(self) -> Exact:
        """The same for the restart kernel. Source: zhang2025 Sec. 3.1."""
        return self._view(self.gamma * self.P + (1 - self.gamma) * self.initial)

    def _view(self, P: np.ndarray) -> Exact:
        return Exact(
            P=P, r=self.r, initial=self.initial, gamma=self.gamma, tables=self.tables, scores=self._scores,
            phi_state=self.phi_state, phi_joint=self.phi_joint,
        )


@dataclass(frozen=True)
class MDPFamily:
    """MDPs of one size at a policy with rational probabilities.

    Kernel rows, laws and policy rows are weights divided by their sum (a row of zeros is read as uniform).

    Attributes:
        n_states: S.
        n_actions: actions per agent.
        policy_features: columns of psi that are searched too; None: tabular psi.
        critic_features: columns of phi_state that are searched too; None: tabular.
        point_start: start in state 0 (zhang2025's s0) rather than from a searched law.
        discount: least and largest gamma.
        reward: least and largest reward.
        least_weight: least weight of a policy row whose largest is at most 1; positive, as softmax is.
        least_transition: the same for kernel rows; 0 allows impossible transitions.
        least_states: states are removed down to this many.

    Raises:
        ValueError: on construction: sizes below one, ranges that are none, weights outside [0, 1].
    """

    n_states: int = 2
    n_actions: tuple[int, ...] = (2,)
    policy_features: int | None = None
    critic_features: int | None = None
    point_start: bool = True
    discount: tuple[Any, Any] = (0, Fraction(19, 20))
    reward: tuple[Any, Any] = (-1, 1)
    least_weight: Any = Fraction(1, 20)
    least_transition: Any = 0
    least_states: int = 1

    def __post_init__(self) -> None:
        for name in ("n_states", "policy_features", "critic_features", "least_states"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; it is at least 1")
        if not self.n_actions or min(self.n_actions) < 1:
            raise ValueError(f"n_actions is {self.n_actions}; one positive number per agent")
        require_range("discount", self.discount, 0, fmpq(999_999, 1_000_000))
        require_range("reward", self.reward, -(10**9), 10**9)
        require_range("(least_weight, 1)", (self.least_weight, 1), fmpq(1, 10**9), 1)
        require_range("(least_transition, 1)", (self.least_transition, 1), 0, 1)

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Exact lower and upper end of every parameter, (n,) each."""
        ends = {"P": (self.least_transition, 1), "r": self.reward, "gamma": self.discount, "initial": (0, 1)}
        lows, highs = [], []
        for name, shape in self._shapes().items():
            kind = name.split()[0]
            low, high = ends.get(kind, (self.least_weight, 1) if kind == "table" else (-1, 1))
            lows += [rational(low)] * prod(shape)
            highs += [rational(high)] * prod(shape)
        return np.array(lows, dtype=object), np.array(highs, dtype=object)

    def build(self, parameters: np.ndarray) -> RationalPoint | FloatPoint:
        """The problem: a `RationalPoint` for exact parameters, a `FloatPoint` for floats.

        Args:
            parameters: the flat parameters.
        """
        parts, S, N = self._unpack(parameters), self.n_states, len(self.n_actions)
        A = prod(self.n_actions)
        fields: dict[str, Any] = {
            "P": normalised_rows(parts["P"]),
            "r": parts["r"],
            "initial": identity_like(parameters, S)[0] if self.point_start else normalised_rows(parts["initial"]),
            "gamma": parts["gamma"][()],
            "tables": tuple(normalised_rows(parts[f"table {i}"]) for i in range(N)),
            "psi": tuple(parts.get(f"psi {i}", self._tabular(parameters, i)) for i in range(N)),
            "phi_state": parts.get("phi", identity_like(parameters, S)),
            "phi_joint": identity_like(parameters, S * A).reshape(S, A, S * A),
        }
        return RationalPoint(**fields) if is_exact(parameters) else FloatPoint(**fields)

    def smaller(self, parameters: np.ndarray) -> Iterator[tuple[MDPFamily, np.ndarray]]:
        """One state less, one agent less (its action held), one action less, one feature less.

        Args:
            parameters: the flat parameters.
        """
        parts, S, widths = self._unpack(parameters), self.n_states, self.n_actions
        for s in range(S - 1, 0 if self.point_start else -1, -1) if self.least_states < S else ():
            keep = [k for k in range(S) if k != s]
            cut = {
                n: p[keep][..., keep] if n == "P" else p[:, keep] if n == "r" else p if n == "gamma" else p[keep]
                for n, p in parts.items()
            }
            yield replace(self, n_states=S - 1), _flat(cut)
        for i, width in enumerate(widths):
            for a in range(width):
                if width > 1:
                    cut = self._take(parts, i, [b for b in range(width) if b != a])
                    yield replace(self, n_actions=(*widths[:i], width - 1, *widths[i + 1 :])), _flat(cut)
                if len(widths) > 1:
                    fewer = replace(self, n_actions=(*widths[:i], *widths[i + 1 :]))
                    cut = self._without(parts, i, a)
                    yield fewer, _flat(cut)
                    # the others may only matter through the team reward, which the removed agent took part in
                    team = self._take(parts, i, [a])["r"].sum(axis=0) / len(widths)
                    yield fewer, _flat({**cut, "r": np.stack([team] * (len(widths) - 1))})
        yield from self._fewer_features(parts)

    def describe(self, instance: RationalPoint) -> dict[str, object]:
        """The whole problem, with the features that are not tabular.

        Args:
            instance: an exact problem.
        """
        more: dict[str, object] = {}
        if self.policy_features is not None:
            more |= {f"psi_{i}(s,a)": psi for i, psi in enumerate(instance.psi)}
        if self.critic_features is not None:
            more["phi(s)"] = instance.phi_state
        return dict(problem_witness(instance, "", **more).values)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every searched array, in the order of the flat parameters."""
        S, A, N = self.n_states, prod(self.n_actions), len(self.n_actions)
        shapes: dict[str, tuple[int, ...]] = {"P": (S, A, S), "r": (N, S, A), "gamma": ()}
        if not self.point_start:
            shapes["initial"] = (S,)
        shapes |= {f"table {i}": (S, width) for i, width in enumerate(self.n_actions)}
        if self.policy_features is not None:
            shapes |= {f"psi {i}": (S, width, self.policy_features) for i, width in enumerate(self.n_actions)}
        if self.critic_features is not None:
            shapes["phi"] = (S, self.critic_features)
        return shapes

    def _unpack(self, parameters: np.ndarray) -> dict[str, np.ndarray]:
        shapes = self._shapes()
        stops = np.cumsum([prod(shape) for shape in shapes.values()])
        pieces = np.split(parameters, stops[:-1])
        return {name: piece.reshape(shape) for (name, shape), piece in zip(shapes.items(), pieces, strict=True)}

    def _tabular(self, like: np.ndarray, agent: int) -> np.ndarray:
        S, width, widest = self.n_states, self.n_actions[agent], max(self.n_actions)
        table = np.eye(S * widest, dtype=int).reshape(S, widest, -1)[:, :width]
        return rational_array(table) if is_exact(like) else table.astype(float)

    def _take(self, parts: dict[str, np.ndarray], agent: int, actions: list[int]) -> dict[str, np.ndarray]:
        """The arrays with only some actions of one agent."""
        own = (f"table {agent}", f"psi {agent}")
        cut = {name: part[:, actions] if name in own else part for name, part in parts.items()}
        joint = np.arange(prod(self.n_actions)).reshape(self.n_actions).take(actions, axis=agent).ravel()
        return {**cut, "P": parts["P"][:, joint], "r": parts["r"][:, :, joint]}

    def _without(self, parts: dict[str, np.ndarray], agent: int, action: int) -> dict[str, np.ndarray]:
        """The arrays without an agent, who always plays `action`."""
        cut = self._take(parts, agent, [action])
        cut = {name: part for name, part in cut.items() if name.split()[-1] != str(agent)}
        return {**cut, "r": np.delete(cut["r"], agent, axis=0)}

    def _fewer_features(self, parts: dict[str, np.ndarray]) -> Iterator[tuple[MDPFamily, np.ndarray]]:
        for name, kind in (("policy_features", "psi"), ("critic_features", "phi")):
            count = getattr(self, name)
            for k in range(count if count is not None and count > 1 else 0):
                cut = {n: np.delete(p, k, axis=-1) if n.split()[0] == kind else p for n, p in parts.items()}
                yield replace(self, **{name: count - 1}), _flat(cut)


def _flat(parts: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([part.reshape(-1) for part in parts.values()])
