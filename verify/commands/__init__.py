"""The commands of `lemmata`, one module for each group; `verify.cli` puts them together."""
