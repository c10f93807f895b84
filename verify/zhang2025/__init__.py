"""The ledger of zhang2025, in paper order."""

from verify.zhang2025.descent import eq_8_cases
from verify.zhang2025.direction import algorithm_1_direction
from verify.zhang2025.gossip import consensus_rate
from verify.zhang2025.restart import lemma_4_2, lemma_4_3

LEDGER = (algorithm_1_direction, lemma_4_2, lemma_4_3, eq_8_cases, consensus_rate)
"""Statement functions in paper order."""
