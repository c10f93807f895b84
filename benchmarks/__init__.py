"""Speed of the kernels against C; run ``python -m benchmarks``."""
