"""Ball arithmetic: rigorous enclosures of exact quantities, also where exponentials enter.

A `BallView` runs the formulas of `mdp.exact` over python-flint's `arb`, real numbers known up to a radius that
every operation enlarges by its own rounding. Two uses: `enclose` starts from theta, so that softmax
probabilities themselves are balls; `mdp.certify` starts from the floats of an `Exact` view and reads off how far
its results are from the truth.

The file is long because `BallView` repeats every formula of `mdp.exact`, on purpose: a second copy checks the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, Literal

import numpy as np
from flint import arb, arb_mat, ctx
from jaxtyping import Float

from mdp import chain
from mdp.linear import rational_array
from mdp.policy import LogLinearPolicy, joint_probabilities, softmax_score
from mdp.problem import Problem
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
        out = np.empty(np.shape(getattr(self, name)), dtype=object)
        out[...] = getattr(self, name)
        return out

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
        balls, given = self.value(name), np.asarray(values, dtype=float)
        require_shape(name, given, balls.shape, "the shape of the enclosure")
        out = np.empty(balls.shape)
        with ctx.workprec(self.precision):
            for index in np.ndindex(balls.shape):
                out[index] = upper_float((balls[index] - arb(float(given[index]))).abs_upper())
        return out

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
        unit = 1 + arb(self.spread)
        return _perturbed(self.center.stationary, unit ** (len(self.tables) + 1) - 1)

    @_at_precision
    def restart_stationary(self) -> np.ndarray:
        """Stationary law of the restart chain on the states it can reach, (S,)."""
        kernel = self.gamma * self.P_pi + (1 - self.gamma) * self.initial[None, :]
        inside = chain.reachable(kernel, self.initial)
        law = self.initial * 0
        if self.center is None:
            law[inside] = self._law(kernel[np.ix_(inside, inside)])
            return law
        # relative change of gamma pi P and of (1 - gamma) initial: the latter loses 1 / (1 - gamma)
        unit, gamma = 1 + arb(self.spread), self.center.gamma
        followed = unit ** (len(self.tables) + 2) - 1
        restarted = unit * (1 + self.spread * gamma / (1 - gamma)) - 1
        law[inside] = _perturbed(self.center.restart_stationary[inside], followed.max(restarted))
        return law

    @_at_precision
    def _resolvent(self) -> np.ndarray:
        return rational_array(np.eye(len(self.initial), dtype=int)) - self.gamma * self.P_pi

    @_at_precision
    def visitation(self) -> np.ndarray:
        """Normalised discounted visitation, (S,)."""
        return self._solve(self._resolvent.T, (1 - self.gamma) * self.initial)

    # --- values and gradient --------------------------------------------------------------------------
    @_at_precision
    def V(self) -> np.ndarray:
        """State values, (S,)."""
        return self._solve(self._resolvent, self.r_pi)

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
        weight = (self.visitation[:, None] * self.pi * self.Q).reshape(-1, *(t.shape[1] for t in self.tables))
        rows = []
        for i, score in enumerate(self.scores):
            others = tuple(j + 1 for j in range(len(self.tables)) if j != i)
            marginal = weight.sum(axis=others) if others else weight
            rows.append((marginal[:, :, None] * score).sum(axis=(0, 1)) / (1 - self.gamma))
        return np.stack(rows)

    # --- lower level ----------------------------------------------------------------------------------
    @_at_precision
    def td_matrix(self) -> np.ndarray:
        """Mean TD matrix under the stationary law, (K, K)."""
        return -((self.phi_state * self.stationary[:, None]).T @ (self._resolvent @ self.phi_state))

    @_at_precision
    def omega_td(self) -> np.ndarray:
        """TD fixed point, (K,)."""
        return self._solve(-self.td_matrix, (self.phi_state * self.stationary[:, None]).T @ self.r_pi)

    @_at_precision
    def omega_bellman(self) -> np.ndarray:
        """Minimiser of the mean squared Bellman residual, (K,)."""
        design = self._resolvent @ self.phi_state
        weighted = design * self.stationary[:, None]
        return self._solve(weighted.T @ design, weighted.T @ self.r_pi)

    @_at_precision
    def omega_td_error(self) -> np.ndarray:
        """Minimiser of the mean squared TD error, (K,), the action summed out of the normal equations."""
        S, K = self.phi_state.shape
        step = (self.phi_state[:, None, :] - self.gamma * self.phi_state[None, :, :]).reshape(S * S, K)
        pairs = (self.stationary[:, None] * self.P_pi).reshape(-1)
        earned = np.stack([(self.pi[s] * self.r_bar[s]) @ self.P[s] for s in range(S)])
        return self._solve(
            (step * pairs[:, None]).T @ step, step.T @ (self.stationary[:, None] * earned).reshape(-1)
        )

    @_at_precision
    def lambda_star(self) -> np.ndarray:
        """Reward regression, (L,)."""
        design = self.phi_joint.reshape(-1, self.phi_joint.shape[-1])
        weighted = design * (self.stationary[:, None] * self.pi).reshape(-1, 1)
        return self._solve(weighted.T @ design, weighted.T @ self.r_bar.reshape(-1))

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
        return self._solve(system, right)

    def _solve(self, matrix: np.ndarray, rhs: np.ndarray) -> np.ndarray:
        n = len(matrix)
        # wide inputs: elimination on balls widens exponentially in n, the preconditioned solver does not
        algorithm: Literal["precond"] | None = "precond" if self.spread else None
        left, right = arb_mat(n, n, [arb(x) for x in matrix.ravel()]), arb_mat(n, 1, [arb(x) for x in rhs])
        out = np.empty(n, dtype=object)
        try:
            out[:] = left.solve(right, algorithm=algorithm).entries()
        except ZeroDivisionError as error:
            raise ArithmeticError(
                f"a {n} x {n} system cannot be told from a singular one at {self.precision} bits "
                f"(relative input width {self.spread:g})"
            ) from error
        return out


def _perturbed(law: np.ndarray, relative: Any) -> np.ndarray:
    """Law of a chain whose off-diagonal entries move by a relative amount, zeros staying zero.

    By the Markov chain tree theorem every probability is a ratio of sums of products of n - 1 off-diagonal
    entries with nonnegative coefficients, so it moves by a factor of at most ``((1 + e) / (1 - e))^(n - 1)``
    (O'Cinneide, 1993, Numerische Mathematik 65: the entrywise perturbation theorem).
    """
    factor = ((1 + relative) / (1 - relative)) ** (len(law) - 1)
    out: np.ndarray = law * (1 / factor).union(factor)
    return out


def upper_float(ball: Any) -> float:
    """A float at or above every number in the ball; infinity when the ball is not a number.

    Args:
        ball: `flint.arb`.
    """
    if ball.is_zero():
        return 0.0
    value = float(ball.upper())
    return float(np.inf) if np.isnan(value) else float(np.nextafter(value, np.inf))


def balls(values: Any, precision: int, spread: float = 0.0) -> np.ndarray:
    """Array of balls about exact numbers, each with relative half-width `spread`.

    Args:
        values: floats (dyadic, taken exactly), ints, `Fraction` or `fmpq`.
        precision: bits for midpoints that are not dyadic.
        spread: relative half-width.
    """
    source: Any = np.asarray(values)
    if source.dtype != np.float64:
        source = rational_array(values)
    out = np.empty(source.shape, dtype=object)
    with ctx.workprec(max(precision, 53)):  # 53: a float's own digits are kept
        factor = arb(1, spread)
        for index in np.ndindex(source.shape):
            out[index] = arb(source[index]) * factor
    return out


def enclose(problem: Problem, theta: Float[np.ndarray, "N D"] | Any, *, precision: int = 128) -> BallView:
    """Enclosures of every quantity of `problem` at theta, the softmax included.

    Args:
        problem: a problem with a log-linear policy; its tables are floats and count as exact.
        theta: parameters, (N, H + G): floats (exact dyadics), ints, `Fraction` or `fmpq`.
        precision: working precision in bits; widths shrink about like ``2^-precision``.

    Returns:
        A lazy `BallView`.

    Raises:
        TypeError: another policy class, or entries of theta that are not rational numbers.
        ValueError: theta of another shape or not finite, or fewer than 2 bits.
    """
    policy = problem.policy
    if not isinstance(policy, LogLinearPolicy):
        raise TypeError(f"enclosures are for LogLinearPolicy; the policy is {type(policy).__name__}")
    if precision < 2:
        raise ValueError(f"precision is {precision} bits; it must be at least 2")
    parameters, shape = rational_array(theta), (len(policy.psi), policy.n_parameters)
    if parameters.shape != shape:
        raise ValueError(f"theta has shape {parameters.shape}, not (N, H + G) = {shape}")
    mdp, features = problem.mdp, problem.features
    tables, scores = [], []
    for i, table in enumerate(policy.psi):
        psi = rational_array(table)
        logits = psi @ parameters[i]
        with ctx.workprec(precision):
            # logits are exact rationals, so subtracting their maximum is exact and avoids huge exponentials
            powers = np.vectorize(lambda x: arb(x).exp(), otypes=[object])(logits - logits.max(axis=1)[:, None])
            tables.append(powers / powers.sum(axis=1)[:, None])
            scores.append(softmax_score(psi, tables[-1]))
    return BallView(
        P=balls(mdp.P, precision), r=balls(mdp.r, precision), initial=balls(mdp.initial, precision),
        gamma=balls(mdp.gamma, precision)[()], tables=tuple(tables), scores=tuple(scores),
        phi_state=balls(features.phi_state, precision), phi_joint=balls(features.phi_joint, precision),
        precision=precision,
    )  # fmt: skip
