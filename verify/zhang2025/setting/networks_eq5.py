"""zhang2025 Sec. 3.2: the network of Eq. (5), its scale at the start, and the number of its parameters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import sympy
from flint import fmpq

from mdp.policies import NeuralPolicy
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence
from verify.zhang2025.setting.relu import ReluNetwork, random_network, unit_vectors

SHAPES = ((1, 1, 2), (1, 3, 2), (2, 2, 2), (2, 3, 3), (3, 2, 2), (3, 3, 3))
"""Depth, width and input dimension of the networks that are tried; ours, small enough to add up all paths."""

DRAWS = 4000
"""Random networks behind a sample mean; ours: its standard error is near two per cent."""


@statement("zhang2025", "eq-5")
def eq_5() -> tuple[Variant, ...]:
    r"""The fully connected ReLU network of critic and actor, and its law at the start.

    .. math:: x^{(0)} = Hx, \quad x^{(h)} = \frac{1}{\sqrt{m}} \mathrm{ReLU}(W^{(h)} x^{(h-1)}), \quad
        y = b^\top x^{(D)}, \qquad H, W^{(h)} \sim N(0, 2), \quad b \sim N(0, 1), \quad \|x\| = 1

    Hypotheses: none. A one-to-one map of the finitely many pairs (s, a) to unit vectors exists for d >= 2; for d = 1
    there are only the two inputs 1 and -1.

    The definition is sound: the recursion equals the sum over all paths through live units, and y is homogeneous of
    degree one in every layer and in x, so of degree D in W. All in exact arithmetic.

    *Scale.* Given ``|x| = 1`` the entries of Hx are N(0, 2), so ``E|x_0|^2 = 2m``. For z ~ N(0, v) the mean of
    ``ReLU(z)^2`` is v/2; the entries of ``W x_{h-1}`` have variance ``2 |x_{h-1}|^2``, and m of them divided by m
    give ``E|x_h|^2 = E|x_{h-1}|^2``. So layers keep their size, whatever D, but ``E y^2 = E|x_D|^2 = 2m``: the critic
    starts at values of order sqrt(2m), where Q lies between 0 and r_max/(1 - gamma), and the softmax of the actor
    starts nearly deterministic. With H ~ N(0, 2/m) the same computation gives 2 for every m and D. Second opinion:
    a sample of networks.

    Consequence: nothing in the theorem forbids this scale, but its constants feel it. The critic has to travel a
    distance of order sqrt(m) in function space before eps_critic of Assumption 5.9 can be small, and its slope in W
    is of the same order (see assumption-5.8-Q).
    """
    return (
        printed(_recursion, "the recursion is well defined, equals the sum over live paths, and is homogeneous"),
        reading(
            lambda c: _size_kept(2), "layers keep their second moment at the start, whatever D and m",
            "layers keep size",
        ),
        reading(
            lambda c: _start(sympy.Integer(2)), "the output has a size at the start that does not depend on m",
            "output of order one",
        ),
        repaired(
            lambda c: (_start(2 / sympy.Symbol("m", positive=True)), _sampled(c, small=True)),
            "with H ~ N(0, 2/m): E y^2 = 2 at the start, whatever D and m", "output of order one",
        ),
        reading(lambda c: (_exactly_2m(), _sampled(c, small=False)), "E y^2 = 2m at the start, whatever D", "scale"),
        control(_recursion_without_relu, "the recursion without ReLU equals the sum over live paths", "no ReLU"),
        control(lambda c: _size_kept(1), "layers keep their second moment with W ~ N(0, 1)", "variance one"),
    )  # fmt: skip


def _networks(context: Context) -> list[tuple[ReluNetwork, np.ndarray]]:
    rng, found = context.rng(2025, 5), []
    for depth, width, inputs in SHAPES:
        for x in unit_vectors(rng, max(2, context.profile.n_rational // 20), inputs):
            found.append((random_network(rng, depth=depth, width=width, inputs=inputs, outputs=2), x))
    return found


def _recursion(context: Context) -> tuple[Evidence, Evidence]:
    pairs = _networks(context)
    gaps = [abs(net.output(x) - net.over_paths(x)).max() for net, x in pairs]
    scale = fmpq(7, 2)
    turns = [
        abs(net.moved(scale, h).output(x) - scale * net.output(x)).max() for net, x in pairs for h in range(net.depth)
    ]
    return (
        exact_evidence("recursion minus sum over live paths", max(gaps), 0, Relation.EQUAL, instances=len(gaps)),
        exact_evidence("y(7/2 W_h) - 7/2 y, every layer", max(turns), 0, Relation.EQUAL, instances=len(turns)),
    )


def _recursion_without_relu(context: Context) -> Evidence:
    gaps = []
    for net, x in _networks(context):
        value = net.H @ x
        for W in net.W:
            value = W @ value
        gaps.append(abs(net.b @ value - net.over_paths(x)).max())
    return exact_evidence(
        "linear recursion minus sum over live paths", max(gaps), 0, Relation.EQUAL, instances=len(gaps)
    )


def _half_moment() -> sympy.Expr:
    """``E ReLU(z)^2 / v`` for z ~ N(0, v), by integration."""
    z, v = sympy.symbols("z v", positive=True)
    density = sympy.exp(-(z**2) / (2 * v)) / sympy.sqrt(2 * sympy.pi * v)
    return sympy.simplify(sympy.integrate(z**2 * density, (z, 0, sympy.oo)) / v)


def _growth(variance: int) -> sympy.Expr:
    """``E|x_h|^2 / E|x_{h-1}|^2`` for W ~ N(0, variance): m units, each halved by ReLU, divided by m."""
    m = sympy.Symbol("m", positive=True)
    return sympy.simplify(m * variance * _half_moment() / m)


def _size_kept(variance: int) -> Evidence:
    return exact_evidence(
        "E|x_h|^2 / E|x_(h-1)|^2 at the start", sympy_fraction(_growth(variance)), 1, Relation.EQUAL,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS, note="for every m, h and x_(h-1)",
    )


def _second_moment(input_variance: sympy.Expr) -> sympy.Expr:
    """``E y^2 = E|x_D|^2`` as a function of m and D."""
    m, D = sympy.symbols("m D", positive=True)
    return sympy.simplify(m * input_variance * _growth(2) ** D)


def _start(input_variance: sympy.Expr) -> Evidence:
    m = sympy.Symbol("m", positive=True)
    moment = _second_moment(input_variance)
    return exact_evidence(
        "derivative of E y^2 in m", sympy_fraction(sympy.diff(moment, m)), 0, Relation.EQUAL, rigor=Rigor.SYMBOLIC,
        scope=Scope.CLASS, note=f"E y^2 = {moment}",
        witness=Witness("the output's mean square at the start grows with the width", {"E y^2": str(moment)}),
    )  # fmt: skip


def _exactly_2m() -> Evidence:
    m = sympy.Symbol("m", positive=True)
    gap = sympy.simplify(_second_moment(sympy.Integer(2)) - 2 * m)
    return exact_evidence(
        "E y^2 - 2m", sympy_fraction(gap), 0, Relation.EQUAL, rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
        note="for every m and D",
    )  # fmt: skip


def _sampled(context: Context, *, small: bool) -> Evidence:
    """Sample mean of y^2 over random networks, as a multiple of the claimed 2m (or 2)."""
    rng, m, depth = context.rng(2025, 6), 9, 2
    x = np.array([0.6, 0.8])
    layer = rng.normal(size=(DRAWS, m, 2)) @ x * np.sqrt(2 / m if small else 2)
    for _ in range(depth):
        W = np.sqrt(2) * rng.normal(size=(DRAWS, m, m))
        layer = np.maximum(np.einsum("kij,kj->ki", W, layer), 0) / np.sqrt(m)
    squares = (rng.normal(size=(DRAWS, m)) * layer).sum(axis=1) ** 2 / (2 if small else 2 * m)
    mean, error = float(squares.mean()), 4 * float(squares.std()) / np.sqrt(DRAWS)
    return Evidence(
        f"sample mean of y^2 over its claimed value (m = {m}, D = {depth}, four standard errors)", mean, mean - error,
        mean + error, 1, Relation.EQUAL, Rigor.STATISTICAL, instances=DRAWS, corroborates=True,
    )  # fmt: skip


def sympy_fraction(value: sympy.Expr) -> fmpq:
    """A symbolic rational number as an exact one.

    Args:
        value: a number without symbols.

    Raises:
        ValueError: it is not a rational number.
    """
    number = sympy.nsimplify(sympy.simplify(value))
    if not number.is_Rational:
        raise ValueError(f"{value} is not a rational number")
    return fmpq(int(number.p), int(number.q))


# --- the number of parameters -------------------------------------------------------------------------------------

_D, _m, _d, _A = sympy.symbols("D m d A", positive=True, integer=True)
STATED = _m * (_D * _m + _d + 1)
"""Dimension of theta^i as printed in Sec. 3.2."""


@statement("zhang2025", "eq-5-dimension", uses=("eq-5",))
def eq_5_dimension() -> tuple[Variant, ...]:
    r"""The local policy has m(Dm + d + 1) parameters; Fact C.1 uses m(m + d + 1).

    .. math:: \theta^i \in \mathbb{R}^{m(Dm + d + 1)}, \qquad v^i \in \mathbb{R}^{m(m + d + 1)}

    Hypotheses: Eq. (5) with a softmax over the A actions of an agent, the state as input.

    H, the layers and b hold ``m d``, ``D m^2`` and ``m`` numbers, m(Dm + d + 1) in all, if there is *one* output. But
    the text feeds the state alone to the actor and puts a softmax on top: a softmax of one output is the constant 1,
    so b needs a column per action and the count is m(Dm + d + A). The stated count fits only the critic's form with
    (s, a) as input. And "during training, only W is updated while H and b remain fixed" leaves D m^2. So the readings
    of the first line disagree. The second line drops D: m(m + d + 1) is the first count for D = 1 only. Second
    opinion: the arrays of `mdp.policies.NeuralPolicy` are counted.

    Consequence: Fact C.1 itself (a squared norm is the sum over blocks) is true in any dimension, so the slip is
    harmless there. The dimension matters elsewhere: scores of norm at most one give
    ``mu_f <= 1/(number of parameters)`` (assumption-5.5), and that number grows like D m^2.
    """
    inputs = _m * _d + _D * _m**2
    return (
        printed(lambda c: _count(inputs + _m, STATED), "H, W and one output column b, for inputs (s, a)",
                "one output", "section 3.2"),
        printed(lambda c: _count(inputs + _A * _m, STATED), "state as input, softmax over A outputs", "A outputs",
                "section 3.2"),
        printed(lambda c: _count(_D * _m**2, STATED), "only W is trained, H and b stay fixed", "only W", "section 3.2"),
        printed(lambda c: _count(STATED, _m * (_m + _d + 1)), "Fact C.1 uses the dimension of Section 3.2", "fact C.1",
                "fact C.1"),
        repaired(lambda c: (_count(inputs + _A * _m, _m * (_D * _m + _d + _A)), _built(trainable="all")),
                 "m(Dm + d + A) with a softmax over A actions, everything trained", "A outputs"),
        repaired(lambda c: (_count(_D * _m**2, _m * _D * _m), _built(trainable="W")), "D m^2 with W alone trained",
                 "only W"),
        control(lambda c: _count(inputs + _m, STATED + _m), "the printed count with a bias in every unit", "biases"),
    )  # fmt: skip


def _count(counted: sympy.Expr, stated: sympy.Expr) -> Evidence:
    """A difference of counts as polynomials; a witness gives the smallest sizes where they differ."""
    gap = sympy.expand(counted - stated)
    size: dict[sympy.Symbol, int] = {_D: 2, _m: 2, _d: 2, _A: 2}
    here = {k: int(e.subs(size)) for k, e in (("counted", counted), ("stated", stated))}
    return exact_evidence(
        "largest coefficient of counted minus stated parameters, as polynomials in D, m, d, A",
        max(abs(int(k)) for k in sympy.Poly(gap, _D, _m, _d, _A).coeffs()), 0, Relation.EQUAL, rigor=Rigor.SYMBOLIC,
        scope=Scope.CLASS, note=f"difference {gap}",
        witness=Witness("D = m = d = A = 2", {**here, "difference in general": str(gap)}) if gap != 0 else None,
    )  # fmt: skip


def _built(trainable: str) -> Evidence:
    """Parameters of networks as built, minus the formula."""
    rule: Callable[[int, int, int, int], int] = (
        (lambda D, m, d, A: m * (D * m + d + A)) if trainable == "all" else (lambda D, m, d, A: D * m * m)
    )
    worst = 0
    for D, m, d, A in ((1, 2, 2, 2), (2, 3, 2, 3), (3, 2, 4, 2), (4, 4, 3, 5)):
        policy, theta = NeuralPolicy.draw(
            d, (A,), width=m, depth=D, seed=0, trainable="all" if trainable == "all" else "W"
        )
        worst = max(worst, abs(theta.shape[1] - rule(D, m, d, A)), abs(policy.n_parameters - rule(D, m, d, A)))
    return exact_evidence(
        "parameters of networks as built minus the formula", worst, 0, Relation.EQUAL, instances=4, corroborates=True
    )
