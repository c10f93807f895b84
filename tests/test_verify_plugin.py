"""The pytest plugin and the assertions: nodes, messages, options, fixtures, and that nothing is paid when unused."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from flint import fmpq

import verify
from verify.assertions import assert_identity, assert_refuted
from verify.claim import Claim, control, printed, statement
from verify.context import PROFILES, Context
from verify.evidence import Relation, Witness, exact_evidence
from verify.ledger import select
from verify.paper import forget_papers

ROOT = Path(__file__).parent.parent

TOY = '''
from pathlib import Path
from verify import Paper, Relation, Witness, control, exact_evidence, printed, repaired, statement

@statement("toy", "eq-1")
def eq_1():
    """Toy.

    .. math:: 1 = 1
    """
    def check(value):
        witness = Witness("the only number there is", {"n": value})
        return lambda c: exact_evidence("n", value, 1, Relation.EQUAL, instances=1, witness=witness)
    return (printed(check(1), "n is one"), repaired(check(1), "again"), control(check(2), "n is two", "two"),
            control(check(1), "n is one, said to be wrong", "stands"), printed(lambda c: 1 / 0, "fails", "fails"))

PAPER = Paper.beside("toy", __file__, (eq_1,))
'''
VERDICTS = """
["eq-1"]
"printed" = "refuted"
"control[two]" = "refuted"
"control[stands]" = "holds"
"reading[old]" = "holds"
"""


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs pytest in the toy project, in this process: exit code and output."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # so that ours is loaded once, installed or not
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.syspath_prepend(str(toy / "site"))
    monkeypatch.chdir(toy)
    forget_papers()

    def go(*args: str) -> tuple[int, str]:
        quiet = ["-p", "verify.plugin", "-p", "no:cacheprovider", "-p", "no:faulthandler", "--capture=no"]
        code = pytest.main([*quiet, *args])
        shown = capsys.readouterr()
        return int(code), shown.out + shown.err

    yield go
    forget_papers()


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one passing test, and a paper whose record is wrong in every way."""
    folder = tmp_path_factory.mktemp("project")
    info = folder / "site" / "toy-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[lemmata.papers]\ntoy = toy:PAPER\n")
    (folder / "site" / "toy.py").write_text(TOY)
    (folder / "site" / "verdicts.toml").write_text(VERDICTS)
    (folder / "site" / "statements.toml").write_text('[[statement]]\nid="eq-1"\nwhere=""\nkind=""\ntext=""\n')
    (folder / "test_own.py").write_text(
        "from mdp import FiniteMDP\n"
        "def test_own(lemmata_instance, lemmata_context):\n"
        "    problem = lemmata_instance('ring3')\n"
        "    assert isinstance(problem.mdp, FiniteMDP) and problem.mdp.r.shape[0] == 3\n"
        "    assert lemmata_context.profile.name == 'quick' and lemmata_context.seed == 5\n"
        "def test_unknown(lemmata_instance):\n"
        "    lemmata_instance('ring4')\n"
    )
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    return folder


def test_one_node_for_each_variant_and_nothing_else(run: Run) -> None:
    out = run("--lemmata", "bhandari2018", "--collect-only", "-q")[1].split("\n\n")[0].splitlines()
    assert out == [f"{c.key}::{v.name}" for c in select(["bhandari2018"]) for v in c.variants]


def test_a_ledger_passes_as_tests(toy: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "verify.plugin", "-p", "no:cacheprovider", "-W", "error", "-v"]
    command += ["--lemmata", "bhandari2018/lemma-1", "--lemmata", "bhandari2018/lemma-3::printed"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    result = subprocess.run(command, cwd=toy, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "bhandari2018/lemma-3::printed PASSED" in result.stdout
    assert "collected 3 items" in result.stdout
    assert "3 passed" in result.stdout


def test_files_on_the_command_line_run_too_and_k_chooses(run: Run) -> None:
    code, out = run(
        "test_own.py", "--lemmata", "bhandari2018/lemma-1", "--lemmata-seed", "5", "-k", "test_own or printed"
    )
    assert code == 1
    assert "1 failed, 2 passed, 1 deselected" in out
    assert "no instance 'ring4'; there are ring3, " in out


def test_failures_can_be_read(run: Run) -> None:
    code, out = run("--lemmata", "toy", "--no-header")
    assert code == 1
    assert "5 failed, 1 passed" in out
    for words in (
        "recorded refuted, found holds",  # printed
        "recorded nothing yet, found holds",  # repaired
        "A negative control must be refuted",  # control[stands], although it is as recorded
        "recorded holds, but toy/eq-1 has no such variant any more",  # reading[old]
        "ZeroDivisionError",
        "witness: the only number there is",
        "    n = 1",
        "holds    rational  1      n         1 (claimed = 1)",
        "FAILED toy/eq-1::printed - recorded refuted, found holds",
    ):
        assert words in out, words
    assert "pluggy" not in out  # tracebacks start at the check


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--lemmata", "bhandari2018/lemma3"), "did you mean bhandari2018/lemma-3"),
        (("--lemmata", "bhandari2018/lemma-3::x"), "has no variant 'x'; it has printed, reading[visitation]"),
        (("--lemmata", "::printed"), "needs a paper, a statement or a variant"),
        (("--lemmata", "bhandari2018", "--lemmata-profile", "x"), "--lemmata-profile: 'x' is not one of quick, full"),
        (("--lemmata", "bhandari2018", "--lemmata-seed", "-1"), "--lemmata-seed is -1"),
    ],
    ids=["statement", "variant", "empty", "profile", "seed"],
)
def test_wrong_options_are_clear_errors(run: Run, args: tuple[str, ...], message: str) -> None:
    code, out = run(*args)
    assert code == 4
    assert message in out
    assert "Traceback" not in out


