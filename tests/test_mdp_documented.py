"""Every public name of every module has a docstring; functions with arguments say what they are."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from importlib.util import find_spec
from types import ModuleType

import pytest

import algorithms
import mdp
import rates
import verify

OPTIONAL = ("mdp.testing", "mdp.io._parallel_env", *(() if find_spec("torch") else ("algorithms.deep.",)))
"""Modules that need an optional package to be imported at all."""


COMMANDS = re.compile(
    r"verify\.cli|verify\.commands\.(assumptions|check|doctor|experiment|mdp|new_paper|statements|sweep)"
    r"|verify\.experiments\.\w+\.command"
)
"""Modules of commands, which document their options where they declare them."""


def modules() -> list[str]:
    names = []
    for package in (mdp, algorithms, rates, verify):
        names += [m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return [n for n in names if not n.startswith(OPTIONAL) and not n.rsplit(".", 1)[-1].startswith("_")]


def public(module: ModuleType) -> list[tuple[str, object]]:
    members = inspect.getmembers(module, lambda o: inspect.isfunction(o) or inspect.isclass(o))
    return [(n, o) for n, o in members if not n.startswith("_") and o.__module__ == module.__name__]


@pytest.mark.parametrize("name", modules())
def test_public_names_are_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip(), name
    for member, value in public(module):
        doc = inspect.getdoc(value) or ""
        assert doc, f"{name}.{member} has no docstring"
        if inspect.isfunction(value) and not COMMANDS.fullmatch(name):
            arguments = [p for p in inspect.signature(value).parameters if p != "self"]
            assert not arguments or "Args:" in doc, f"{name}.{member} does not say what {arguments} are"
