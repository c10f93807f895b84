"""Hypothesis strategies for MDPs, policies, features, consensus matrices, schedules and rational points.

Everything is drawn from small integers and divided exactly, then converted: what a failing test shrinks to is a
problem with few states and entries such as 1/2 or 1/3. Use with `hypothesis.given`::

    @given(mdps())
    def test_something(mdp): ...

Chains are irreducible and aperiodic under every policy unless `chains` asks for something else.
"""

from mdp.testing._draws import LARGEST_WEIGHT, Size, rationals
from mdp.testing.mdps import DISCOUNTS, Chains, mdps, rational_mdps
from mdp.testing.networks import consensus_matrices, rational_consensus, schedules
from mdp.testing.policies import features, policies, rational_features, thetas
from mdp.testing.problems import problems, rational_points

__all__ = [
    "DISCOUNTS",
    "LARGEST_WEIGHT",
    "Chains",
    "Size",
    "consensus_matrices",
    "features",
    "mdps",
    "policies",
    "problems",
    "rational_consensus",
    "rational_features",
    "rational_mdps",
    "rational_points",
    "rationals",
    "schedules",
    "thetas",
]
