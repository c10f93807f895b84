"""The command line as a whole: help, version, suggestions, JSON documents, quiet modes, exit codes, pipes, colours."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from algorithms.cac import METRICS
from mdp.instances import INSTANCES
from mdp.large import LARGE_INSTANCES
from rates.sweep import BACKENDS
from verify import cli
from verify.claim import Claim, control, printed, statement
from verify.cli import app
from verify.commands import common, names
from verify.commands.common import require_folder
from verify.commands.sweep_request import EXPERIMENTS
from verify.commands.witnesses import recheck
from verify.context import PROFILES
from verify.evidence import Relation, exact_evidence
from verify.ledger import known_keys, select
from verify.paper import papers
from verify.suggest import did_you_mean, near

ROOT = Path(__file__).parent.parent
CHEAP = "zhang2025/eq-8-cases"
"""A statement with a refuted form that is checked in milliseconds."""


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command, in this process."""
    done = CliRunner().invoke(app, list(arguments))
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.exit_code, done.stdout, done.stderr


def process(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """A command in its own process."""
    code = "import sys; sys.argv[0] = 'lemmata'; from verify.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, env={**os.environ, **environment}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def walk(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Words of every command, groups left out."""
    if not hasattr(command, "commands"):
        yield words
        return
    for name, below in command.commands.items():
        yield from walk(below, (*words, name))


COMMANDS = list(walk(typer.main.get_command(app)))


# --- help and version -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_has_examples_exit_codes_and_what_every_option_is(words: tuple[str, ...]) -> None:
    code, out, _ = run(*words, "--help")
    assert code == 0
    examples = re.findall(r"Example: (.*)", out)
    assert examples
    assert all(example.startswith(f"lemmata {' '.join(words)}") for example in examples)
    assert re.search(r"Exit\s+codes: 0 ", out)
    assert "\x1b" not in out
    for option in re.findall(r"^  (?:-\w, )?(--\S+)(.*)$", out, re.MULTILINE):
        assert option[1].strip() or f"\n  {option[0]}" in out, option
    assert "--json" in out, "every command can be read by a program"
    assert "--quiet" in out


def test_the_list_of_commands_is_readable() -> None:
    for group in ((), ("experiment",), ("mdp",)):
        code, out, _ = run(*group, "--help")
        assert code == 0
        assert "..." not in out.split("Commands:")[1].split("Example")[0], "a short help was cut off"


def test_version() -> None:
    code, out, _ = run("--version")
    assert (code, bool(re.fullmatch(r"lemmata \d+\.\d+\.\d+\S*\n", out))) == (0, True)


def test_help_and_completion_import_nothing_that_computes() -> None:
    code = "import sys, verify.cli; print([m for m in sys.modules if m in set(sys.argv[1].split())])"
    heavy = "mdp algorithms rates verify.ledger scipy numba sympy matplotlib xarray torch transformers pettingzoo"
    found = subprocess.run([sys.executable, "-c", code, heavy], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


# --- suggestions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "known", "want"),
    [
        ("Ring3", ["ring3", "ring3-nonrealisable"], ["ring3"]),
        ("two_state", ["two-state", "xor"], ["two-state"]),
        ("theorem-3", ["theorem-3-critic", "theorem-3-actor", "eq-3"], ["theorem-3-critic", "theorem-3-actor"]),
        ("zeng2022/lemma-5.7", ["zhang2025/lemma-5.7", "zhang2025/lemma-5.4"], ["zhang2025/lemma-5.7"]),
        ("stationary", ["J", "stationarity"], ["stationarity"]),
        ("spread", ["ring3", "simple-spread"], ["simple-spread"]),
        ("", ["a"], []),
        ("xyzzy", ["ring3", "xor"], []),
    ],
)
def test_near_names(word: str, known: list[str], want: list[str]) -> None:
    assert near(word, known) == want
    assert (did_you_mean(word, known, "!") == "!") is (not want)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("verfy", "Did you mean 'verify'?"),
        ("show lemma5.7", "no statement 'lemma5.7'; did you mean lemma-5.7?"),
        ("show zeng2022/lemma-5.7", "did you mean zhang2025/lemma-5.7?"),
        ("show eq-4::printed", "`pytest --lemmata eq-4::printed` runs it"),
        ("verify theorem-3", "did you mean theorem-3-critic or theorem-3-actor?"),
        ("list zeng2023", "no paper 'zeng2023'; there are zeng2022, zhang2025, bhandari2018; did you mean zeng2022"),
        ("verify --profile ful", "profile 'ful' is not one of quick, full; did you mean full?"),
        ("assumptions --instance xr", "did you mean xor?"),
        ("mdp check rin3", "did you mean ring3?"),
        ("sweep rng3 --out x", "did you mean ring3?"),
        ("sweep ring3 --out x --metric stationary", "did you mean stationarity?"),
        ("sweep ring3 --out x --sampling doubl", "did you mean double?"),
        ("experiment coordinaton", "Did you mean 'coordination'?"),
        ("experiment coordination --profile qick", "did you mean quick?"),
        ("experiment simple-spread --actor sofmax", "did you mean softmax?"),
    ],
    ids=lambda text: text if text.startswith(("show", "verify", "list")) else None,
)
def test_mistyped_names_are_met_with_what_may_be_meant(arguments: str, message: str) -> None:
    code, out, err = run(*arguments.split())
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())


