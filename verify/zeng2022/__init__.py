"""The ledger of zeng2022, in paper order."""

from verify.searched import searched
from verify.sharpness import sharpened
from verify.zeng2022.experiments.coordination_game import coordination_optima
from verify.zeng2022.experiments.figures import coordination_figure
from verify.zeng2022.experiments.pursuit import pursuit_figure
from verify.zeng2022.listing.actor_samples import unbiased_actor
from verify.zeng2022.listing.actor_step import eq_10_direction
from verify.zeng2022.listing.algorithm import algorithm_1
from verify.zeng2022.listing.double_sampling import algorithm_2
from verify.zeng2022.listing.federated import federated
from verify.zeng2022.listing.gradient_steps import eq_12_sgd, eq_13_sgd
from verify.zeng2022.searches.sharpness import SHARPNESS
from verify.zeng2022.searches.table import SEARCHES, SURVEYS
from verify.zeng2022.setting.bellman_error import eq_7_msbe, unbiased_critic
from verify.zeng2022.setting.connectivity import assumption_1
from verify.zeng2022.setting.consensus import consensus
from verify.zeng2022.setting.formulation import eq_5, eq_8bd
from verify.zeng2022.setting.lower_level import eq_6, eq_7, eq_13_target
from verify.zeng2022.setting.preliminaries import eq_1, eq_2, eq_3, eq_4
from verify.zeng2022.setting.uniqueness import assumption_4_unique
from verify.zeng2022.setting.upper_level import eq_8a
from verify.zeng2022.setting.weights import assumption_2
from verify.zeng2022.theorem.inevitable import approximation_inevitable, mismatch_inevitable
from verify.zeng2022.theorem.mixing_assumption import assumption_6
from verify.zeng2022.theorem.policy_assumptions import assumption_5
from verify.zeng2022.theorem.propositions import proposition_1, proposition_1_must
from verify.zeng2022.theorem.rates import (
    corollary_1_actor,
    corollary_1_critic,
    step_sizes,
    theorem_3_actor,
    theorem_3_critic,
)
from verify.zeng2022.theorem.rewards_features import assumption_3, assumption_4
from verify.zeng2022.theorem.stationarity import proposition_2, sample_complexity

SEARCHED = searched(
    (
        eq_1,
        eq_2,
        eq_3,
        eq_4,
        eq_5,
        eq_6,
        eq_7,
        eq_7_msbe,
        eq_8a,
        eq_8bd,
        assumption_1,
        assumption_2,
        consensus,
        algorithm_1,
        eq_12_sgd,
        eq_13_sgd,
        eq_13_target,
        eq_10_direction,
        assumption_3,
        assumption_4,
        assumption_4_unique,
        assumption_5,
        assumption_6,
        proposition_1,
        proposition_1_must,
        proposition_2,
        unbiased_actor,
        unbiased_critic,
        mismatch_inevitable,
        approximation_inevitable,
        algorithm_2,
        step_sizes,
        theorem_3_critic,
        theorem_3_actor,
        corollary_1_critic,
        corollary_1_actor,
        sample_complexity,
        federated,
        coordination_optima,
        coordination_figure,
        pursuit_figure,
    ),
    {**SEARCHES, **SURVEYS},
)
"""Statement functions in paper order, with the searches of what is not proved."""

LEDGER = sharpened(SEARCHED, SHARPNESS)
"""The same, with how sharp the repaired forms are."""
