"""Simple Spread of zhang2025 Appendix D.1: the ablations, printed and repaired."""
