"""Text, tokenizer, language models and reward models for multi-agent RLHF."""

from __future__ import annotations

from algorithms.deep.rlhf.errors import MaterialsError
from algorithms.deep.rlhf.materials.bundle import Materials, build_materials, load_checkpoints, load_materials
from algorithms.deep.rlhf.materials.reward_models import RewardModel

__all__ = ["Materials", "MaterialsError", "RewardModel", "build_materials", "load_checkpoints", "load_materials"]