# --- wrong input ------------------------------------------------------------------------------------------------

WRONG = [
    "list x", "show", "show /", "verify --seed -3 eq-4", "verify --seed x", "verify --jobs 1000000 eq-4",
    "verify --jobs -1", "verify eq-4 --out FILE", "verify eq-4 --out FILE/below", "report FILE", "report FOLDER",
    "report nowhere", "assumptions extra", "sweep ring3", "sweep ring3 --out FILE", "sweep ring3 --out FILE/below",
    "sweep simple-spread --out o", "new-paper X", "new-paper numpy", "new-paper ok --out FILE", "doctor extra",
    "experiment coordination --agents 99", "experiment coordination --runs 0", "experiment coordination --gamma nan",
    "experiment coordination --seed -1", "experiment coordination --out FILE", "experiment rates --seed -1",
    "experiment rates --out FILE", "experiment proof --times 1e9", "experiment proof --width 0", "mdp check FOLDER",
    "mdp check FILE", "mdp check DEEP", "mdp check gone.json", "mdp exact DEEP", "mdp exact /dev/null",
]  # fmt: skip


@pytest.mark.parametrize("line", WRONG)
def test_wrong_input_is_one_message_and_exit_code_two(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afile").write_text("")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "folder.json").mkdir()
    before = sorted(tmp_path.rglob("*"))
    words = line.replace("FILE", "afile").replace("DEEP", "deep.json").replace("FOLDER", "folder.json").split()
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith("Usage: ")
    assert len(err.split("\nError: ")) == 2
    assert "Traceback" not in err
    assert sorted(tmp_path.rglob("*")) == before, "something was written"


def test_a_folder_that_cannot_be_written_is_found_before_the_computation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(common.tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr("verify.runner.run_claims", lambda *a, **k: pytest.fail("computed"))
    with pytest.raises(typer.BadParameter, match="No space left on device"):
        require_folder(tmp_path)
    assert run("verify", CHEAP, "--out", str(tmp_path))[0] == 2
    require_folder(None)


def test_results_do_not_go_among_the_modules_of_a_package(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").touch()
    code, _, err = run("experiment", "rates", "--out", str(tmp_path))
    assert (code, "is a Python package; results would lie among its modules" in err) == (2, True)


# --- JSON -------------------------------------------------------------------------------------------------------

NUMBER = (int, float, str)
"""A number; exact ones and those that JSON does not have are text."""

EVIDENCE = {
    "quantity": str, "measured": NUMBER, "low": NUMBER, "high": NUMBER, "claimed": NUMBER, "relation": str,
    "rigor": str, "scope": str, "instances": int, "undecided": str, "out_of_scope": str, "note": str,
    "witness": ({"summary": str, "values": {str: str}}, None),
}  # fmt: skip
RESULT = {
    "key": str, "summary": str, "uses": [str], "verdict": str, "as_recorded": bool, "controls_refuted": bool,
    "variants": [{
        "name": str, "kind": str, "text": str, "verdict": str, "recorded": (str, None), "seconds": float,
        "evidence": [EVIDENCE],
    }],
}  # fmt: skip
SHOWN = {
    "key": str, "where": str, "kind": str, "checked": bool, "paper_says": str, "verdict": (str, None), "summary": str,
    "latex": str, "text": str, "hypotheses": str, "consequence": str, "uses": [str],
    "variants": [{"name": str, "kind": str, "text": str, "part": str, "recorded": (str, None)}],
}  # fmt: skip
WITNESS = {
    "variant": str, "confirmed": bool, "verdict": str, "seconds": float,
    "evidence": [{"quantity": str, "comparison": str, "rigor": str, "witness": EVIDENCE["witness"]}],
}  # fmt: skip
VERIFY = {
    "format": "lemmata-verify-1", "profile": str, "seed": int, "as_recorded": bool, "report": (str, None),
    "left_out": {str: str}, "results": [RESULT],
}  # fmt: skip
DOCUMENTS: list[tuple[str, Any]] = [
    ("list", {
        "format": "lemmata-list-1", "left_out": {str: str},
        "papers": [{"paper": str, "title": str, "statements": [{
            "key": str, "where": str, "kind": str, "text": str, "checked": bool, "verdict": (str, None),
        }]}],
    }),
    (f"show {CHEAP}", {"format": "lemmata-show-1", "statements": [SHOWN]}),
    (f"show {CHEAP} --witness", {"format": "lemmata-show-1", "statements": [{**SHOWN, "witnesses": [WITNESS]}]}),
    (f"verify {CHEAP} --out OUT", VERIFY),
    ("report OUT", VERIFY),
    ("assumptions --instance xor", {"format": "lemmata-assumptions-1", "rows": [{
        "instance": str, "policy_class": str, "assumption": str, "met": str, "constant": str,
        "value": (float, int, None, str),
    }]}),
    ("mdp instances", {"format": "lemmata-mdp-instances-1", "instances": [{
        "name": str, "kind": str, "states": int, "actions": [int], "gamma": float, "summary": str,
    }]}),
    ("mdp check ring3", {
        "format": "lemmata-mdp-check-1", "file": str, "kind": str, "states": int, "actions": [int], "gamma": float,
    }),
    ("mdp exact periodic-trap", {
        "format": "lemmata-mdp-exact-1", "policy": str, "missing": {"stationary": str},
        "values": {
            "J": float, "J_error": float, "V": [float], "visitation": [float], "restart_stationary": [float],
            "stationary": None, "J_star": [float],
        },
        "exactly": {},
    }),
    ("sweep ring3 --horizons 100,200 --seeds 2 --out SWEEP --dry-run", {
        "format": "lemmata-sweep-plan-1", "cells": int, "done": int, "damaged": int, "seconds": float,
        "estimated_from": str, "remaining": [{"index": int, "horizon": int, "first": int, "count": int}],
    }),
    ("sweep ring3 --horizons 100,200 --seeds 2 --out SWEEP", {
        "format": "lemmata-sweep-1", "data": str, "horizon": [int], "n_seeds": [int],
        "metrics": {str: {"mean": [float], "standard_error": [(float, None)]}},
    }),
    ("new-paper toy2026 --out PAPER", {"format": "lemmata-new-paper-1", "name": str, "folder": str, "files": [str]}),
    ("doctor", {"format": "lemmata-doctor-1", "healthy": bool, "findings": [{
        "section": str, "name": str, "value": str, "level": str, "advice": str,
    }]}),
    ("experiment coordination --agents 2 --runs 2", {
        "format": "lemmata-experiment-coordination-1", "settings": {str: object}, "open": [str],
        "equilibria": {str: {str: [[int]]}}, "results": [{str: object}],
    }),
]  # fmt: skip
"""Commands and the shape of what they print: exactly these keys; a tuple is a choice, a text is itself."""


def check_shape(value: Any, shape: Any, where: str) -> None:
    """Fail, naming the place, unless a value has a shape."""
    if isinstance(shape, tuple):
        assert any(fits(value, one) for one in shape), f"{where}: {value!r} is none of {shape}"
    elif isinstance(shape, dict):
        assert isinstance(value, dict), where
        if set(map(type, shape)) == {type}:
            (any_value,) = shape.values()
            for key, item in value.items():
                check_shape(item, any_value, f"{where}.{key}")
        else:
            assert list(value) == list(shape) or set(value) == set(shape), f"{where} has {sorted(value)}"
            for key, one in shape.items():
                check_shape(value[key], one, f"{where}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), where
        for k, item in enumerate(value):
            check_shape(item, shape[0], f"{where}[{k}]")
    elif isinstance(shape, str) or shape is None:
        assert value == shape, where
    else:
        fine = isinstance(value, shape) and (shape in (bool, object) or not isinstance(value, bool))
        assert fine, f"{where}: {value!r} is no {shape}"


def fits(value: Any, shape: Any) -> bool:
    """Whether a value has a shape."""
    try:
        check_shape(value, shape, "")
    except AssertionError:
        return False
    return True


def test_shapes_can_fail() -> None:
    assert fits({"a": [1, 2], "b": None}, {"a": [int], "b": (str, None)})
    for value in ({"a": [1.5], "b": None}, {"a": [True], "b": None}, {"a": []}, {"a": [], "b": None, "c": 1}):
        assert not fits(value, {"a": [int], "b": (str, None)})


def strict(text: str) -> Any:
    """JSON without the NaN and Infinity that Python would accept."""
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_documents_have_their_documented_shape(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "command-line.md").read_text(encoding="utf-8")
    covered = set()
    for line, shape in DOCUMENTS:
        words = [str(tmp_path / w.lower()) if w in ("OUT", "SWEEP", "PAPER") else w for w in line.split()]
        code, out, err = run(*words, "--json")
        assert code == 0, (line, err)
        data = strict(out)
        check_shape(data, shape, line)
        assert next(iter(data)) == "format"
        assert f"`{data['format']}`" in page
        covered.add(tuple(words[:2]) if words[0] in ("mdp", "experiment") else (words[0],))
    elsewhere = {words for words in COMMANDS if words[0] == "experiment"}  # beside the tests of the experiment
    assert set(COMMANDS) - elsewhere <= covered


def test_every_document_is_documented() -> None:
    page = (ROOT / "docs" / "how-to" / "command-line.md").read_text(encoding="utf-8")
    files = [*(ROOT / "verify" / "commands").glob("*.py"), *(ROOT / "verify" / "experiments").glob("*/command.py")]
    kinds = {k for path in files for k in re.findall(r"(?:emit|document)\(\s*\"([\w-]+)\"", path.read_text("utf-8"))}
    assert len(kinds) > 15
    assert {kind for kind in kinds if f"`lemmata-{kind}-1`" not in page} == set()


def test_numbers_that_json_does_not_have_are_text() -> None:
    found = common.document("x", {"a": [float("nan"), {"b": float("-inf")}], "c": (1, 2.5, True, None, "t")})
    assert found == {"format": "lemmata-x-1", "a": ["nan", {"b": "-inf"}], "c": [1, 2.5, True, None, "t"]}


# --- quiet ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [f"verify {CHEAP}", "doctor", "mdp check ring3", "experiment coordination --agents 2 --runs 2 --jobs 1",
     "new-paper toy2026 --out PAPER", "sweep ring3 --horizons 100,200 --seeds 1 --out OUT"],
    ids=lambda line: line.split(" --")[0],
)  # fmt: skip
def test_quiet_says_nothing_if_all_is_well(line: str, tmp_path: Path) -> None:
    words = [str(tmp_path / w.lower()) if w in ("OUT", "PAPER") else w for w in line.split()]
    assert run(*words, "--quiet") == (0, "", "")


def test_quiet_answers_are_lines_with_tabs() -> None:
    code, out, err = run("list", "bhandari2018", "-q")
    assert (code, err) == (0, "")
    rows = [line.split("\t") for line in out.splitlines()]
    assert [key for key, _ in rows] == [c.key for c in select(["bhandari2018"])]
    assert all(verdict in ("proved", "holds", "refuted", "vacuous", "ambiguous") for _, verdict in rows)
    out = run("show", CHEAP, "-q")[1]
    assert [line.split("\t")[1] for line in out.splitlines()] == [v.name for v in select([CHEAP])[0].variants]
    assert run("mdp", "instances", "-q")[1].split() == [*INSTANCES, *LARGE_INSTANCES]
    rows = [line.split("\t") for line in run("mdp", "exact", "periodic-trap", "-q")[1].splitlines()]
    assert "stationary" not in [name for name, *_ in rows]
    values = strict(run("mdp", "exact", "periodic-trap", "--json")[1])["values"]
    assert {name: [float(x) for x in rest] for name, *rest in rows}["V"] == values["V"]
    rows = [line.split("\t") for line in run("assumptions", "--instance", "xor", "-q")[1].splitlines()]
    assert {len(row) for row in rows} == {4}


def test_quiet_verify_prints_what_changed_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"printed[sentence]": "holds", "gone": "holds"} | dict.fromkeys(
        ("printed[third line]", "repaired[halved]", "repaired[sharp]"), "proved"
    )
    monkeypatch.setattr("verify.ledger.recorded", lambda: {CHEAP: known})
    code, out, _ = run("verify", CHEAP, "-q")
    assert code == common.CHANGED
    head, *lines = out.splitlines()
    assert "--record" in head
    assert [line.split(": ")[0] for line in lines] == [
        f"{CHEAP} printed[sentence]", f"{CHEAP} control[b below 1+a]", f"{CHEAP} control[a above 1]", f"{CHEAP} gone",
    ]  # fmt: skip
    assert strict(run("verify", CHEAP, "--json")[1])["as_recorded"] is False


@pytest.mark.parametrize(("option", "said"), [("--quiet", ""), ("--json", "recorded in toy.toml\n")])
def test_recording_is_said_on_standard_error_unless_quiet(
    monkeypatch: pytest.MonkeyPatch, option: str, said: str
) -> None:
    monkeypatch.setattr("verify.ledger.record", lambda results: [Path("toy.toml")])
    monkeypatch.setattr("verify.ledger.recorded", lambda: {})
    code, out, err = run("verify", CHEAP, "--record", option)
    assert (code, err) == (0, said)
    assert (out == "") == (option == "--quiet")


# --- witnesses --------------------------------------------------------------------------------------------------


def test_witnesses_are_verified_again_with_the_time_it_took() -> None:
    code, out, _ = run("show", CHEAP, "--witness")
    assert code == 0
    again = r"printed\[sentence\]: 4/3 \(claimed <= 0\)\n  witness verified again in [\d.e+-]+ m?s \(rational\)"
    assert re.search(again, out)
    assert "grad J = 1" in out
    out = run("show", "zhang2025/lemma-4.2", "--witness")[1]
    assert "there is no witness to verify" in out


def test_a_refutation_that_is_not_confirmed_is_exit_code_one(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = toy(lambda context: exact_evidence("n", 1, 1, Relation.EQUAL))
    monkeypatch.setattr("verify.commands.witnesses.recorded", lambda: {CHEAP: {"printed": "refuted"}})
    (found,) = recheck(claim)
    assert not found.confirmed
    assert "recorded refuted, but found holds" in found.sentence
    monkeypatch.setattr("verify.ledger.select", lambda ids, claims=None: [claim])
    for option in ("--quiet", "--json"):
        code, _, err = run("show", CHEAP, "--witness", option)
        assert (code, "recorded refuted, but found holds" in err) == (1, True)
    assert "recorded refuted, but found holds" in run("show", CHEAP, "--witness")[1]


def toy(check: Callable[..., Any]) -> Claim:
    """A claim with the key of a real one and another check."""
    @statement(*CHEAP.split("/"))
    def build():  # type: ignore[no-untyped-def]
        """Toy."""
        return (printed(check, "one"), control(check, "two", "two"))

    return build()


# --- exit codes, pipes, colours -----------------------------------------------------------------------------------


def test_a_check_that_fails_to_run_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = toy(lambda context: 1 / 0)
    monkeypatch.setattr("verify.ledger.select", lambda ids, claims=None: [claim])
    code, out, err = run("verify", CHEAP)
    assert (code, out) == (common.SOFTWARE, "")
    assert err.startswith(f"error: the check of {CHEAP} printed failed to run: ZeroDivisionError: division by zero (")
    assert f"{Path(__file__).name}, line " in err


def test_interrupt_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("verify.runner.run_claims", stop)
    assert run("verify", CHEAP) == (common.INTERRUPTED, "", "")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (OSError(28, "No space left on device", "x.csv"), common.UNWRITABLE, "error: No space left on device: x.csv\n"),
        (MemoryError("Unable to allocate 8 TiB"), common.SOFTWARE, "error: not enough memory: Unable to allocate 8 T"),
        (RuntimeError("odd"), common.SOFTWARE, "error: RuntimeError: odd\nThis should not happen; LEMMATA_TRACEBACK=1"),
        (KeyboardInterrupt(), common.INTERRUPTED, "interrupted\n"),
    ],
    ids=["disk", "memory", "bug", "interrupt"],
)
def test_no_failure_is_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, message: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == code
    assert capsys.readouterr().err.startswith(message)
    if not isinstance(error, MemoryError | KeyboardInterrupt):
        monkeypatch.setenv(common.TRACEBACK, "1")
        with pytest.raises(type(error)):
            cli.main()


