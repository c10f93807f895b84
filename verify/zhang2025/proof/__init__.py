"""zhang2025 Appendix C: the proof of Theorem 5.10, display by display."""
