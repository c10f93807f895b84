"""Dialogues over a few tokens between real language models, as the loop sees them and as a finite MDP."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from algorithms.deep.rlhf.dialogue import State
from algorithms.deep.rlhf.materials.chat import Message
from algorithms.deep.rlhf.sampling import Call, Tokens, ancestral, row_log_probabilities
from mdp.instances.dialogue import DialogueTree, Exchange, dialogue_mdp
from mdp.model import FiniteMDP

OPENING = (0,)
"""The opening question's tokens."""

SPREAD = 0.6
"""Standard deviation of the weights of the miniature's models; ours: laws over tokens then differ from prefix to
prefix by tens of percent."""


def tiny_language_model(vocabulary: int, seed: int, *, hidden: int = 8, layers: int = 1) -> LlamaForCausalLM:
    """A random Llama over a few tokens, in double precision throughout.

    The library's norm layers go through single precision whatever the weights are; they are replaced by PyTorch's,
    which compute the same.

    Args:
        vocabulary: number of tokens.
        seed: of the weights.
        hidden: width.
        layers: number of layers.
    """
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=layers,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=64, bos_token_id=None, eos_token_id=None,
        pad_token_id=None, attn_implementation="sdpa",
    )  # fmt: skip
    model = LlamaForCausalLM(config).double().eval()
    generator = torch.Generator().manual_seed(seed)
    for _, parent in list(model.named_modules()):
        for name, child in list(parent.named_children()):
            if type(child).__name__ == "LlamaRMSNorm":
                setattr(parent, name, torch.nn.RMSNorm(hidden, eps=config.rms_norm_eps, dtype=torch.float64))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.copy_(SPREAD * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
            parameter.requires_grad_(False)
    return model


class MiniWorld:
    """Dialogues of a tree, between actors and a user that is a language model.

    An agent is paid for saying what follows the user's last token: agent i earns ``1 + u`` over the number of tokens
    for a response that begins with token u + i (modulo their number), where u is the last token of the user. So what
    the user says next matters, and with it what all agents say.

    Attributes:
        tree: what can be said.
        n_agents: N.
        n_turns: exchanges of a dialogue.
        response_tokens: tokens of a response.
        end_token: None; lengths are fixed.
    """

    def __init__(self, tree: DialogueTree, user: PreTrainedModel) -> None:
        """Join the parts.

        Args:
            tree: what can be said.
            user: language model over its tokens.
        """
        self.tree, self.user = tree, user
        self.n_agents, self.n_turns, self.response_tokens = tree.n_agents, tree.turns, tree.response_length
        self.end_token: int | None = None
        self._call: Call = lambda **inputs: user(**inputs)

    def start(self) -> State:
        """The opening."""
        return State((Message("user", _written(OPENING)),))

    def context(self, state: State) -> list[int]:
        """All tokens so far, without markers: lengths and order say who spoke.

        Args:
            state: the dialogue.
        """
        return [token for message in state.messages for token in _read(message.text)]

    def text(self, response: Sequence[int]) -> str:
        """Tokens as numbers.

        Args:
            response: the tokens.
        """
        return _written(response)

    def rewards(self, states: Sequence[State], texts: Sequence[tuple[str, ...]]) -> Float[np.ndarray, "B N"]:
        """What every agent earns by its own response.

        Args:
            states: dialogues.
            texts: responses of every agent.
        """
        V = self.tree.vocabulary
        rows = []
        for state, answers in zip(states, texts, strict=True):
            said = _read(state.messages[-1].text)[-1]
            rows.append([(1 + said) / V * (_read(a)[0] == (said + i) % V) for i, a in enumerate(answers)])
        return np.array(rows, dtype=np.float64)

    def replies(self, dialogues: Sequence[tuple[Message, ...]], generator: torch.Generator) -> list[str]:
        """The user's next messages.

        Args:
            dialogues: what was said, the responses last.
            generator: draws the tokens.
        """
        contexts = [self.context(State(messages)) for messages in dialogues]
        length, device = self.tree.reply_length, torch.device("cpu")
        return [_written(row) for row in ancestral(self._call, contexts, length, None, generator, device)]

    def state(self, exchanges: Sequence[Exchange]) -> State:
        """The state of a prefix of the tree.

        Args:
            exchanges: as in `DialogueTree.states`.
        """
        messages = list(self.start().messages)
        for responses, reply in exchanges:
            messages += [Message("assistant", _written(answer)) for answer in responses]
            messages.append(Message("user", _written(reply)))
        return State(tuple(messages), len(exchanges))

    def mdp(self, gamma: float) -> FiniteMDP:
        """The finite MDP: the user's exact probabilities, by enumeration.

        Args:
            gamma: discount factor.
        """
        tree = self.tree
        states, joint, replies = [self.state(s) for s in tree.states], tree.joint_responses, tree.replies
        law = np.full((tree.n_states, len(joint), len(replies)), 1.0 / len(replies))
        for s, state in enumerate(states):
            if state.turn == tree.turns - 1:
                continue
            heard = [[*self.context(state), *(t for answer in answers for t in answer)] for answers in joint]
            rows = [row for row in heard for _ in replies]
            with torch.no_grad():
                log = row_log_probabilities(self._call, rows, replies * len(joint), torch.device("cpu"))
            table = np.exp(log.numpy().reshape(len(joint), len(replies)))
            law[s] = table / table.sum(axis=1, keepdims=True)  # sums are one up to rounding
        paid = np.stack([
            self.rewards([state] * len(tree.responses), [(_written(k),) * tree.n_agents for k in tree.responses])
            for state in states
        ])  # fmt: skip
        return dialogue_mdp(tree, law, paid.transpose(2, 0, 1), gamma)


def _written(tokens: Tokens) -> str:
    return " ".join(map(str, tokens))


def _read(text: str) -> list[int]:
    return [int(word) for word in text.split()]
