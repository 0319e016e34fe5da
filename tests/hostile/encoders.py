"""Hostile encoders: what a folder lacks, what does not fit together, and what would run code."""

import json
from collections.abc import Callable

from safetensors.torch import load_file, save_file

from tests.hostile.desk import Case, Desk, accepted
from tests.hostile.downloads import PAGE

WEIGHTS = "encoder/model.safetensors"


def wrote(name: str, content: bytes | str) -> Callable[[Desk], object]:
    """Return what replaces a file of the encoder."""
    return lambda desk: desk.write(f"encoder/{name}", content)


def lacks(*names: str) -> Callable[[Desk], object]:
    """Return what removes files of the encoder."""
    return lambda desk: desk.remove(*(f"encoder/{name}" for name in names))


def configured(**changes: object) -> Callable[[Desk], object]:
    """Return what changes keys of the encoder's config.json."""
    return lambda desk: desk.change_json("encoder/config.json", **changes)


def pickled(folder: str) -> Callable[[Desk], object]:
    """Return what makes the weights a pickle that leaves a mark if it is read."""

    def corrupt(desk: Desk) -> None:
        # What `pickle` writes of an object that calls open("run", "w"): protocol 0, by hand.
        desk.write(f"{folder}/pytorch_model.bin", b"cio\nopen\n(S'run'\nS'w'\ntR.")
        desk.remove(f"{folder}/model.safetensors")

    return corrupt


def remote(folder: str) -> Callable[[Desk], object]:
    """Return what lets a model ask for code of its own, which leaves a mark if it is run."""

    def corrupt(desk: Desk) -> None:
        code = "open('run', 'w')\nfrom transformers import BertConfig as C\n"
        desk.write(f"{folder}/code.py", code)
        classes = {"AutoConfig": "code.C", "AutoModel": "code.M"}
        desk.change_json(f"{folder}/config.json", auto_map=classes, model_type="of-its-own")

    return corrupt


def remote_module(desk: Desk) -> None:
    """Let sentence-transformers' list of modules name code of the folder."""
    desk.write("encoder/code.py", "open('run', 'w')\n")
    listed = [{"idx": 0, "name": "0", "path": "", "type": "code.Encoder"}]
    desk.write("encoder/modules.json", json.dumps(listed))


def is_not_run(desk: Desk) -> None:
    """Hold the case to code that has not run."""
    assert not (desk.folder / "run").exists()


def truncated(desk: Desk) -> None:
    """Let the weights end early."""
    desk.write(WEIGHTS, (desk.folder / WEIGHTS).read_bytes()[:2000])


def emptied(desk: Desk) -> None:
    """Let the weights lack a layer."""
    tensors = load_file(desk.folder / WEIGHTS)
    left = {name: value for name, value in tensors.items() if "layer.1" not in name}
    save_file(left, desk.folder / WEIGHTS, metadata={"format": "pt"})


def prompted(prompts: object, default: str) -> Callable[[Desk], object]:
    """Return what gives an encoder prompts, and the name of the one to apply."""
    settings = {"prompts": prompts, "default_prompt_name": default}
    return wrote("config_sentence_transformers.json", json.dumps(settings))


# The model that each stage loads.
FOLDERS = dict.fromkeys(("tokenize", "train", "adapt", "embed"), "encoder")
FOLDERS |= {"evaluate": "models/1"}
NO_VOCABULARY = ("vocab.txt", "tokenizer.json")
REMOTE = "it asks for code of its own, which is never run"
PICKLED = r"its weights are a pickle \(pytorch_model\.bin\), which can run code .*safetensors"