@pytest.mark.parametrize("option", ["--quiet", "--json", ""], ids=["quiet", "json", "table"])
def test_a_reader_that_goes_away_is_no_error(option: str) -> None:
    command = process("list", *filter(None, [option]))
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.close()
    assert command.wait(timeout=120) == common.CLOSED
    assert command.stderr.read() == ""
    command.stderr.close()


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)], ids=["plain", "off"])
def test_colours_on_a_terminal_only_and_never_with_no_color(environment: dict[str, str], coloured: bool) -> None:
    colour = re.compile(r"\x1b\[(?:\d+;)*[349]\d")
    assert "\x1b" not in run("verify", CHEAP)[1]
    master, slave = pty.openpty()
    code = "import sys; sys.argv[0] = 'lemmata'; from verify.cli import main; main()"
    clean = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    done = subprocess.Popen(
        [sys.executable, "-c", code, "verify", CHEAP], cwd=ROOT, stdout=slave, stderr=subprocess.DEVNULL,
        env={**clean, "TERM": "xterm-256color", **environment},
    )  # fmt: skip
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        seen += part
    os.close(master)
    assert done.wait(timeout=120) == 0
    assert b"as recorded" in seen
    assert bool(colour.search(seen.decode())) is coloured


# --- completion -------------------------------------------------------------------------------------------------


