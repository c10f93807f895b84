"""The dialogue as a decision process: states, responses, rewards, and how the user goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from algorithms.deep.rlhf.materials.chat import Message, prompt_ids, transcript
from algorithms.deep.rlhf.sampling import Call, ancestral, position_limit
from algorithms.deep.rlhf.settings import Settings, Shown


@dataclass(frozen=True)
class State:
    """A dialogue up to and with the user's last message.

    Attributes:
        messages: the last one is the user's.
        turn: exchanges so far, from 0.
    """

    messages: tuple[Message, ...]
    turn: int = 0

    def packed(self) -> dict[str, Any]:
        """Plain data for a JSON file."""
        return {"turn": self.turn, "messages": [list(message) for message in self.messages]}

    @classmethod
    def unpacked(cls, data: dict[str, Any]) -> State:
        """Inverse of `packed`.

        Args:
            data: as returned there.
        """
        return cls(tuple(Message(role, text) for role, text in data["messages"]), int(data["turn"]))


class World(Protocol):
    """What the trainer needs to know about a dialogue.

    Attributes:
        n_agents: N.
        n_turns: exchanges of a dialogue.
        response_tokens: most tokens of a response.
        end_token: token that ends a response; None if all have `response_tokens` tokens.
    """

    n_agents: int
    n_turns: int
    response_tokens: int
    end_token: int | None

    def start(self) -> State:
        """The state of the opening question."""
        ...

    def context(self, state: State) -> list[int]:
        """Token ids that an actor continues.

        Args:
            state: the dialogue so far.
        """
        ...

    def text(self, response: Sequence[int]) -> str:
        """A response in words.

        Args:
            response: its token ids.
        """
        ...

    def rewards(self, states: Sequence[State], texts: Sequence[tuple[str, ...]]) -> Float[np.ndarray, "B N"]:
        """Local rewards: agent i's of its own response.

        Args:
            states: dialogues, B of them.
            texts: the responses of all N agents, for every dialogue.
        """
        ...

    def replies(self, dialogues: Sequence[tuple[Message, ...]], generator: torch.Generator) -> list[str]:
        """The user's next messages, one per dialogue.

        Args:
            dialogues: messages in their order; the last ones are what the user was shown.
            generator: draws the words.
        """
        ...


def successors(
    world: World,
    states: Sequence[State],
    texts: Sequence[tuple[str, ...]],
    shown: Shown,
    generator: torch.Generator,
) -> list[State]:
    """Next states by the original kernel; after the last turn, the opening question.

    Args:
        world: the dialogue.
        states: current states.
        texts: the responses of every agent, by state.
        shown: all responses, or one of them drawn evenly.
        generator: draws the response shown, then the user's words.

    Source: zhang2025 Sec. 6.2, Fig. 3.
    """
    dialogues, open_states = [], [k for k, state in enumerate(states) if state.turn + 1 < world.n_turns]
    for k in open_states:
        answers = texts[k]
        if shown == "one":
            answers = (answers[int(torch.randint(len(answers), (), generator=generator))],)
        dialogues.append((*states[k].messages, *(Message("assistant", answer) for answer in answers)))
    result = [world.start()] * len(states)
    if dialogues:
        for k, before, reply in zip(open_states, dialogues, world.replies(dialogues, generator), strict=True):
            result[k] = State((*before, Message("user", reply)), states[k].turn + 1)
    return result


class Reward(Protocol):
    """A reward model."""

    def score(self, dialogues: Sequence[str]) -> Float[np.ndarray, " B"]:
        """Scaled scores of transcripts.

        Args:
            dialogues: transcripts, B of them.
        """
        ...


class Models(Protocol):
    """What a `TextWorld` and the actors are made of; `materials.Materials` is one."""

    @property
    def actor_model(self) -> PreTrainedModel:
        """Causal language model that all actors start from."""
        ...

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Its tokenizer."""
        ...

    @property
    def user_model(self) -> PreTrainedModel:
        """Causal language model that plays the user."""
        ...

    @property
    def rewards(self) -> Sequence[Reward]:
        """One reward model per agent."""
        ...

    @property
    def opening(self) -> str:
        """The question that every dialogue begins with."""
        ...


