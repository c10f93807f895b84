"""zhang2025 Section 6.1 and Appendix D.1: Simple Spread, run again."""
