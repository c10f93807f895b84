"""The pytest plugin: ``pytest --lemmata zhang2025`` runs a ledger, one node for each variant; fixtures for instances.

Nothing of the project is imported before an option or a fixture asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from verify.suggest import did_you_mean, unknown

if TYPE_CHECKING:
    from pathlib import Path

    from mdp import Problem
    from verify.claim import Claim, Variant
    from verify.context import Context
    from verify.runner import VariantResult


class NotAsRecordedError(Exception):
    """A variant whose verdict is not the recorded one, or a control that is not refuted; the message says all."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options.

    Args:
        parser: of pytest.
    """
    group = parser.getgroup("lemmata", "ledgers of papers")
    group.addoption(
        "--lemmata", action="append", default=[], metavar="ID",
        help="run a paper (zhang2025), a statement (zhang2025/eq-15) or a variant (zhang2025/eq-15::printed) "
        "as tests; may be repeated. Without files on the command line nothing else is collected.",
    )
    group.addoption("--lemmata-profile", default="quick", metavar="NAME", help="budget: quick (default) or full")
    group.addoption("--lemmata-seed", type=int, default=0, metavar="N", help="root of all randomness")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Leave the project's own tests alone when only a ledger is asked for.

    Args:
        config: of pytest.
    """
    if config.getoption("--lemmata") and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add a node for every variant asked for, before ``-k`` and ``-m`` choose among them.

    Args:
        session: of pytest.
        items: collected so far.

    Raises:
        pytest.UsageError: an id that matches nothing, or a paper that cannot be loaded.
    """
    ids = session.config.getoption("--lemmata")
    if ids:
        new = {item.nodeid: item for id in ids for item in _nodes(session, id)}
        items.extend(new.values())
        session.testscollected = len(items)


class Statement(pytest.Collector):
    """A statement of a paper; its children are its variants.

    Attributes:
        claim: the statement.
        known: its recorded verdicts by variant.
        only: name of the one variant asked for; all if empty.
    """

    claim: Claim
    known: Mapping[str, str]
    only: str

    def collect(self) -> Iterator[VariantItem]:
        """One node for each variant, and one for each recorded variant that the claim no longer has."""
        variants: dict[str, Variant | None] = {v.name: v for v in self.claim.variants}
        for name in [*variants, *sorted(set(self.known) - set(variants))]:
            if self.only in ("", name):
                yield self._item(name, variants.get(name))

    def _item(self, name: str, variant: Variant | None) -> VariantItem:
        item: VariantItem = VariantItem.from_parent(self, name=name)
        item.claim, item.variant, item.known = self.claim, variant, self.known.get(name)
        return item


class VariantItem(pytest.Item):
    """One variant as a test: it passes if its verdict is the recorded one, and refuted if it is a control.

    Attributes:
        claim: the statement.
        variant: what is checked; None if the claim no longer has it.
        known: the recorded verdict, if there is one.
    """

    claim: Claim
    variant: Variant | None
    known: str | None

    def runtest(self) -> None:
        """Check the variant.

        Raises:
            NotAsRecordedError: its verdict changed, was never recorded, or a control stands.
            pytest.UsageError: an unknown profile, or a negative seed.
        """
        from verify.claim import Kind
        from verify.evidence import Verdict
        from verify.runner import run_claims

        if self.variant is None:
            raise NotAsRecordedError(
                f"recorded {self.known}, but {self.claim.key} has no such variant any more\n\n"
                f"If that is meant: lemmata verify {self.claim.key} --record"
            )
        alone = replace(self.claim, variants=(self.variant,))
        known = {} if self.known is None else {self.variant.name: self.known}
        result = run_claims([alone], _context(self.config), {alone.key: known})[0].variants[0]
        if not result.as_recorded or (self.variant.kind is Kind.CONTROL and result.verdict is not Verdict.REFUTED):
            raise NotAsRecordedError(self._message(result))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The message alone for a verdict that changed; a traceback for a check that failed to run.

        Args:
            excinfo: what was raised.
            style: of the traceback.
        """
        if isinstance(excinfo.value, NotAsRecordedError):
            return str(excinfo.value)
        from verify import runner

        # from the runner on: what pytest did before is no help
        return excinfo.getrepr(style="short", tbfilter=lambda info: info.traceback.cut(path=runner.__file__))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the test is said to be: the statement itself."""
        return self.path, None, self.nodeid

    def _message(self, result: VariantResult) -> str:
        from verify.assertions import describe

        claim, variant = self.claim, result.variant
        head = f"recorded {result.recorded or 'nothing yet'}, found {result.verdict}"
        lines = [head, "", f"{claim.key}: {claim.summary}", f"{variant.name}: {variant.text}", ""]
        lines += [describe(result.evidence), ""]
        if result.as_recorded:
            lines.append("A negative control must be refuted: the check cannot fail, or the wrong form is not wrong.")
        else:
            lines.append(f"If what was found is right: lemmata verify {claim.key} --record")
        return "\n".join(lines)


@pytest.fixture(scope="session")
def lemmata_instance() -> Callable[..., Problem]:
    """Bundled instances by name: ``lemmata_instance("ring3")``, with the instance's keyword arguments if any."""

    def instance(name: str, **options: Any) -> Problem:
        from mdp import INSTANCES

        __tracebackhide__ = True
        if name not in INSTANCES:
            known = f"there are {', '.join(INSTANCES)}{did_you_mean(name, INSTANCES)}"
            pytest.fail(f"no instance {name!r}; {known}", pytrace=False)
        return INSTANCES[name](**options)

    return instance


