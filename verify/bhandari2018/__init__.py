"""Four lemmas of Bhandari, Russo and Singal (2018) on TD(0) with linear features: the worked example of a third paper.

It uses what a third party can use and nothing else: `verify.statement`, the kinds of variants, `verify.exact_evidence`,
`verify.Paper`, and the exact quantities of `mdp`. The lemmas are quoted by content and
numbered as in arXiv:1806.02450; the versions in proceedings and journal may number them otherwise.
"""

from verify.bhandari2018.drift import lemma_1, lemma_3
from verify.bhandari2018.norms import lemma_4, lemma_5
from verify.paper import Paper

LEDGER = (lemma_1, lemma_3, lemma_4, lemma_5)
"""Statement functions in paper order."""

PAPER = Paper.beside("bhandari2018", __file__, LEDGER)
"""The paper, as its entry point names it."""
