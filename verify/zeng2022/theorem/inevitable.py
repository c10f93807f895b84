"""zeng2022 Sec. 4, remarks: are the sampling error and the approximation error inevitable?"""

from __future__ import annotations

from flint import fmpq

from mdp.approximation import actor_bias
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.identities import exact_identity, rational_points
from verify.zeng2022.setting.small_problems import first_violation, tabular, two_rooms
from verify.zeng2022.setting.upper_level import lopsided
from verify.zeng2022.theorem.bias_problems import (
    agreeing_rooms,
    all_from_visitation,
    attained,
    block_gap,
    both_biased,
    cancelling,
    largest_ratio,
    mismatched,
    model_errors,
    one_feature_rooms,
    sampling,
    td_error_gap,
    total,
    vanishing,
)


@statement("zeng2022", "mismatch-inevitable", uses=("unbiased-actor", "unbiased-critic", "eq-10-direction"))
def mismatch_inevitable() -> tuple[Variant, ...]:
    r"""The mismatch between the two sampling distributions inevitably introduces constant biases.

    .. math:: \mu_\theta \ne d_\theta \ \Longrightarrow\ b_{sp} :=
        \big(\mathbb{E}_{\mu_\theta} - \mathbb{E}_{d_\theta}\big)
        \big[\hat\delta\, \nabla_\theta \log \pi_\theta\big] \ne 0

    Two readings disagree, as for the sentence on approximation that follows it. *As a necessity*, whenever the two laws
    differ: false. In the two rooms with equal rewards mu = (1/3, 2/3) and d = (5/7, 2/7), the gradient is not zero, and
    the sampling bias is exactly zero for every policy of the class: both rooms want the same thing. Three more ways
    around it: b_sp and b_app can cancel (witness with b_app = 13/972 = -b_sp); a start from mu makes d = mu; and "one
    sampling procedure" need not be mu: if critic and actor both sample from d, TD is still a contraction (``d P_pi <= d
    / gamma`` makes ``gamma P_pi`` a sqrt(gamma)-contraction in the d-norm) and with exact features nothing is left.

    *In general*, at a given theta: true. On random rational problems, the small ones of one state aside, the bias never
    vanishes, and by unbiased-actor no law but d is right for every reward. *As a bias that stays* where the algorithm
    comes to rest, which "constant" may mean: false where every state has parameters of its own and features are exact.
    The block of state s of the mu-direction is then ``(1 - gamma) mu(s) / d(s)`` times that of grad J (reading
    *separate states*), so both vanish at the same policies and nothing is left, for all rewards.

    Repaired, sharp: ``|b_sp,i| <= 2 TV(mu, d) max_s |E_pi[delta_hat score_i]|``, since a signed measure of total mass
    zero has parts of mass TV. Attained when the rooms want opposite things: 4/21 on both sides.

    Hypotheses: lower level solved at the TD fixed point; one sampling law for critic and actor, as in Algorithm 1.

    Consequence: eps_sp is an upper bound that can be vacuous and can be attained. At a generic theta the bias is
    there (what floor it causes in the long run is theorem-3-actor's matter: none with separate parameters per state),
    and Corollary 1 is one way among several to remove it.
    """
    return (
        printed(
            lambda c: vanishing(
                [*agreeing_rooms(), *rational_points(c, smallest=1)], mismatched, sampling, "sampling bias"
            ),
            "whenever mu and d differ",
            recheck=lambda c: vanishing(agreeing_rooms(), mismatched, sampling, "sampling bias"),
        ),
        printed(
            lambda c: vanishing(map(tabular, rational_points(c, smallest=1)), mismatched, sampling, "sampling bias"),
            "in general: on generic problems with exact features",
            "generic",
        ),
        reading(
            lambda c: vanishing([cancelling()], both_biased, total, "total bias"),
            "a sampling bias leaves a bias in total", "no cancellation",
        ),
        reading(
            lambda c: vanishing(
                map(tabular, rational_points(c, smallest=1)), mismatched, all_from_visitation, "bias"
            ),
            "one sampling law for critic and actor always leaves a bias (law d, exact features)",
            "one law for both",
        ),
        reading(
            lambda c: exact_identity(
                c, "d(s) times the mu-direction of state s minus (1 - gamma) mu(s) grad_s J", block_gap
            ),
            "separate parameters per state, exact features: the mu-direction vanishes exactly where grad J does",
            "separate states",
        ),
        repaired(
            lambda c: (largest_ratio([two_rooms(flipped=True), *rational_points(c)], fmpq(2)), attained()),
            "|b_sp,i| is at most twice the total variation times the largest contribution of a state",
        ),
        control(
            lambda c: vanishing(
                map(tabular, rational_points(c, smallest=1)), mismatched,
                lambda p: actor_bias(p.exact(), "visitation").sampling, "sampling bias"
            ),
            "the bias is there under double sampling as well",
            "double sampling",
        ),
        control(
            lambda c: largest_ratio([two_rooms(flipped=True), *rational_points(c)], fmpq(19, 10)),
            "the repaired bound with 1.9 for 2", "1.9 for 2",
        ),
    )


