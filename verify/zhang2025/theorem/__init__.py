"""zhang2025 Lemma 5.7, Theorem 5.10, Corollary 5.11, and what is said about them."""