CASES = [
    *(
        Case("without-a-vocabulary", stage, "there is no vocabulary", lacks(*NO_VOCABULARY))
        for stage in ("tokenize", "embed", "train", "adapt")
    ),
    *(
        Case("pickle", stage, PICKLED, pickled(folder), holds=is_not_run)
        for stage, folder in FOLDERS.items()
        if stage != "tokenize"
    ),
    *(
        Case("remote-code", stage, REMOTE, remote(folder), holds=is_not_run)
        for stage, folder in FOLDERS.items()
    ),
    *(
        case
        for stage in ("train", "adapt")
        for case in (
            Case("weights-truncated", stage, "holds no model that can be fine-tuned", truncated),
            Case(
                "weights-of-fewer-layers", stage, r"model\.safetensors lacks \d+ tensors", emptied
            ),
        )
    ),
    Case(
        "empty-vocabulary",
        "tokenize",
        "there is no vocabulary, or an empty one",
        lambda desk: (desk.remove("encoder/tokenizer.json"), desk.write("encoder/vocab.txt", "")),
    ),
    Case(
        "tokenizer-of-another-kind",
        "tokenize",
        "holds no tokenizer that transformers can load",
        wrote("tokenizer.json", '{"added_tokens": [], "model": {"type": "Lamp"}}'),
    ),
    Case(
        "vocabulary-of-another-model",
        "tokenize",
        "knows 159 word pieces and the encoder has embeddings for 100",
        configured(vocab_size=100),
    ),
    accepted(
        "vocabulary-of-a-larger-model",
        "tokenize",
        "warning: encoder: the tokenizer knows 159 of the 30,522 word pieces",
        configured(vocab_size=30_522),
    ),
    Case(
        "nothing-to-pad-with",
        "tokenize",
        "the tokenizer has no token to pad with",
        wrote("tokenizer_config.json", '{"tokenizer_class": "LampTokenizer"}'),
    ),
    Case("missing", "tokenize", "encoder holds no encoder", lambda desk: desk.remove("encoder")),
    Case("config-missing", "tokenize", "encoder holds no encoder", lacks("config.json")),
    Case("config-is-a-page", "tokenize", "encoder holds no encoder", wrote("config.json", PAGE)),
    Case(
        "config-mistyped",
        "tokenize",
        "field 'hidden_size'.* expected int",
        configured(hidden_size="many"),
    ),
    Case(
        "no-heads",
        "train",
        "holds no model that can be fine-tuned.*ZeroDivision",
        configured(num_attention_heads=0),
    ),
    Case("remote-module", "embed", REMOTE, remote_module, holds=is_not_run),
    Case("missing", "adapt", "encoder does not exist", lambda desk: desk.remove("encoder")),
    Case(
        "missing-and-no-epochs",
        "adapt",
        "encoder does not exist",
        lambda desk: (desk.parameters({"adapt.epochs": 0}), desk.remove("encoder")),
    ),
    Case("weights-truncated", "embed", "holds no encoder that sentence-transformers", truncated),
    Case(
        "weights-are-empty",
        "embed",
        "holds no encoder that sentence-transformers",
        wrote("model.safetensors", b""),
    ),
    Case(
        "weights-of-another-size",
        "train",
        r"model\.safetensors lacks \d+ tensors",
        configured(intermediate_size=65),
    ),
    Case(
        "weights-are-damaged",
        "evaluate",
        "models/1 holds no trained model.*dvc repro train@1",
        lambda desk: desk.write("models/1/model.safetensors", PAGE),
    ),
    Case(
        "pooling-of-another-width",
        "embed",
        "pools vectors of 7 dimensions.*gives 32",
        lambda desk: desk.change_json("encoder/1_Pooling/config.json", word_embedding_dimension=7),
    ),
    Case(
        "pooling-missing",
        "embed",
        "holds no encoder that sentence-transformers",
        lambda desk: desk.remove("encoder/1_Pooling/config.json"),
    ),
    Case(
        "longer-than-its-positions",
        "embed",
        "lets texts have 512 word pieces.*takes 64",
        lambda desk: desk.change_json("encoder/sentence_bert_config.json", max_seq_length=512),
    ),
    Case(
        "prompt-of-another-name",
        "embed",
        "Default prompt name 'passage' not found.*'document'",
        prompted({"document": "orbit "}, "passage"),
    ),
    Case(
        "prompt-is-no-text",
        "embed",
        r"the prompt `document` should be text, and is \['orbit'\]",
        prompted({"document": ["orbit"]}, "document"),
    ),
    Case(
        "prompt-fills-the-input",
        "embed",
        "the prompt `document` has 62 word pieces, and the encoder reads 62 of a text",
        prompted({"document": "orbit " * 62}, "document"),
    ),
]
