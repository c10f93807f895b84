"""The bundled policy classes on a given problem, or the reason why a class cannot be built there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mdp.instances import ring3
from mdp.model import FiniteMDP
from mdp.policies import CircularPolicy, NeuralPolicy, ReducedSoftmaxPolicy
from mdp.policy import LogLinearPolicy, Policy
from mdp.problem import Problem

NEURAL_WIDTH = 4
"""Width of the neural classes; ours: small enough for exact searches, wide enough to be overparametrised."""

OWN_CLASS = "log-linear (its own)"
TABULAR, REDUCED, CIRCULAR = "tabular softmax", "reduced softmax", "circular"
NEURAL = {depth: f"neural, D = {depth}, m = {NEURAL_WIDTH}" for depth in (1, 2)}
CLASSES = (OWN_CLASS, TABULAR, REDUCED, CIRCULAR, *NEURAL.values())
"""Names of the classes, in the order of the tables."""

NO_CHOICE = "every agent has a single action: there is one policy and nothing to parameterise"


def policy_on(name: str, problem: Problem, seed: int = 0) -> Policy | str:
    """A class of `CLASSES` on the states and actions of a problem.

    Args:
        name: one of `CLASSES`.
        problem: the problem; its own policy is the first class.
        seed: of the neural classes' fixed layers.

    Returns:
        The policy class, or why there is none.

    Raises:
        KeyError: an unknown name.
    """
    S, n_actions = problem.mdp.n_states, problem.mdp.n_actions
    if name not in CLASSES:
        raise KeyError(f"no policy class {name!r}; there are {', '.join(CLASSES)}")
    if name == OWN_CLASS:
        return problem.policy
    if max(n_actions) == 1:
        return NO_CHOICE
    if name in (TABULAR, REDUCED):
        if len(set(n_actions)) != 1:
            return f"actions {n_actions} differ among agents, and theta is one rectangular array"
        tabular = LogLinearPolicy.tabular(S, n_actions)
        return tabular if name == TABULAR else ReducedSoftmaxPolicy(S, n_actions)
    if name == CIRCULAR:
        if min(n_actions) < 3:
            return f"actions {n_actions}: a circle inside the simplex needs three actions of every agent"
        return CircularPolicy.tabular(S, n_actions).normalised()
    depth = next(depth for depth, label in NEURAL.items() if label == name)
    scale = 1 / np.sqrt(2 * NEURAL_WIDTH)  # logits of variance one at the start
    return NeuralPolicy.draw(S, n_actions, width=NEURAL_WIDTH, depth=depth, seed=seed, logit_scale=scale)[0]


def policy_classes(mdp: FiniteMDP, seed: int = 0) -> dict[str, Policy]:
    """All classes that can be built on an MDP with the sizes of ring3 (three states, three agents, three actions).

    Args:
        mdp: the MDP.
        seed: of the neural classes' fixed layers.
    """
    problem = replace(ring3(), mdp=mdp)
    found = {name: policy_on(name, problem, seed) for name in CLASSES}
    return {name: policy for name, policy in found.items() if not isinstance(policy, str)}
