"""zhang2025 Assumption 5.8, first line: a Lipschitz J, and the descent lemma that it does not give."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from flint import arb, fmpq

from mdp.exact import exact
from mdp.families import random_problem
from mdp.linear import rational_array
from mdp.smoothness import policy_constants, smoothness
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence
from verify.identities import largest
from verify.zhang2025.assumptions.regularity import circular_problem
from verify.zhang2025.setting.relu import ReluNetwork, random_matrix, random_network, unit_vectors

GROWTH = fmpq(1000)
"""Factor on W_1 that must show up in a slope; ours, any factor would do."""


@statement("zhang2025", "assumption-5.8-J", uses=("eq-5", "assumption-5.5"))
def assumption_5_8_j() -> tuple[Variant, ...]:
    r"""J is Lipschitz in theta, which makes the descent lemma possible.

    .. math:: |J(\theta) - J(\theta')| \le L_J \|\theta - \theta'\|_2

    Hypotheses: a finite problem with bounded rewards.

    Refuted for Eq. (5) with D >= 2 unless rewards do not matter. On one state with reward 1 for action 0, at W_D = 0
    with the lower layers live (output z), the one-sided slope of J along V is
    ``(b_0 - mean b) . ReLU(V z) / (A sqrt(m) (1 - gamma))``, which is multiplied by c when W_1 is. By hand: D = 2, m
    = 1, outputs ``(ReLU(w_2 ReLU(w_1)), 0)``: the slope in w_2 at 0 is ``w_1/(4 (1 - gamma))``. For D = 1 scores are
    bounded and J is Lipschitz.

    *Descent lemma: refuted.* The Lipschitz property bounds slopes, the lemma needs a bound on curvature. Four arms
    with reward on the first, the circular class at k radians per unit of theta:
    ``J = (1 + c cos(k theta))/(4(1 - gamma))`` has ``L_J = k c/(4(1 - gamma))`` and curvature k times that. From
    theta = 0 to ``pi/(2k)`` J loses ``c/(4(1 - gamma))`` and the lemma allows ``L_J (pi/(2k))^2``, which is
    ``pi^2/(4k) < 121/(49 k)`` of it. At k = 3 the lemma is off by more than a sixth of the loss; c = 3/10 allows k =
    3 with scores of at most one, as ``k c <= sqrt(1 - c^2)``.

    Repaired: for log-linear and circular classes L_J and a smoothness constant come from bounds on two derivatives
    of the policy (`mdp.smoothness`), and the lemma holds with half the latter.

    Consequence: Eq. (8) does not follow from this assumption (eq-8-descent). It needs J smooth, which fails for ReLU
    networks (assumption-5.2) and holds for the classes on which the theorem is tested here.
    """
    return (
        printed(_steep, "J is Lipschitz on the class of Eq. (5), D >= 2", "Lipschitz",
                "Lipschitz"),
        printed(lambda c: _descent(3), "the Lipschitz property gives the descent lemma", "descent", "descent"),
        reading(_one_layer, "scores, and with them grad J, are bounded on the class of Eq. (5), D = 1", "one layer"),
        repaired(lambda c: (_gradients(c, 1.0), _curvature(c)), "log-linear and circular classes: Lipschitz and "
                 "smooth, descent with half the smoothness constant"),
        control(lambda c: _gradients(c, 0.05), "a twentieth of the Lipschitz constant", "a twentieth"),
    )  # fmt: skip


def bandit_slope(net: ReluNetwork, x: np.ndarray, V: np.ndarray) -> fmpq:
    """``m^(D/2)`` times the one-sided slope of (1 - gamma) J along V at W_D = 0; reward 1 for action 0, one state.

    Args:
        net: two or more outputs; the last layer is replaced by zero.
        x: input of the state, (d,).
        V: direction in W_D, (m, m).
    """
    total = net.with_last(V).output(x)  # outputs are linear along the ray t V, t > 0
    slope: fmpq = (total[0] - total.sum() / len(total)) / len(total)
    return slope


def _steep(context: Context) -> Evidence:
    """Draws of H and b (and W_1) where the slope of J grows in proportion to W_1."""
    rng, steep, count = context.rng(2025, 101), 0, context.profile.n_rational
    for k in range(count):
        net = random_network(rng, depth=2 + k % 2, width=2, inputs=2, outputs=2)
        x = unit_vectors(rng, 1, 2)[0]
        first = (net.H @ x)[None, :] * abs(random_matrix(rng, (2, 1)))
        net = ReluNetwork(net.H, (first, *(abs(W) for W in net.W[1:])), net.b)
        V = rational_array([[1, 1], [0, 0]])
        here, more = bandit_slope(net, x, V), bandit_slope(net.moved(GROWTH), x, V)
        steep += here != 0 and more == GROWTH * here
    one = rational_array([[1]])
    hand = ReluNetwork(one, (8 * one, 0 * one), rational_array([[1], [0]]))
    slope = bandit_slope(hand, one[0], one)
    return exact_evidence(
        "draws of H and b where the slope of J grows in proportion to W_1", steep, 0, Relation.EQUAL, instances=count,
        witness=Witness("D = 2, m = d = 1, H = x = 1, b = (1, 0), one state, reward 1 for action 0, W_2 = 0",
                        {"W_1": 8, "slope of (1 - gamma) J in W_2": slope}) if steep else None,
    )  # fmt: skip


def _one_layer(context: Context) -> Evidence:
    """Squared derivative of a difference of outputs over its bound ``|b_a - b_b|^2 |Hx|^2``, times m on both sides."""
    rng, worst, count = context.rng(2025, 110), fmpq(0), context.profile.n_rational
    for k in range(count):
        net = random_network(rng, depth=1, width=3, inputs=2, outputs=2).moved(fmpq(10) ** (k % 7 - 3))
        x = unit_vectors(rng, 1, 2)[0]
        J = net.slopes(x)[0]
        bound = ((net.b[0] - net.b[1]) ** 2).sum() * ((net.H @ x) ** 2).sum()
        worst = max(worst, ((J[0] - J[1]) ** 2).sum() / bound)
    return exact_evidence(
        "largest squared difference of derivatives over its bound, D = 1", worst, 1, Relation.AT_MOST, instances=count
    )


def _descent(k: int) -> Evidence:
    """Loss of J minus what the lemma allows, as a share of the loss, with pi rounded up to 22/7."""
    rounded = fmpq(22, 7)
    if not arb.pi() < arb(rounded):
        raise ArithmeticError("22/7 is not above pi")
    allowed = rounded**2 / (4 * k)
    c = Fraction(3, 10)
    return exact_evidence(
        "loss of J minus L_J |step|^2 (an upper bound of it), as a share of the loss", 1 - allowed, 0,
        Relation.AT_MOST, instances=1,
        witness=Witness(
            "four arms, reward on the first, circular class with c = 3/10 and 3 radians per unit, from 0 to pi/6",
            {"k": k, "L_J 4(1 - gamma)": k * c, "loss of J 4(1 - gamma)": c, "allowed, at most": allowed * fmpq(3, 10),
             "squared score at most": (k * c) ** 2 / (1 - c**2)},
        ),
    )  # fmt: skip


def _gradients(context: Context, share: float) -> Evidence:
    rng, ratios = context.rng(2025, 102), []
    for k in range(2 * context.profile.n_rational):
        if k % 2:
            problem, theta = random_problem(rng)
        else:
            problem = circular_problem(rng)
            theta = rng.uniform(-9, 9, (problem.mdp.n_agents, problem.policy.n_parameters))
        bound = share * smoothness(problem.mdp, policy_constants(problem.policy)).lipschitz
        ratios.append(float(np.linalg.norm(exact(problem, theta).grad_J)) / bound)
    return exact_evidence(
        "largest |grad J| over its bound, log-linear and circular", largest(ratios), 1, Relation.AT_MOST,
        rigor=Rigor.FLOAT, instances=len(ratios),
    )


def _curvature(context: Context) -> Evidence:
    """Excess of J's deviation from its tangent over L/2 |step|^2, random steps."""
    rng, excesses = context.rng(2025, 103), []
    for _ in range(context.profile.n_rational):
        problem = circular_problem(rng)
        theta = rng.uniform(-9, 9, (problem.mdp.n_agents, problem.policy.n_parameters))
        step = rng.normal(size=theta.shape) * rng.choice([0.01, 0.3, 1.0])
        view, after = exact(problem, theta), exact(problem, theta + step)
        bound = smoothness(problem.mdp, policy_constants(problem.policy)).smooth / 2 * float((step**2).sum())
        deviation = abs(float(after.J - view.J) - float((view.grad_J * step).sum()))
        excesses.append(deviation - bound)
    return exact_evidence(
        "largest excess over half the smoothness constant", largest(excesses), 1e-10, Relation.AT_MOST,
        rigor=Rigor.FLOAT, instances=len(excesses),
    )
