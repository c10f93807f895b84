"""DRN text to sections, states, actions and transitions, each with its line number; no semantics yet.

The file is a little long because every line of the grammar has its own refusals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from mdp.io.errors import FormatError, shown
from mdp.io.exact_text import parse_rational

SECTIONS_WITH_VALUE = ("@parameters", "@reward_models", "@nr_states", "@nr_choices")
"""Sections whose value is the whole next line."""

VALUE_TYPES = {"double": False, "rational": True}
"""Number types that are read, and whether rows have to sum to one exactly."""

UNNAMED = "__NOLABEL__"
"""What Storm writes for an action without a name."""

LABEL = re.compile(r'"([^"]+)"(?=\s|$)|([^\s"]+)(?=\s|$)')
REWARDS = re.compile(r"\[([^\]]*)\](?:\s+|$)")
DIRECTIVE = re.compile(r"//\s*lemmata\s+(\w+)(?:\s+(.*))?$")


@dataclass
class Action:
    """One action of a state.

    Attributes:
        name: as in the file.
        line: where it starts.
        rewards: one per reward model, or empty.
        row: target to probability.
    """

    name: str
    line: int
    rewards: list[Fraction]
    row: dict[int, Fraction] = field(default_factory=dict)


@dataclass
class State:
    """One state.

    Attributes:
        line: where it starts.
        rewards: one per reward model, or empty.
        labels: in the file's order.
        actions: in the file's order.
    """

    line: int
    rewards: list[Fraction]
    labels: list[str]
    actions: list[Action] = field(default_factory=list)


@dataclass
class Source:
    """A parsed file.

    Attributes:
        exact: whether the file declares rational values.
        deterministic: whether it is a Markov chain.
        reward_models: names in the file's order.
        n_choices: declared number of actions, if any.
        directives: key to line and text of the ``// lemmata`` comments.
        states: one per state.
        last_line: number of lines.
    """

    exact: bool = False
    deterministic: bool = False
    reward_models: list[str] = field(default_factory=list)
    n_choices: int | None = None
    directives: dict[str, tuple[int, str]] = field(default_factory=dict)
    states: list[State] = field(default_factory=list)
    last_line: int = 0


def parse(path: str | Path) -> Source:
    """Parse a DRN file; memory grows with what is in the file, not with what it declares.

    Args:
        path: file to read.

    Raises:
        FormatError: syntax, with the line number.
        OSError: the file cannot be read.
    """
    source = Source()
    number = 0
    try:
        with open(path, encoding="utf-8", errors="strict") as stream:
            lines = enumerate((line.rstrip("\r\n") for line in stream), start=1)
            declared = _header(path, source, lines)
            for number, line in lines:
                text = line.strip()
                if text.startswith("//") or not text:
                    _directive(path, source, number, text)
                    continue
                _body_line(f"{path}, line {number}", source, declared, number, text)
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not a text file after line {number}: {error}") from error
    source.last_line = number
    if len(source.states) < declared:
        raise FormatError(f"{path}, line {number}: truncated: {len(source.states)} of {declared} declared states")
    _require_complete(path, source, number, "the end of the file")
    return source


def _header(path: str | Path, source: Source, lines: Iterator[tuple[int, str]]) -> int:
    seen: dict[str, int] = {}
    declared = number = 0
    for number, line in lines:
        text, where = line.strip(), f"{path}, line {number}"
        if text.startswith("//") or not text:
            _directive(path, source, number, text)
            continue
        keyword = text.split(":")[0].split()[0]
        if keyword in seen:
            raise FormatError(f"{where}: section {shown(keyword)} is repeated; it was in line {seen[keyword]}")
        seen[keyword] = number
        if keyword == "@model":
            for needed in ("@type", "@nr_states"):
                if needed not in seen:
                    raise FormatError(f"{where}: section {needed} is missing before @model")
            return declared
        if keyword in ("@type", "@value_type"):
            _declare_type(where, source, keyword, text[len(keyword) :].lstrip(": "))
        elif keyword in SECTIONS_WITH_VALUE:
            number, value = next(lines, (number, ""))
            where = f"{path}, line {number}"
            if keyword == "@nr_states":
                declared = _count(where, keyword, value)
            elif keyword == "@nr_choices":
                source.n_choices = _count(where, keyword, value)
            elif keyword == "@reward_models":
                source.reward_models = value.split()
                if len(set(source.reward_models)) < len(source.reward_models):
                    raise FormatError(f"{where}: a reward model is named twice")
            elif value.strip():
                raise FormatError(f"{where}: parameters {shown(value.strip())}; parametric models are not read")
        else:
            raise FormatError(f"{where}: unknown section or text before @model: {shown(text)}")
    raise FormatError(f"{path}, line {number}: truncated: no @model section")


def _declare_type(where: str, source: Source, keyword: str, value: str) -> None:
    value = value.strip()
    if keyword == "@value_type":
        if value not in VALUE_TYPES:
            raise FormatError(f"{where}: value type {shown(value)}; double and rational are read")
        source.exact = VALUE_TYPES[value]
        return
    if value.upper() not in ("MDP", "DTMC"):
        raise FormatError(f"{where}: model type {shown(value)}; MDP and DTMC are read")
    source.deterministic = value.upper() == "DTMC"


def _directive(path: str | Path, source: Source, number: int, text: str) -> None:
    match = DIRECTIVE.match(text)
    if match is None:
        return
    if match[1] in source.directives:
        raise FormatError(f"{path}, line {number}: comment {shown(match[1])} is repeated")
    source.directives[match[1]] = (number, (match[2] or "").strip())


def _body_line(where: str, source: Source, declared: int, number: int, text: str) -> None:
    word, _, rest = text.partition(" ")
    if word == "state":
        _require_complete(where.rpartition(", line ")[0], source, number, "the next state")
        identifier, _, rest = rest.strip().partition(" ")
        expected = len(source.states)
        if not (identifier.isascii() and identifier.isdigit()):
            raise FormatError(f"{where}: state id {shown(identifier)} is not a number")
        if int(identifier[:20]) != expected:
            repeated = int(identifier[:20]) < expected
            raise FormatError(f"{where}: state {identifier[:20]} {'is repeated' if repeated else 'is out of order'}; "
                              f"state {expected} is next")
        if expected >= declared:
            raise FormatError(f"{where}: state {expected}, but @nr_states declares {declared}")
        rewards, rest = _rewards(where, source, rest.strip())
        source.states.append(State(number, rewards, _labels(where, rest)))
    elif word == "action":
        if not source.states:
            raise FormatError(f"{where}: an action before the first state")
        name, _, rest = rest.strip().partition(" ")
        state = source.states[-1]
        _require_transitions(where, state)
        if not name:
            raise FormatError(f"{where}: an action without a name")
        if name != UNNAMED and any(action.name == name for action in state.actions):
            raise FormatError(f"{where}: action {shown(name)} of state {len(source.states) - 1} is repeated")
        if source.deterministic and state.actions:
            raise FormatError(f"{where}: a second action; a state of a DTMC has one")
        state.actions.append(Action(name, number, _rewards(where, source, rest.strip())[0]))
    else:
        _transition(where, source, declared, text)


def _transition(where: str, source: Source, declared: int, text: str) -> None:
    target, colon, value = (part.strip() for part in text.partition(":"))
    if not colon or not (target.isascii() and target.isdigit()):
        raise FormatError(f"{where}: {shown(text)} is no state, action or transition")
    if not source.states or not source.states[-1].actions:
        raise FormatError(f"{where}: a transition before the first action of a state")
    if len(target) > 20 or int(target) >= declared:
        raise FormatError(f"{where}: unknown target {target[:20]}; states are 0..{declared - 1}")
    row = source.states[-1].actions[-1].row
    if int(target) in row:
        raise FormatError(f"{where}: target {target} is repeated in this action")
    probability = _number(where, value)
    if probability < 0:
        raise FormatError(f"{where}: probability {shown(value)} is negative")
    row[int(target)] = probability


def _rewards(where: str, source: Source, text: str) -> tuple[list[Fraction], str]:
    if not text.startswith("["):
        return [], text
    match = REWARDS.match(text)
    if match is None:
        raise FormatError(f"{where}: rewards {shown(text)} are not closed by ']'")
    values = [_number(where, item.strip()) for item in match[1].split(",")] if match[1].strip() else []
    if len(values) != len(source.reward_models):
        raise FormatError(f"{where}: {len(values)} rewards for {len(source.reward_models)} reward models")
    return values, text[match.end() :]


def _labels(where: str, text: str) -> list[str]:
    if text.startswith(("{", "!")):
        raise FormatError(f"{where}: observations and exit rates are not read: {shown(text)}")
    labels = [match[1] or match[2] for match in LABEL.finditer(text)]
    if LABEL.sub("", text).strip():
        raise FormatError(f"{where}: labels {shown(text)} have an open quotation mark")
    return labels


def _number(where: str, text: str) -> Fraction:
    try:
        return parse_rational(text)
    except ValueError as error:
        raise FormatError(f"{where}: {error}") from error


def _count(where: str, keyword: str, text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 20 or int(text) < 1:
        raise FormatError(f"{where}: {keyword} is {shown(text)}, not a positive integer")
    return int(text)


def _require_transitions(where: str, state: State) -> None:
    if state.actions and not state.actions[-1].row:
        raise FormatError(f"{where}: the action of line {state.actions[-1].line} has no transitions")


def _require_complete(path: str | Path, source: Source, number: int, before: str) -> None:
    if source.states:
        state, where = source.states[-1], f"{path}, line {number}"
        if not state.actions:
            last = len(source.states) - 1
            raise FormatError(f"{where}: state {last} (line {state.line}) has no action before {before}")
        _require_transitions(where, state)