@statement("zeng2022", "approximation-inevitable", uses=("assumption-4", "eq-10-direction"))
def approximation_inevitable() -> tuple[Variant, ...]:
    r"""With linear approximation of V and of the reward, the approximation error is inevitable.

    .. math:: \hat V = \Phi\omega, \ \hat r = \Psi\lambda \ \Longrightarrow\
        b_{app} := \mathbb{E}_{d_\theta}\big[(\hat\delta - \delta)\, \nabla_\theta \log \pi_\theta\big] \ne 0

    The sentence in full: "Due to the linear approximation, the approximation error is inevitable in the convergence
    analysis." Two readings disagree. *As a necessity*, for every problem and all features that meet Assumption 4:
    false. In the two rooms with equal rewards one constant feature for V and one indicator feature for the reward
    (K = 1 of 2 states, L = 1 of 4 pairs, norms at most one, full column rank) represent V and r_bar exactly *for
    every policy of the class*, so eps_app = 0 in every definition. Tabular features do so for every problem (first
    control). And a nonzero b_app need not leave a bias: it can cancel b_sp, or have no component along the scores.

    *In general*: true. With fewer features than states and pairs neither model is exact on any of the random
    rational problems, so an analysis that covers Assumption 4 has to carry the error. One thing is worse than the
    remark says: with omega* of (7a) as displayed, tabular features do *not* remove the error (last reading),
    because that minimiser is not V.

    Hypotheses: lower level solved, at the TD fixed point unless said otherwise.

    Consequence: eps_app may be taken as zero where features are exact, and Theorem 3 and Corollary 1 then promise
    convergence without that floor; "there exist constants eps_app > 0" in Proposition 2 remains true, as an upper
    bound.
    """
    return (
        printed(
            lambda c: vanishing(
                [*one_feature_rooms(), *rational_points(c, smallest=1)], lambda view: True, model_errors,
                "error of both models",
            ),
            "for every problem and all features that meet Assumption 4",
        ),
        printed(
            lambda c: vanishing(
                rational_points(c, smallest=2), lambda view: True, model_errors, "error of both models"
            ),
            "in general: for generic features, fewer than states and pairs",
            "generic",
        ),
        reading(
            lambda c: vanishing([cancelling()], both_biased, total, "total bias"),
            "an approximation bias leaves a bias in total", "no cancellation",
        ),
        reading(
            lambda c: first_violation(
                "minimiser of (7a) minus V, tabular features", [lopsided(), *map(tabular, rational_points(c))],
                td_error_gap, "two states, one action, tabular features",
                lambda p: {"minimiser of (7a)": p.exact().omega_td_error, "V": p.exact().V},
            ),
            "with omega* of (7a), tabular features remove the error in V",
            "td-error, tabular",
        ),
        control(
            lambda c: vanishing(
                map(tabular, rational_points(c, smallest=1)), lambda view: True, model_errors, "error of both models"
            ),
            "tabular features leave an error too",
            "tabular",
        ),
        control(
            lambda c: vanishing(
                map(tabular, rational_points(c, smallest=1)), lambda view: True,
                lambda p: p.exact().omega_td - p.exact().V, "error",
            ),
            "with omega* the TD fixed point, tabular features leave an error in V",
            "td, tabular",
        ),
    )
