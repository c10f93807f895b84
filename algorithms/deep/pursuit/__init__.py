"""Pursuit-evasion of zeng2022 Sec. 5 with convolutional actors and critics, and its exactly solved miniature.

`settings` needs nothing beyond the core; the other modules need the extra ``lemmata[pursuit]`` (torch, pettingzoo,
pygame), of which `extras.require_extra` says what is missing.
"""
