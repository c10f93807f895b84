"""zhang2025's decentralised actor-critic with network critics: Algorithms 1-3, every reading, every oracle."""

from algorithms.neural.critic import FixedPoint, critic_fixed_point
from algorithms.neural.critic_moments import averaged_td
from algorithms.neural.decomposition import decompose
from algorithms.neural.loop import Loop, Steps
from algorithms.neural.network import CriticNetwork, PairInputs
from algorithms.neural.oracles import BatchLaw, batch_law
from algorithms.neural.proof_lines import Decomposition, dataset
from algorithms.neural.readings import PRINTED, READINGS, REPAIRED, UNDISCOUNTED, Reading
from algorithms.neural.run import LOCKSTEP_METRICS, METRICS, Oracles, expected_direction
from algorithms.neural.train import actor_critic

__all__ = [
    "LOCKSTEP_METRICS",
    "METRICS",
    "PRINTED",
    "READINGS",
    "REPAIRED",
    "UNDISCOUNTED",
    "BatchLaw",
    "CriticNetwork",
    "Decomposition",
    "FixedPoint",
    "Loop",
    "Oracles",
    "PairInputs",
    "Reading",
    "Steps",
    "actor_critic",
    "averaged_td",
    "batch_law",
    "critic_fixed_point",
    "dataset",
    "decompose",
    "expected_direction",
]
