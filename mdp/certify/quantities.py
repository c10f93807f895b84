"""Named quantities that have certificates beyond those of `Exact`: how to compute each over floats and over balls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import numpy as np

from mdp import approximation, direction, fisher, mixing
from mdp.approximation import SamplingMismatch
from mdp.certify import formulas, norms
from mdp.certify.formulas import as_view
from mdp.certify.mixing_forms import mixing_constant
from mdp.certify.twins import lift_view
from mdp.compatible import FisherReading, eps_bias, policy_occupancy
from mdp.enclose.view import BallView
from mdp.exact import Exact, Law
from mdp.problem import Problem
from mdp.td_stability import definiteness


@dataclass(frozen=True)
class Formula:
    """One quantity over floats (or rationals) and over balls.

    Attributes:
        floats: function of an `Exact` view and the quantity's options.
        balls: the same of a `BallView`.
        parts: what the option ``part`` may be.
    """

    floats: Callable[..., Any]
    balls: Callable[..., Any]
    parts: tuple[str, ...] = ()

    def bound(self, options: dict[str, Any]) -> tuple[Callable[[Exact], Any], Callable[[BallView], Any]]:
        """Both functions with their options filled in.

        Args:
            options: by name.

        Raises:
            TypeError: an option that the quantity does not have, or lacks.
            ValueError: an unknown part.
        """
        signature(self.floats).bind(None, **options)
        if "part" in options and options["part"] not in self.parts:
            raise ValueError(f"part is {options['part']!r}, not one of {', '.join(self.parts)}")
        return (lambda view: self.floats(view, **options)), (lambda view: self.balls(view, **options))


def _generic(function: Callable[..., Any]) -> Formula:
    """A function of a view whose formula runs over balls as it is."""
    return Formula(function, function)


def restart_view(view: Exact) -> Exact:
    """Quantities of the restart kernel ``gamma P + (1 - gamma) initial`` at the same policy.

    Args:
        view: quantities over floats or rationals; for a `BallView` its own restart is taken.

    Source: zhang2025 Sec. 3.1.
    """
    if isinstance(view, BallView):
        return as_view(view.restart())
    return replace(view, P=view.gamma * view.P + (1 - view.gamma) * view.initial)


def _td_matrix(view: Exact, law: Law = "stationary") -> np.ndarray:
    return view.td_system(law)[0]


def _td_vector(view: Exact, law: Law = "stationary") -> np.ndarray:
    return view.td_system(law)[1]


def _omega_td(view: Exact, law: Law = "stationary") -> np.ndarray:
    return view.omega_td_under(law)


def _td_error_mean(view: Exact, reading: direction.DirectionReading) -> np.ndarray:
    return direction.td_error_mean(view, restart_view(view), reading)


def _direction(view: Exact, reading: direction.DirectionReading) -> np.ndarray:
    return direction.direction(view, restart_view(view), reading)


def _actor_bias(
    view: Exact, law: Law, *, part: str = "total", approximation_under: Law = "visitation"
) -> np.ndarray:
    found: np.ndarray = getattr(approximation.actor_bias(view, law, approximation_under=approximation_under), part)
    return found


def _floors(
    view: Exact, problem: Problem, law: Law, *, part: str = "total", approximation_under: Law = "visitation"
) -> float:
    bias = approximation.actor_bias(view, law, approximation_under=approximation_under)
    return float(getattr(approximation.floors(problem, bias), part))


def _mismatch(view: Exact, part: str) -> float:
    return float(getattr(approximation.sampling_mismatch(view), part))


def _bias_bound(view: Exact, law: Law, part: str) -> float:
    return approximation.bias_bounds(view, law)[part == "sampling"]


def _approximation_error(
    view: Exact,
    target: approximation.Target,
    weighting: approximation.Weighting,
    solution: approximation.Solution = "best",
) -> float:
    return approximation.approximation_error(view, target, weighting, solution).error


def _eps_bias(
    view: Exact, occupancy: np.ndarray | Exact, *, reading: FisherReading = "expectation", law: Law = "visitation"
) -> Any:
    table = policy_occupancy(occupancy) if isinstance(occupancy, Exact) else occupancy
    return eps_bias(view, table, reading=reading, law=law)


def _eps_bias_balls(
    view: BallView, occupancy: np.ndarray | Exact, *, reading: FisherReading = "expectation", law: Law = "visitation"
) -> Any:
    lifted = lift_view(occupancy, view.precision, spread=view.spread) if isinstance(occupancy, Exact) else None
    table = formulas.comparison_occupancy(view, occupancy, lifted)
    return formulas.compatible_error(view, table, reading=reading, law=law)


def _least_fisher(view: Exact, law: Law = "visitation") -> float:
    return fisher.spectrum(fisher.fisher(view, law)).least


def _td_definiteness(view: Exact, law: Law = "stationary") -> float:
    return definiteness(view, view.law(law)).largest


def float_mixing(view: Exact, method: str, steps: int | None) -> mixing.Mixing:
    """Mixing constants of a float view by one of the proved methods.

    Args:
        view: quantities at a policy.
        method: ``"doeblin"``, ``"spectral"`` or ``"uniform"`` (over all policies).
        steps: m, or None for the method's own choice.

    Raises:
        ValueError: another method.
        mdp.mixing.NoMixingBoundError: no bound.
    """
    if method == "doeblin":
        return mixing.doeblin_mixing(view.P_pi, steps=steps)
    if method == "spectral":
        return mixing.spectral_mixing(view.P_pi, steps=steps)
    if method == "uniform":
        return mixing.uniform_mixing(view.P, steps=steps)
    raise ValueError(f"method is {method!r}, not 'doeblin', 'spectral' or 'uniform'")


def _mixing(part: str) -> Formula:
    def floats(view: Exact, by: str = "doeblin", steps: int | None = None) -> float:
        return float(getattr(float_mixing(view, by, steps), part))

    def balls(view: BallView, by: str = "doeblin", steps: int | None = None) -> Any:
        if steps is None:
            raise ValueError("steps is None: the number of steps of the float bound is part of the question")
        return mixing_constant(view, part, by, steps)

    return Formula(floats, balls)


def _stationarity(view: Exact, problem: Problem, theta: np.ndarray) -> float:
    return direction.stationarity(problem, np.asarray(theta, dtype=float), view)


FORMULAS: dict[str, Formula] = {
    "fisher": _generic(fisher.fisher),
    "fisher_blocks": _generic(fisher.fisher_blocks),
    "fisher_consensual": _generic(fisher.fisher_consensual),
    "fisher_least": Formula(_least_fisher, formulas.least_fisher_eigenvalue),
    "eps_bias": Formula(_eps_bias, _eps_bias_balls),
    "td_error_mean": _generic(_td_error_mean),
    "direction": _generic(_direction),
    "undiscounted_direction": _generic(direction.undiscounted_direction),
    "actor_direction": _generic(direction.actor_direction),
    "actor_bias": Formula(_actor_bias, formulas.bias_part, ("total", "critic", "reward", "approximation", "sampling")),
    "floors": Formula(_floors, formulas.floor, ("total", "approximation", "sampling", "cross")),
    "stationarity": Formula(_stationarity, formulas.stationarity),
    "approximation_error": Formula(_approximation_error, norms.approximation_norm),
    "bias_bounds": Formula(_bias_bound, norms.bias_bound, ("approximation", "sampling")),
    "sampling_mismatch": Formula(_mismatch, norms.mismatch, tuple(SamplingMismatch.__annotations__)),
    "td_matrix_under": _generic(_td_matrix),
    "td_vector_under": _generic(_td_vector),
    "omega_td_under": _generic(_omega_td),
    "td_definiteness": Formula(_td_definiteness, formulas.largest_td_eigenvalue),
    "mixing_rho": _mixing("rho"),
    "mixing_kappa": _mixing("kappa"),
}
"""Quantities by name; the options of each are those of its ``floats``.

``law`` is a state law, ``reading`` a `mdp.direction.DirectionReading` or that of `mdp.compatible.eps_bias`, ``part`` a
field of the result, ``problem`` is asked for where the number of shared parameters matters, ``occupancy`` is an array
or the `Exact` view of the comparison policy, ``by`` a method of `float_mixing`
and ``steps`` its m (by default the one it chose).
"""
