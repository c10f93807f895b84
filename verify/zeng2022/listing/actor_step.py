"""zeng2022 Eqs. (10)-(11): what the actor's step estimates."""

from __future__ import annotations

import numpy as np
from flint import fmpq

from mdp.approximation import actor_bias, bias_bounds
from mdp.exact import Exact, Law, exact
from mdp.families import random_problem
from mdp.linear import to_float
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, exact_evidence
from verify.identities import (
    FLOAT_TOLERANCE,
    exact_identity,
    largest,
    misalignment,
    problem_witness,
    rational_points,
)
from verify.zeng2022.setting.small_problems import tabular
from verify.zeng2022.setting.upper_level import Target


@statement("zeng2022", "eq-10-direction", uses=("eq-4", "eq-6", "eq-7", "eq-8a"))
def eq_10_direction() -> tuple[Variant, ...]:
    r"""The actor's expected direction, lower level solved, is the policy gradient up to eps_app and eps_sp.

    .. math:: \theta_{i,t+1} = \tilde\theta_{i,t} + \alpha_t\, \hat\delta_{i,t}\,
        \nabla_{\theta_i} \log \pi_i(a_{i,t}|s_t,\theta_{i,t}), \qquad
        \hat\delta_{i,t} = \hat r(s_t,a_t;\lambda_{i,t}) + \gamma \hat V(s_{t+1};\omega_{i,t})
        - \hat V(s_t;\omega_{i,t})

    The errors are defined in an appendix that is not at hand; what their names promise is testable: with features that
    represent V and r_bar there is no approximation error, with states from d no sampling error, and then the expected
    direction has to be a positive multiple of the gradient. *omega\* of (7a) as displayed*: it is not, the minimiser is
    then not V (two states, one logit each: the direction is along (33, 1), the gradient along (15, 1)). *omega\* of the
    mean squared Bellman error*, as the text calls it: it is, with the factor 1 - gamma, which belongs to the step size
    (Eq. (4) carries 1/(1 - gamma), Eq. (10) does not; see the reading). (If eps_app is measured at the omega* of (7a)
    itself the difference counts as approximation error, and the statement is true with an eps_app that exact features
    do not remove.)

    Repaired, with omega* the TD fixed point, where (13) settles. For any features and with states from mu,
    ``E[direction] - (1 - gamma) grad J = b_app + b_sp``, with ``b_app = E_d[(delta_hat - delta) score]`` and
    ``b_sp = (E_mu - E_d)[delta_hat score]``, and agent by agent ``|b_app,i| <= max |score_i| (e_r + 2 e_V)``,
    ``|b_sp,i| <= 2 TV(mu, d) max_s |E_pi[delta_hat score_i]|``, e_r and e_V the root mean square errors of the models
    under d. Derivation: add and subtract; V(s) drops out because scores have mean zero under pi; ``gamma d P_pi <= d``
    gives ``E_d |gamma P e - e| <= 2 e_V``. The sum is checked exactly against the gradient by differentiated linear
    solves, the bounds in floats; the bound on b_sp is attained (see mismatch-inevitable).

    Hypotheses: fixed theta, critics at rest, agents in agreement.

    Consequence: Proposition 2's "up to eps_app + eps_sp" has the right form, for the omega* that the algorithm has and
    not for the one that the paper defines.
    """
    return (
        printed(lambda c: _alignment(c, "omega_td_error"), "omega* minimises (7a) as displayed", "td-error"),
        printed(
            lambda c: (_alignment(c, "omega_bellman"), _realisable_gap(c, "omega_bellman", "visitation")),
            "omega* minimises the mean squared Bellman error",
            "bellman",
        ),
        reading(
            lambda c: _realisable_gap(c, "omega_td", "visitation", scaled=False),
            "the direction is the gradient itself, with 1/(1 - gamma)",
            "scale of (4)",
        ),
        repaired(
            lambda c: (
                _alignment(c, "omega_td"),
                exact_identity(c, "direction minus (1 - gamma) grad J - b_app - b_sp", _split_gap),
                _bound_excess(c),
            ),
            "omega* is the TD fixed point: (1 - gamma) grad J plus two biases with bounds",
        ),
        control(
            lambda c: _realisable_gap(c, "omega_td", "stationary"), "no sampling error with states from mu", "mu for d"
        ),
        control(
            lambda c: _bound_excess(c, with_approximation=False), "the bound without the approximation error",
            "eps_app dropped",
        ),
    )