class TextWorld:
    """Dialogues in words between three actors and a user model, scored by reward models."""

    def __init__(self, models: Models, settings: Settings) -> None:
        """Collect the parts.

        Args:
            models: language models, tokenizer, reward models, opening question. A ``user_tokenizer``, if there is
                one, is used for the user model.
            settings: turns and lengths.

        Raises:
            ValueError: a tokenizer without an end-of-text token, no reward models, an empty opening, or a model
                that takes too few tokens.
        """
        self._models, self._user_tokens = models, settings.user_tokens
        self._scored = slice(-1 if settings.scored == "exchange" else 0, None)
        self._user_tokenizer: PreTrainedTokenizerBase = getattr(models, "user_tokenizer", None) or models.tokenizer
        for name, tokenizer in (("tokenizer", models.tokenizer), ("user_tokenizer", self._user_tokenizer)):
            if tokenizer.eos_token_id is None:
                raise ValueError(f"the {name} has no end-of-text token; a message would never end")
        if not models.rewards:
            raise ValueError("rewards is empty: every agent has a reward model of its own")
        if not models.opening.strip():
            raise ValueError("opening is empty; a dialogue begins with a question")
        self.n_agents, self.n_turns = len(models.rewards), settings.turns
        self.response_tokens = settings.response_tokens
        self.end_token: int | None = int(models.tokenizer.eos_token_id)
        self._room = room(models.actor_model, settings.response_tokens, "actor_model")
        self._user_room = room(models.user_model, settings.user_tokens, "user_model")

    def start(self) -> State:
        """The opening question."""
        return State((Message("user", " ".join(self._models.opening.split())),))

    def context(self, state: State) -> list[int]:
        """The dialogue and the opening of an assistant's line; the oldest tokens go if there are too many.

        Args:
            state: the dialogue.
        """
        return prompt_ids(self._models.tokenizer, state.messages, "assistant")[-self._room :]

    def text(self, response: Sequence[int]) -> str:
        """Words of a response, without special tokens, blanks made single.

        Args:
            response: token ids.
        """
        return _words(self._models.tokenizer, response)

    def rewards(self, states: Sequence[State], texts: Sequence[tuple[str, ...]]) -> Float[np.ndarray, "B N"]:
        """Scores of the dialogue, or of the user's last message, with the agent's own response at its end.

        Args:
            states: dialogues.
            texts: the responses of every agent, by dialogue.

        Raises:
            FloatingPointError: a reward model returns a number that is not finite.
        """
        columns = []
        for i, model in enumerate(self._models.rewards):
            dialogues = [
                transcript((*state.messages[self._scored], Message("assistant", answers[i])))
                for state, answers in zip(states, texts, strict=True)
            ]
            column = np.asarray(model.score(dialogues), dtype=np.float64)
            if column.shape != (len(states),) or not np.isfinite(column).all():
                raise FloatingPointError(f"reward model {i} returned {column}; it scores {len(states)} finite numbers")
            columns.append(column)
        return np.stack(columns, axis=1)

    def replies(self, dialogues: Sequence[tuple[Message, ...]], generator: torch.Generator) -> list[str]:
        """The user model's next messages.

        Args:
            dialogues: dialogues that end with what the user was shown.
            generator: draws the words.
        """
        tokenizer, model = self._user_tokenizer, self._models.user_model
        contexts = [prompt_ids(tokenizer, messages, "user")[-self._user_room :] for messages in dialogues]
        call: Call = lambda **inputs: model(**inputs)  # noqa: E731 - a model is callable, with a type of its own
        end = int(tokenizer.eos_token_id)
        rows = ancestral(call, contexts, self._user_tokens, end, generator, model.device)
        return [_words(tokenizer, row) for row in rows]


def room(model: PreTrainedModel, new_tokens: int, name: str) -> int:
    """How many tokens of a dialogue a model can read before it writes.

    Args:
        model: a causal language model.
        new_tokens: how many it is to write.
        name: for the message.

    Raises:
        ValueError: it reads no tokens beside those.
    """
    left = position_limit(model) - new_tokens
    if left < 1:
        raise ValueError(f"{name} takes {left + new_tokens} tokens, and {new_tokens} are to be written")
    return left


def _words(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int]) -> str:
    return " ".join(str(tokenizer.decode(list(tokens), skip_special_tokens=True)).split())
