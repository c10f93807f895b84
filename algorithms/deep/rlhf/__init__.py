"""Multi-agent RLHF of zhang2025 Sec. 6.2: language models as actors, reward models as local rewards.

Needs the optional extra ``lemmata[rlhf]``; nothing here is imported by the core. `materials` makes or loads the models
and tokenizers, `trainer` runs Algorithms 1 and 2 with them, and `anchor` compares the loop with a finite MDP.
"""

from algorithms.deep.rlhf.errors import MaterialsError, MissingExtraError, require_extra

__all__ = ["MaterialsError", "MissingExtraError", "require_extra"]
