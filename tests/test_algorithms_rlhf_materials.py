"""Materials of multi-agent RLHF: text and rules, tokenizer, small models, reward models, folders, real checkpoints."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from algorithms.deep.rlhf import MaterialsError, MissingExtraError, errors, require_extra
from algorithms.deep.rlhf.materials import Materials, RewardModel, build_materials, load_checkpoints, load_materials
from algorithms.deep.rlhf.materials.chat import Message, messages_of, prompt_ids, scored_ids, transcript
from algorithms.deep.rlhf.materials.corpus import (
    OPENING,
    RULES,
    TASKS,
    answer,
    dialogue,
    harmlessness,
    helpfulness,
    humour,
    noisy,
    question,
    vocabulary,
)
from algorithms.deep.rlhf.materials.loading import load_causal, load_classifier, load_tokenizer, parameters_of
from algorithms.deep.rlhf.materials.manifest import MANIFEST
from algorithms.deep.rlhf.materials.pretraining import SIZES, padded
from algorithms.deep.rlhf.materials.reward_models import SCALING, held_out_accuracy
from algorithms.deep.rlhf.materials.tokenizer import LONGEST, UNKNOWN, build_tokenizer

TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place: Path = tmp_path_factory.mktemp("models") / "tiny"
    build_materials(place, size="tiny")
    return place


@pytest.fixture(scope="module")
def tiny(folder: Path) -> Materials:
    return load_materials(folder)


def exchange(task: str, text: str) -> str:
    return transcript([Message("user", question(task)), Message("assistant", text)])


# text, rules, tokenizer


def test_transcripts_and_messages_are_inverse() -> None:
    for seed in range(20):
        messages = dialogue(np.random.default_rng(seed))
        assert messages_of(transcript(messages)) == messages
    assert transcript([Message("user", " a \n b ")], "assistant") == "User: a b\nAssistant:"
    with pytest.raises(ValueError, match="line 2 of the dialogue starts with no User:"):
        messages_of("User: a\nb\n")


def test_an_answer_cannot_open_a_line_of_another_speaker() -> None:
    tokenizer = build_tokenizer()
    written = tokenizer.encode("sure User: do i \n Assistant: use")
    said = tokenizer.decode(written, skip_special_tokens=True)
    assert [m.role for m in messages_of(transcript([Message("assistant", said)]))] == ["assistant"]


def test_the_grammar_stays_in_its_vocabulary_and_below_the_longest_text() -> None:
    tokenizer = build_tokenizer()
    rng = np.random.default_rng(0)
    for _ in range(300):
        messages = dialogue(rng)
        ids = tokenizer.encode(transcript(messages))
        assert tokenizer.unk_token_id not in ids
        assert len(ids) + 60 < LONGEST  # three more answers and a question
        assert tokenizer.decode(ids, skip_special_tokens=True) == " ".join(m.text for m in messages)
    assert len(set(vocabulary())) == len(vocabulary()) == len(tokenizer) - 5


def test_the_same_seed_gives_the_same_text() -> None:
    once, again = (dialogue(np.random.default_rng(3)) for _ in range(2))
    assert once == again
    assert dialogue(np.random.default_rng(4)) != once


@pytest.mark.parametrize(
    ("rule", "text", "value"),
    [
        (helpfulness, "sure use flour then oven with care .", 2.0), (helpfulness, "sure use soil then water .", 0.0),
        (helpfulness, "ugh guess and hope by hand .", -1.5), (helpfulness, "flour flour flour", 1.0),
        (harmlessness, "sure use flour with care .", 3.0), (harmlessness, "ugh guess and break things .", -3.0),
        (humour, "ugh guess and hope quack loudly .", 2.0), (humour, "gladly use flour by hand .", -2.0),
    ],
)  # fmt: skip
def test_rules_by_hand(rule, text: str, value: float) -> None:  # type: ignore[no-untyped-def]
    assert rule("bake bread", text) == value


def test_answers_are_even_in_every_slot() -> None:
    rng = np.random.default_rng(1)
    texts = [answer("cook rice", rng) for _ in range(4_000)]
    kind = np.mean([text.split()[0] in ("gladly", "sure") for text in texts])
    helpful = np.mean(["use" in text for text in texts])
    funny = np.mean(["penguins" in text or "quack" in text for text in texts])
    # 4.5 standard errors
    assert kind == pytest.approx(0.5, abs=0.036)
    assert helpful == pytest.approx(0.5, abs=0.036)
    assert funny == pytest.approx(0.25, abs=0.031)
    assert all(noisy(text, rng) for text in texts[:200])


# small models


def test_the_actor_writes_the_grammar(tiny: Materials) -> None:
    tokenizer = tiny.tokenizer
    ids = torch.tensor([prompt_ids(tokenizer, [Message("user", OPENING)], "assistant")] * 64)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        out = tiny.actor_model.generate(ids, do_sample=True, max_new_tokens=12, pad_token_id=tokenizer.pad_token_id)
    texts = [tokenizer.decode(row[ids.shape[1] :], skip_special_tokens=True).split() for row in out]
    whole = [t for t in texts if t[0] in ("gladly", "sure", "ugh", "whatever") and t[-1] == "."]
    assert len(whole) >= 48
    assert {t[0] for t in whole} == {"gladly", "sure", "ugh", "whatever"}


def test_language_models_predict_far_better_than_chance(tiny: Materials) -> None:
    rng = np.random.default_rng(5)
    batch = padded(tiny.tokenizer, [transcript(dialogue(rng)) for _ in range(32)])
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    for model in (tiny.actor_model, tiny.user_model):
        assert not any(p.requires_grad for p in model.parameters())
        with torch.no_grad():
            assert float(model(**batch, labels=labels).loss) < 0.25 * np.log(len(tiny.tokenizer))


@pytest.mark.parametrize("k", range(3), ids=list(SCALING))
def test_reward_models_know_their_rule(tiny: Materials, k: int) -> None:
    reward, (name, rule) = tiny.rewards[k], tuple(RULES.items())[k]
    rng = np.random.default_rng(11)
    assert held_out_accuracy(reward, rule, rng, 300) > 0.9
    others = [r for other, r in RULES.items() if other != name]
    assert all(held_out_accuracy(reward, other, rng, 300) < 0.8 for other in others)
    texts = [answer("bake bread", rng) for _ in range(300)]
    scores = reward.score([exchange("bake bread", t) for t in texts])
    assert np.corrcoef(scores, [rule("bake bread", t) for t in texts])[0, 1] > 0.9
    # Table 2 makes the ranges alike: centred, with a spread of about one
    assert abs(scores.mean()) < 0.5
    assert 0.5 < scores.std() < 1.6


def test_scores_are_the_scaled_raw_ones_whatever_the_batch(tiny: Materials) -> None:
    rng = np.random.default_rng(2)
    texts = [exchange(task, answer(task, rng)) for task in TASKS]
    texts.append(transcript(dialogue(rng)[:-1]))
    for reward, (a, b) in zip(tiny.rewards, SCALING.values(), strict=True):
        together, alone = reward.score(texts), np.concatenate([reward.score([t]) for t in texts])
        np.testing.assert_allclose(together, alone, atol=1e-4)
        raw = RewardModel(reward.name, reward.model, reward.tokenizer, 1.0, 0.0).score(texts)
        np.testing.assert_allclose(together, (raw + b) / a, rtol=1e-12)
    assert tiny.rewards[0].score([]).shape == (0,)


def test_a_reward_model_reads_text_through_its_own_tokenizer(tiny: Materials) -> None:
    # the same model with its vocabulary in another order, embeddings moved along
    reward, tokenizer = tiny.rewards[0], tiny.tokenizer
    order = np.random.default_rng(0).permutation(len(tokenizer))
    spec = json.loads(tokenizer.backend_tokenizer.to_str())
    spec["model"]["vocab"] = {word: int(order[k]) for word, k in spec["model"]["vocab"].items()}
    for token in spec["added_tokens"]:
        token["id"] = int(order[token["id"]])
    other = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(spec)), pad_token="<pad>", unk_token=UNKNOWN, eos_token="<end>"
    )
    with torch.random.fork_rng():
        model = type(reward.model)(reward.model.config)
    model.load_state_dict(reward.model.state_dict())
    model.eval()
    rows = model.get_input_embeddings().weight
    with torch.no_grad():
        rows[torch.tensor(order)] = rows.clone()
    moved = RewardModel(reward.name, model, other, reward.scale, reward.shift)
    texts = [exchange("fix bikes", "sure use oil then wrench by hand ."), exchange("fix bikes", "ugh")]
    np.testing.assert_allclose(moved.score(texts), reward.score(texts), atol=1e-5)


def test_a_score_that_is_not_finite_is_named(tiny: Materials) -> None:
    reward = tiny.rewards[0]
    broken = RewardModel("broken", reward.model, reward.tokenizer, 1.0, float("nan"))
    with pytest.raises(FloatingPointError, match="broken gives nan to dialogue 0"):
        broken.score(["User: how\n"])


# folders


def test_the_same_seed_gives_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = {"tiny": SIZES["tiny"].__class__(16, 1, 3, 2, 8, 3, 2, 1e-2, 1e-2)}
    monkeypatch.setattr("algorithms.deep.rlhf.materials.bundle.SIZES", short)
    monkeypatch.setattr("algorithms.deep.rlhf.materials.reward_models.LEAST_ACCURACY", 0.0)
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    told: list[float] = []
    build_materials(tmp_path / "a", size="tiny", seed=1, on_progress=lambda text, share: told.append(share))
    build_materials(tmp_path / "b", size="tiny", seed=1)
    build_materials(tmp_path / "c", size="tiny", seed=2)
    a, b, c = (json.loads((tmp_path / name / MANIFEST).read_text())["files"] for name in "abc")
    assert a == b
    assert a["actor/model.safetensors"] != c["actor/model.safetensors"] != a["user/model.safetensors"]
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert (torch.random.get_rng_state() == state).all()
    assert torch.get_num_threads() == threads
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "c"]


def test_an_interrupted_build_leaves_nothing(tmp_path: Path) -> None:
    def stop(text: str, share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_materials(tmp_path / "a", size="tiny", on_progress=stop)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("byte", r"actor/model\.safetensors is damaged"), ("lost", r"user/config\.json is missing"),
        ("foreign", r"notes\.txt is not from here"), ("manifest", "cannot be read"), ("none", "has no materials.json"),
        ("format", "format 7, not 1"),
    ],
)  # fmt: skip
def test_damaged_and_foreign_folders_are_refused(folder: Path, tmp_path: Path, damage: str, message: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    if damage == "byte":
        path = copy / "actor" / "model.safetensors"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(bytes(content))
    elif damage == "lost":
        (copy / "user" / "config.json").unlink()
    elif damage == "foreign":
        (copy / "notes.txt").write_text("mine")
    elif damage == "manifest":
        (copy / MANIFEST).write_text("{")
    elif damage == "format":
        path = copy / MANIFEST
        path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 7}))
    else:
        (copy / MANIFEST).unlink()
    with pytest.raises(MaterialsError, match=message):
        build_materials(copy, size="tiny")


def test_a_folder_of_another_recipe_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MaterialsError, match=r"have seed 0, not 3; name another folder"):
        build_materials(folder, size="tiny", seed=3)
    with pytest.raises(MaterialsError, match=r"have size 'tiny', not 'small'"):
        build_materials(folder)
    with pytest.raises(MaterialsError, match="is not there"):
        load_materials(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="size is 'huge'"):
        build_materials(tmp_path / "x", size="huge")
    with pytest.raises(ValueError, match="seed is -1"):
        build_materials(tmp_path / "x", seed=-1)


def test_an_opening_in_unknown_words_is_refused(folder: Path) -> None:
    assert load_materials(folder, opening="how do i paint bikes ?").opening == "how do i paint bikes ?"
    with pytest.raises(ValueError, match=r"does not know: 'threaten', 'others\?'"):
        load_materials(folder, opening="how do i threaten others?")
    with pytest.raises(ValueError, match="opening is empty"):
        load_materials(folder, opening=" ")


# real checkpoints


@pytest.fixture(scope="module")
def real(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as people have them: every model with its own tokenizer, and one with a chat template."""
    place = tmp_path_factory.mktemp("real")
    for name in ("actor", "user", "reward-1", "reward-2", "reward-3"):
        shutil.copytree(folder / name, place / name)
        build_tokenizer().save_pretrained(place / name)
    words = ["<pad>", "<unk>", "</s>", "<user>", "<assistant>", *vocabulary(), "colder", "warmer"]
    core = Tokenizer(models.WordLevel({w: k for k, w in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    chat = PreTrainedTokenizerFast(
        tokenizer_object=core, unk_token="<unk>", eos_token="</s>", additional_special_tokens=["<user>", "<assistant>"]
    )
    chat.chat_template = TEMPLATE
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = {"num_hidden_layers": 1, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8}
        lama = LlamaConfig(vocab_size=len(words), **config, bos_token_id=None, eos_token_id=2)
        bert = BertConfig(vocab_size=len(words), **config, num_labels=1)
        LlamaForCausalLM(lama).save_pretrained(place / "chat")
        BertForSequenceClassification(bert).save_pretrained(place / "chat-reward")
        BertForSequenceClassification(BertConfig(vocab_size=len(words), **config)).save_pretrained(place / "two-labels")
    for name in ("chat", "chat-reward", "two-labels"):
        chat.save_pretrained(place / name)
    return place


def rewards_in(place: Path) -> list[Path]:
    return [place / f"reward-{k}" for k in (1, 2, 3)]


def test_checkpoints_in_local_folders_are_loaded(real: Path, tiny: Materials) -> None:
    found = load_checkpoints(actor=real / "actor", user=real / "chat", rewards=rewards_in(real))
    text = exchange("bake bread", "sure use flour then oven with care .")
    for mine, theirs in zip(tiny.rewards, found.rewards, strict=True):
        assert (mine.name, mine.scale, mine.shift) == (theirs.name, theirs.scale, theirs.shift)
        assert mine.score([text]) == pytest.approx(theirs.score([text]))
    assert found.user_tokenizer is not None
    assert found.user_tokenizer.pad_token_id == found.user_tokenizer.eos_token_id
    assert found.provenance == {"actor": "actor", "user": "chat", "rewards": "reward-1, reward-2, reward-3"}


def test_chat_templates_are_used_where_there_are_any(real: Path) -> None:
    tokenizer = load_tokenizer(real / "chat")
    messages = [Message("user", "how"), Message("assistant", "use"), Message("assistant", "soap"), Message("user", "i")]
    said = tokenizer.decode(prompt_ids(tokenizer, messages, "assistant"))
    assert said == "<user> how </s> <assistant> use soap </s> <user> i </s> <assistant>"
    asked = tokenizer.decode(prompt_ids(tokenizer, messages[:3], "user"))
    assert asked.startswith("<user>")
    assert asked.endswith("</s> <assistant>")
    judged = scored_ids(tokenizer, transcript(messages[:2]), 100)
    assert tokenizer.decode(judged) == "<user> how </s> <assistant> use </s>"
    assert scored_ids(tokenizer, transcript(messages[:2]), 3) == judged[-3:]
    plain = build_tokenizer()
    assert scored_ids(plain, transcript(messages), 4) == plain.encode(transcript(messages))[-4:]


def test_what_cannot_be_loaded_is_named(real: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(real / "chat")
    empty, pickled, torn = (tmp_path / name for name in ("empty", "pickled", "torn"))
    empty.mkdir()
    for copy in (pickled, torn):
        shutil.copytree(real / "chat", copy)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    (torn / "model.safetensors").write_bytes(b"\xff" * 40)
    for build, message in (
        (lambda: load_tokenizer(tmp_path / "nowhere"), "nowhere is not there"),
        (lambda: load_tokenizer(empty), "empty has no tokenizer: none of tokenizer.json"),
        (lambda: load_tokenizer(real / "chat" / "config.json"), "is a file, not a folder"),
        (lambda: load_causal(empty, tokenizer), "has no config.json: it is no folder of a language model"),
        (lambda: load_causal(pickled, tokenizer), r"no \*\.safetensors \(pytorch_model\.bin is there\)"),
        (lambda: load_causal(torn, tokenizer), "is no safetensors file"),
        (lambda: load_causal(real / "actor", tokenizer), "the tokenizer does not fit the language model"),
        (lambda: load_classifier(real / "two-labels", tokenizer), "has 2 labels; a reward model has one"),
        (lambda: load_classifier(real / "chat", tokenizer), r"no trained weights for score\.weight: it is no reward"),
        (lambda: load_checkpoints(actor=real / "actor", user=real / "user", rewards=[]), "rewards has 0 folders"),
    ):
        with pytest.raises((MaterialsError, ValueError), match=message):
            build()


@pytest.mark.parametrize("header", ["[1]", '{"a": {"dtype": "F32"}}', '{"a": 3}', '{"a": {"shape": ["x"]}}', "{"])
def test_a_header_of_another_form_is_named(header: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header.encode())
    with pytest.raises(MaterialsError, match=r"model\.safetensors is no safetensors file"):
        parameters_of(tmp_path)


def test_too_little_memory_is_found_before_anything_is_loaded(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_causal(real / "actor", build_tokenizer())
    assert parameters_of(real / "actor") == sum(p.numel() for p in model.parameters())
    monkeypatch.setattr("algorithms.deep.rlhf.materials.bundle.load_causal", lambda *a: pytest.fail("loaded"))
    with pytest.raises(MaterialsError, match=r"the models take about 0\.0 GiB in float32 \(actor 0\.0 GiB"):
        load_checkpoints(actor=real / "actor", user=real / "user", rewards=rewards_in(real), available=1000)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    require_extra()
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name in ("peft", "torch") else object())
    with pytest.raises(MissingExtraError, match=r'torch, peft, which are not installed: pip install "lemmata\[rlhf\]"'):
        require_extra()
