"""A parsed DRN file to an MDP: agents, rewards, initial law, and rows that sum to one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np
from flint import fmpq

from mdp.io.drn_parse import UNNAMED, Action, Source
from mdp.io.errors import FormatError, built, shown
from mdp.io.exact_text import parse_rational
from mdp.io.rational_mdp import RationalMDP
from mdp.linear import rational
from mdp.validate import ROW_SUM_TOLERANCE

MAX_DENSE_ENTRIES = 20_000_000
"""Largest S * A * S of a dense exact kernel; ours: 160 MB of references, before the numbers themselves."""

DIRECTIVES = {"gamma", "initial", "n_actions", "reward_noise", "name"}
"""What ``// lemmata`` comments may say."""


@dataclass(frozen=True)
class Overrides:
    """Arguments of `mdp.io.drn.read_drn` that a file cannot always answer; see there.

    Attributes:
        gamma: discount factor or None.
        initial: initial law or None.
        n_actions: actions per agent or None.
        rewards: reward model of each agent or None.
        pad_actions: repeat a state's last action.
        renormalise: largest distance of a row sum from one that is divided away.
    """

    gamma: Any = None
    initial: Any = None
    n_actions: Sequence[int] | None = None
    rewards: Sequence[str] | None = None
    pad_actions: bool = False
    renormalise: float = 0.0


def build_mdp(path: str, source: Source, overrides: Overrides) -> RationalMDP:
    """The exact MDP of a parsed file.

    Args:
        path: file name for messages.
        source: the parsed file.
        overrides: what the caller said.

    Raises:
        FormatError: naming file and line.
    """
    unknown = sorted(set(source.directives) - DIRECTIVES)
    if unknown:
        line, _ = source.directives[unknown[0]]
        raise FormatError(f"{path}, line {line}: unknown comment '// lemmata {unknown[0]}'")
    choices = sum(len(state.actions) for state in source.states)
    if source.n_choices not in (None, choices):
        raise FormatError(
            f"{path}, line {source.last_line}: {choices} actions, but @nr_choices declares {source.n_choices}"
        )
    columns = _aligned(path, source, overrides.pad_actions)
    n_actions = _agents(path, source, [action.name for action in columns[0]], overrides.n_actions)
    labels: dict[str, tuple[int, ...]] = {}
    for s, state in enumerate(source.states):
        for label in state.labels:
            labels[label] = (*labels.get(label, ()), s)
    initial = _initial(path, source, labels, overrides.initial)
    labels.pop("init", None)
    return built(
        path, RationalMDP,
        P=_kernel(path, source, columns, overrides.renormalise),
        r=_local_rewards(path, source, columns, len(n_actions), overrides.rewards),
        initial=initial, gamma=_discount(path, source, overrides.gamma), n_actions=n_actions,
        reward_noise=_noise(path, source), name=_name(path, source), labels=labels,
    )


def _aligned(path: str, source: Source, pad: bool) -> list[list[Action]]:
    """Actions of every state in one order: by name where the names agree, else (if allowed) by position."""
    first = [action.name for action in source.states[0].actions]
    width = max(len(state.actions) for state in source.states)
    columns = []
    for s, state in enumerate(source.states):
        by_name = {action.name: action for action in state.actions}
        if len(by_name) == len(state.actions) == width and set(by_name) == set(first):
            columns.append([by_name[name] for name in first])
        elif pad or (len(state.actions) == width and set(by_name) == {UNNAMED}):
            columns.append(state.actions + state.actions[-1:] * (width - len(state.actions)))
        elif len(state.actions) < width:
            raise FormatError(f"{path}, line {state.line}: state {s} has {len(state.actions)} actions and another "
                              f"state has {width}; pad_actions=True repeats the last one")
        else:
            raise FormatError(f"{path}, line {state.line}: the actions of state {s} are not named as those of state 0; "
                              "pad_actions=True takes them by position")
    return columns


def _agents(path: str, source: Source, names: list[str], given: Sequence[int] | None) -> tuple[int, ...]:
    if given is None and "n_actions" in source.directives:
        line, text = source.directives["n_actions"]
        words = text.split()
        if not words or not all(w.isascii() and w.isdigit() and len(w) < 10 and int(w) for w in words):
            raise FormatError(f"{path}, line {line}: n_actions is {shown(text)}, not positive integers")
        given = [int(word) for word in words]
    if given is None:
        local = [tuple(name.split("_")) for name in names]
        if all(len(item) == len(local[0]) and all(w.isascii() and w.isdigit() and len(w) < 10 for w in item)
               for item in local):
            sizes = tuple(max(int(w) for w in column) + 1 for column in zip(*local, strict=True))
            if prod(sizes) == len(names) and [tuple(map(int, i)) for i in local] == list(
                product(*(range(n) for n in sizes))
            ):
                return sizes
        return (len(names),)
    if prod(given) != len(names):
        raise FormatError(f"{path}: n_actions {tuple(given)} make {prod(given)} joint actions; "
                          f"states have {len(names)}")
    return tuple(given)


