"""The trainer of multi-agent RLHF, and its exact anchor: a dialogue that is a finite MDP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from algorithms.deep.rlhf.actor import Actors
from algorithms.deep.rlhf.anchor import (
    ANCHOR,
    anchor_comparison,
    anchor_curves,
    compare_updates,
    differentiated_return,
    exact_critics,
    expected_update,
    registered_coordinates,
    scattered,
)
from algorithms.deep.rlhf.checkpoint import FILE, CheckpointError
from algorithms.deep.rlhf.critic import CriticInputs, Critics
from algorithms.deep.rlhf.dialogue import State, TextWorld, successors
from algorithms.deep.rlhf.direction import PRINTED, REPAIRED, RULES, rule_of, signal
from algorithms.deep.rlhf.expectation import view_of
from algorithms.deep.rlhf.loop import Trainer
from algorithms.deep.rlhf.materials.chat import Message
from algorithms.deep.rlhf.materials.tokenizer import build_tokenizer
from algorithms.deep.rlhf.mini_world import MiniWorld, tiny_language_model
from algorithms.deep.rlhf.miniature import Miniature, miniature
from algorithms.deep.rlhf.sampling import ancestral, row_log_probabilities
from algorithms.deep.rlhf.settings import Settings
from algorithms.deep.rlhf.tables import TableCritics, TableInputs
from algorithms.deep.rlhf.trainer import consensus, train
from algorithms.neural import CriticNetwork
from mdp import Exact, J_star
from mdp.instances.dialogue import DialogueTree

SMALL = Settings(episodes=3, turns=3, dialogues=2, width=16, depth=2, response_tokens=4, user_tokens=4, alpha=0.01)
"""Settings of the runs here."""


class Count:
    """A reward model: how often a word occurs in the last line."""

    def __init__(self, word: str) -> None:
        self.word = word

    def score(self, dialogues: Sequence[str]) -> np.ndarray:
        return np.array([text.strip().split("\n")[-1].split().count(self.word) for text in dialogues], dtype=float)


@dataclass
class StandIns:
    """Random models in the place of materials."""

    actor_model: LlamaForCausalLM
    tokenizer: PreTrainedTokenizerBase
    user_model: LlamaForCausalLM
    rewards: tuple[Count, ...]
    opening: str


@pytest.fixture(scope="module")
def models() -> StandIns:
    tokenizer = build_tokenizer()

    def language_model(seed: int) -> LlamaForCausalLM:
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=2, max_position_embeddings=128, pad_token_id=0, eos_token_id=2, bos_token_id=None,
        )  # fmt: skip
        return LlamaForCausalLM(config).eval()

    words = (Count("oven"), Count("please"), Count("quack"))
    return StandIns(language_model(0), tokenizer, language_model(1), words, "how do i bake bread ?")


@pytest.fixture(scope="module")
def mini() -> Miniature:
    """Three agents, three tokens, two turns; adapters off their start."""
    return _mini(replace(ANCHOR, optimiser="plain", alpha=1.0, beta=0.0))


def _mini(settings: Settings) -> Miniature:
    made = miniature(settings)
    trainer = _trainer(made, "repaired")
    scattered(made, trainer, 1)
    return made


def _trainer(made: Miniature, direction: str, **parts: Any) -> Trainer:
    gossip = consensus(made.world.n_agents, made.settings, 1)
    generator = torch.Generator().manual_seed(1)
    return Trainer(made.world, made.actors, made.settings, rule_of(direction), generator, gossip, **parts)


# --- settings and signals -----------------------------------------------------------------------------------


def test_defaults_are_those_of_the_appendix() -> None:
    printed = {
        "turns": 3, "dialogues": 1, "gamma": 0.5, "alpha": 1e-4, "beta": 1e-4, "gossip_rounds": 20, "lora_rank": 8,
        "width": 256, "depth": 3, "optimiser": "adam",
    }  # fmt: skip
    assert {name: getattr(Settings(), name) for name in printed} == printed


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"episodes": 0}, "episodes is 0"),
        ({"dialogues": 1.5}, r"dialogues is 1\.5"),
        ({"gossip_rounds": -1}, "gossip_rounds is -1"),
        ({"alpha": float("nan")}, "alpha is nan"),
        ({"beta": -1.0}, "beta is -1"),
        ({"gamma": 1.0}, "gamma is 1"),
        ({"optimiser": "sgd"}, "optimiser is 'sgd', not one of 'adam'"),
        ({"data": "iid"}, "data is 'iid'"),
        ({"lora_scale": 0.0}, "lora_scale is 0"),
        ({"lora_layers": ()}, r"lora_layers is \(\)"),
        ({"lora_layers": "q_proj"}, "lora_layers is 'q_proj'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Settings(**change)


def test_signals_are_line_9_and_its_repair() -> None:
    values, rewards, after = np.random.default_rng(0).normal(size=(3, 2, 5))
    np.testing.assert_allclose(signal(PRINTED, 0.5, values, rewards, after), values - rewards - 0.5 * after)
    np.testing.assert_allclose(signal(REPAIRED, 0.5, values, rewards, after), rewards + 0.5 * after - values)
    with pytest.raises(ValueError, match="direction is 'mended', not one of 'printed'"):
        rule_of("mended")


# --- actors -------------------------------------------------------------------------------------------------


def _actors(seed: int = 0, n_agents: int = 3, **change: Any) -> Actors:
    settings = replace(Settings(response_tokens=2), **change)
    return Actors(tiny_language_model(3, 4), n_agents, settings, torch.Generator().manual_seed(seed))


def test_actors_start_as_the_base_model_whatever_the_padding() -> None:
    base, actors = tiny_language_model(3, 4), _actors()
    contexts, responses = [[0], [0, 1, 2, 1], [2, 2]], [[1, 2], [0], [2, 1]]
    together = actors.log_probabilities([0, 1, 2], contexts, responses).detach()
    for k, (context, response) in enumerate(zip(contexts, responses, strict=True)):
        logits = base(input_ids=torch.tensor([[*context, *response]]), use_cache=False).logits[0]
        laws = torch.log_softmax(logits, dim=-1)
        alone = sum(float(laws[len(context) - 1 + j, token]) for j, token in enumerate(response))
        assert float(together[k]) == pytest.approx(alone, abs=1e-12)


def test_rows_get_what_the_library_gives_them() -> None:
    actors = _actors()
    actors.set_theta(0.3 * torch.randn(actors.theta().shape, generator=torch.Generator().manual_seed(3)).double())
    rows, names = torch.tensor([[0, 1, 2], [2, 2, 0]]), [f"agent_{i}" for i in range(3)]
    together = actors._call(names)(input_ids=rows.repeat(3, 1)).logits
    base = actors._call([])(input_ids=rows).logits
    for layer in actors._model.modules():
        vars(layer).pop("forward", None)  # from here on the library's own way
    theirs = actors._model(input_ids=rows.repeat(3, 1), adapter_names=[name for name in names for _ in rows]).logits
    torch.testing.assert_close(together, theirs, rtol=0, atol=1e-12)
    alone = actors._model(input_ids=rows, adapter_names=["__base__"] * 2).logits
    torch.testing.assert_close(base, alone, rtol=0, atol=1e-12)
    assert not torch.allclose(together[:2], together[4:])


def test_the_callers_model_gets_no_adapters() -> None:
    base = tiny_language_model(3, 4)
    before = {name: p.clone() for name, p in base.named_parameters()}
    actors = Actors(base, 2, Settings(), torch.Generator().manual_seed(0))
    actors.set_theta(torch.ones_like(actors.theta()))
    assert {name for name, _ in base.named_parameters()} == set(before)
    assert all(torch.equal(p, before[name]) for name, p in base.named_parameters())


def test_an_agents_score_is_zero_in_the_others_adapters() -> None:
    actors = _actors()
    actors.set_theta(0.1 * torch.randn(actors.theta().shape, generator=torch.Generator().manual_seed(3)).double())
    score = actors.log_probabilities([1], [[0, 2]], [[1, 1]])[0]
    gradients = [torch.autograd.grad(score, own, retain_graph=True, allow_unused=True) for own in actors.parameters]
    sizes = [sum(float(g.abs().sum()) for g in own if g is not None) for own in gradients]
    assert sizes[0] == sizes[2] == 0
    assert sizes[1] > 0


def test_responses_follow_the_law_that_is_scored() -> None:
    actors, draws = _actors(n_agents=2), 3_000
    actors.set_theta(0.4 * torch.randn(actors.theta().shape, generator=torch.Generator().manual_seed(3)).double())
    contexts = [[2, 1]] * draws + [[1, 0, 2, 2]]  # a longer row, so that there is padding
    drawn = actors.sample(contexts, 2, None, torch.Generator().manual_seed(4))[:draws]
    every = [[a, b] for a in range(3) for b in range(3)]
    for agent in range(2):
        law = np.exp(actors.log_probabilities([agent], [[2, 1]] * 9, every).detach().numpy())
        assert law.sum() == pytest.approx(1.0)
        counts = np.array([sum(answers[agent] == response for answers in drawn) for response in every])
        assert ((counts - draws * law) ** 2 / (draws * law)).sum() < 26.12  # chi^2, 8 degrees of freedom, 0.1 %


@pytest.mark.parametrize("kind", ["rotary positions", "absolute positions"])
def test_padding_and_memory_do_not_change_the_law(kind: str) -> None:
    torch.manual_seed(0)
    shape = {"vocab_size": 5, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 32, "bos_token_id": 0}
    config = GPT2Config(**shape, eos_token_id=0, initializer_range=0.5)
    model = tiny_language_model(5, 0, layers=2) if kind.startswith("rotary") else GPT2LMHeadModel(config).double()
    seen: list[torch.Tensor] = []

    def call(**inputs: Any) -> Any:
        output = model.eval()(**inputs)
        seen.append(output.logits[:, -1])
        return output

    contexts = [[1, 2, 3, 4, 0, 1], [3], [2, 2, 4]]
    rows = ancestral(call, contexts, 3, None, torch.Generator().manual_seed(1), torch.device("cpu"))
    for k, (context, row) in enumerate(zip(contexts, rows, strict=True)):
        for step in range(3):
            alone = model(input_ids=torch.tensor([[*context, *row[:step]]]), use_cache=False).logits[0, -1]
            torch.testing.assert_close(seen[step][k], alone.detach(), rtol=0, atol=1e-10)


def test_a_response_ends_with_its_end_token() -> None:
    drawn = _actors().sample([[0]] * 50, 6, 1, torch.Generator().manual_seed(0))
    rows = [row for answers in drawn for row in answers]
    assert all(1 not in row[:-1] and (row[-1] == 1 or len(row) == 6) for row in rows)
    assert len({len(row) for row in rows}) > 2


def test_an_unknown_layer_is_named() -> None:
    with pytest.raises(ValueError, match=r"lora_layers names c_attn; the actor model has .*q_proj"):
        _actors(lora_layers=("c_attn", "q_proj"))


def test_adapters_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"theta has shape \(2, 3\), not \(N, P\) = \(3, 256\)"):
        _actors().set_theta(torch.zeros(2, 3))


# --- critics ------------------------------------------------------------------------------------------------


def test_the_network_of_equation_5_is_that_of_the_core() -> None:
    settings = Settings(width=6, depth=2, critic="equation-5")
    generator, cpu = torch.Generator().manual_seed(0), torch.device("cpu")
    critics = Critics(5, 2, settings, generator, dtype=torch.float64, device=cpu)
    x = np.random.default_rng(1).normal(size=(7, 5))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    layers = [layer[0].detach().numpy() for layer in critics._layers]
    network = CriticNetwork(x, layers[0], np.stack(layers[1:-1]), layers[-1][0])
    values = critics.values(torch.tensor(x))
    np.testing.assert_allclose(values.detach().numpy(), np.tile(network.values(network.W0), (2, 1)), atol=1e-12)
    gradient = torch.autograd.grad(values[1, 3], critics.weights)
    np.testing.assert_allclose(
        np.concatenate([g[1].reshape(-1).numpy() for g in gradient]), network.gradients(network.W0)[3], atol=1e-12
    )


def test_gossip_mixes_critics_and_reset_takes_them_back() -> None:
    critics = Critics(
        4, 3, Settings(width=5, depth=1), torch.Generator(), dtype=torch.float64, device=torch.device("cpu")
    )
    start = [w.detach().clone() for w in critics.weights]
    with torch.no_grad():
        for i in range(3):
            critics.weights[0][i] += i
    matrix = torch.tensor(consensus(3, Settings(), 0))
    critics.gossip(matrix)
    expected = start[0] + (matrix @ torch.arange(3.0, dtype=torch.float64))[:, None, None]
    torch.testing.assert_close(critics.weights[0].detach(), expected)
    critics.reset()
    assert all(torch.equal(w, s) for w, s in zip(critics.weights, start, strict=True))


def test_inputs_have_unit_norm_and_tell_states_turns_and_responses_apart(mini: Miniature) -> None:
    inputs = CriticInputs(mini.world, mini.actors)
    states = [mini.world.state(s) for s in mini.world.tree.states[:9]]
    of_states = inputs.of_states(states)
    pairs = inputs.of_pairs([states[0]] * 27, [*mini.world.tree.joint_responses])
    for rows in (of_states, pairs):
        assert rows.shape[1] == inputs.size
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(len(rows), dtype=torch.float64))
    assert len({tuple(row.tolist()) for row in pairs}) == 27
    d = mini.actors.embedding_size
    assert float(of_states[:, d : 4 * d].abs().max()) == 0  # a critic of states sees no responses


# --- dialogues ----------------------------------------------------------------------------------------------


def test_states_survive_a_file() -> None:
    state = State((Message("user", "a"), Message("assistant", "b c"), Message("user", "")), 1)
    assert State.unpacked(state.packed()) == state


@pytest.mark.parametrize(("shown", "answers"), [("all", 3), ("one", 1)])
def test_the_user_reads_what_is_shown_and_the_last_turn_leads_to_the_opening(
    models: StandIns, shown: Any, answers: int
) -> None:
    world, rng = TextWorld(models, SMALL), torch.Generator().manual_seed(0)
    first = world.start()
    (second,) = successors(world, [first], [("x", "y", "z")], shown, rng)
    assert second.turn == 1
    assert [m.role for m in second.messages] == ["user", *["assistant"] * answers, "user"]
    assert {m.text for m in second.messages[1:-1]} <= {"x", "y", "z"}
    last = replace(second, turn=2)
    assert successors(world, [last, first], [("x", "y", "z")] * 2, shown, rng)[0] == first


@pytest.mark.parametrize(("scored", "lines"), [("exchange", 2), ("dialogue", 4)])
def test_each_agent_is_paid_for_its_own_response(models: StandIns, scored: Any, lines: int) -> None:
    seen: list[str] = []
    judges = tuple(
        SimpleNamespace(score=lambda texts, i=i: (seen.extend(texts), np.full(len(texts), float(i)))[1])
        for i in range(3)
    )
    world = TextWorld(replace(models, rewards=judges), replace(SMALL, scored=scored))  # type: ignore[arg-type]
    state = State((Message("user", "a"), Message("assistant", "b"), Message("user", "c")), 1)
    rewards = world.rewards([state], [("x", "y", "z")])
    np.testing.assert_array_equal(rewards, [[0.0, 1.0, 2.0]])
    assert [text.strip().split("\n")[-1] for text in seen] == [f"Assistant: {word}" for word in "xyz"]
    assert {len(text.strip().split("\n")) for text in seen} == {lines}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"opening": " "}, "opening is empty"),
        ({"rewards": ()}, "rewards is empty"),
        ({"tokenizer": SimpleNamespace(eos_token_id=None)}, "the tokenizer has no end-of-text token"),
    ],
    ids=["opening", "rewards", "tokenizer"],
)
def test_materials_that_do_not_fit_are_refused(models: StandIns, change: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        TextWorld(replace(models, **change), SMALL)


def test_responses_longer_than_the_model_are_refused(models: StandIns) -> None:
    with pytest.raises(ValueError, match="actor_model takes 128 tokens, and 128 are to be written"):
        TextWorld(models, replace(SMALL, response_tokens=128))


def test_a_reward_that_is_not_finite_is_refused(models: StandIns) -> None:
    broken = SimpleNamespace(score=lambda texts: np.full(len(texts), np.nan))
    with pytest.raises(FloatingPointError, match="reward model 1 returned"):
        train(replace(models, rewards=(models.rewards[0], broken)), SMALL, seed=0)  # type: ignore[arg-type]


# --- runs ---------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits_and_another_does_not(models: StandIns) -> None:
    torch.manual_seed(11)
    one = train(models, SMALL, direction="printed", seed=3)
    torch.manual_seed(12)
    two = train(models, SMALL, direction="printed", seed=3)
    assert one.identical(two)
    assert not one.reward.identical(train(models, SMALL, direction="printed", seed=4).reward)


def test_directions_start_together_and_part(models: StandIns) -> None:
    runs = {name: train(models, replace(SMALL, episodes=2), direction=name, seed=0) for name in RULES}
    printed, repaired = runs["printed"], runs["repaired"]
    np.testing.assert_array_equal(printed.reward[0], repaired.reward[0])
    assert not np.array_equal(printed.update_norm, repaired.update_norm)
    assert set(printed.sizes) == {"step", "agent", "episode"}
    np.testing.assert_array_equal(printed.turn, [0, 1, 2] * 2)
    np.testing.assert_allclose(
        printed.episode_reward[0], printed.reward[:3].mean("step"), rtol=1e-12
    )
    np.testing.assert_allclose(
        printed.episode_return[1], (printed.reward[3:] * np.array([[1], [0.5], [0.25]])).sum("step"), rtol=1e-12
    )


@pytest.mark.parametrize("change", [{}, {"data": "restart", "optimiser": "plain"}], ids=["adam", "plain restart"])
def test_a_run_that_is_killed_resumes_bit_for_bit(models: StandIns, tmp_path: Path, change: dict[str, Any]) -> None:
    settings = replace(SMALL, checkpoint_every=1, **change)

    def killed(done: int, total: int, rewards: np.ndarray) -> None:
        assert total == 9
        assert rewards.shape == (3,)
        if done == 5:  # two steps after the last checkpoint
            raise KeyboardInterrupt

    whole = train(models, settings, direction="repaired", seed=0)
    with pytest.raises(KeyboardInterrupt):
        train(models, settings, direction="repaired", seed=0, out=tmp_path, on_step=killed)
    steps: list[int] = []
    resumed = train(
        models, settings, direction="repaired", seed=0, out=tmp_path, on_step=lambda k, n, r: steps.append(k)
    )
    assert steps == [4, 5, 6, 7, 8, 9]
    assert resumed.identical(whole)
    assert train(models, settings, direction="repaired", seed=0, out=tmp_path).identical(whole)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        ({"seed": 1}, "seed 0, not 1"),
        ({"direction": "printed"}, "direction 'repaired', not 'printed'"),
        ({"settings": replace(SMALL, episodes=1, gamma=0.25)}, r"settings .*'gamma': 0\.5"),
    ],
    ids=["seed", "direction", "settings"],
)
def test_a_folder_with_another_run_is_refused(
    models: StandIns, tmp_path: Path, call: dict[str, Any], match: str
) -> None:
    known: dict[str, Any] = {"settings": replace(SMALL, episodes=1), "direction": "repaired", "seed": 0}
    train(models, out=tmp_path, **known)
    with pytest.raises(CheckpointError, match=match):
        train(models, out=tmp_path, **(known | call))


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda data: data[: len(data) // 2], "cannot be read"),
        (lambda data: data[:-3] + bytes([data[-3] ^ 1]) + data[-2:], "is damaged"),
        (lambda data: b"", "cannot be read"),
    ],
    ids=["cut", "one bit", "empty"],
)
def test_a_damaged_checkpoint_is_refused(
    models: StandIns, tmp_path: Path, damage: Callable[[bytes], bytes], match: str
) -> None:
    settings = replace(SMALL, episodes=1)
    train(models, settings, seed=0, out=tmp_path)
    path = tmp_path / FILE
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=match):
        train(models, settings, seed=0, out=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"seed": 0, "direction": "up"}, "'up'"),
        ({"seed": 0, "device": "abacus"}, "device is 'abacus', which PyTorch cannot use here"),
    ],
    ids=["seed", "direction", "device"],
)
def test_bad_arguments_are_refused(models: StandIns, arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        train(models, SMALL, **arguments)


@pytest.mark.parametrize("data", ["episodes", "restart"])
def test_next_responses_are_given_to_the_next_state(mini: Miniature, monkeypatch: Any, data: Any) -> None:
    made = replace(mini, settings=replace(mini.settings, data=data, gamma=0.9, dialogues=200))
    read: list[list[list[int]]] = []
    sample = made.actors.sample

    def spy(contexts: list[list[int]], *rest: Any) -> list[tuple[list[int], ...]]:
        read.append(contexts)
        return sample(contexts, *rest)

    monkeypatch.setattr(made.actors, "sample", spy)
    trainer = _trainer(made, "printed")
    tuples = trainer.sample()
    assert read == [[made.world.context(s) for s in states] for states in (tuples.states, tuples.target)]
    assert tuples.target is tuples.after  # P of Sec. 3.1 is the restart kernel, for the target too
    repaired = _trainer(made, "repaired").sample()
    assert repaired.target_responses is None
    assert {state.turn for state in repaired.target} == {1}  # the original kernel, whatever the data
    going_on = np.mean([state.turn == 1 for state in repaired.after])
    assert going_on == 1 if data == "episodes" else 0.83 < going_on < 0.97  # gamma, within three standard errors


def test_normalised_steps_have_length_alpha(models: StandIns) -> None:
    data = train(models, replace(SMALL, episodes=1, optimiser="normalised", alpha=0.125), seed=0)
    np.testing.assert_allclose(data.update_norm, 0.125, rtol=1e-5)


def test_without_steps_nothing_moves(models: StandIns) -> None:
    data = train(models, replace(SMALL, episodes=1, alpha=0.0, beta=0.0), seed=0)
    np.testing.assert_array_equal(data.update_norm, 0.0)
    assert float(data.direction_norm.min()) > 0


# --- the exact anchor ---------------------------------------------------------------------------------------


def test_the_mdp_has_the_probabilities_of_the_models(mini: Miniature) -> None:
    world, tree = mini.world, mini.world.tree
    heard = [0, 2, 1, 0]  # the opening, then the responses 2, 1 and 0
    row = mini.problem.mdp.P[0, tree.joint_responses.index(((2,), (1,), (0,)))]
    call = lambda **inputs: world.user(**inputs)  # noqa: E731
    log = row_log_probabilities(call, [heard] * 3, tree.replies, torch.device("cpu")).detach().numpy()
    np.testing.assert_allclose(row[row > 0], np.exp(log), atol=1e-14)
    assert [tree.states[s][0] for s in np.flatnonzero(row)] == [(((2,), (1,), (0,)), (u,)) for u in range(3)]


def test_differentiating_j_gives_the_policy_gradient(mini: Miniature) -> None:
    value, gradient = differentiated_return(mini)
    view = view_of(mini, scores=True)
    assert value == pytest.approx(view.J, abs=1e-12)
    np.testing.assert_allclose(gradient, view.grad_J, atol=1e-8, rtol=0)
    assert np.abs(gradient).max() > 0.05  # the comparison is not one of zeros
    np.testing.assert_allclose(0.75 * view.grad_J, _by_tables(mini, view), atol=1e-12)


def _by_tables(mini: Miniature, view: Exact) -> np.ndarray:
    """The mean of the repaired direction with exact critics, by `expected_update`."""
    made = replace(mini, settings=replace(mini.settings, gossip_rounds=100))
    parts = {"inputs": TableInputs(mini.world), "critics": TableCritics(np.tile(view.V, (3, 1)))}
    return expected_update(made, _trainer(made, "repaired", **parts))


@pytest.mark.parametrize("data", ["episodes", "restart"])
def test_with_exact_critics_the_repaired_mean_is_the_gradient_and_the_printed_one_is_zero(
    mini: Miniature, data: Any
) -> None:
    made = replace(mini, settings=replace(mini.settings, data=data, gossip_rounds=60))
    scale = 0.5 if data == "restart" else 0.75
    gradient = differentiated_return(made)[1]
    for name, expected in (("printed", 0 * gradient), ("flipped", 0 * gradient), ("repaired", scale * gradient)):
        trainer = _trainer(made, name, inputs=TableInputs(made.world), critics=exact_critics(made, rule_of(name)))
        np.testing.assert_allclose(expected_update(made, trainer), expected, atol=1e-8, rtol=0, err_msg=name)


def test_without_the_weights_of_turns_the_mean_is_not_the_gradient(mini: Miniature) -> None:
    trainer = _trainer(mini, "repaired", inputs=TableInputs(mini.world), critics=exact_critics(mini, REPAIRED))
    trainer.rule = replace(REPAIRED, discounted=False)
    difference = expected_update(mini, trainer) - 0.75 * differentiated_return(mini)[1]
    assert np.abs(difference).max() > 1e-3


def test_coordinates_are_registered() -> None:
    where = registered_coordinates(3, 256)
    assert where.shape == (20, 2)
    assert len(np.unique(where, axis=0)) == 20
    np.testing.assert_array_equal(where[:3], registered_coordinates(3, 256)[:3])
    assert where[:, 0].max() < 3
    assert where[:, 1].max() < 256


@pytest.mark.parametrize("direction", ["printed", "repaired"])
def test_the_loops_mean_update_is_the_exact_one(direction: str) -> None:
    found = anchor_comparison(direction)
    assert np.abs(found.z).max() < 3
    assert np.abs(found.expected / found.error).max() > 10  # a wrong sign or factor would be seen
    assert abs(found.gradient_cosine) > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["printed", "repaired"])
def test_the_loops_mean_update_is_the_exact_one_along_the_restart_kernel(direction: str) -> None:
    found = anchor_comparison(direction, data="restart", batches=40)
    assert np.abs(found.z).max() < 3
    assert np.abs(found.expected / found.error).max() > 10


def test_a_comparison_needs_plain_steps(mini: Miniature) -> None:
    made = replace(mini, settings=replace(mini.settings, optimiser="adam"))
    with pytest.raises(ValueError, match="have to be 'plain', 0 and positive"):
        compare_updates(made, _trainer(made, "repaired"))


def test_the_repaired_direction_climbs_towards_the_optimum_and_the_printed_one_does_not() -> None:
    curves = anchor_curves(replace(ANCHOR, episodes=25), seeds=(0, 1), every=25)
    start, end = (curves.J.sel(episode=k) for k in (0, 25))
    np.testing.assert_allclose(start, curves.J_base, rtol=1e-12)
    assert float((end - start).sel(direction="repaired").min()) > 0.1
    assert float((end - start).sel(direction="printed").max()) < 0
    assert float(curves.J.max()) < curves.J_star
    assert curves.J_star_low <= curves.J_star <= curves.J_star_high


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        (replace(ANCHOR, turns=3), "turns is 3 in the settings and 2 in the tree"),
        (replace(ANCHOR, response_tokens=2), "response_tokens is 2"),
        (replace(ANCHOR, shown="one"), "shown is 'one'"),
    ],
    ids=["turns", "length", "shown"],
)
def test_settings_of_another_dialogue_are_refused(settings: Settings, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        miniature(settings)


def test_the_optimum_of_the_miniature_is_bracketed() -> None:
    world = MiniWorld(DialogueTree(2, 2), tiny_language_model(2, 0))
    best = J_star(world.mdp(0.5))
    assert best.low <= best.J <= best.high
    assert best.high - best.low < 1e-12
