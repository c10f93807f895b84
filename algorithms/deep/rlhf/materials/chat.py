r"""Dialogues as text, one line per message.

For instance ``User: how do i bake bread ?\nAssistant: use flour then oven .\n``. The small models read this form as it
is (their tokenizer turns the end of a line into its end-of-text token). Models that come with a chat template get the
same messages through their template.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from transformers import PreTrainedTokenizerBase

Role = Literal["user", "assistant"]

MARKERS: dict[Role, str] = {"user": "User:", "assistant": "Assistant:"}
"""What a line starts with, by the role of its speaker."""

NEXT_QUESTION = (
    "Below is a dialogue between a user and several assistants. Sum up for yourself what the assistants said last, and "
    "write what the user says next. Write that and nothing else."
)
"""Instruction to a user model with a chat template; ours. zhang2025 Appendix D.2 does not quote its own."""


class Message(NamedTuple):
    """One line of a dialogue.

    Attributes:
        role: who speaks; several assistants may speak in a row.
        text: what is said, without line ends.
    """

    role: Role
    text: str


def transcript(messages: Sequence[Message], speaker: Role | None = None) -> str:
    """The dialogue as text.

    Args:
        messages: what was said; white space within a message becomes single blanks.
        speaker: whose line is opened at the end, for a model to go on; None: the text ends with the last message.

    Returns:
        One line per message. Without `speaker` every line is ended.
    """
    lines = [f"{MARKERS[m.role]} {' '.join(m.text.split())}\n" for m in messages]
    return "".join(lines) + (MARKERS[speaker] if speaker else "")


def messages_of(text: str) -> list[Message]:
    """The messages of a transcript; inverse of `transcript` without a speaker.

    Args:
        text: one message per line.

    Raises:
        ValueError: a line that starts with no marker; it is named.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for role, marker in MARKERS.items():
            if line.startswith(marker):
                found.append(Message(role, line.removeprefix(marker).strip()))
                break
        else:
            raise ValueError(f"line {number} of the dialogue starts with no {' or '.join(MARKERS.values())}: {line!r}")
    return found


def prompt_ids(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], speaker: Role) -> list[int]:
    """Token ids after which a causal model writes the next line of `speaker`.

    Args:
        tokenizer: the model's own; its chat template is used if it has one.
        messages: the dialogue so far, the last message by the other role.
        speaker: ``"assistant"`` for an actor; ``"user"`` for the model that plays the user.

    Returns:
        Ids; the model's answer ends at its end-of-text token.
    """
    if not tokenizer.chat_template:
        return list(tokenizer.encode(transcript(messages, speaker)))
    if speaker == "user":
        messages = [Message("user", f"{NEXT_QUESTION}\n\n{transcript(messages)}")]
    return list(_template_ids(tokenizer, messages))


def scored_ids(tokenizer: PreTrainedTokenizerBase, text: str, limit: int) -> list[int]:
    """Token ids of a transcript for a reward model: its own tokens, the oldest left out if there are too many.

    Args:
        tokenizer: the reward model's own; its chat template is used if it has one.
        text: a transcript.
        limit: most tokens the model takes.
    """
    if tokenizer.chat_template:
        return list(_template_ids(tokenizer, messages_of(text), reply=False)[-limit:])
    side, tokenizer.truncation_side = tokenizer.truncation_side, "left"
    try:
        return list(tokenizer.encode(text, truncation=True, max_length=limit))
    finally:
        tokenizer.truncation_side = side


def _template_ids(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], *, reply: bool = True
) -> list[int]:
    """Ids through the chat template. Lines of one role in a row are joined: templates want roles to alternate."""
    merged: list[dict[str, str]] = []
    for message in messages:
        if merged and merged[-1]["role"] == message.role:
            merged[-1]["content"] += f"\n{message.text}"
        else:
            merged.append({"role": message.role, "content": message.text})
    text = tokenizer.apply_chat_template(merged, tokenize=False, add_generation_prompt=reply)
    return list(tokenizer.encode(text, add_special_tokens=False))
