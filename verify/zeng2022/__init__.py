"""The ledger of zeng2022, in paper order."""

from verify.zeng2022.consensus import consensus
from verify.zeng2022.lower_level import eq_6, eq_7, eq_13_target
from verify.zeng2022.preliminaries import eq_1, eq_2, eq_3, eq_4
from verify.zeng2022.rates import (
    corollary_1_actor,
    corollary_1_critic,
    step_sizes,
    theorem_3_actor,
    theorem_3_critic,
)

LEDGER = (
    eq_1,
    eq_2,
    eq_3,
    eq_4,
    eq_6,
    eq_7,
    consensus,
    eq_13_target,
    step_sizes,
    theorem_3_critic,
    theorem_3_actor,
    corollary_1_critic,
    corollary_1_actor,
)
"""Statement functions in paper order."""
