"""Certificates of quantities of a view, of functions of a view, and of quantities of theta.

Source: ours, on the ball arithmetic of Johansson (2017), IEEE Trans. Computers 66(8).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import ctx
from jaxtyping import Float

from mdp.certify.certificate import Certificate, Inputs, Method, from_balls, row_defect
from mdp.certify.quantities import FORMULAS, float_mixing
from mdp.certify.residual import RESIDUAL_NAMES, residual_certificate
from mdp.certify.twins import PRECISIONS, Twins, require_dense, require_normal
from mdp.enclose.arithmetic import ball_array, lower_float, upper_float
from mdp.enclose.problem import enclose
from mdp.enclose.view import ENCLOSED, BallView
from mdp.exact import Exact, exact
from mdp.linear import is_exact
from mdp.problem import Problem

VIEW_NAMES = (*ENCLOSED, "grad_J_by_solve")
"""Quantities of `Exact` with an enclosure; the second gradient is `grad_J` in exact arithmetic."""


def certificate(
    view: Exact,
    name: str,
    *,
    inputs: Inputs = "given",
    method: Method = "enclosure",
    psi: Sequence[Any] | None = None,
    values: Any = None,
    **options: Any,
) -> Certificate:
    """Error certificate of one quantity of a view.

    Args:
        view: quantities over floats (over rationals every rational quantity has error zero).
        name: one of `VIEW_NAMES` or `FORMULAS`; for ``"residual"``, one of `RESIDUAL_NAMES`.
        inputs: ``"given"`` or ``"rounded"``.
        method: ``"enclosure"`` or ``"residual"`` (which has ``inputs="given"`` only).
        psi: exact softmax features, one (S, A_i, D) table per agent: scores are then computed from them and the
            tables, and ranks are known (needed by ``"eps_bias"`` where the scores are dependent).
        values: floats to certify instead of the quantity as computed here, of the same shape.
        **options: of the quantity (`FORMULAS`).

    Returns:
        The bound, rounded up.

    Raises:
        ValueError: unknown name, method or inputs; a residual bound asked for where there is none; sparse
            tables; subnormal inputs where relative rounding matters (``"rounded"`` and ``"residual"``).
        TypeError: an option that the quantity does not have.
        ArithmeticError: a linear system too ill-conditioned to certify with these inputs.
        mdp.chain.ReducibleChainError, mdp.chain.PeriodicChainError: as the quantity itself.
    """
    _require_inputs(inputs)
    if method not in ("enclosure", "residual"):
        raise ValueError(f"method is {method!r}, not 'enclosure' or 'residual'")
    allowed = (*VIEW_NAMES, *FORMULAS) if method == "enclosure" else RESIDUAL_NAMES
    if name not in allowed:
        raise ValueError(f"no {method} certificate of {name!r}; there is one of {', '.join(allowed)}")
    if method == "enclosure":
        floats, over_balls = _functions(view, name, options)
        return certify_function(view, floats, balls=over_balls, name=name, inputs=inputs, psi=psi, values=values)
    if options or psi is not None or values is not None:
        raise ValueError("residual certificates take no options, psi or values; use method='enclosure'")
    if is_exact(view.P):
        return _without_error(name, getattr(view, name), inputs)
    require_dense(view)
    require_normal(view)
    if inputs == "rounded":
        raise ValueError("residual certificates are for inputs='given'; use method='enclosure'")
    return residual_certificate(view, name)


def certificates(
    view: Exact, names: Sequence[str] = ENCLOSED, *, inputs: Inputs = "given"
) -> dict[str, Certificate]:
    """Enclosure certificates of several quantities of a float view, sharing the ball arithmetic.

    Args:
        view: quantities over floats.
        names: quantities that need no options, as in `certificate`.
        inputs: ``"given"`` or ``"rounded"``.

    Raises:
        TypeError, ValueError, ArithmeticError: as in `certificate`.
    """
    twins = _twins(view, inputs, None)
    found = {}
    for name in names:
        floats, over_balls = _functions(view, name, {})
        found[name] = _certify(twins, view, floats, over_balls, name, inputs)
    return found


def certify_function(
    view: Exact,
    function: Callable[[Exact], Any],
    *,
    balls: Callable[[BallView], Any] | None = None,
    name: str = "function",
    inputs: Inputs = "given",
    psi: Sequence[Any] | None = None,
    values: Any = None,
) -> Certificate:
    """Error certificate of any function of a view.

    The function is run over floats and over balls. Balls have ``+ - * /``, ``@``, sums, indexing, ``np.sqrt`` and the
    methods of `BallView`; write squares as ``x * x``, because ``x**2`` of a ball that reaches zero is not a number (and
    the error then infinite). They must not meet a branch on a value, ``max``, ``np.maximum``, sorting, or a conversion
    to float: comparisons of overlapping balls are false both ways, and a branch on one proves nothing.
    `mdp.enclose.arithmetic` has `largest`, `least`, `square_root` and `symmetric_eigenvalues` for `balls`.

    Args:
        view: quantities over floats or rationals.
        function: of an `Exact`; returns a number or an array.
        balls: the same of a `BallView`; by default `function` itself, which then has to run over balls.
        name: what the certificate calls it.
        inputs: ``"given"`` or ``"rounded"``.
        psi: as in `certificate`.
        values: floats to certify instead of ``function(view)``.

    Raises:
        ValueError, ArithmeticError: as in `certificate`.
    """
    twins = _twins(view, inputs, psi)
    floats = function if values is None else (lambda _: values)
    return _certify(twins, view, floats, balls or _over_balls(function), name, inputs)


def certificate_from_theta(
    problem: Problem, theta: Float[np.ndarray, "N D"], name: str, *, values: Any = None, **options: Any
) -> Certificate:
    """Error certificate that counts the policy's own functions: the exact quantity is that of the float theta.

    Args:
        problem: a problem with a log-linear, reduced softmax, circular or neural policy.
        theta: parameters, (N, H + G).
        name: as in `certificate`.
        values: floats to certify instead of the quantity as computed here.
        **options: of the quantity (`FORMULAS`).

    Raises:
        TypeError: another policy class, or an option that the quantity does not have.
        ValueError, ArithmeticError: as in `certificate`.
    """
    if name not in (*VIEW_NAMES, *FORMULAS):
        raise ValueError(f"no enclosure of {name!r}; there is one of {', '.join((*VIEW_NAMES, *FORMULAS))}")
    view = exact(problem, theta)
    require_dense(view)
    floats, over_balls = _functions(view, name, options)
    enclosed, bits = Twins(lambda bits: enclose(problem, theta, precision=bits)).enclose(name, over_balls)
    given = floats(view) if values is None else values
    how = "ball arithmetic from theta, the policy's functions included,"
    return from_balls(name, given, enclosed, bits, "given", how, row_defect(view))


def _functions(
    view: Exact, name: str, options: dict[str, Any]
) -> tuple[Callable[[Exact], Any], Callable[[BallView], Any]]:
    if name in FORMULAS:
        if name.startswith("mixing_") and options.get("steps") is None:  # the m that floats chose, over balls too
            options = {**options, "steps": float_mixing(view, options.get("by", "doeblin"), None).steps}
        return FORMULAS[name].bound(options)
    if options:
        raise TypeError(f"{name} takes no options; got {', '.join(options)}")
    return (lambda view: getattr(view, name)), (lambda view: view.value(name))


def _over_balls(function: Callable[[Exact], Any]) -> Callable[[BallView], Any]:
    def run(view: BallView) -> Any:
        result: Any = function(view)  # type: ignore[arg-type]  # the twin has the attributes of Exact
        return result

    return run


def _certify(
    twins: Twins,
    view: Exact,
    floats: Callable[[Exact], Any],
    over_balls: Callable[[BallView], Any],
    name: str,
    inputs: Inputs,
) -> Certificate:
    if is_exact(view.P):
        computed = floats(view)
        if np.asarray(computed).dtype == object:  # rationals computed from rationals
            return _without_error(name, computed, inputs)
    enclosed, bits = twins.enclose(name, over_balls)  # first: its message says what is wrong with the problem
    defect = 0.0 if is_exact(view.P) else row_defect(view)
    return from_balls(name, floats(view), enclosed, bits, inputs, "ball arithmetic on the tables", defect)


def _without_error(name: str, computed: Any, inputs: Inputs) -> Certificate:
    with ctx.workprec(PRECISIONS[0]):
        enclosed = ball_array(computed)
    low, high = np.empty(enclosed.shape), np.empty(enclosed.shape)
    for index, ball in np.ndenumerate(enclosed):
        low[index], high[index] = lower_float(ball), upper_float(ball)
    zero = np.zeros(enclosed.shape)
    return Certificate(name, 0.0, zero, 0.0, "exact", inputs, "rational arithmetic", 0.0, low, high)


def _twins(view: Exact, inputs: Inputs, psi: Sequence[Any] | None) -> Twins:
    _require_inputs(inputs)
    require_dense(view)
    if is_exact(view.P):
        return Twins.of(view, "given", psi)
    if inputs == "rounded":
        require_normal(view)
    return Twins.of(view, inputs, psi)


def _require_inputs(inputs: str) -> None:
    if inputs not in ("given", "rounded"):
        raise ValueError(f"inputs is {inputs!r}, not 'given' or 'rounded'")
