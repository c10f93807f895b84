"""Bundled problems, each good for something its docstring names. All but garnet have small rational tables."""

from collections.abc import Callable

from mdp.instances.chains import (
    absorbing_trap,
    nearly_decomposable,
    periodic_trap,
    random_walk,
    two_state,
)
from mdp.instances.coordination import coordination_game, xor_team
from mdp.instances.garnet import garnet
from mdp.instances.pursuit import mini_pursuit
from mdp.instances.ring3 import ring3, ring3_mdp, ring3_nonrealisable
from mdp.problem import Problem

INSTANCES: dict[str, Callable[..., Problem]] = {
    "ring3": ring3,
    "ring3-nonrealisable": ring3_nonrealisable,
    "coordination": coordination_game,
    "xor": xor_team,
    "two-state": two_state,
    "random-walk": random_walk,
    "nearly-decomposable": nearly_decomposable,
    "absorbing-trap": absorbing_trap,
    "periodic-trap": periodic_trap,
    "garnet": garnet,
    "mini-pursuit": mini_pursuit,
}
"""Bundled instances by name, each a function of optional keyword arguments."""

__all__ = [
    "INSTANCES",
    "absorbing_trap",
    "coordination_game",
    "garnet",
    "mini_pursuit",
    "nearly_decomposable",
    "periodic_trap",
    "random_walk",
    "ring3",
    "ring3_mdp",
    "ring3_nonrealisable",
    "two_state",
    "xor_team",
]
