"""Adversarial searches behind the repaired statements of zeng2022."""
