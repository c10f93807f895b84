"""zhang2025 Theorem 5.10, term by term, and its proof along a run."""
