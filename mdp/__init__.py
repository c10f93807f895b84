"""Finite multi-agent MDPs and everything exact about them; the glossary is in `mdp.model`."""

from mdp.chain import PeriodicChainError, ReducibleChainError
from mdp.exact import Exact, exact
from mdp.features import Features
from mdp.instances import INSTANCES, coordination_game, ring3, ring3_nonrealisable
from mdp.model import FiniteMDP
from mdp.network import DisconnectedScheduleError, Schedule, full_average, metropolis_weights
from mdp.policy import LogLinearPolicy, Policy
from mdp.problem import Problem
from mdp.rational import RationalPoint

__all__ = [
    "INSTANCES",
    "DisconnectedScheduleError",
    "Exact",
    "Features",
    "FiniteMDP",
    "LogLinearPolicy",
    "PeriodicChainError",
    "Policy",
    "Problem",
    "RationalPoint",
    "ReducibleChainError",
    "Schedule",
    "coordination_game",
    "exact",
    "full_average",
    "metropolis_weights",
    "ring3",
    "ring3_nonrealisable",
]
