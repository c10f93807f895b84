"""Search for counterexamples and for worst ratios: explore in floats, then shrink and certify exactly.

>>> import numpy as np
>>> from verify.search import Vectors, find_counterexample
>>> found = find_counterexample(lambda v: v[0] * v[1] - v[0], Vectors((0, 0), (3, 3)), 300, np.random.default_rng(0))
>>> found.parameters, found.violation
((Fraction(1, 1), Fraction(2, 1)), Fraction(1, 1))
"""

from verify.search.consensus_family import ConsensusMatrices
from verify.search.family import Family, Vectors
from verify.search.find import find_counterexample, worst_ratio
from verify.search.inequality import Inequality
from verify.search.mdp_family import FloatPoint, MDPFamily
from verify.search.outcome import Budget, Counterexample, Survived, WorstRatio

__all__ = [
    "Budget",
    "ConsensusMatrices",
    "Counterexample",
    "Family",
    "FloatPoint",
    "Inequality",
    "MDPFamily",
    "Survived",
    "Vectors",
    "WorstRatio",
    "find_counterexample",
    "worst_ratio",
]
