"""Stability of linear TD(0): definiteness of the mean update, and constant step sizes that keep the mean square.

The update is ``omega <- omega + beta (b_t + A_t omega)`` with ``A_t = phi(s) (gamma phi(s') - phi(s))^T``; its mean
matrix A is `Exact.td_matrix` when s follows mu.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from jaxtyping import Float

from mdp.exact import Exact
from mdp.linear import identity_like, rational, rational_array, solve, to_float
from mdp.rational import RationalPoint

CERTIFIED_FEATURES = 6
"""Largest K for which ranges are certified in exact arithmetic: K^2 = 36 rational equations; ours."""

OFF_POLICY_GAMMA = rational(0.96875)
"""31/32, above the threshold 20/21 of `off_policy_counterexample`."""


@dataclass(frozen=True)
class Definiteness:
    """How negative definite a mean TD matrix is.

    Attributes:
        largest: largest eigenvalue of the symmetric part ``(A + A^T) / 2`` (float).
        negative_definite: whether the symmetric part is negative definite, decided by exact leading minors of
            the float or rational matrix.
        hurwitz: whether every eigenvalue of A has negative real part (float); implied by the former.
        modulus: ``gamma sqrt(c)`` with c the largest ratio ``(law P_pi)_t / law_t``. Below one it proves
            ``x^T A x <= -(1 - modulus) E_law (phi x)^2``; c is 1 for mu and at most 1 / gamma for the visitation.
    """

    largest: float
    negative_definite: bool
    hurwitz: bool
    modulus: float


@dataclass(frozen=True)
class StepRange:
    """Constant step sizes beta for which i.i.d. TD(0) is mean-square stable: exactly ``0 < beta < beta_max``.

    Attributes:
        beta_max: the limit, from an eigenvalue (float); 0 when A is not Hurwitz.
        low: a stable step size, or 0.
        high: an unstable step size.
        certified: whether `low` and `high` were proved in exact arithmetic for the matrices at hand.
    """

    beta_max: float
    low: float
    high: float
    certified: bool


def td_matrix_under(view: Exact, law: Float[np.ndarray, " S"]) -> Float[np.ndarray, "K K"]:
    """Mean TD matrix ``Phi^T diag(law) (gamma P_pi - I) Phi`` under any state law, also an off-policy one.

    Args:
        view: quantities at a policy, floats or rationals.
        law: state weights, shape (S,), of the same kind.

    Raises:
        ValueError: the law has another shape.

    Source: Tsitsiklis and Van Roy (1997), IEEE Trans. Automatic Control 42(5).
    """
    if np.shape(law) != np.shape(view.initial):
        raise ValueError(f"the law has shape {np.shape(law)}, not (S,) = {np.shape(view.initial)}")
    step = view.gamma * (view.P_pi @ view.phi_state) - view.phi_state
    mean: np.ndarray = (view.phi_state * law[:, None]).T @ step
    return mean


def definiteness(view: Exact, law: Float[np.ndarray, " S"] | None = None) -> Definiteness:
    """Definiteness of the mean TD matrix under a state law, by default mu.

    Under mu it is always negative definite (features of full rank, all states recurrent): by Jensen
    ``|P_pi f|_mu <= |f|_mu``. The same step gives it whenever ``gamma sqrt(c) < 1`` with ``law P_pi <= c law``; the
    visitation has ``gamma d P_pi <= d``, so c <= 1 / gamma and the modulus is at most sqrt(gamma). Other laws can
    fail: see `off_policy_counterexample`.

    Args:
        view: quantities at a policy, floats or rationals.
        law: state weights, shape (S,).

    Raises:
        ValueError: the law has another shape or a negative entry.

    Source: Tsitsiklis and Van Roy (1997), Lemmas 1 and 3, for mu; the modulus for other laws is ours.
    """
    weights = view.stationary if law is None else law
    if (np.asarray(weights) < 0).any():
        raise ValueError(f"law[{int(np.argmax(np.asarray(weights) < 0))}] is negative")
    A = td_matrix_under(view, weights)
    symmetric = to_float(A + A.T) / 2
    pushed = weights @ view.P_pi
    ratio = max((p / w if w > 0 else inf) for p, w in zip(to_float(pushed), to_float(weights), strict=True) if p > 0)
    return Definiteness(
        largest=float(np.linalg.eigvalsh(symmetric)[-1]),
        negative_definite=_positive_definite(-(rational_array(A) + rational_array(A).T)),
        hurwitz=bool(np.linalg.eigvals(to_float(A)).real.max() < 0),
        modulus=float(to_float(np.array([view.gamma]))[0] * ratio**0.5),
    )


def second_moment(view: Exact, law: Float[np.ndarray, " S"] | None = None) -> Float[np.ndarray, "K2 K2"]:
    """``E[A_t kron A_t]`` for ``s ~ law``, ``a ~ pi``, ``s' ~ P``, shape (K^2, K^2).

    Args:
        view: quantities at a policy, floats or rationals.
        law: state law, shape (S,); mu by default.
    """
    weights = view.stationary if law is None else law
    S, K = view.phi_state.shape
    total: np.ndarray = identity_like(view.P_pi, K * K) * 0
    for s in range(S):
        for t in range(S):
            A_t = view.phi_state[s][:, None] * (view.gamma * view.phi_state[t] - view.phi_state[s])[None, :]
            total = total + weights[s] * view.P_pi[s, t] * np.kron(A_t, A_t)
    return total


def moment_map(
    view: Exact, beta: Any, law: Float[np.ndarray, " S"] | None = None
) -> Float[np.ndarray, "K2 K2"]:
    """``E[(I + beta A_t) kron (I + beta A_t)]``: how the second moment of a homogeneous error moves in one step.

    Args:
        view: quantities at a policy, floats or rationals.
        beta: step size, of the same kind.
        law: state law, shape (S,); mu by default.
    """
    A = td_matrix_under(view, view.stationary if law is None else law)
    unit = identity_like(A, len(A))
    grown: np.ndarray = (
        np.kron(unit, unit) + beta * (np.kron(A, unit) + np.kron(unit, A)) + beta**2 * second_moment(view, law)
    )
    return grown


def mean_square_range(
    view: Exact, law: Float[np.ndarray, " S"] | None = None, *, tolerance: float = 1e-9
) -> StepRange:
    """Step sizes for which the second moment of i.i.d. TD(0) stays bounded: an interval ``(0, beta_max)``.

    Write ``L X = A X + X A^T`` and ``T X = E[A_t X A_t^T]``. The moment map is ``I + beta (L + beta T)`` and keeps
    the cone of semidefinite X; its spectral radius is below one iff some X > 0 has ``(L + beta T) X < 0``. As
    ``T X >= 0``, the same X serves every smaller beta: the stable step sizes are an interval. Its end is
    ``beta_max = 1 / radius(-L^{-1} T)``, because ``-L^{-1}`` also keeps the cone when A is Hurwitz; for K = 1 that is
    ``-2 A / E[A_t^2]``. When A is not Hurwitz there is no stable beta.

    The certificate solves ``(L + beta T) X = -I`` exactly, at ``beta_max (1 -+ tolerance)``: X > 0 proves stability;
    an X that is not positive definite, or no solution, disproves it (a stable beta has exactly one solution,
    and it is positive). If that fails for rounding in beta_max, the bracket widens by factors of ten.

    Args:
        view: quantities at a policy, floats or rationals (floats count as the dyadic rationals they are).
        law: state law of the samples, shape (S,); mu by default.
        tolerance: relative half-width of the bracket.

    Raises:
        ValueError: tolerance outside (0, 1/2).

    Source: ours; the cone argument is that of Damm and Hinrichsen (2001), Linear Algebra Appl. 332-334, on
        resolvent positive operators.
    """
    if not 0 < tolerance < 0.5:
        raise ValueError(f"tolerance is {tolerance}; it lies in (0, 1/2)")
    A = td_matrix_under(view, view.stationary if law is None else law)
    T, unit = second_moment(view, law), identity_like(A, len(A))
    L = np.kron(A, unit) + np.kron(unit, A)
    if np.linalg.eigvals(to_float(A)).real.max() >= 0:
        return StepRange(0.0, 0.0, 0.0, False)
    radius = float(np.abs(np.linalg.eigvals(np.linalg.solve(to_float(L), to_float(T)))).max())
    beta_max, width = 1 / radius, tolerance
    while len(A) <= CERTIFIED_FEATURES and width < 0.5:
        low, high = beta_max * (1 - width), beta_max * (1 + width)
        if _stable_exactly(L, T, low) and not _stable_exactly(L, T, high):
            return StepRange(beta_max, low, high, True)
        width *= 10
    return StepRange(beta_max, beta_max * (1 - tolerance), beta_max * (1 + tolerance), False)


def bisect_step_range(view: Exact, law: Float[np.ndarray, " S"] | None = None, *, steps: int = 60) -> float:
    """The limit of `mean_square_range` by bisection on the spectral radius of the moment map: a second route.

    Args:
        view: quantities at a policy over floats.
        law: state law, shape (S,); mu by default.
        steps: halvings after the bracket is found.

    Raises:
        ValueError: no step size down to 2^-60 is stable.
    """

    def radius(beta: float) -> float:
        return float(np.abs(np.linalg.eigvals(to_float(moment_map(view, beta, law)))).max())

    high = 1.0
    while radius(high) < 1:
        high *= 2
    low = high / 2
    while radius(low) >= 1:
        low /= 2
        if low < 2.0**-60:
            raise ValueError("no step size down to 2^-60 is mean-square stable: the mean TD matrix is not Hurwitz")
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if radius(middle) < 1 else (low, middle)
    return (low + high) / 2


def off_policy_counterexample(gamma: Any = OFF_POLICY_GAMMA) -> tuple[RationalPoint, np.ndarray]:
    """Two states, one feature (1, 2), and a law under which the mean TD update diverges: "w to 2w".

    Both states lead to state 1 with probability 3/4, so the chain mixes with mu = (1/4, 3/4) and the next feature
    has mean 7/4. Under the uniform law ``A = ((7 gamma / 4 - 1) + 2 (7 gamma / 4 - 2)) / 2 = (21 gamma / 4 - 5) / 2``,
    positive for gamma above 20/21; at 31/32 it is 11/256.

    Args:
        gamma: discount, rational.

    Returns:
        The problem and the uniform law as rationals, (2,).

    Source: after Tsitsiklis and Van Roy (1997), Sec. IX; Sutton and Barto (2018), Sec. 11.2.
    """
    quarter = rational(0.25)
    point = RationalPoint(
        P=[[[quarter, 3 * quarter]]] * 2, r=[[[0], [0]]], initial=[1, 0], gamma=gamma,
        tables=([[1], [1]],), psi=([[[0]], [[0]]],), phi_state=[[1], [2]], phi_joint=[[[1]], [[1]]],
    )  # fmt: skip
    return point, rational_array([0.5, 0.5])


def _stable_exactly(L: np.ndarray, T: np.ndarray, beta: float) -> bool:
    """Whether the solution X of ``(L + beta T) X = -I`` is positive definite, in exact arithmetic."""
    K = int(len(L) ** 0.5)
    system = rational_array(L) + rational(beta) * rational_array(T)
    try:
        X = solve(system, -rational_array(np.eye(K, dtype=int)).reshape(-1)).reshape(K, K)
    except ZeroDivisionError:
        return False
    return _positive_definite(X)


def _positive_definite(matrix: np.ndarray) -> bool:
    """Sylvester's criterion by exact elimination without pivoting: every pivot positive."""
    a = np.array(matrix)
    for k in range(len(a)):
        if not a[k, k] > 0:
            return False
        a[k + 1 :, k:] = a[k + 1 :, k:] - a[k + 1 :, k, None] * a[k, None, k:] / a[k, k]
    return True
