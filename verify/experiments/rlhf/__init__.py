"""Multi-agent RLHF of zhang2025 Sec. 6.2, run again."""
