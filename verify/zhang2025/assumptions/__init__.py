"""zhang2025 Section 5, Assumptions 5.1 to 5.9 and Lemma 5.4: who meets them, and whether all can hold at once."""
