"""Experiments: the runs that statements share, and those that `lemmata experiment` shows by themselves."""