def _kernel(path: str, source: Source, columns: list[list[Action]], renormalise: float) -> np.ndarray:
    S, A = len(columns), len(columns[0])
    if S * A * S > MAX_DENSE_ENTRIES:
        raise FormatError(f"{path}: {S} states and {A} actions make {S * A * S} dense entries; "
                          f"at most {MAX_DENSE_ENTRIES} are read")
    allowed = max(Fraction(0) if source.exact else Fraction(ROW_SUM_TOLERANCE), Fraction(renormalise))
    P = np.full((S, A, S), fmpq(0), dtype=object)
    for s, actions in enumerate(columns):
        for a, action in enumerate(actions):
            total = sum(action.row.values(), Fraction(0))
            if abs(total - 1) > allowed:
                raise FormatError(f"{path}, line {action.line}: action {shown(action.name)} of state {s} has "
                                  f"probabilities that sum to {_sum_text(total)}, not 1")
            scale = total if renormalise > 0 else Fraction(1)
            for target, probability in action.row.items():
                P[s, a, target] = rational(probability / scale)
    return P


def _sum_text(total: Fraction) -> str:
    return str(total) if len(str(total)) <= 30 else f"{float(total):.15g}"


def _local_rewards(
    path: str, source: Source, columns: list[list[Action]], n_agents: int, given: Sequence[str] | None
) -> np.ndarray:
    r = np.full((n_agents, len(columns), len(columns[0])), fmpq(0), dtype=object)
    models = source.reward_models
    own = [f"r{i}" for i in range(n_agents)]
    chosen = list(given) if given is not None else own if set(own) == set(models) else models
    if len(chosen) == 1:
        chosen = chosen * n_agents
    if not chosen:
        return r
    if len(chosen) != n_agents or not set(chosen) <= set(models):
        raise FormatError(f"{path}: reward models {shown(chosen)} for {n_agents} agents; the file has {shown(models)}")
    for i, model in enumerate(chosen):
        k = models.index(model)
        for s, (state, actions) in enumerate(zip(source.states, columns, strict=True)):
            base = state.rewards[k] if state.rewards else Fraction(0)
            for a, action in enumerate(actions):
                r[i, s, a] = rational(base + (action.rewards[k] if action.rewards else 0))
    return r


def _initial(path: str, source: Source, labels: dict[str, tuple[int, ...]], given: Any) -> Any:
    if given is not None:
        return given
    if "initial" in source.directives:
        line, text = source.directives["initial"]
        law = [_directive_number(path, line, word) for word in text.split()]
        if len(law) != len(source.states) or min(law) < 0 or abs(float(sum(law, Fraction(0)) - 1)) > ROW_SUM_TOLERANCE:
            raise FormatError(f"{path}, line {line}: initial is no law on {len(source.states)} states")
        return law
    states = labels.get("init", ())
    if len(states) != 1:
        raise FormatError(f"{path}: {len(states)} states are labelled init; with other than one, pass initial=")
    return [Fraction(int(s == states[0])) for s in range(len(source.states))]


def _discount(path: str, source: Source, given: Any) -> Any:
    if given is not None:
        return given
    if "gamma" not in source.directives:
        raise FormatError(f"{path}: a DRN file has no discount factor; pass gamma=")
    line, text = source.directives["gamma"]
    return _directive_number(path, line, text)


def _noise(path: str, source: Source) -> str:
    line, text = source.directives.get("reward_noise", (0, "none"))
    if text not in ("none", "gumbel"):
        raise FormatError(f"{path}, line {line}: reward_noise is {shown(text)}, not none or gumbel")
    return text


def _name(path: str, source: Source) -> str:
    line, text = source.directives.get("name", (0, '""'))
    try:
        name = json.loads(text)
    except (ValueError, RecursionError):
        name = None
    if not isinstance(name, str):
        raise FormatError(f"{path}, line {line}: name is {shown(text)}, not a quoted text")
    return name


def _directive_number(path: str, line: int, text: str) -> Fraction:
    try:
        return parse_rational(text)
    except ValueError as error:
        raise FormatError(f"{path}, line {line}: {error}") from error
