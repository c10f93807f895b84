"""Adversarial searches behind the repaired statements of zhang2025."""
