"""Kernels compiled beside the first checks: when a process is started, that it ends, which kernels it reaches."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from algorithms import _baselines_kernel
from algorithms.neural import _kernels
from verify import compile_ahead
from verify.compile_ahead import MANY, cold, compile_late_kernels, compiling_ahead


class Started:
    """A process that was asked for."""

    asked: list[Started] = []  # noqa: RUF012

    def __init__(self, arguments: list[str], **streams: Any) -> None:
        self.arguments, self.ended = arguments, ""
        Started.asked.append(self)

    def terminate(self) -> None:
        self.ended = "asked to"

    def wait(self) -> None:
        self.ended += " and waited for"


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    Started.asked = []
    monkeypatch.setattr(compile_ahead.subprocess, "Popen", Started)


@pytest.mark.parametrize(("statements", "is_cold", "started"), [(MANY, True, 1), (MANY - 1, True, 0), (MANY, False, 0)])
def test_a_process_is_started_for_many_statements_on_a_cold_machine(
    monkeypatch: pytest.MonkeyPatch, statements: int, is_cold: bool, started: int
) -> None:
    monkeypatch.setattr(compile_ahead, "cold", lambda: is_cold)
    with compiling_ahead(statements):
        assert [p.ended for p in Started.asked] == [""] * started
    assert [p.ended for p in Started.asked] == ["asked to and waited for"] * started
    assert all(p.arguments == [sys.executable, "-m", "verify.compile_ahead"] for p in Started.asked)


def test_it_ends_when_a_check_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_ahead, "cold", lambda: True)
    with pytest.raises(ZeroDivisionError), compiling_ahead(MANY):
        raise ZeroDivisionError
    assert [p.ended for p in Started.asked] == ["asked to and waited for"]


def test_it_leaves_kernels_on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compile_late_kernels()
    assert not cold()
    assert _baselines_kernel._mdac.signatures
    assert len(_kernels._advance.signatures) >= 3  # three kinds of critics and actors at least
    monkeypatch.setattr(_baselines_kernel, "__file__", str(tmp_path / "never_compiled.py"))
    assert cold()