def test_nothing_is_imported_until_asked_for() -> None:
    code = "import sys, verify.plugin; print([m for m in sys.modules if m.split('.')[0] in ('mdp', 'rates', 'numpy')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


def test_lazy_names_are_all_there_and_hide_no_module() -> None:
    modules = {m.name for m in pkgutil.iter_modules(verify.__path__)}
    assert not modules & set(verify.__all__)  # else the name would depend on what was imported first
    for name in verify.__all__:
        assert getattr(verify, name) is not None
        assert name in dir(verify)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = verify.nothing


# --- assertions -----------------------------------------------------------------------------------------------

QUICK = Context(PROFILES["quick"], seed=3)


def toy_claim(values: tuple[int, ...]) -> Claim:
    @statement("toy", "eq-1")
    def build():  # type: ignore[no-untyped-def]
        """Toy."""
        def check(value: int):  # type: ignore[no-untyped-def]
            witness = Witness("by hand", {"n": Fraction(value, 7)})
            return lambda c: exact_evidence("n", value, 1, Relation.EQUAL, witness=witness)

        return (printed(check(1), "one"), *(control(check(v), f"n = {v}", str(v)) for v in values))

    return build()


def test_assert_refuted() -> None:
    assert len(assert_refuted(toy_claim((2, 3)))) == 2
    with pytest.raises(AssertionError, match=r"control\[1\] \(n = 1\) is not refuted but holds(.|\n)*n = 1/7"):
        assert_refuted(toy_claim((2, 1)), context=QUICK)
    with pytest.raises(AssertionError, match="the check is not refuted but holds"):
        assert_refuted(lambda c: exact_evidence("n", 1, 1, Relation.EQUAL))


def test_assert_identity() -> None:
    assert assert_identity(lambda p: p.exact().J - (p.exact().r_pi * p.exact().visitation).sum() / (1 - p.gamma))
    with pytest.raises(AssertionError, match=r"not an identity(.|\n)*the smallest problem found(.|\n)*gamma = "):
        assert_identity(lambda p: p.exact().J - (p.exact().r_pi * p.exact().visitation).sum(), context=QUICK)
    with pytest.raises(AssertionError, match="not an identity"):
        assert_identity(lambda p: fmpq(1, 10**400))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: assert_identity(lambda p: 0.5), TypeError, "contains 0.5, which is not exact"),
        (lambda: assert_identity(lambda p: None), TypeError, "contains None, which is not exact"),
        (lambda: assert_identity(lambda p: []), ValueError, "the residual is empty, and nothing would be asserted"),
        (lambda: assert_identity(3), TypeError, "residual is 3; it is a function"),  # type: ignore[arg-type]
        (lambda: assert_identity(lambda p: 0, smalest=1), TypeError, "did you mean smallest"),
        (lambda: assert_identity(lambda p: 0, smallest=9), ValueError, "smallest is 9; there are 5 sizes"),
        (lambda: assert_refuted("eq-4"), TypeError, r"select\(\['eq-4'\]\)\[0\] is a claim"),  # type: ignore[arg-type]
        (lambda: assert_refuted(lambda c: None), TypeError, "returned None; a check returns Evidence"),  # type: ignore[arg-type, return-value]
        (lambda: assert_refuted(lambda c: ()), TypeError, "returned \\(\\); a check returns Evidence"),
    ],
    ids=["float", "none", "empty", "number", "option", "sizes", "text", "nothing", "no-evidence"],
)
def test_assertions_refuse_what_they_cannot_decide(
    call: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()


def test_residuals_may_be_any_exact_numbers() -> None:
    assert assert_identity(lambda p: [0, Fraction(0), fmpq(0)]).measured == 0
    with pytest.raises(AssertionError, match=r"largest residual\s+1/3 \(claimed = 0\)"):
        assert_identity(lambda p: [0, Fraction(-1, 3)])


def test_a_failed_assertion_shows_the_line_of_the_test_and_the_message_alone(run: Run, toy: Path) -> None:
    (toy / "test_wrong.py").write_text(
        "from verify import assert_identity\n"
        "def test_wrong():\n"
        "    assert_identity(lambda p: p.exact().V - p.exact().r_pi)\n"
    )
    code, out = run("test_wrong.py", "--no-header")
    (toy / "test_wrong.py").unlink()
    assert code == 1
    line = "    assert_identity(lambda p: p.exact().V - p.exact().r_pi)"
    assert f">   {line}\nE       AssertionError: not an identity" in out
    assert "__tracebackhide__" not in out
    assert "verify/assertions.py" not in out
