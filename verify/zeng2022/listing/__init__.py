"""zeng2022 Algorithms 1 and 2 and Eqs. (9) to (13): the listings and what their steps estimate."""
