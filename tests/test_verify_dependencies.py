"""Statements that rest on others, verdicts that say more than "stands", and statements nothing here can decide."""

import networkx as nx
import pytest

from verify.claim import Outside, control, out_of_scope, printed, statement
from verify.context import PROFILES, Context
from verify.dependencies import dependency_graph, leans_on, rests_under
from verify.evidence import Evidence, Relation, Rigor, Scope, Verdict, combine, exact_evidence, judge, outside
from verify.ledger import known_keys, ledger
from verify.runner import run_claims


def _claim(id: str, uses: tuple[str, ...] = ()):
    def build():
        """A summary.

        Hypotheses: none.

        Prose in the middle.

        Consequence: nothing follows.
        """
        good = exact_evidence("zero", 0, 0, Relation.EQUAL)
        bad = exact_evidence("one", 1, 0, Relation.EQUAL)
        return printed(lambda c: good, "x"), control(lambda c: bad, "y", "wrong")

    return statement("zeng2022", id, uses=uses)(build)()


def test_the_ledger_rests_on_known_statements_without_cycles():
    graph = dependency_graph(ledger(), known_keys())
    assert nx.is_directed_acyclic_graph(graph)


def test_an_unknown_or_circular_dependency_is_an_error():
    with pytest.raises(ValueError, match="zeng2022/a uses zeng2022/b, which no coverage list has"):
        dependency_graph([_claim("a", ("b",))], {"zeng2022/a"})
    with pytest.raises(ValueError, match=r"rest on themselves: .*zeng2022/a"):
        dependency_graph([_claim("a", ("b",)), _claim("b", ("a",))], {"zeng2022/a", "zeng2022/b"})


def test_a_refuted_lemma_shows_up_at_the_theorem_that_leans_on_it():
    claims = [_claim("a", ("b",)), _claim("b", ("zeng2022/c", "d")), _claim("c"), _claim("d")]
    graph = dependency_graph(claims, {f"zeng2022/{x}" for x in "abcd"})
    verdicts = {"zeng2022/c": Verdict.REFUTED, "zeng2022/b": Verdict.INCONCLUSIVE, "zeng2022/d": Verdict.HOLDS}
    assert leans_on(graph, "zeng2022/a", verdicts) == [
        ("zeng2022/c", Verdict.REFUTED), ("zeng2022/b", Verdict.INCONCLUSIVE)
    ]
    assert rests_under(graph, "zeng2022/c") == ["zeng2022/a", "zeng2022/b"]
    with pytest.raises(KeyError, match="zeng2022/e"):
        leans_on(graph, "zeng2022/e", verdicts)


def test_named_paragraphs_leave_the_prose():
    claim = _claim("a", ("b",))
    assert (claim.hypotheses, claim.consequence) == ("none.", "nothing follows.")
    assert claim.text == "Prose in the middle."
    assert claim.used_keys == ("zeng2022/b",)


@pytest.mark.parametrize("verdict", [Verdict.UNSATISFIABLE, Verdict.VACUOUS])
def test_evidence_establishes_a_verdict_only_while_it_stands(verdict):
    stands = exact_evidence(
        "largest lower bound", 0, 0, Relation.EQUAL, rigor=Rigor.SYMBOLIC, scope=Scope.CLASS, establishes=verdict
    )
    falls = exact_evidence("largest lower bound", 1, 0, Relation.EQUAL, establishes=verdict)
    assert judge(stands) is verdict
    assert judge(falls) is Verdict.REFUTED
    assert combine([stands, exact_evidence("a", 0, 0, Relation.EQUAL)]) is verdict
    assert combine([stands, falls]) is Verdict.REFUTED


def test_evidence_establishes_nothing_else():
    with pytest.raises(ValueError, match="establishes unsatisfiable or vacuous, not refuted"):
        Evidence("x", 0, 0, 0, 0, Relation.EQUAL, Rigor.FLOAT, establishes=Verdict.REFUTED)


def test_out_of_scope_needs_a_reason_and_no_control():
    def build():
        """A summary."""
        return (out_of_scope("x", "it needs a language model"),)

    claim = statement("zeng2022", "a")(build)()
    result = run_claims([claim], Context(PROFILES["quick"]), {})[0]
    assert result.verdict is Verdict.OUT_OF_SCOPE
    assert result.variants[0].evidence[0].out_of_scope == "it needs a language model"
    with pytest.raises(ValueError, match="for a reason"):
        outside("")
    assert isinstance(claim.variants[0].check, Outside)
