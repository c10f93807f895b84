"""The sections and keys of a stored MDP or problem, shared by the JSON and the npz form.

A stored object is a mapping of sections (``mdp``, and for a problem also ``policy``, ``features`` and
``schedule``) to keys; `SECTIONS` lists them. Only log-linear policies have a stored form.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from mdp.features import Features
from mdp.io.errors import FormatError, built, shown
from mdp.io.rational_mdp import RationalMDP
from mdp.model import FiniteMDP
from mdp.networks.schedule import Schedule
from mdp.policy import LogLinearPolicy
from mdp.problem import Problem

FORMAT = "lemmata"
"""First key of every file this package writes."""

SCHEMA_VERSION = 1
"""Raised when a reader of the previous version would misread the new one."""

Rule = int | Literal["integer", "integers", "text"]

SECTIONS: dict[str, dict[str, Rule]] = {
    "mdp": {"P": 3, "r": 3, "initial": 1, "gamma": 0, "n_actions": "integers", "reward_noise": "text", "name": "text"},
    "policy": {"class": "text", "psi": 3, "n_shared": "integer"},
    "features": {"phi_state": 2, "phi_joint": 3, "norm_bound": 0},
    "schedule": {"matrices": 3},
}
"""Keys of each section and what they hold; an int is the number of dimensions of an array of numbers, 0 a single
number. ``psi`` is one such array per agent."""

DEFAULTS = {"reward_noise": "none", "name": ""}
"""Keys that a file written by hand may leave out, and what they are then."""

KINDS = {"mdp": ("mdp",), "problem": ("mdp", "policy", "features", "schedule")}
"""Sections of each kind of file."""

POLICY_CLASS = "log-linear"
"""The one policy class with a stored form: the others are functions of their construction."""

Parts = dict[str, dict[str, Any]]


def parts_of(item: FiniteMDP | RationalMDP | Problem) -> tuple[str, str, Parts]:
    """Kind, name and sections of an object to be stored.

    Args:
        item: the object.

    Raises:
        TypeError: an object without a stored form, such as a problem whose policy is not log-linear.
    """
    if isinstance(item, (FiniteMDP, RationalMDP)):
        return "mdp", item.name, {"mdp": {key: getattr(item, key) for key in SECTIONS["mdp"]}}
    if not isinstance(item, Problem):
        raise TypeError(f"a {type(item).__name__} has no stored form; FiniteMDP, RationalMDP and Problem have")
    if not isinstance(item.policy, LogLinearPolicy):
        raise TypeError(f"a policy of class {type(item.policy).__name__} has no stored form; LogLinearPolicy has")
    parts = parts_of(item.mdp)[2]
    parts["policy"] = {"class": POLICY_CLASS, "psi": item.policy.psi, "n_shared": item.policy.n_shared}
    parts["features"] = {key: getattr(item.features, key) for key in SECTIONS["features"]}
    parts["schedule"] = {"matrices": item.schedule.matrices}
    return "problem", item.name, parts


def object_of(where: str, kind: str, name: str, parts: Parts) -> FiniteMDP | Problem:
    """Build what `parts` describe; the inverse of `parts_of`.

    Args:
        where: file name for messages.
        kind: ``"mdp"`` or ``"problem"``.
        name: name of the object.
        parts: sections with their keys, complete.

    Raises:
        FormatError: the data fail the validation of `mdp`; the message names file, section, entry and value.
    """
    mdp = built(f"{where}: mdp", FiniteMDP, **parts["mdp"])
    if kind == "mdp":
        return mdp
    policy_class, psi, n_shared = (parts["policy"][key] for key in SECTIONS["policy"])
    if policy_class != POLICY_CLASS:
        raise FormatError(f"{where}: policy.class is {shown(policy_class)}; only {POLICY_CLASS!r} has a stored form")
    policy = built(f"{where}: policy", LogLinearPolicy, psi=tuple(psi), n_shared=n_shared)
    features = built(f"{where}: features", Features, **parts["features"])
    schedule = built(f"{where}: schedule", Schedule, **parts["schedule"])
    return built(where, Problem, mdp=mdp, policy=policy, features=features, schedule=schedule, name=name)


def require_header(where: str, header: Mapping[str, Any], kinds: Collection[str] = tuple(KINDS)) -> str:
    """Check format, schema version and kind, and return the kind.

    Args:
        where: file name for messages.
        header: the top-level keys.
        kinds: kinds that this form can hold.

    Raises:
        FormatError: not a file of this package, a newer schema, or an unknown kind.
    """
    if header.get("format") != FORMAT:
        raise FormatError(f"{where}: format is {shown(header.get('format'))}, not {FORMAT!r}")
    schema = header.get("schema")
    if isinstance(schema, bool) or not isinstance(schema, int) or schema != SCHEMA_VERSION:
        raise FormatError(f"{where}: schema is {shown(schema)}; this version reads schema {SCHEMA_VERSION}")
    kind = header.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        raise FormatError(f"{where}: kind is {shown(kind)}, not one of {', '.join(sorted(kinds))}")
    return kind


def require_keys(where: str, got: Mapping[str, Any], required: set[str], optional: set[str] | None = None) -> None:
    """Check that exactly the expected keys are there.

    Args:
        where: file name and section for messages.
        got: the mapping.
        required: keys that have to be there.
        optional: keys that may be there.

    Raises:
        FormatError: naming the missing keys, or the first unexpected one.
    """
    missing = sorted(required - set(got))
    if missing:
        one = len(missing) == 1
        names = ", ".join(map(repr, missing))
        raise FormatError(f"{where}: {'key' if one else 'keys'} {names} {'is' if one else 'are'} missing")
    extra = sorted(set(got) - required - (optional or set()))
    if extra:
        raise FormatError(f"{where}: unexpected key {shown(extra[0])}")


def replace_file(path: str | Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part.

    Args:
        path: where.
        content: what.
    """
    target = Path(path)
    # a plain open, unlike tempfile, gives the new file the permissions that the caller's umask asks for
    temporary = target.with_name(f".{target.name}.{uuid4().hex}")
    try:
        with open(temporary, "xb") as stream:
            stream.write(content)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
