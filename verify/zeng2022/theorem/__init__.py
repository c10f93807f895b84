"""zeng2022 Section 4: assumptions, Theorem 3, Corollary 1, Propositions 1 and 2, and the remarks."""
