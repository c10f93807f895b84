"""zhang2025 Sec. 3.2: which functions the bias-free network of Eq. (5) can represent."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from mdp.linear import rational_array
from verify.claim import Variant, control, printed, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence
from verify.zhang2025.setting.constructions import Target, deep_network, wide_network
from verify.zhang2025.setting.relu import random_matrix, random_network, relu, unit_vectors

ACCURACY = Fraction(1, 5)
"""An accuracy that the witnesses cannot reach whatever the free size (they are off by 5/24 and by 1); ours."""


@statement("zhang2025", "universal-approximation", uses=("eq-5",))
def universal_approximation() -> tuple[Variant, ...]:
    r"""Under sufficiently large depth or width the network approximates any function.

    .. math:: \forall f, \epsilon: \quad \exists W: \quad \max_x |y(x; W) - f(x)| \le \epsilon
        \quad \mathrm{for\ large}\ D\ \mathrm{or}\ m

    Hypotheses: the network of Eq. (5), which has no biases, on finitely many unit vectors x = xi(s, a); H and b drawn
    once and fixed, W free.

    Some size works. Width alone does from D = 2 on and not at D = 1; depth alone does from m = 4d on and not at m =
    1. So "large depth or width" is true or false according to what the other size may be: the readings disagree.

    *One layer, any width.* ``ReLU(z) - ReLU(-z) = z``, so ``y(x) - y(-x)`` is linear in x. On the six inputs
    ``+-e1, +-e2, +-(3/5, 4/5)`` the functional ``L f = f_odd(p) - 3/5 f_odd(e1) - 4/5 f_odd(e2)`` with
    ``f_odd(x) = f(x) - f(-x)`` vanishes on every such network. For f = 1 at p and 0 elsewhere ``L f = 1``, and an
    error of at most e changes L f by at most ``2 (1 + 3/5 + 4/5) e``: every one-layer network errs by 5/24 or more.

    *Width one, any depth.* ``y(x)`` is ``b w ReLU(+-h x)`` with w >= 0, so it vanishes at x or at -x: the constant 1
    on two opposite inputs is missed by 1. More generally m < d leaves two unit vectors with the same Hx.

    *Two layers, width 2 d n for n inputs.* For each input x_j let w_1..w_{d-1} span its orthogonal complement and
    ``g_j(x) = x_j . x - c sum_k |w_k . x|``, with ``|z| = ReLU(z) + ReLU(-z)``. It is 1 at x_j and -1 at -x_j, and as
    every other input has some ``w_k . x != 0`` it is at most 0 there for c large. So ``sum_j f(x_j) ReLU(g_j)`` is
    f. H needs full column rank (probability one for m >= d) and b entries of both signs in sufficient number
    (probability tending to one); further layers may be the identity.

    *Width 4 d, depth 2 n.* The same bumps one after the other: 2d units carry x, two carry what has been summed up.

    The two constructions are carried out and evaluated in exact arithmetic, with H and b random and fixed.

    Consequence: Assumption 5.9 is not void for D >= 2 and a wide network, as far as *representing* Q goes. Whether
    the stationary point in the small ball B(B) does it is another matter (assumption-5.9). Term (2) of Theorem 5.10
    is not about representing functions at all (remark-3).
    """
    return (
        printed(_some_size, "for some depth and width, on the inputs at hand", "some size"),
        printed(_one_layer, "enough width is enough, whatever the depth", "width alone"),
        printed(_one_unit, "enough depth is enough, whatever the width", "depth alone"),
        repaired(_wide, "two layers or more, and width 2 d n for n inputs: exactly", "wide"),
        repaired(_deep, "width 4 d, and depth 2 n for n inputs: exactly", "deep"),
        control(_without_bumps, "the same construction with c = 0", "no bumps"),
    )


def _relu_symbol(z: sympy.Expr) -> sympy.Expr:
    return (z + sympy.Abs(z)) / 2


def _one_layer(context: Context) -> Evidence:
    """Least error of one-layer networks on six inputs, from a functional that vanishes on all of them."""
    p = (sympy.Rational(3, 5), sympy.Rational(4, 5))
    u = sympy.symbols("u1 u2", real=True)
    odd = [_relu_symbol(z) - _relu_symbol(-z) for z in (p[0] * u[0] + p[1] * u[1], u[0], u[1])]
    left = sympy.expand(odd[0] - p[0] * odd[1] - p[1] * odd[2])  # on one unit ReLU(u . x), any u
    length = 2 * (1 + p[0] + p[1])
    bound = Fraction(int((1 / length).p), int((1 / length).q)) if left == 0 else Fraction(0)
    return exact_evidence(
        "certified least error of one layer of any width, for f = 1 at (3/5, 4/5) and 0 at five other inputs", bound,
        ACCURACY, Relation.AT_MOST, instances=1,
        witness=Witness(
            "y(x) - y(-x) is linear for one layer, so y_odd(p) = 3/5 y_odd(e1) + 4/5 y_odd(e2), which f does not meet",
            {"inputs": [["1", "0"], ["0", "1"], ["3/5", "4/5"], "and their negatives"], "f": "1 at (3/5, 4/5), else 0",
             "the functional on a unit ReLU(u . x)": str(left), "the functional at f": 1, "its 1-norm": str(length)},
        ),
    )  # fmt: skip


def _one_unit(context: Context) -> Evidence:
    """Least error of networks of width one at f = 1 on the inputs 1 and -1: the smaller output is never positive."""
    rng, smaller = context.rng(2025, 71), []
    for depth in (1, 2, 5, 20):
        for _ in range(max(5, context.profile.n_rational // 5)):
            net = random_network(rng, depth=depth, width=1, inputs=1)
            smaller.append(min(net.output(rational_array([sign]))[0] for sign in (1, -1)))
    return exact_evidence(
        "1 - largest of min(y(1), y(-1)) over networks of width one", 1 - max(smaller), ACCURACY, Relation.AT_MOST,
        instances=len(smaller),
        witness=Witness(
            "width one: h x has opposite signs at x = 1 and x = -1, so one output is 0 whatever the depth",
            {"inputs": ["1", "-1"], "f": [1, 1], "ReLU(w ReLU(1)), w = 1": relu(rational_array([1])),
             "ReLU(w ReLU(-1)), w = 1": relu(rational_array([-1]))},
        ),
    )  # fmt: skip


def _targets(context: Context, sizes: Sequence[tuple[int, int]]) -> list[Target]:
    """Random targets; half of the inputs are the negatives of the others, the hard case."""
    rng, found = context.rng(2025, 72), []
    for half, d in sizes:
        drawn = unit_vectors(rng, half, d)
        keys: dict[Any, np.ndarray] = {str(x): x for x in [*drawn, *(-drawn)]}
        points = rational_array(list(keys.values()))
        found.append(Target(points, random_matrix(rng, (len(points),))))
    return found


SIZES = ((1, 2), (2, 2), (3, 2), (2, 3))
"""Pairs of opposite inputs and d; ours, networks of up to 36 units."""


def _wide(context: Context) -> Evidence:
    rng, targets = context.rng(2025, 73), _targets(context, SIZES)
    worst = max(t.error(wide_network(t, rng, depth=depth)) for t in targets for depth in (2, 4))
    return exact_evidence(
        "largest error of the wide construction, D = 2 and 4", worst, 0, Relation.EQUAL, instances=2 * len(targets)
    )


def _deep(context: Context) -> Evidence:
    rng, targets = context.rng(2025, 74), _targets(context, SIZES)
    worst = max(t.error(deep_network(t, rng, extra=extra)) for t in targets for extra in (0, 2))
    return exact_evidence(
        "largest error of the narrow construction", worst, 0, Relation.EQUAL, instances=2 * len(targets)
    )


def _some_size(context: Context) -> tuple[Evidence, Evidence]:
    return _wide(context), _deep(context)


def _without_bumps(context: Context) -> Evidence:
    rng, targets = context.rng(2025, 75), _targets(context, SIZES[1:])
    worst = max(t.error(wide_network(t, rng, strength=0)) for t in targets)
    return exact_evidence(
        "largest error of two layers without the bumps", worst, 0, Relation.EQUAL, rigor=Rigor.RATIONAL,
        instances=len(targets),
    )
