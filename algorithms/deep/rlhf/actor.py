"""Actors: one causal language model with an adapter of low rank per agent; sampling, scores and embeddings.

All agents share the frozen weights and are answered in one pass, each row by its own adapter.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from functools import partial
from math import sqrt
from typing import Any

import peft
import torch
from jaxtyping import Float
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor
from transformers import PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from algorithms.deep.rlhf.sampling import Call, Tokens, ancestral, right_padded, row_log_probabilities
from algorithms.deep.rlhf.settings import Settings


class Router:
    """Which adapters the layers use: equal blocks of rows, one per adapter; none for the base model.

    The library's own mixed batches look for the rows of every adapter in every layer and walk through the model at
    every call, which takes half of the time of a small model. The adapters stay the library's; `route` says the same.

    Attributes:
        adapters: one name per block of rows.
        kept: stacked weights of this call, by layer; a call under `torch.no_grad` may be repeated with them.
    """

    def __init__(self) -> None:
        """No adapters."""
        self.adapters: list[str] = []
        self.kept: dict[int, tuple[Tensor, Tensor]] = {}

    def attach(self, model: torch.nn.Module) -> None:
        """Send every adapted layer of a model through `route`.

        Args:
            model: with the library's adapters in it.
        """
        for layer in model.modules():
            if isinstance(layer, LoraLinear):
                layer.forward = partial(self.route, layer)

    def route(self, layer: LoraLinear, x: Float[Tensor, "R T d"]) -> Float[Tensor, "R T o"]:
        """``W x + scale B_i A_i x`` with the adapter i of the row.

        Args:
            layer: an adapted layer.
            x: its input.
        """
        result: Tensor = layer.base_layer(x)
        if not self.adapters:
            return result
        if id(layer) not in self.kept:
            A = torch.stack([layer.lora_A[name].weight for name in self.adapters])
            B = torch.stack([layer.lora_B[name].weight for name in self.adapters])
            self.kept[id(layer)] = (A.transpose(1, 2), layer.scaling[self.adapters[0]] * B.transpose(1, 2))
        A, B = self.kept[id(layer)]
        update = x.reshape(len(self.adapters), -1, x.shape[-1]) @ A @ B
        return result + update.reshape(result.shape)


class Actors:
    """N policies on one base model.

    Attributes:
        n_agents: N.
        device: where the weights are.
    """

    def __init__(
        self, base: PreTrainedModel, n_agents: int, settings: Settings, generator: torch.Generator, device: str = "cpu"
    ) -> None:
        """Add an adapter per agent: A uniform in +-1/sqrt(inputs), B zero, so that all start as the base model.

        Args:
            base: a causal language model; its weights are moved to the device, shared, and stay as they are.
            n_agents: N.
            settings: rank, scale and layers of the adapters.
            generator: draws A, agent by agent.
            device: of the weights.

        Raises:
            ValueError: the model has none of the layers named in the settings.

        Source: zhang2025 Appendix D.2; Hu et al. (2021).
        """
        known = {name.rsplit(".", 1)[-1] for name, part in base.named_modules() if not list(part.children())}
        missing = sorted(set(settings.lora_layers) - known)
        if missing:
            raise ValueError(f"lora_layers names {', '.join(missing)}; the actor model has {', '.join(sorted(known))}")
        # the copy has layers of its own around the same tensors: adapters stay out of the caller's model
        base.to(device)
        model = copy.deepcopy(base, {id(p): p for p in base.parameters()}).eval()
        config = peft.LoraConfig(
            r=settings.lora_rank, lora_alpha=settings.lora_scale,
            target_modules=list(settings.lora_layers), lora_dropout=0.0, bias="none",
        )  # fmt: skip
        names = [f"agent_{i}" for i in range(n_agents)]
        with warnings.catch_warnings():
            # peft 0.21 still asks for an attribute that transformers 5 has renamed
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            self._model = peft.PeftModel(model, config, adapter_name=names[0])
            for name in names[1:]:
                self._model.add_adapter(name, config)
        self._model.eval()
        self._router = Router()
        self._router.attach(self._model)
        self.n_agents, self.device, self._names = n_agents, torch.device(device), names
        self._parameters = [self._own(name) for name in names]
        with torch.no_grad():
            for named in self._parameters:
                for key, parameter in named.items():
                    parameter.copy_(_initial(key, parameter, generator))
                    parameter.requires_grad_(True)

    def _own(self, adapter: str) -> dict[str, torch.nn.Parameter]:
        marker = f".{adapter}."
        return {n.replace(marker, "."): p for n, p in self._model.named_parameters() if marker in n and "lora_" in n}

    @property
    def parameters(self) -> list[list[torch.nn.Parameter]]:
        """Trained tensors of every agent, in one order."""
        return [list(named.values()) for named in self._parameters]

    @property
    def names(self) -> list[str]:
        """Names of one agent's tensors, in that order."""
        return list(self._parameters[0])

    @property
    def embedding_size(self) -> int:
        """Length of `embed`'s vectors."""
        return int(self._model.get_base_model().config.get_text_config().hidden_size)

    def theta(self) -> Float[Tensor, "N P"]:
        """All trained parameters, one row per agent; a copy."""
        return torch.stack([torch.cat([p.detach().reshape(-1) for p in own]) for own in self.parameters])

    def set_theta(self, theta: Float[Tensor, "N P"]) -> None:
        """Write all trained parameters.

        Args:
            theta: as of `theta`.

        Raises:
            ValueError: another shape.
        """
        sizes = [p.numel() for p in self.parameters[0]]
        if tuple(theta.shape) != (self.n_agents, sum(sizes)):
            raise ValueError(f"theta has shape {tuple(theta.shape)}, not (N, P) = {(self.n_agents, sum(sizes))}")
        with torch.no_grad():
            for own, row in zip(self.parameters, theta, strict=True):
                for parameter, values in zip(own, row.split(sizes), strict=True):
                    parameter.copy_(values.reshape(parameter.shape))

    def sample(
        self, contexts: Sequence[Tokens], length: int, end: int | None, generator: torch.Generator
    ) -> list[tuple[list[int], ...]]:
        """Every agent's response to every context.

        Args:
            contexts: token ids to go on from.
            length: most tokens of a response.
            end: token that ends a response; None for responses of fixed length.
            generator: draws the tokens; on the CPU, whatever the device.

        Returns:
            For every context, one response per agent, with its end token if it has one.
        """
        call = self._call(self._names)
        rows = ancestral(call, [*contexts] * self.n_agents, length, end, generator, self.device)
        return [tuple(rows[i * len(contexts) + k] for i in range(self.n_agents)) for k in range(len(contexts))]

    def log_probabilities(
        self, agents: Sequence[int], contexts: Sequence[Tokens], responses: Sequence[Tokens]
    ) -> Float[Tensor, " R"]:
        """``log pi_i(response | context)`` by row, differentiable in the adapters.

        Args:
            agents: i of every block of rows; the blocks have one size.
            contexts: token ids of every row.
            responses: token ids of every row, as `sample` returns them.
        """
        call = self._call([self._names[i] for i in agents])
        return row_log_probabilities(call, contexts, responses, self.device)

    def embed(
        self, contexts: Sequence[Tokens], continuations: Sequence[Tokens]
    ) -> tuple[Float[Tensor, "R d"], Float[Tensor, "R d"]]:
        """Last hidden states of the frozen base model, averaged over the context and over its continuation.

        Args:
            contexts: token ids of every row.
            continuations: token ids of every row; empty ones have the average zero.
        """
        tokens, mask, own = right_padded(contexts, continuations, self.device)
        with torch.no_grad():
            states = self._call([])(input_ids=tokens, attention_mask=mask, use_cache=False, output_hidden_states=True)
        assert states.hidden_states is not None
        hidden = states.hidden_states[-1]
        pooled = []
        for where in (mask.bool() & ~own, own):
            weight = where.to(hidden.dtype)[:, :, None]
            pooled.append((weight * hidden).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0))
        return pooled[0], pooled[1]

    def _call(self, adapters: list[str]) -> Call:
        model, router, kept = self._model.get_base_model(), self._router, dict[int, tuple[Tensor, Tensor]]()

        def call(**inputs: Any) -> CausalLMOutputWithPast:
            router.adapters, router.kept = adapters, kept
            return model(**inputs)

        return call


def _initial(name: str, parameter: Tensor, generator: torch.Generator) -> Tensor:
    if "lora_A" not in name:
        return torch.zeros_like(parameter)
    draw = torch.rand(parameter.shape, generator=generator, dtype=torch.float64)
    return ((2 * draw - 1) / sqrt(parameter.shape[-1])).to(parameter)
