"""CAC on realisable and other problems: slopes, exact and fitted floors, and how asymptotic the runs are."""
