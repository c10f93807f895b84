"""Finite multi-agent MDPs and everything exact about them; the glossary is in `mdp.model`."""

from mdp.certify import (
    Certificate,
    certificate,
    certificate_from_theta,
    certified_mixing,
    certified_step_range,
    certify_function,
    certify_smoothness,
)
from mdp.chain import PeriodicChainError, ReducibleChainError
from mdp.compatible import eps_bias
from mdp.enclose import enclose
from mdp.equilibria import Equilibria, pure_equilibria, pure_nash
from mdp.exact import Exact, exact
from mdp.features import Features
from mdp.instances import INSTANCES, coordination_game, garnet, ring3, ring3_nonrealisable
from mdp.large import LARGE_INSTANCES, SimpleSpread, SparseMDP, simple_spread, sparse_exact
from mdp.mixing import Mixing, doeblin_mixing, measured_mixing, spectral_mixing, uniform_mixing
from mdp.model import FiniteMDP
from mdp.networks.bounds import path_bound
from mdp.networks.fastest import fastest_mixing
from mdp.networks.schedule import DisconnectedScheduleError, Schedule, full_average, metropolis_weights
from mdp.networks.table import contraction_table
from mdp.networks.worst import worst_weights
from mdp.optimal import J_class_star, J_star, occupancy_lp
from mdp.policies import CircularPolicy, NeuralPolicy, ReducedSoftmaxPolicy
from mdp.policy import LogLinearPolicy, Policy
from mdp.problem import Problem
from mdp.rational import RationalPoint
from mdp.td_stability import mean_square_range

__all__ = [
    "INSTANCES",
    "LARGE_INSTANCES",
    "Certificate",
    "CircularPolicy",
    "DisconnectedScheduleError",
    "Equilibria",
    "Exact",
    "Features",
    "FiniteMDP",
    "J_class_star",
    "J_star",
    "LogLinearPolicy",
    "Mixing",
    "NeuralPolicy",
    "PeriodicChainError",
    "Policy",
    "Problem",
    "RationalPoint",
    "ReducedSoftmaxPolicy",
    "ReducibleChainError",
    "Schedule",
    "SimpleSpread",
    "SparseMDP",
    "certificate",
    "certificate_from_theta",
    "certified_mixing",
    "certified_step_range",
    "certify_function",
    "certify_smoothness",
    "contraction_table",
    "coordination_game",
    "doeblin_mixing",
    "enclose",
    "eps_bias",
    "exact",
    "fastest_mixing",
    "full_average",
    "garnet",
    "mean_square_range",
    "measured_mixing",
    "metropolis_weights",
    "occupancy_lp",
    "path_bound",
    "pure_equilibria",
    "pure_nash",
    "ring3",
    "ring3_nonrealisable",
    "simple_spread",
    "sparse_exact",
    "spectral_mixing",
    "uniform_mixing",
    "worst_weights",
]
