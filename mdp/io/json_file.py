"""JSON files of MDPs and problems: readable, versioned, and exact where the numbers are ``p/q`` or decimals.

A file is ``{"format": "lemmata", "schema": 1, "kind": "mdp" | "problem", "name": ..., <sections>}`` with the
sections of `mdp.io.schema.SECTIONS`. A number is a JSON number or a string ``"p/q"``; an array is a nested list
or, when mostly zero, ``{"shape": [...], "entries": [[i, j, k, value], ...]}``. Nothing in a file is executed.

The file is long because reading and writing mirror each other entry by entry and are checked side by side.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mdp.io.errors import FormatError, built, shown
from mdp.io.exact_text import parse_rational, rational_text, readable_rational
from mdp.io.rational_mdp import RationalMDP
from mdp.io.schema import (
    DEFAULTS,
    FORMAT,
    KINDS,
    SCHEMA_VERSION,
    SECTIONS,
    Parts,
    object_of,
    parts_of,
    replace_file,
    require_header,
    require_keys,
)
from mdp.model import FiniteMDP
from mdp.problem import Problem

Numbers = Literal["decimal", "rational"]

MAX_DENSE_ENTRIES = 2**27
"""Largest array that an ``entries`` form may unfold to; ours: 1 GiB of doubles."""

SPARSE_ABOVE, SPARSE_SHARE = 10_000, 0.25
"""Arrays larger than this with a smaller share of nonzeros are written as entries; ours: files stay readable."""


class _NumberText(str):
    """A JSON number, still as text: the caller decides between exact and rounded."""


def write_json(path: str | Path, item: FiniteMDP | RationalMDP | Problem, *, numbers: Numbers = "decimal") -> None:
    """Write an MDP or a problem (log-linear policy) as JSON. `read_json` gives back the same doubles, bit for bit.

    Args:
        path: file to write; replaced at once, never half written.
        item: what to write; a `RationalMDP` is always written as ``p/q``.
        numbers: ``"decimal"`` writes doubles as decimals, ``"rational"`` as the simplest ``p/q`` that rounds to
            the same double, so that 0.3333333333333333 becomes ``"1/3"``.

    Raises:
        TypeError: the object has no stored form (another policy class).
        ValueError: `numbers` is something else.
    """
    if numbers not in ("decimal", "rational"):
        raise ValueError(f"numbers is {numbers!r}, not 'decimal' or 'rational'")
    kind, name, parts = parts_of(item)
    number = _exact_number if isinstance(item, RationalMDP) else _readable_number if numbers == "rational" else float
    document: dict[str, Any] = {"format": FORMAT, "schema": SCHEMA_VERSION, "kind": kind, "name": name}
    for section, keys in SECTIONS.items():
        if section in parts:
            document[section] = {key: _encoded(parts[section][key], number) for key in keys}
    if isinstance(item, RationalMDP) and item.labels:
        document["mdp"]["labels"] = {label: list(states) for label, states in item.labels.items()}
    replace_file(path, ("".join(_layout(document)) + "\n").encode())


def read_json(path: str | Path) -> FiniteMDP | Problem:
    """Read an MDP or a problem; numbers are rounded once to double precision.

    Args:
        path: file to read.

    Raises:
        FormatError: not JSON, another format or schema, missing, repeated or unexpected keys, ragged arrays,
            text that is no number, a declared shape that is too large, or data that `mdp` refuses; the
            message names file, key and entry.
        OSError: the file cannot be read.
    """
    kind, document = _load(path)
    parts: Parts = {section: _decoded(path, document, section, exact=False) for section in KINDS[kind]}
    return object_of(str(path), kind, _text(f"{path}: name", document.get("name", "")), parts)


def read_json_exact(path: str | Path) -> RationalMDP:
    """Read the MDP of a file with every entry exact (``"1/3"`` is a third, 0.1 is a tenth).

    Args:
        path: file of either kind; of a problem only the MDP is read.

    Raises:
        FormatError: as `read_json`.
        OSError: the file cannot be read.
    """
    _, document = _load(path)
    part = _decoded(path, document, "mdp", exact=True)
    where = f"{path}: mdp"
    labels = document["mdp"].get("labels", {})
    if not isinstance(labels, dict):
        raise FormatError(f"{where}.labels is not an object")
    part["labels"] = {k: tuple(_integers(f"{where}.labels[{shown(k)}]", v)) for k, v in labels.items()}
    return built(where, RationalMDP, **part)


def _load(path: str | Path) -> tuple[str, dict[str, Any]]:
    try:
        document = json.loads(
            Path(path).read_bytes().decode("utf-8"), parse_float=_NumberText, parse_int=_NumberText,
            parse_constant=_refuse_constant, object_pairs_hook=_unique_keys,
        )
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    except RecursionError as error:
        raise FormatError(f"{path}: nested too deeply for an MDP") from error
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError; the latter gives line and column
        raise FormatError(f"{path}: not a JSON file, or a truncated one: {error}") from error
    if not isinstance(document, dict):
        raise FormatError(f"{path}: the top level is not an object")
    header = dict(document)
    if isinstance(header.get("schema"), _NumberText):
        header["schema"] = _integer(f"{path}: schema", header["schema"])
    kind = require_header(str(path), header)
    require_keys(str(path), document, {"format", "schema", "kind", *KINDS[kind]}, {"name"})
    return kind, document


def _decoded(path: str | Path, document: dict[str, Any], section: str, *, exact: bool) -> dict[str, Any]:
    where, got = f"{path}: {section}", document[section]
    if not isinstance(got, dict):
        raise FormatError(f"{where} is not an object")
    may = {"labels", *DEFAULTS} if section == "mdp" else set()
    require_keys(where, got, set(SECTIONS[section]) - may, may)
    part: dict[str, Any] = {}
    for key, rule in SECTIONS[section].items():
        place, value = f"{where}.{key}", got.get(key, DEFAULTS.get(key))
        if rule == "text":
            part[key] = _text(place, value)
        elif rule == "integers":
            part[key] = tuple(_integers(place, value))
        elif rule == "integer":
            part[key] = _integer(place, value)
        elif key == "psi":
            tables = _list(place, value)
            part[key] = [_array(f"{place}[{i}]", table, rule, exact) for i, table in enumerate(tables)]
        else:
            part[key] = _array(place, value, rule, exact) if rule else _number(place, value, exact)
    return part


def _array(place: str, value: Any, ndim: int, exact: bool) -> np.ndarray:
    if isinstance(value, dict):
        return _from_entries(place, value, ndim, exact)
    shape, level = [], value
    for _ in range(ndim):
        shape.append(len(_list(place, level)))
        level = level[0] if level else []
    flat: list[Any] = []
    _collect(place, value, tuple(shape), flat, exact)
    return _filled(flat, exact).reshape(shape)


def _collect(place: str, value: Any, shape: tuple[int, ...], flat: list[Any], exact: bool) -> None:
    items = _list(place, value)
    if len(items) != shape[0]:
        raise FormatError(f"{place} has {len(items)} items where its first neighbour has {shape[0]}: ragged")
    for k, item in enumerate(items):
        if len(shape) == 1:
            flat.append(_number(f"{place}[{k}]", item, exact))
        else:
            _collect(f"{place}[{k}]", item, shape[1:], flat, exact)


def _from_entries(place: str, value: dict[str, Any], ndim: int, exact: bool) -> np.ndarray:
    require_keys(place, value, {"shape", "entries"})
    shape = _integers(f"{place}.shape", value["shape"])
    if len(shape) != ndim or min(shape) < 1:
        raise FormatError(f"{place}.shape is {shape}; it has {ndim} positive sizes")
    if prod(shape) > MAX_DENSE_ENTRIES:
        raise FormatError(f"{place}.shape {shape} declares {prod(shape)} entries; at most {MAX_DENSE_ENTRIES} are read")
    array = _filled([Fraction(0) if exact else 0.0], exact).repeat(prod(shape)).reshape(shape)
    seen: set[tuple[int, ...]] = set()
    for n, entry in enumerate(_list(f"{place}.entries", value["entries"])):
        here = f"{place}.entries[{n}]"
        if len(_list(here, entry)) != ndim + 1:
            raise FormatError(f"{here} has {len(entry)} items; an entry is {ndim} indices and a value")
        index = tuple(_integer(here, k) for k in entry[:-1])
        if any(not 0 <= k < size for k, size in zip(index, shape, strict=True)) or index in seen:
            raise FormatError(f"{here}: index {list(index)} is {'repeated' if index in seen else f'outside {shape}'}")
        seen.add(index)
        array[index] = _number(here, entry[-1], exact)
    return array


def _filled(flat: list[Any], exact: bool) -> np.ndarray:
    array = np.empty(len(flat), dtype=object if exact else float)
    array[:] = flat
    return array


def _number(place: str, value: Any, exact: bool) -> Any:
    if not isinstance(value, str):
        raise FormatError(f"{place} is {shown(value)}, not a number")
    try:
        if exact or "/" in value:
            number = parse_rational(value)
            return number if exact else float(number)
        return float(value if isinstance(value, _NumberText) else parse_rational(value))
    except (ValueError, OverflowError) as error:
        raise FormatError(f"{place}: {error}") from error


def _integer(place: str, value: Any) -> int:
    if not isinstance(value, _NumberText) or len(value) > 20 or not value.lstrip("-").isdigit():
        raise FormatError(f"{place} is {shown(value)}, not an integer")
    return int(value)


def _integers(place: str, value: Any) -> list[int]:
    return [_integer(f"{place}[{k}]", item) for k, item in enumerate(_list(place, value))]


def _list(place: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise FormatError(f"{place} is {shown(value)}, not a list")
    return value


def _text(place: str, value: Any) -> str:
    if not isinstance(value, str) or isinstance(value, _NumberText):
        raise FormatError(f"{place} is {shown(value)}, not a text")
    return value


def _refuse_constant(text: str) -> float:
    raise FormatError(f"{text} is not a finite number")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        raise FormatError(f"key {shown(next(k for k in keys if keys.count(k) > 1))} is repeated")
    return mapping


def _exact_number(value: Any) -> str:
    return rational_text(Fraction(int(value.p), int(value.q)))


def _readable_number(value: float) -> Any:
    exact = readable_rational(value)
    return int(exact) if exact.denominator == 1 and abs(exact) < 2**53 else rational_text(exact)


def _encoded(value: Any, number: Callable[[Any], Any]) -> Any:
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, tuple):
        return [_encoded(item, number) for item in value]
    if not isinstance(value, np.ndarray):
        return number(value)
    where = np.argwhere(value != 0)
    if value.size > SPARSE_ABOVE and len(where) < SPARSE_SHARE * value.size:
        entries = [[*(int(k) for k in index), number(value[tuple(index)])] for index in where]
        return {"shape": list(value.shape), "entries": entries}
    flat = np.empty(value.size, dtype=object)
    flat[:] = [number(x) for x in value.ravel()]
    return flat.reshape(value.shape).tolist()


def _layout(value: Any, indent: str = "") -> Iterator[str]:
    """JSON text with one line per innermost list, so that a kernel reads as a table."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        for n, (key, item) in enumerate(value.items()):
            yield f"{',' if n else '{'}\n{inner}{json.dumps(key)}: "
            yield from _layout(item, inner)
        yield f"\n{indent}}}"
    elif isinstance(value, list) and value and isinstance(value[0], list):
        for n, item in enumerate(value):
            yield f"{',' if n else '['}\n{inner}"
            yield from _layout(item, inner)
        yield f"\n{indent}]"
    else:
        yield json.dumps(value)
