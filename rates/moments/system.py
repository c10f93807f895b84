"""One recursion in one arithmetic: outcomes, fixed point and affine maps over floats or balls.

Source: ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import TYPE_CHECKING, Any

import numpy as np
from flint import arb

from mdp.enclose import BallView, balls
from mdp.exact import Exact
from mdp.linear import rational_array, to_float
from rates.moments.blocks import Moments, moments
from rates.moments.outcomes import Outcomes, outcomes
from rates.moments.tensors import parts

if TYPE_CHECKING:
    from rates.moments.linear import LinearMoments


@dataclass(frozen=True, eq=False)
class System:
    """Outcomes, centre and the affine maps of one arithmetic.

    Attributes:
        view: floats or balls.
        table: outcomes of one sample.
        centre: fixed point of the mean update, (K,).
        matrices: (B, N, N).
        maps: of ee^T, and for two agents or more of dd^T and ed^T (see `rates.moments.blocks`).
        bits: working precision, or None over floats.
    """

    view: Any
    table: Outcomes
    centre: np.ndarray
    matrices: np.ndarray
    maps: tuple[Moments, ...]
    bits: int | None

    @classmethod
    def build(cls, view: Any, model: LinearMoments, bits: int | None) -> System:
        """The system of `model` in the arithmetic of `view`.

        Args:
            view: `Exact` over floats or `BallView`.
            model: what to build.
            bits: working precision of balls, or None for floats.

        Raises:
            ValueError: the the mean matrix is singular.
        """

        def lift(values: Any) -> Any:
            return to_float(values) if bits is None else balls(values, bits)

        law = model.law if isinstance(model.law, str) else lift(model.law)
        gumbel = model.reward_noise == "gumbel"
        variance = 0 if not gumbel else (pi**2 / 6 if bits is None else arb.pi() ** 2 / 6)
        table = outcomes(view, model.kind, model.sampling, law, variance)
        centre = table.fixed_point()
        matrices, x_0 = lift(model.matrices), lift(model.x_0)
        beta = model.float_beta if bits is None else balls([model.beta], bits)[0]
        mean, rest = parts(table, matrices, centre)
        team = x_0.sum(axis=0) / (x_0[0, 0] * 0 + len(x_0))
        e_0 = (team - centre)[None]
        maps = [moments(table, mean, mean, beta, (e_0, e_0))]
        if rest is not None:
            d_0 = x_0[:-1] - team
            maps += [moments(table, rest, rest, beta, (d_0, d_0)), moments(table, mean, rest, beta, (e_0, d_0))]
        return cls(view, table, centre, matrices, tuple(maps), bits)


def ball_view(view: Exact, bits: int) -> BallView:
    """The view in ball arithmetic, its data taken exactly.

    Args:
        view: floats or rationals.
        bits: working precision.
    """
    return BallView(
        P=balls(view.P, bits), r=balls(view.r, bits), initial=balls(view.initial, bits),
        gamma=balls([view.gamma], bits)[0], tables=tuple(balls(t, bits) for t in view.tables),
        scores=tuple(balls(s, bits) for s in view.scores), phi_state=balls(view.phi_state, bits),
        phi_joint=balls(view.phi_joint, bits), precision=bits,
    )  # fmt: skip


def rounded_view(view: Exact) -> Exact:
    """The view over floats, its rational data rounded once.

    Args:
        view: rationals.
    """
    return Exact(
        P=to_float(view.P), r=to_float(view.r), initial=to_float(view.initial),
        gamma=float(to_float(np.array([view.gamma], dtype=object))[0]), tables=tuple(to_float(t) for t in view.tables),
        scores=tuple(to_float(s) for s in view.scores), phi_state=to_float(view.phi_state),
        phi_joint=to_float(view.phi_joint),
    )  # fmt: skip


def to_step(beta: Any) -> float:
    """A step size as a float.

    Args:
        beta: float, `Fraction` or `fmpq`.
    """
    try:
        return float(beta)
    except TypeError:  # a rational of python-flint
        return float(to_float(rational_array([beta]))[0])
