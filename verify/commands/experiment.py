"""`lemmata experiment NAME`: the papers' experiments, run again with exact quantities beside them.

The registry: each experiment is a function in ``verify/experiments/NAME/command.py`` that imports what it needs when it
is called, and one line here.
"""

from __future__ import annotations

import typer

from verify.commands.common import EXIT_CODES
from verify.experiments.coordination.command import coordination_command
from verify.experiments.pursuit.command import pursuit_command
from verify.experiments.rates.command import rates_command
from verify.experiments.rlhf.command import rlhf_command
from verify.experiments.simple_spread.command import simple_spread_command
from verify.experiments.terms.command import proof_command, terms_command

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Run the papers' experiments.")

for name, short, command in (
    ("coordination", "zeng2022 Sec. 5: the coordination game.", coordination_command),
    ("pursuit", "zeng2022 Sec. 5: pursuit-evasion, deep networks.", pursuit_command),
    ("rates", "zeng2022: CAC's rates above exact floors.", rates_command),
    ("rlhf", "zhang2025 Sec. 6.2: multi-agent RLHF, language models.", rlhf_command),
    ("simple-spread", "zhang2025 Appendix D.1: the ablations.", simple_spread_command),
    ("terms", "zhang2025 Theorem 5.10, each term alone.", terms_command),
    ("proof", "zhang2025: the proof's bounds along a run.", proof_command),
):
    app.command(name, short_help=short, epilog=EXIT_CODES)(command)


@app.callback()
def experiment() -> None:
    """Run the papers' experiments."""
