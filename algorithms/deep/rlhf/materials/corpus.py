"""Text for small language models: dialogues from a grammar, and three rules that say what a good answer is.

Answers have three slots: an opener (kind or cold), a body (specific to the question, or vague) and an ending (careful,
reckless, funny or plain), drawn evenly. The rules count distinct words by class, so that each rewards other slots and
all of them can be met together only in part: a funny ending takes the place of a careful one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from algorithms.deep.rlhf.materials.chat import Message

TASKS: dict[str, tuple[str, str]] = {
    "bake bread": ("flour", "oven"),
    "plant trees": ("soil", "water"),
    "fix bikes": ("oil", "wrench"),
    "paint walls": ("brush", "tape"),
    "cook rice": ("pot", "steam"),
    "clean windows": ("soap", "cloth"),
}
"""What a user asks about, and the words that belong to it."""

OPENERS = {"kind": ("gladly", "sure"), "cold": ("ugh", "whatever")}
"""First words of an answer, by class."""

ENDINGS = {
    "careful": (("with", "care"), ("safely", "please")),
    "reckless": (("break", "things"), ("ignore", "safety")),
    "funny": (("like", "penguins"), ("quack", "loudly")),
    "plain": (("as", "usual"), ("by", "hand")),
}
"""Last words of an answer, by class."""

VAGUE = (("guess", "and", "hope"), ("try", "something", "somehow"))
"""Bodies that help nobody."""

MOODS = {True: ("thanks", ","), False: ("hm", ",")}
"""How the user goes on, by whether at least half of the answers were kind."""

MAX_TURNS = 3
"""Exchanges in a dialogue. Source: zhang2025 Appendix D.2."""

SINGLE = 0.3
"""Share of dialogues with one assistant instead of three; ours."""


def question(task: str) -> str:
    """A user's question.

    Args:
        task: a key of `TASKS`.
    """
    return f"how do i {task} ?"


OPENING = question("bake bread")
"""The opening question by default: a neutral one, unlike the paper's."""


def vocabulary() -> list[str]:
    """Every word of the grammar, in alphabetical order."""
    words = {"how", "do", "i", "?", ".", "use", "then", *(w for task in TASKS for w in task.split())}
    groups = [*TASKS.values(), *OPENERS.values(), *VAGUE, *MOODS.values(), *(e for es in ENDINGS.values() for e in es)]
    return sorted(words.union(*groups))


def answer(task: str, rng: np.random.Generator) -> str:
    """An answer from the grammar: every class of every slot is as likely as the others.

    Args:
        task: what was asked.
        rng: source of the choices.
    """
    opener = _pick(OPENERS[_pick(tuple(OPENERS), rng)], rng)
    first, second = TASKS[task]
    body = ("use", first, "then", second) if rng.random() < 0.5 else _pick(VAGUE, rng)
    ending = _pick(ENDINGS[_pick(tuple(ENDINGS), rng)], rng)
    return " ".join([opener, *body, *ending, "."])


def dialogue(rng: np.random.Generator, most: int = MAX_TURNS) -> list[Message]:
    """One or more exchanges: a question, answers by one or three assistants, and the next question.

    The last message is a user's, so that a model of the user sees how dialogues go on after every exchange.

    Args:
        rng: source of the choices.
        most: exchanges at most; every number up to it is as likely.
    """
    assistants = 1 if rng.random() < SINGLE else 3
    task = _pick(tuple(TASKS), rng)
    messages = [Message("user", question(task))]
    for _ in range(int(rng.integers(1, most + 1))):
        answers = [answer(task, rng) for _ in range(assistants)]
        messages += [Message("assistant", text) for text in answers]
        kind = sum(text.split()[0] in OPENERS["kind"] for text in answers)
        task = _pick(tuple(TASKS), rng)
        messages.append(Message("user", " ".join([*MOODS[2 * kind >= assistants], question(task)])))
    return messages


def asked(task: str, before: Sequence[Message]) -> list[Message]:
    """A dialogue that ends with a question.

    Args:
        task: a key of `TASKS`.
        before: from `dialogue`, whose last message is replaced but for its mood; or nothing.
    """
    if not before:
        return [Message("user", question(task))]
    mood = before[-1].text.split()[:2]
    return [*before[:-1], Message("user", " ".join([*mood, question(task)]))]


def noisy(text: str, rng: np.random.Generator) -> str:
    """An answer as a policy in training could write it: words replaced, repeated, left out or reordered.

    Args:
        text: an answer.
        rng: source of the changes.
    """
    words = text.split()
    pool = vocabulary()
    for _ in range(int(rng.integers(1, 4))):
        k, kind = int(rng.integers(len(words))), int(rng.integers(4))
        if kind == 0:
            words[k] = _pick(tuple(pool), rng)
        elif kind == 1:
            words.insert(k, words[k])
        elif kind == 2 and len(words) > 1:
            words.pop(k)
        else:
            other = int(rng.integers(len(words)))
            words[k], words[other] = words[other], words[k]
    return " ".join(words)


def helpfulness(task: str, text: str) -> float:
    """Distinct words that belong to the task, minus half a point per distinct vague word; between -3 and 2.

    Args:
        task: what was asked.
        text: an answer.
    """
    words = set(text.split())
    return float(len(words & set(TASKS[task]))) - 0.5 * len(words & {w for body in VAGUE for w in body})


def harmlessness(task: str, text: str) -> float:
    """Distinct kind and careful words minus distinct cold and reckless ones.

    Args:
        task: what was asked; it does not matter here.
        text: an answer.
    """
    words = set(text.split())
    good = {*OPENERS["kind"], *(w for e in ENDINGS["careful"] for w in e)}
    bad = {*OPENERS["cold"], *(w for e in ENDINGS["reckless"] for w in e)}
    return float(len(words & good) - len(words & bad))


def humour(task: str, text: str) -> float:
    """Distinct funny words minus distinct plain ones.

    Args:
        task: what was asked; it does not matter here.
        text: an answer.
    """
    words = set(text.split())
    return float(
        len(words & {w for e in ENDINGS["funny"] for w in e}) - len(words & {w for e in ENDINGS["plain"] for w in e})
    )


RULES: dict[str, Callable[[str, str], float]] = {
    "helpful": helpfulness, "harmless": harmlessness, "humorous": humour,
}  # fmt: skip
"""Latent utilities behind the preferences, by name, in the order of the agents."""


def _pick(choices: Sequence[object], rng: np.random.Generator):  # type: ignore[no-untyped-def]
    return choices[int(rng.integers(len(choices)))]
