"""zeng2022 Section 5: the coordination game and pursuit-evasion."""
