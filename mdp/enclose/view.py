"""The formulas of `mdp.exact` over balls.

The file is long because `BallView` repeats every formula of `mdp.exact`, on purpose: a second copy checks the first.
It has the methods of `Exact` that other modules call, so a function of a view that only adds, multiplies, divides
and sums runs over balls as it is (`mdp.certify.certify_function`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from typing import Any

import numpy as np
from flint import arb, ctx

from mdp import chain
from mdp.enclose.arithmetic import ball_array, ball_solve, balls, distances, upper_float
from mdp.linear import rational_array
from mdp.policy import joint_probabilities
from mdp.validate import require_shape

ENCLOSED = (
    "pi", "P_pi", "r_pi", "stationary", "visitation", "restart_stationary", "V", "Q", "advantage", "J", "grad_J",
    "td_matrix", "omega_td", "omega_bellman", "omega_td_error", "lambda_star",
)  # fmt: skip
"""Quantities that a `BallView` encloses, by the names of `mdp.exact.Exact`."""


def _at_precision(compute: Callable[[Any], Any]) -> Any:
    """Cached property evaluated at the view's own precision, whatever the caller's context is."""

    @wraps(compute)
    def run(self: BallView) -> Any:
        with ctx.workprec(self.precision):
            return compute(self)

    return cached_property(run)


@dataclass(frozen=True, eq=False)
class BallView:
    """Quantities of `mdp.exact.Exact` as balls; every array has object dtype and holds `flint.arb`.

    Inputs are those of `Exact`. Rows need not sum to one: ``P_pi`` and the linear systems use them as they are,
    and the two stationary laws are those of the chain that has the off-diagonal entries of the matrix, its
    diagonal being whatever makes rows sum to one (as in GTH elimination, which never reads the diagonal).

    Attributes:
        P, r, initial, gamma, tables, scores, phi_state, phi_joint: see `mdp.exact.Exact`.
        precision: working precision in bits.
        spread: relative half-width of the inputs (0: as exact as the working precision).
        center: the same view at the midpoints of the inputs; only needed when `spread` is positive.
        kernel_spread: relative half-width of P where it differs from `spread` (the restart kernel).
        directions: one (S, m, D) array of exact rationals per agent, where the policy class is known: in state s every
            score vanishes along v iff ``directions[s] @ v = 0`` (see `mdp.enclose.policies.PolicyBalls`).
    """

    P: np.ndarray
    r: np.ndarray
    initial: np.ndarray
    gamma: Any
    tables: tuple[np.ndarray, ...]
    scores: tuple[np.ndarray, ...]
    phi_state: np.ndarray
    phi_joint: np.ndarray
    precision: int
    spread: float = 0.0
    center: BallView | None = None
    kernel_spread: Any = None
    directions: tuple[np.ndarray, ...] | None = None

    def value(self, name: str) -> np.ndarray:
        """Balls of one quantity, as an object array (of shape () for J).

        Args:
            name: one of `ENCLOSED`, or ``"grad_J_by_solve"``, which is `grad_J` in exact arithmetic.

        Raises:
            ValueError: another name.
            ArithmeticError: a linear system that cannot be told from a singular one at this precision.
        """
        if name == "grad_J_by_solve":
            name = "grad_J"
        if name not in ENCLOSED:
            raise ValueError(f"no enclosure of {name!r}; there is one of {', '.join(ENCLOSED)}")
        return ball_array(getattr(self, name))

    def width(self, name: str) -> float:
        """Largest radius among the balls of a quantity.

        Args:
            name: one of `ENCLOSED`.
        """
        return max(upper_float(ball.rad()) for ball in self.value(name).ravel())

    def distance(self, name: str, values: Any) -> np.ndarray:
        """Entrywise upper bounds on ``|values - exact|``, rounded up.

        Args:
            name: one of `ENCLOSED`.
            values: floats, shaped like the quantity.

        Raises:
            ValueError: an unknown name, or values of another shape.
        """
        enclosed, given = self.value(name), np.asarray(values, dtype=float)
        require_shape(name, given, enclosed.shape, "the shape of the enclosure")
        return distances(enclosed, given, self.precision)

    def lift(self, values: Any) -> np.ndarray:
        """Further inputs as balls, as wide as the view's own, in the shape of `values`.

        Args:
            values: floats or rationals.
        """
        return balls(values, self.precision, self.spread)

    def restart(self) -> BallView:
        """The same view of the restart kernel ``gamma P + (1 - gamma) initial``. Source: zhang2025 Sec. 3.1."""
        with ctx.workprec(self.precision):
            kernel = self.gamma * self.P + (1 - self.gamma) * self.initial
            if self.center is None:
                return replace(self, P=kernel)
            return replace(self, P=kernel, center=self.center.restart(), kernel_spread=self._restart_spread(0))

    # --- the chain ------------------------------------------------------------------------------------
    @_at_precision
    def pi(self) -> np.ndarray:
        """Joint policy, (S, A)."""
        return joint_probabilities(self.tables)

    @_at_precision
    def P_pi(self) -> np.ndarray:
        """Transition matrix under pi, (S, S)."""
        return np.stack([self.pi[s] @ self.P[s] for s in range(len(self.P))])

    @_at_precision
    def r_bar(self) -> np.ndarray:
        """Team reward, (S, A)."""
        return self.r.sum(axis=0) / arb(len(self.r))

    @_at_precision
    def r_pi(self) -> np.ndarray:
        """Expected team reward, (S,)."""
        return (self.pi * self.r_bar).sum(axis=1)

    @_at_precision
    def stationary(self) -> np.ndarray:
        """Stationary law, (S,); raises like `mdp.exact.Exact.stationary`."""
        chain.require_irreducible(self.P_pi, "P_pi")
        chain.require_aperiodic(self.P_pi, "P_pi")
        if self.center is None:
            return self._law(self.P_pi)
        kernel = arb(self.spread) if self.kernel_spread is None else self.kernel_spread
        relative = (1 + kernel) * (1 + arb(self.spread)) ** len(self.tables) - 1
        return _perturbed(self.center.stationary, relative)

    @_at_precision
    def restart_stationary(self) -> np.ndarray:
        """Stationary law of the restart chain on the states it can reach, (S,)."""
        kernel = self.gamma * self.P_pi + (1 - self.gamma) * self.initial[None, :]
        inside = chain.reachable(kernel, self.initial)
        law = self.initial * 0
        if self.center is None:
            law[inside] = self._law(kernel[np.ix_(inside, inside)])
            return law
        relative = self._restart_spread(len(self.tables))
        law[inside] = _perturbed(self.center.restart_stationary[inside], relative)
        return law

    def _restart_spread(self, factors: int) -> Any:
        """Relative change of ``gamma pi P`` and of ``(1 - gamma) initial``, which loses ``1 / (1 - gamma)``."""
        assert self.center is not None
        unit, gamma = 1 + arb(self.spread), self.center.gamma
        kernel = unit if self.kernel_spread is None else 1 + self.kernel_spread
        followed = unit ** (factors + 1) * kernel - 1
        restarted = unit * (1 + self.spread * gamma / (1 - gamma)) - 1
        return followed.max(restarted)

    def law(self, name: str) -> np.ndarray:
        """The state law called `name`, (S,).

        Args:
            name: ``"stationary"`` or ``"visitation"``.

        Raises:
            ValueError: another name.
        """
        if name not in ("stationary", "visitation"):
            raise ValueError(f"law is {name!r}, not 'stationary' or 'visitation'")
        found: np.ndarray = self.stationary if name == "stationary" else self.visitation
        return found

    @_at_precision
    def _resolvent(self) -> np.ndarray:
        return rational_array(np.eye(len(self.initial), dtype=int)) - self.gamma * self.P_pi

    @_at_precision
    def visitation(self) -> np.ndarray:
        """Normalised discounted visitation, (S,)."""
        return self.solve(self._resolvent.T, (1 - self.gamma) * self.initial)

    # --- values and gradient --------------------------------------------------------------------------
    @_at_precision
    def V(self) -> np.ndarray:
        """State values, (S,)."""
        return self.solve(self._resolvent, self.r_pi)

    @_at_precision
    def Q(self) -> np.ndarray:
        """State-action values, (S, A)."""
        return self.r_bar + self.gamma * (self.P @ self.V)

    @_at_precision
    def advantage(self) -> np.ndarray:
        """Advantage, (S, A)."""
        return self.Q - (self.pi * self.Q).sum(axis=1)[:, None]

    @_at_precision
    def J(self) -> Any:
        """Objective."""
        return self.initial @ self.V

    @_at_precision
    def grad_J(self) -> np.ndarray:
        """Policy gradient, (N, D)."""
        return self.score_expectation(self.visitation, self.Q) / (1 - self.gamma)

    def score_expectation(self, law: np.ndarray, delta: np.ndarray) -> np.ndarray:
        """``E_{s ~ law, a ~ pi}[delta(s, a) grad log pi_i(a_i | s)]`` for every agent, (N, D).

        Args:
            law: state weights, (S,).
            delta: signal, (S, A).
        """
        with ctx.workprec(self.precision):
            weight = (law[:, None] * self.pi * delta).reshape(-1, *(t.shape[1] for t in self.tables))
            rows = []
            for i, score in enumerate(self.scores):
                others = tuple(j + 1 for j in range(len(self.tables)) if j != i)
                marginal = weight.sum(axis=others) if others else weight
                rows.append((marginal[:, :, None] * score).sum(axis=(0, 1)))
            return np.stack(rows)

    # --- lower level ----------------------------------------------------------------------------------
    def td_system(self, law: str = "stationary") -> tuple[np.ndarray, np.ndarray]:
        """Matrix (K, K) and vector (K,) of the mean TD(0) update.

        Args:
            law: state law of the samples.
        """
        with ctx.workprec(self.precision):
            weighted = (self.phi_state * self.law(law)[:, None]).T
            return -(weighted @ (self._resolvent @ self.phi_state)), weighted @ self.r_pi

    @_at_precision
    def td_matrix(self) -> np.ndarray:
        """Mean TD matrix under the stationary law, (K, K)."""
        return self.td_system()[0]

    def omega_td_under(self, law: str) -> np.ndarray:
        """TD fixed point, (K,).

        Args:
            law: state law of the samples.
        """
        with ctx.workprec(self.precision):
            A, b = self.td_system(law)
            return self.solve(-A, b)

    @_at_precision
    def omega_td(self) -> np.ndarray:
        """TD fixed point under the stationary law, (K,)."""
        return self.omega_td_under("stationary")

    @_at_precision
    def omega_bellman(self) -> np.ndarray:
        """Minimiser of the mean squared Bellman residual, (K,)."""
        design = self._resolvent @ self.phi_state
        weighted = design * self.stationary[:, None]
        return self.solve(weighted.T @ design, weighted.T @ self.r_pi)

    @_at_precision
    def omega_td_error(self) -> np.ndarray:
        """Minimiser of the mean squared TD error, (K,), the action summed out of the normal equations."""
        S, K = self.phi_state.shape
        step = (self.phi_state[:, None, :] - self.gamma * self.phi_state[None, :, :]).reshape(S * S, K)
        pairs = (self.stationary[:, None] * self.P_pi).reshape(-1)
        earned = np.stack([(self.pi[s] * self.r_bar[s]) @ self.P[s] for s in range(S)])
        return self.solve(
            (step * pairs[:, None]).T @ step, step.T @ (self.stationary[:, None] * earned).reshape(-1)
        )

    @_at_precision
    def lambda_star(self) -> np.ndarray:
        """Reward regression, (L,)."""
        design = self.phi_joint.reshape(-1, self.phi_joint.shape[-1])
        weighted = design * (self.stationary[:, None] * self.pi).reshape(-1, 1)
        return self.solve(weighted.T @ design, weighted.T @ self.r_bar.reshape(-1))

    # --- linear algebra -------------------------------------------------------------------------------
    def _law(self, matrix: np.ndarray) -> np.ndarray:
        """Left null vector of the generator with the off-diagonal entries of `matrix`, summing to one."""
        n = len(matrix)
        generator = np.array(matrix)
        for k in range(n):
            generator[k, k] = arb(0)
            generator[k, k] = -generator[k].sum()
        system = generator.T.copy()
        system[-1] = arb(1)  # the columns of the generator add up to zero: one equation is spare
        right = generator[0] * 0
        right[-1] = arb(1)
        return self.solve(system, right)

    def solve(self, matrix: np.ndarray, rhs: np.ndarray) -> np.ndarray:
        """Enclosure of the solution of a linear system, by the method that suits the width of the inputs.

        Args:
            matrix: (n, n) balls.
            rhs: (n,) balls.

        Raises:
            ArithmeticError: the system cannot be told from a singular one at this precision.
        """
        with ctx.workprec(self.precision):
            return ball_solve(matrix, rhs, wide=bool(self.spread))


def _perturbed(law: np.ndarray, relative: Any) -> np.ndarray:
    """Law of a chain whose off-diagonal entries move by a relative amount, zeros staying zero.

    By the Markov chain tree theorem every probability is a ratio of sums of products of n - 1 off-diagonal
    entries with nonnegative coefficients, so it moves by a factor of at most ``((1 + e) / (1 - e))^(n - 1)``
    (O'Cinneide, 1993, Numerische Mathematik 65: the entrywise perturbation theorem).
    """
    factor = ((1 + relative) / (1 - relative)) ** (len(law) - 1)
    out: np.ndarray = law * (1 / factor).union(factor)
    return out