@pytest.fixture(scope="session")
def lemmata_context(request: pytest.FixtureRequest) -> Context:
    """Budget and randomness for checks, of ``--lemmata-profile`` and ``--lemmata-seed``; shared by all tests.

    Args:
        request: of pytest.

    Raises:
        pytest.UsageError: an unknown profile, or a negative seed.
    """
    return _context(request.config)


_CONTEXT = pytest.StashKey[Any]()


def _context(config: pytest.Config) -> Context:
    """The context of the session: statements that need the same experiment share it."""
    from verify.context import PROFILES, Context

    profile, seed = config.getoption("--lemmata-profile"), config.getoption("--lemmata-seed")
    if profile not in PROFILES:
        raise pytest.UsageError(unknown("--lemmata-profile:", profile, PROFILES))
    if seed < 0:
        raise pytest.UsageError(f"--lemmata-seed is {seed}; it is a whole number of at least 0")
    if _CONTEXT not in config.stash:
        config.stash[_CONTEXT] = Context(PROFILES[profile], seed=seed)
    context: Context = config.stash[_CONTEXT]
    return context


def _nodes(session: pytest.Session, id: str) -> list[VariantItem]:
    """Nodes of a paper, a statement or a variant."""
    from verify.ledger import recorded, select

    _context(session.config)  # complain about the other options now
    wanted, _, name = id.partition("::")
    if not wanted:
        raise pytest.UsageError("--lemmata needs a paper, a statement or a variant, such as zhang2025/eq-15::printed")
    try:
        claims = select([wanted])
    except KeyError as error:
        raise pytest.UsageError(f"--lemmata: {error.args[0]}") from None
    known, found = recorded(), []
    for claim in claims:
        node: Statement = Statement.from_parent(session, name=claim.key, nodeid=claim.key)
        node.claim, node.known, node.only = claim, known.get(claim.key, {}), name
        report = session.ihook.pytest_make_collect_report(collector=node)
        session.ihook.pytest_collectreport(report=report)  # the terminal counts what is reported
        found += report.result
    if not found:
        names = list(dict.fromkeys(v.name for claim in claims for v in claim.variants))
        raise pytest.UsageError(
            f"--lemmata: {wanted} has no variant {name!r}; it has {', '.join(names)}{did_you_mean(name, names)}"
        )
    return found
