"""Other ways to fine-tune the same encoder on the same sentences, as people write them.

The recipe is the same for all: AdamW without weight decay, a linear decay of the learning rate,
batches of 32, gradients clipped to norm 1, and the learning rate of params.yaml, which suits the
encoder and has no bearing on the seconds. Word pieces are given, so tokenization is not timed.
`which` of each contender are the keywords of `inputs.read_task`.
"""

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset
from transformers import (
    BertConfig,
    BertModel,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    get_linear_schedule_with_warmup,
    set_seed,
)

from benchmarks import inputs, ours
from benchmarks.contender import Clock
from benchmarks.inputs import Task
from bertline.encoders import loading
from bertline.training import loop

ARTICLE_LENGTH, GLUE_LENGTH = 64, 128  # word pieces that the two recipes pad every sentence to


def article(clock: Clock, *, data: str, seed: int, **which: Any) -> dict[str, Any]:
    """Fine-tune as McCormick and Ryan (2020), "BERT Fine-Tuning Tutorial with PyTorch", do.

    Their loop in fp32, all sentences padded to 64 word pieces and in random order.
    """
    task = inputs.read_task(Path(data), **which)
    recipe = task.recipe
    for part, watch in inputs.warmed_up(task, clock):
        model = _load(part, seed)
        sentences = TensorDataset(*_padded(part, ARTICLE_LENGTH, model.config).values())
        with watch.timing():
            sampler = RandomSampler(sentences)
            loader = DataLoader(sentences, sampler=sampler, batch_size=recipe["batch_size"])
            optimizer = torch.optim.AdamW(
                model.parameters(), lr=recipe["learning_rate"], eps=1e-8, weight_decay=0.0
            )
            schedule = get_linear_schedule_with_warmup(optimizer, 0, len(loader))
            model.train()
            total = 0.0
            for input_ids, mask, labels in loader:
                model.zero_grad()
                loss = model(input_ids=input_ids, attention_mask=mask, labels=labels).loss
                total += loss.item()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
    return ours.score(model, task)


def run_glue(clock: Clock, *, data: str, seed: int, **which: Any) -> dict[str, Any]:
    """Fine-tune by transformers' Trainer as its example `run_glue` sets it up by default.

    In fp32, all sentences padded to 128 word pieces; batches of 32 as in the example's command.
    """
    task = inputs.read_task(Path(data), **which)
    for part, watch in inputs.warmed_up(task, clock):
        model = _load(part, seed)
        padded = _padded(part, GLUE_LENGTH, model.config)
        rows = [
            dict(zip(padded, values, strict=True)) for values in zip(*padded.values(), strict=True)
        ]
        with tempfile.TemporaryDirectory() as scratch:
            arguments = _arguments(part, seed, scratch)
            trainer = Trainer(model=model, args=arguments, train_dataset=rows)
            with watch.timing():
                trainer.train()
    return ours.score(model, task)


def trainer_at_its_best(clock: Clock, *, data: str, seed: int, **which: Any) -> dict[str, Any]:
    """Fine-tune by the Trainer in bf16, sentences grouped by length, with the fused optimiser."""
    task = inputs.read_task(Path(data), **which)
    collator = DataCollatorWithPadding(loading.load_tokenizer(task.backbone))
    best: dict[str, Any] = {
        "bf16": True,
        "train_sampling_strategy": "group_by_length",
        "optim": "adamw_torch_fused",
    }
    for part, watch in inputs.warmed_up(task, clock):
        model = _load(part, seed)
        with tempfile.TemporaryDirectory() as scratch:
            trainer = Trainer(
                model=model,
                args=_arguments(part, seed, scratch, **best),
                train_dataset=part.rows,
                data_collator=collator,
            )
            with watch.timing():
                trainer.train()
    return ours.score(model, task)


def _load(task: Task, seed: int) -> Any:
    """Return the classifier to fine-tune, its head drawn from the seed, with default attention."""
    set_seed(seed)
    model = loop.load_classifier(task.backbone, task.labels)
    model.set_attn_implementation("sdpa")  # where Bertline chooses another one
    return model


def _arguments(task: Task, seed: int, scratch: str, **changes: Any) -> TrainingArguments:
    """Return the Trainer's defaults with the recipe, and nothing written or reported."""
    recipe: dict[str, Any] = {
        "num_train_epochs": 1,
        "per_device_train_batch_size": task.recipe["batch_size"],
        "learning_rate": task.recipe["learning_rate"],
    }
    quiet: dict[str, Any] = {"save_strategy": "no", "report_to": "none", "disable_tqdm": True}
    return TrainingArguments(
        output_dir=scratch, use_cpu=True, seed=seed, **recipe, **quiet, **changes
    )


def _padded(task: Task, most: int, config: Any) -> dict[str, torch.Tensor]:
    """Return ids, mask and labels of the training sentences, padded to `most` word pieces.

    config: of the encoder, which may take fewer.
    """
    length, padding = min(most, config.max_position_embeddings), config.pad_token_id
    ids = torch.full((len(task.rows), length), padding)
    for row, sentence in zip(ids, task.rows, strict=True):
        pieces = torch.tensor(sentence["input_ids"][:length])
        row[: len(pieces)] = pieces
    labels = torch.tensor([row["labels"] for row in task.rows])
    return {"input_ids": ids, "attention_mask": (ids != padding).long(), "labels": labels}


def write_large_bert(folder: Path, tokenizer: Path, **changes: Any) -> Path:
    """Write a BERT of bert-base's shape with random weights, and the tokenizer of another encoder.

    12 layers, 768 wide: `BertConfig`'s defaults. changes: of it. Returns the folder.
    """
    loading.quiet()
    set_seed(0)
    BertModel(BertConfig(**changes)).save_pretrained(folder)
    loading.load_tokenizer(tokenizer).save_pretrained(folder)
    return folder
