"""zhang2025 Section 6.2 and Appendix D.2: multi-agent RLHF, run again on small models."""
