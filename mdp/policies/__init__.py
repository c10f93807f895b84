"""Policy classes beyond the log-linear one; all satisfy `mdp.policy.Policy`."""

from mdp.policies.circular import CircularPolicy
from mdp.policies.neural import NeuralPolicy
from mdp.policies.reduced import ReducedSoftmaxPolicy

__all__ = ["CircularPolicy", "NeuralPolicy", "ReducedSoftmaxPolicy"]
