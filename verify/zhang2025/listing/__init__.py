"""zhang2025 Algorithms 1, 2 and 3: the listings, line by line."""