def test_completed_names_are_the_names_there_are() -> None:
    assert tuple(PROFILES) == names.PROFILES
    assert tuple(INSTANCES) == names.INSTANCES
    assert tuple(LARGE_INSTANCES) == names.LARGE
    assert BACKENDS == names.BACKENDS
    assert EXPERIMENTS["cac"].metrics == names.METRICS
    assert set(METRICS) <= set(names.METRICS)
    assert sorted(names.complete_papers("")) == sorted(papers())
    assert set(names.complete_statements("/")) == set()
    full = {key for paper in papers() for key in names.complete_statements(f"{paper}/")}
    assert full == known_keys()
    assert set(names.complete_statements("")) == set(papers()) | {key.partition("/")[2] for key in known_keys()}


def test_files_are_completed_with_instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ring.json", "rest.txt", "rows.npz"):
        (tmp_path / name).write_text("")
    (tmp_path / "rings").mkdir()
    monkeypatch.chdir(tmp_path)
    assert names.complete_mdp("r") == ["ring3", "ring3-nonrealisable", "random-walk", "ring.json", "rings/", "rows.npz"]
    assert names.complete_mdp(f"{tmp_path}/ri") == [f"{tmp_path}/ring.json", f"{tmp_path}/rings/"]
    assert names.complete_mdp("nowhere/") == []


@pytest.mark.parametrize(
    ("typed", "want"),
    [
        ("lemmata show zhang2025/lemma-5", ["zhang2025/lemma-5.4", "zhang2025/lemma-5.7"]),
        ("lemmata verify --profile ", ["quick", "full"]),
        ("lemmata sweep ring3 --metric stat", ["stationarity"]),
        ("lemmata sweep xo", ["xor"]),
        ("lemmata list bh", ["bhandari2018"]),
        ("lemmata asu", []),
        ("lemmata ass", ["assumptions"]),
    ],
)
def test_the_shell_completes(typed: str, want: list[str]) -> None:
    words = typed.split(" ")
    command = process(_LEMMATA_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=str(len(words) - 1))
    out, err = command.communicate(timeout=120)
    assert (out.split(), err) == (want, "")
