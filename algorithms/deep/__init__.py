"""The papers' experiments with deep networks: optional, on the libraries that people use for them.

Nothing outside this package imports it but the experiments that run it, and those only when they run.
"""
