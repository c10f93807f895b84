"""Storm's explicit DRN format: MDPs as text with exact rational probabilities.

Grammar that is read, line by line (a line that starts with ``//`` is a comment, blank lines are skipped)::

    file        = {section} "@model" {state}
    section     = "@type:" ("MDP" | "DTMC")
                | "@value_type:" ("double" | "rational")
                | "@parameters" NEWLINE                       (the next line is blank: no parameters)
                | "@reward_models" NEWLINE {name}             (names in the next line)
                | "@nr_states" NEWLINE integer
                | "@nr_choices" NEWLINE integer
    state       = "state" id [rewards] {label} {action}       (ids 0, 1, 2, ... in order)
    action      = "action" name [rewards] {ignored} {transition}
    transition  = target ":" number
    rewards     = "[" number {"," number} "]"                 (one per reward model)
    label       = word | '"' characters '"'
    number      = integer | integer "/" integer | decimal

Placeholders, parameters, intervals, observations and exit rates are refused. State rewards are added to the
rewards of every action of the state, as in Storm.

DRN has no discount, no initial law and no agents, so `write_drn` puts them into comments that Storm skips and
`read_drn` understands: ``// lemmata gamma 9/10``, ``// lemmata initial 1/2 1/2``, ``// lemmata n_actions 2 3``,
``// lemmata reward_noise none``, ``// lemmata name "..."``. Reward model ``r<i>`` is the local reward of agent i. A
joint action is named by its local actions, agent 0 first: ``1_0`` is action 1 of agent 0 and action 0 of agent 1.

Source: Storm's documentation, Background, "DRN input format" (stormchecker.org).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mdp.io.drn_build import Overrides, build_mdp
from mdp.io.drn_parse import parse
from mdp.io.exact_text import rational_text, readable_rational
from mdp.io.rational_mdp import RationalMDP
from mdp.io.schema import replace_file
from mdp.model import FiniteMDP
from mdp.rational import RationalPoint

Values = Literal["auto", "rational", "double"]


def read_drn(
    path: str | Path,
    *,
    gamma: Any = None,
    initial: Any = None,
    n_actions: Sequence[int] | None = None,
    rewards: Sequence[str] | None = None,
    pad_actions: bool = False,
    renormalise: float = 0.0,
) -> RationalMDP:
    """Read an MDP (or a Markov chain, as an MDP with one action) exactly; ``.to_mdp()`` gives the doubles.

    Args:
        path: file to read.
        gamma: discount factor; needed unless the file has a ``// lemmata gamma`` comment.
        initial: initial law, (S,); needed unless the file has it in a comment or labels one state ``init``.
        n_actions: actions of each agent; by default from the comment, else from action names such as ``1_0``
            that run through a product in order, else one agent.
        rewards: names of the reward models, one per agent (a name may be repeated); by default ``r0``, ``r1``,
            ..., else the models in the file's order. One model is given to every agent; none means zero.
        pad_actions: let a state with fewer actions repeat its last one (this changes no optimal value)
            instead of refusing it.
        renormalise: rows whose sum differs from one by at most this are divided by their sum; for files whose
            decimals were cut short.

    Returns:
        The exact MDP with its state labels.

    Raises:
        FormatError: naming the line: unknown syntax, a repeated or skipped state, an unknown or repeated target,
            a row that does not sum to one (exactly for rationals, up to 1e-12 for decimals), a state without
            actions, a truncated file, counts that differ from the declared ones, or a model too large to be
            dense.
        OSError: the file cannot be read.

    Source: Storm's documentation, "DRN input format".
    """
    source = parse(path)
    overrides = Overrides(gamma, initial, n_actions, rewards, pad_actions, renormalise)
    return build_mdp(str(path), source, overrides)


def write_drn(
    path: str | Path,
    item: FiniteMDP | RationalMDP | RationalPoint,
    *,
    labels: Mapping[str, Iterable[int]] | None = None,
    values: Values = "auto",
) -> None:
    """Write an MDP for Storm. What is exact stays exact; doubles become the simplest rational that rounds to them.

    Args:
        path: file to write; replaced at once, never half written.
        item: what to write.
        labels: state labels besides ``init``; by default those of a `RationalMDP`.
        values: ``"rational"`` writes ``p/q`` and wants rows that sum to one exactly, ``"double"`` writes decimals,
            ``"auto"`` the former if it can.

    Raises:
        ValueError: `values` is something else; ``"rational"`` and a row whose simplest rationals do not sum to
            one (the row is named); a label that DRN cannot hold or a state that is not there.
        TypeError: another kind of object.

    Source: Storm's documentation, "DRN input format".
    """
    if values not in ("auto", "rational", "double"):
        raise ValueError(f"values is {values!r}, not 'auto', 'rational' or 'double'")
    if not isinstance(item, (FiniteMDP, RationalMDP, RationalPoint)):
        raise TypeError(f"a {type(item).__name__} has no DRN form; FiniteMDP, RationalMDP and RationalPoint have")
    if labels is None:
        labels = item.labels if isinstance(item, RationalMDP) else {}
    off = _unnormalised_row(item.P)
    if values == "rational" and off is not None:
        raise ValueError(
            f"P[{off[0]}, {off[1]}] sums to {off[2]} over the simplest rationals of its entries, not 1; "
            "use values='double', or write a RationalMDP"
        )
    by_state = _labels_by_state(labels, len(item.initial))
    lines = _lines(item, by_state, exact=values != "double" and off is None)
    replace_file(path, ("\n".join(lines) + "\n").encode())


def _lines(item: FiniteMDP | RationalMDP | RationalPoint, labels: list[list[str]], *, exact: bool) -> Iterable[str]:
    def number(value: Any) -> str:
        return rational_text(_fraction(value)) if exact else _decimal(value)

    name, noise = getattr(item, "name", ""), getattr(item, "reward_noise", "none")
    yield "// lemmata gamma " + rational_text(_fraction(item.gamma))
    yield "// lemmata initial " + " ".join(rational_text(_fraction(x)) for x in item.initial)
    yield "// lemmata n_actions " + " ".join(str(n) for n in item.n_actions)
    yield f"// lemmata reward_noise {noise}"
    yield f"// lemmata name {json.dumps(name)}"
    S, A = item.P.shape[:2]
    yield from ("@type: MDP", f"@value_type: {'rational' if exact else 'double'}", "@parameters", "")
    yield from ("@reward_models", " ".join(f"r{i}" for i in range(len(item.n_actions))))
    yield from ("@nr_states", str(S), "@nr_choices", str(S * A), "@model")
    names = ["_".join(map(str, joint)) for joint in product(*(range(n) for n in item.n_actions))]
    for s in range(S):
        yield " ".join([f"state {s}", *(["init"] if item.initial[s] > 0 else []), *labels[s]])
        for a in range(A):
            yield f"\taction {names[a]} [{', '.join(number(x) for x in item.r[:, s, a])}]"
            yield from (f"\t\t{t} : {number(item.P[s, a, t])}" for t in range(S) if item.P[s, a, t] != 0)


def _unnormalised_row(P: np.ndarray) -> tuple[int, int, str] | None:
    for s, a in np.ndindex(P.shape[:2]):
        total = sum((_fraction(x) for x in P[s, a] if x != 0), Fraction(0))
        if total != 1:
            return s, a, rational_text(total)
    return None


def _labels_by_state(labels: Mapping[str, Iterable[int]], n_states: int) -> list[list[str]]:
    by_state: list[list[str]] = [[] for _ in range(n_states)]
    for label, states in labels.items():
        if label == "init":
            raise ValueError("the label init belongs to the initial law; it is written by itself")
        if not label or not label.isprintable() or '"' in label or label[0] in "[{!" or "//" in label:
            raise ValueError(f"label {label!a} has no DRN form: printable, no quotation mark, no comment sign")
        for s in states:
            if not 0 <= s < n_states:
                raise ValueError(f"label {label!a} is on state {s}; states are 0..{n_states - 1}")
            by_state[s].append(f'"{label}"' if " " in label else label)
    return by_state


def _fraction(value: Any) -> Fraction:
    return readable_rational(value) if isinstance(value, float) else Fraction(int(value.p), int(value.q))


def _decimal(value: Any) -> str:
    return repr(float(value)) if isinstance(value, float) else repr(float(_fraction(value)))
