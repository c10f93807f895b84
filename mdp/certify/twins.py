"""The ball twin of an `Exact` view: its inputs as balls, at the precision that a quantity needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from flint import ctx

from mdp.certify.certificate import Inputs
from mdp.enclose.arithmetic import ball_array, balls, upper_float
from mdp.enclose.policies import softmax_directions, softmax_score_balls
from mdp.enclose.view import BallView
from mdp.exact import Exact
from mdp.linear import rational, rational_array

UNIT_ROUNDOFF = 2.0**-53
"""Relative error of one correctly rounded float64 operation. Source: Higham (2002), Sec. 2.2."""

SMALLEST_NORMAL = 2.0**-1022
"""Below it rounding is absolute, not relative, and every bound here would be wrong. Source: IEEE 754."""

PRECISIONS = (128, 256, 512, 1024, 2048)
"""Working precisions tried in turn, in bits; ours: 128 serves ordinary problems, 1024 condition 1e250."""

TARGET_BITS = 70
"""An enclosure is narrow enough at this many relative bits: invisible beside float64's 53. Ours."""

BallFunction = Callable[[BallView], Any]


def lift_view(view: Exact, precision: int, *, spread: float = 0.0, psi: Sequence[Any] | None = None) -> BallView:
    """The same view over balls.

    Args:
        view: quantities over floats or rationals.
        precision: working precision in bits.
        spread: relative half-width of the inputs.
        psi: softmax features, one (S, A_i, D) table of exact numbers per agent. If given, scores are computed from
            them and the tables, so that their exact rank is known; otherwise the view's scores are inputs.

    Raises:
        ValueError: psi of another shape than the scores.
    """

    def lift(table: Any) -> np.ndarray:
        source = np.asarray(table)
        return balls(source if source.dtype == object else source.astype(float), precision, spread)

    tables = tuple(lift(t) for t in view.tables)
    scores, directions = tuple(lift(s) for s in view.scores), None
    if psi is not None:
        features = tuple(rational_array(f) for f in psi)
        if [f.shape for f in features] != [s.shape for s in view.scores]:
            shapes = f"{[f.shape for f in features]}, not {[s.shape for s in view.scores]}"
            raise ValueError(f"psi has shapes {shapes} (S, A_i, D) per agent")
        with ctx.workprec(precision):
            scores = tuple(softmax_score_balls(f, t) for f, t in zip(features, tables, strict=True))
        directions = tuple(softmax_directions(f) for f in features)
    gamma: Any = view.gamma
    return BallView(
        P=lift(view.P), r=lift(view.r), initial=lift(view.initial),
        gamma=balls(rational(gamma), precision, spread)[()], tables=tables, scores=scores,
        phi_state=lift(view.phi_state), phi_joint=lift(view.phi_joint), precision=precision, spread=spread,
        center=lift_view(view, precision, psi=psi) if spread else None, directions=directions,
    )  # fmt: skip


class Twins:
    """Ball twins of one view, kept by precision so that several quantities share their arithmetic.

    Args:
        narrow: builds the view without input widths at a precision.
        wide: builds the view that is certified; the same function when inputs are exact.
    """

    def __init__(self, narrow: Callable[[int], BallView], wide: Callable[[int], BallView] | None = None) -> None:
        self.narrow = lru_cache(narrow)
        self.wide = self.narrow if wide is None else lru_cache(wide)

    @classmethod
    def of(cls, view: Exact, inputs: Inputs, psi: Sequence[Any] | None = None) -> Twins:
        """Twins of a view under a reading of its inputs.

        Args:
            view: quantities over floats or rationals.
            inputs: ``"given"`` or ``"rounded"``.
            psi: as in `lift_view`.
        """

        def narrow(bits: int) -> BallView:
            return lift_view(view, bits, psi=psi)

        if inputs == "given":
            return cls(narrow)
        return cls(narrow, lambda bits: lift_view(view, bits, spread=UNIT_ROUNDOFF, psi=psi))

    def enclose(self, name: str, function: BallFunction) -> tuple[np.ndarray, int]:
        """Balls of one function, one per entry, at the first precision that is high enough, and that precision.

        High enough: entry by entry `TARGET_BITS` relative bits without input widths. A sum that cancels to zero has
        no relative accuracy: half the digits of it are as good as zero. The probabilities of a stationary law are
        positive, however small.

        Args:
            name: what the quantity is called.
            function: of a `BallView`.

        Raises:
            ArithmeticError: no precision gives an enclosure.
        """
        positive = name in ("stationary", "restart_stationary")
        failure: ArithmeticError | None = None
        found: tuple[np.ndarray, int] | None = None
        for bits in PRECISIONS:
            try:
                found = evaluate(function, self.narrow(bits)), bits
            except ArithmeticError as error:
                failure = error
                continue
            zero = 0.0 if positive else 2.0 ** (-bits / 2)
            if all(x.rel_accuracy_bits() > TARGET_BITS or upper_float(abs(x)) <= zero for x in found[0].ravel()):
                break
        if found is None:
            raise ArithmeticError(f"{name} has no certificate: {failure}") from failure
        if self.wide is self.narrow:
            return found
        return evaluate(function, self.wide(found[1])), found[1]


def evaluate(function: BallFunction, view: BallView) -> np.ndarray:
    """Balls of a function of a view, at the view's precision.

    Args:
        function: of a `BallView`; its result may mix balls and exact numbers.
        view: the ball twin.
    """
    with ctx.workprec(view.precision):
        return ball_array(function(view))


def inputs_of(view: Exact) -> list[tuple[str, Any]]:
    """The tables a view is made of, with their names.

    Args:
        view: quantities at a policy.
    """
    named = [(name, getattr(view, name)) for name in ("P", "r", "initial", "phi_state", "phi_joint")]
    for name in ("tables", "scores"):
        named += [(f"{name}[{i}]", table) for i, table in enumerate(getattr(view, name))]
    return named


def require_dense(view: Exact) -> None:
    """Raise unless every table is a dense array.

    Args:
        view: quantities at a policy.

    Raises:
        ValueError: the table is named.
    """
    for name, table in inputs_of(view):
        if not isinstance(table, np.ndarray):
            raise ValueError(f"{name} is a {type(table).__name__}; certificates take dense arrays")


def require_normal(view: Exact) -> None:
    """Raise if an input is subnormal: its rounding is not relative.

    Args:
        view: quantities over floats.

    Raises:
        ValueError: the entry is named.
    """
    for name, table in inputs_of(view):
        small = np.argwhere((table != 0) & (np.abs(table) < SMALLEST_NORMAL))
        if small.size:
            where = ", ".join(str(int(k)) for k in small[0])
            raise ValueError(f"{name}[{where}] is {table[tuple(small[0])]:g}, below the smallest normal number")
