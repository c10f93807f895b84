"""What a sweep computes, in plain data: the run with its declared parameters, and the versions that computed it."""

from __future__ import annotations

import hashlib
import inspect
import platform
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = ("lemmata", "numpy", "scipy", "numba")
"""Whose versions can change the last bits of a result."""


SOURCES = ("mdp", "algorithms", "verify/experiments")
"""Folders beside this package whose code computes results; in a checkout it changes while the version stays."""


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that compute, a digest of this project's code, the kind of machine."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "source": _source_digest()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def describe(value: Any, name: str) -> Any:
    """A value as plain data that JSON can hold; equal values have equal descriptions.

    Functions are named; a `functools.partial` is its function with its arguments; dataclasses are their fields;
    arrays are shape, type and SHA-256 of their bytes.

    Args:
        value: to describe.
        name: of the argument, for the message.

    Raises:
        ValueError: the value cannot be described (a closure, a lambda, an object without fields).
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else str(value)
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): describe(v, f"{name}[{k!r}]") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [describe(v, f"{name}[{k}]") for k, v in enumerate(value)]
    if isinstance(value, np.ndarray) and value.dtype != object:
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"shape": list(value.shape), "dtype": value.dtype.str, "sha256": digest}
    if isinstance(value, partial):
        described = {"function": describe(value.func, f"{name}.func")}
        described["arguments"] = describe(value.args, f"{name}.args")
        described["keywords"] = describe(value.keywords, f"{name}.keywords")
        return described
    if is_dataclass(value) and not isinstance(value, type):
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        return {"class": kind} | {f.name: describe(getattr(value, f.name), f"{name}.{f.name}") for f in fields(value)}
    qualified = getattr(value, "__qualname__", None)
    hidden = getattr(value, "__closure__", None) or inspect.ismethod(value)
    if qualified is None or "<lambda>" in qualified or hidden:
        raise ValueError(
            f"{name} is {value!r}, whose parameters cannot be read; use functools.partial of a named function, "
            "or say what it computes with config={...}"
        )
    return f"{value.__module__}.{qualified}"


def difference(stored: Mapping[str, Any], requested: Mapping[str, Any]) -> list[str]:
    """One line for each entry in which two descriptions differ, nested entries by their path.

    Args:
        stored: the earlier one.
        requested: the present one.
    """
    lines = []
    for key in sorted(set(stored) | set(requested)):
        old, new = stored.get(key, "(absent)"), requested.get(key, "(absent)")
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += [f"{key}.{line}" for line in difference(old, new)]
        elif old != new:
            lines.append(f"{key}: stored {old}, requested {new}")
    return lines


def _source_digest() -> str:
    root, digest = Path(__file__).parents[1], hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