def switch() -> RationalPoint:
    """Two states, two actions that choose the next state; only action 0 in state 0 earns, 1; one logit per state.

    gamma = 1/2, pi = 1/2, start in state 0, tabular features. By hand: d = (3/4, 1/4), V = (3/4, 1/4), minimiser of
    (7a) (3/5, 2/5). The actions differ by 5/4 and 1/4 in truth, by 11/10 and 1/10 in the model, so (1 - gamma) grad J
    is (15/64, 1/64) and the direction is (33/160, 1/160).
    """
    half = fmpq(1, 2)
    return tabular(
        RationalPoint(
            P=[[[1, 0], [0, 1]], [[1, 0], [0, 1]]], r=[[[1, 0], [0, 0]]], initial=[1, 0], gamma=half,
            tables=([[half, half], [half, half]],), psi=([[[1, 0], [0, 0]], [[0, 1], [0, 0]]],),
            phi_state=[[1], [0]], phi_joint=[[[1], [0]], [[0], [0]]],
        )
    )


def _direction(view: Exact, target: Target, law: Law) -> np.ndarray:
    values = view.phi_state @ getattr(view, target)
    delta = view.phi_joint @ view.lambda_star + view.gamma * (view.P @ values) - values[:, None]
    return view.score_expectation(view.law(law), delta)


def _alignment(context: Context, target: Target) -> Evidence:
    """Worst misalignment with the gradient, exact features and states from d."""
    worst, witness, count = fmpq(0), None, 0
    for point in [switch(), *map(tabular, rational_points(context))]:
        view = point.exact()
        gradient = view.grad_J_by_solve
        if not (gradient != 0).any():
            continue
        direction = _direction(view, target, "visitation")
        value, count = misalignment(direction, gradient), count + 1
        worst = max(worst, value)
        if witness is None and value != 0:
            witness = problem_witness(
                point, "tabular features, states from d: the direction is not a positive multiple of the gradient",
                direction=direction, gradient=gradient, V=view.V, **{"omega*": getattr(view, target)},
            )
    return exact_evidence(
        "direction against gradient, exact features, states from d: worst 1 - cos|cos|", worst, 0, Relation.EQUAL,
        instances=count, witness=witness,
    )


def _realisable_gap(context: Context, target: Target, law: Law, scaled: bool = True) -> Evidence:
    def residual(point: RationalPoint) -> np.ndarray:
        view = tabular(point).exact()
        gap: np.ndarray = _direction(view, target, law) - (1 - view.gamma if scaled else 1) * view.grad_J_by_solve
        return gap

    return exact_identity(
        context, f"direction minus {'(1 - gamma) ' if scaled else ''}grad J, exact features", residual, smallest=1
    )


def _split_gap(point: RationalPoint) -> np.ndarray:
    view = point.exact()
    bias = actor_bias(view, "stationary")
    scaled = (1 - view.gamma) * view.grad_J_by_solve
    gap: np.ndarray = _direction(view, "omega_td", "stationary") - scaled - bias.approximation - bias.sampling
    return gap


def _bound_excess(context: Context, with_approximation: bool = True) -> Evidence:
    rng, count = context.rng(2250), max(60, context.profile.n_float // 5)

    def excess() -> float:
        problem, theta = random_problem(rng)
        view = exact(problem, theta)
        bias, (app, sampling) = actor_bias(view, "stationary"), bias_bounds(view, "stationary")
        pairs = ((bias.approximation, app if with_approximation else 0.0), (bias.sampling, sampling))
        return max(float(np.linalg.norm(to_float(part), axis=1).max()) - bound for part, bound in pairs)

    return exact_evidence(
        "largest excess of |b_app,i| or |b_sp,i| over its bound", largest(excess() for _ in range(count)),
        FLOAT_TOLERANCE, Relation.AT_MOST, rigor=Rigor.FLOAT, instances=count,
    )
