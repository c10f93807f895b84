"""The ledger of zhang2025, in paper order."""

from verify.searched import searched
from verify.sharpness import sharpened
from verify.zhang2025.assumptions.compatible_error import assumption_5_6
from verify.zhang2025.assumptions.critic_slope import assumption_5_8_q, assumption_5_9
from verify.zhang2025.assumptions.gaussian import assumption_5_5_gaussian
from verify.zhang2025.assumptions.mixing_time import lemma_5_4
from verify.zhang2025.assumptions.policy_chain import assumption_5_2
from verify.zhang2025.assumptions.regularity import assumption_5_5
from verify.zhang2025.assumptions.rewards import assumption_5_1, assumption_5_3
from verify.zhang2025.assumptions.smoothness import assumption_5_8_j
from verify.zhang2025.listing.actor_step import algorithm_1_step, remark_1
from verify.zhang2025.listing.centralised_critic import algorithm_3
from verify.zhang2025.listing.critic_listing import algorithm_2_average, algorithm_2_gossip
from verify.zhang2025.listing.direction import algorithm_1_direction
from verify.zhang2025.listing.order import algorithm_1_data
from verify.zhang2025.listing.projection import algorithm_2_projection
from verify.zhang2025.proof.actor_gossip import eq_26
from verify.zhang2025.proof.actor_gossip_sum import eq_27
from verify.zhang2025.proof.batch_error import eq_28, eq_29, eq_30
from verify.zhang2025.proof.batch_rate import eq_33
from verify.zhang2025.proof.combine import eq_35_36, eq_37
from verify.zhang2025.proof.critic_ball import eq_22
from verify.zhang2025.proof.critic_error import eq_20
from verify.zhang2025.proof.critic_share import eq_34
from verify.zhang2025.proof.critic_sum import eq_24_25
from verify.zhang2025.proof.decomposition import eq_15, eq_16_17, eq_18_19
from verify.zhang2025.proof.descent import eq_8_cases, eq_8_descent
from verify.zhang2025.proof.facts import fact_c_1, remark_2
from verify.zhang2025.proof.gossip import consensus_rate
from verify.zhang2025.proof.mixing_error import eq_31_32
from verify.zhang2025.proof.neural_td import eq_23
from verify.zhang2025.proof.normalised import eq_8_normalised
from verify.zhang2025.proof.one_step import eq_9
from verify.zhang2025.proof.recursion import eq_11
from verify.zhang2025.proof.stationary_point import fact_c_3
from verify.zhang2025.proof.unrolled import eq_10
from verify.zhang2025.rlhf.figure import figure_4
from verify.zhang2025.searches.proof_table import SEARCHES as PROOF_SEARCHES
from verify.zhang2025.searches.proof_table import SURVEYS as PROOF_SURVEYS
from verify.zhang2025.searches.setting_table import SEARCHES as SETTING_SEARCHES
from verify.zhang2025.searches.setting_table import SURVEYS as SETTING_SURVEYS
from verify.zhang2025.searches.sharpness import SHARPNESS
from verify.zhang2025.setting.appendix_b import b1_recursion, b2_gradient
from verify.zhang2025.setting.approximation import universal_approximation
from verify.zhang2025.setting.bellman import eq_3, eq_4
from verify.zhang2025.setting.consensus_matrix import definition_4_1, fact_c_2
from verify.zhang2025.setting.critic_objective import eq_6, eq_7
from verify.zhang2025.setting.kernels import restart_kernel
from verify.zhang2025.setting.networks_eq5 import eq_5, eq_5_dimension
from verify.zhang2025.setting.objective import eq_1, eq_2
from verify.zhang2025.setting.restart import lemma_4_2, lemma_4_3
from verify.zhang2025.simple_spread.gossip_figure import d1_defaults, figure_5
from verify.zhang2025.simple_spread.other_figures import figure_2_10, figure_6, figure_7, figure_8, figure_9
from verify.zhang2025.theorem.complexity import corollary_5_11
from verify.zhang2025.theorem.depth_width import remark_5
from verify.zhang2025.theorem.domination import lemma_5_7, theorem_5_10
from verify.zhang2025.theorem.exponents import eq_38_39, eq_40_41
from verify.zhang2025.theorem.gossip_bias import remark_6
from verify.zhang2025.theorem.parameters import theorem_5_10_parameters
from verify.zhang2025.theorem.remarks import remark_3, remark_4, table_1
from verify.zhang2025.theorem.term_batch import theorem_5_10_term_4
from verify.zhang2025.theorem.term_critic import theorem_5_10_term_7
from verify.zhang2025.theorem.term_gossip import theorem_5_10_term_5
from verify.zhang2025.theorem.term_horizon import theorem_5_10_term_1

SEARCHED = searched(
    (
        eq_1,
        eq_2,
        eq_3,
        eq_4,
        eq_5,
        eq_5_dimension,
        universal_approximation,
        eq_6,
        eq_7,
        restart_kernel,
        definition_4_1,
        algorithm_1_data,
        algorithm_1_direction,
        algorithm_1_step,
        algorithm_2_average,
        algorithm_2_projection,
        algorithm_2_gossip,
        lemma_4_2,
        lemma_4_3,
        remark_1,
        remark_2,
        assumption_5_1,
        assumption_5_2,
        assumption_5_3,
        lemma_5_4,
        assumption_5_5,
        assumption_5_5_gaussian,
        assumption_5_6,
        lemma_5_7,
        assumption_5_8_j,
        assumption_5_8_q,
        assumption_5_9,
        theorem_5_10,
        theorem_5_10_term_1,
        theorem_5_10_term_4,
        theorem_5_10_term_5,
        theorem_5_10_term_7,
        theorem_5_10_parameters,
        corollary_5_11,
        remark_3,
        remark_4,
        remark_5,
        remark_6,
        table_1,
        b1_recursion,
        b2_gradient,
        eq_8_descent,
        eq_8_normalised,
        eq_8_cases,
        eq_9,
        eq_10,
        eq_11,
        fact_c_1,
        fact_c_2,
        fact_c_3,
        eq_15,
        eq_16_17,
        eq_18_19,
        eq_20,
        consensus_rate,
        algorithm_3,
        eq_22,
        eq_23,
        eq_24_25,
        eq_26,
        eq_27,
        eq_28,
        eq_29,
        eq_30,
        eq_31_32,
        eq_33,
        eq_34,
        eq_35_36,
        eq_37,
        eq_38_39,
        eq_40_41,
        d1_defaults,
        figure_5,
        figure_6,
        figure_7,
        figure_8,
        figure_9,
        figure_2_10,
        figure_4,
    ),
    {**PROOF_SEARCHES, **SETTING_SEARCHES, **PROOF_SURVEYS, **SETTING_SURVEYS},
)
"""Statement functions in paper order, with the searches of what is not proved."""

LEDGER = sharpened(SEARCHED, SHARPNESS)
"""The same, with how sharp the repaired forms are."""
