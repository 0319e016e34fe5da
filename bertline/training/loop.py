"""Train a network in epochs, resumable: a killed run ends with the same bytes as any other.

`train` fine-tunes with it, and `adapt` trains before that. A `Plan` has the rows and the loss; the
loop, the optimiser, the schedule and the checkpoints are the same for both. The loop is the
project's own, since transformers' Trainer keeps its checkpoints as pickles and does not repeat the
order of batches when it resumes within an epoch.
"""

import json
import math
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from bertline.core import console, files, params
from bertline.core.checkpoint import Checkpoint
from bertline.core.errors import BertlineError
from bertline.core.params import Section
from bertline.encoders import loading, running

STEPS_PER_LINE = 40  # steps between two progress lines, as the recipe's authors print them

# Batches of like length are cut from so many batches' worth of sentences at a time: enough for
# little padding, few enough to leave the order random.
BATCHES_PER_POOL = 50

STATE = "state.safetensors"

ModelType = TypeVar("ModelType", bound=nn.Module)


class Recipe(Section):
    """The parameters that every training has."""

    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1, le=65_536)]
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    adam_epsilon: Annotated[float, Field(gt=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0, lt=1)]
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)]
    max_grad_norm: Annotated[float, Field(gt=0)]
    precision: Literal["auto", "bf16", "fp32"]
    threads: params.Threads


@dataclass(frozen=True)
class Plan(ABC, Generic[ModelType]):
    """A training: its recipe, the device, and in subclasses the rows and the loss."""

    options: Recipe
    seed: int
    device: torch.device
    precision: str

    section: ClassVar[str]  # of params.yaml, for messages

    @property
    def grouped(self) -> bool:
        """Return whether the rows of a batch are of like length, which spares padding."""
        return True

    @abstractmethod
    def rows(self, epoch: int) -> Sequence[Mapping[str, Any]]:
        """Return the rows of an epoch, from 0, each with its word pieces as `input_ids`.

        There are as many in every epoch, and they depend on the plan and the epoch alone.
        """

    @abstractmethod
    def collate(self, rows: list[Mapping[str, Any]]) -> Mapping[str, torch.Tensor]:
        """Return rows as one batch."""

    @abstractmethod
    def loss(self, model: ModelType, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the mean loss of a batch that is on the device already."""

    @abstractmethod
    def validate(self, model: ModelType) -> dict[str, float]:
        """Return figures on held-out rows, `loss` among them; none if nothing is held out."""

    def is_best(self, found: Mapping[str, float], earlier: Sequence[Mapping[str, Any]]) -> bool:
        """Return whether an epoch's figures are better than those of all `earlier` epochs."""
        return False

    @property
    def keeps_best(self) -> bool:
        """Return whether the weights of the best epoch are wanted, and not those of the last."""
        return False

    @property
    @abstractmethod
    def rows_per_epoch(self) -> int:
        """Return the number of rows of an epoch."""

    @property
    def steps_per_epoch(self) -> int:
        """Return the number of batches of an epoch."""
        return math.ceil(self.rows_per_epoch / self.options.batch_size)

    @property
    def steps(self) -> int:
        """Return the number of steps of all epochs."""
        return self.steps_per_epoch * self.options.epochs


@dataclass
class History:
    """The progress of a training, and what was measured on the way."""

    epoch: int = 0  # epochs done
    batch: int = 0  # batches done of the epoch after them
    losses: list[torch.Tensor] = field(default_factory=list)  # of those batches
    rows: list[dict[str, Any]] = field(default_factory=list)  # the figures of the epochs done
    times: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, torch.Tensor] | None = None  # weights of the best epoch, if they are wanted
    resumed_at: int = 0  # step that this process began at
    seconds: float = 0.0  # that this process took from there


def clock(seconds: float) -> str:
    """Return seconds as minutes and seconds, `3:07`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def load_classifier(backbone: Path, labels: Sequence[str]) -> PreTrainedModel:
    """Return the backbone with a head for `labels`, the names of classes by number.

    The head is the backbone's own if it was trained for the same labels, and else a new one, drawn
    from torch's random state. Raises BertlineError if the backbone's weights do not fill the
    encoder that its config.json describes: transformers would draw the others at random.
    """
    with loading.explaining(backbone, "model that can be fine-tuned to classify sentences"):
        model, report = AutoModelForSequenceClassification.from_pretrained(
            backbone,
            num_labels=len(labels),
            id2label=dict(enumerate(labels)),
            label2id={label: number for number, label in enumerate(labels)},
            dtype=torch.float32,
            attn_implementation=loading.attention(backbone, running.choose_device()),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # a head of another size is replaced by a new one
            output_loading_info=True,
        )
    drawn = {*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])}
    encoder = f"{model.base_model_prefix}."
    # The pooler belongs to the head: encoders trained on other tasks come without one.
    lost = sorted(name for name in drawn if name.startswith(encoder) and ".pooler." not in name)
    if lost:
        raise BertlineError(
            f"{backbone}: model.safetensors lacks {len(lost)} tensors of the encoder that "
            f"config.json describes, or has them in another shape: {', '.join(lost[:3])}"
            f"{' and others' if len(lost) > 3 else ''}. The two files belong to different models."
        )
    if all(name.startswith(encoder) for name in drawn):  # it has a head for as many labels
        own = loading.load_config(backbone).id2label or {}
        if list(own.values()) == list(labels):
            console.log(f"the head is that of {backbone}, for {', '.join(labels)}")
        else:
            _draw_head(model, encoder)
            console.log(
                f"the head is a new one: that of {backbone} is for {', '.join(own.values())}"
            )
    return model


def _draw_head(model: PreTrainedModel, encoder: str) -> None:
    """Replace the weights outside of the encoder by those of a new model."""
    weights = type(model)(model.config).state_dict()
    head = {name: tensor for name, tensor in weights.items() if not name.startswith(encoder)}
    model.load_state_dict(head, strict=False)


def batches_of(
    lengths: np.ndarray, batch_size: int, *, grouped: bool, seed: int, epoch: int
) -> list[np.ndarray]:
    """Return the row numbers of an epoch's batches, in an order that seed and epoch fix.

    lengths: shape (n,), word pieces of each row. Grouped, the rows of a batch are of like length,
    and the batch of the longest comes first, so that memory runs out at once or not at all.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    if grouped:
        size = BATCHES_PER_POOL * batch_size
        pools = [order[start : start + size] for start in range(0, len(order), size)]
        order = np.concatenate([pool[np.argsort(-lengths[pool], kind="stable")] for pool in pools])
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    if grouped:
        batches = [batches[place] for place in random.permutation(len(batches))]
        longest = max(range(len(batches)), key=lambda place: lengths[batches[place]].max())
        batches.insert(0, batches.pop(longest))
    return batches


def rate_at(step: int, *, steps: int, warmup: float) -> float:
    """Return the share of the peak learning rate at a step, from 0 on.

    It rises over the first `warmup` (a share) of the `steps` and falls to 0 at their end, linearly.
    """
    rising = math.ceil(warmup * steps)
    if step < rising:
        return step / rising
    return (steps - step) / max(1, steps - rising)


def build_optimizer(model: nn.Module, options: Recipe) -> torch.optim.AdamW:
    """Return AdamW for the recipe; biases and the weights of normalisation do not decay."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [weight for weight in trained if weight.ndim > 1]},
        {"params": [weight for weight in trained if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups,
        lr=options.learning_rate,
        eps=options.adam_epsilon,
        weight_decay=options.weight_decay,
        fused=trained[0].device.type in ("cpu", "cuda"),  # in one pass over the weights
    )


def take_step(
    model: ModelType,
    optimizer: torch.optim.AdamW,
    batch: Mapping[str, torch.Tensor],
    plan: Plan[ModelType],
) -> torch.Tensor:
    """Change the weights for one batch and return its mean loss, detached and not waited for."""
    half = plan.precision == "bf16"
    inputs = {name: value.to(plan.device) for name, value in batch.items()}
    with torch.autocast(plan.device.type, torch.bfloat16, enabled=half):
        loss = plan.loss(model, inputs)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), plan.options.max_grad_norm)
    optimizer.step()
    optimizer.zero_grad()
    return loss.detach()


def refuse_divergence(what: str, value: float, section: str) -> None:
    """Raise BertlineError if a loss, or a weight, is not finite."""
    if not math.isfinite(value):
        raise BertlineError(
            f"{what} is {value}: training has diverged. Lower {section}.learning_rate, or set "
            f"{section}.warmup_ratio or {section}.precision: fp32."
        )


def end_epoch(history: History, model: ModelType, plan: Plan[ModelType], seconds: float) -> None:
    """Add the epoch's figures to the history, and remember its weights if they are the best.

    Raises BertlineError if the loss is not finite.
    """
    number = history.epoch + 1
    loss = torch.stack(history.losses).mean().item()
    refuse_divergence(f"the training loss of epoch {number}", loss, plan.section)
    row = {"epoch": number, "training_loss": loss}
    times = {"training_seconds": round(seconds, 1)}
    started = time.monotonic()
    found = plan.validate(model)
    if found:
        refuse_divergence(f"the validation loss of epoch {number}", found["loss"], plan.section)
        row |= {f"validation_{name}": value for name, value in found.items()}
        times["validation_seconds"] = round(time.monotonic() - started, 1)
        if plan.keeps_best and plan.is_best(found, history.rows):
            weights = model.state_dict()
            history.best = {name: tensor.detach().clone() for name, tensor in weights.items()}
        told = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
        console.log(f"epoch {number}: training loss {loss:.3f}; held out: {told}")
    history.rows.append(row)
    history.times.append(times)
    history.epoch, history.batch, history.losses = number, 0, []


def fit(model: ModelType, plan: Plan[ModelType], checkpoint: Checkpoint) -> History:
    """Train `model` in place by the plan, validating after each epoch.

    Resumes from `checkpoint`, and keeps a new one whenever it is due. Returns the history of the
    epochs.
    """
    options = plan.options
    model.to(plan.device)
    optimizer = build_optimizer(model, options)
    history = resume(checkpoint.path(STATE), model, optimizer, plan) or History()
    started = time.monotonic()
    for epoch in range(history.epoch, options.epochs):
        epoch_started = time.monotonic()
        model.train()
        rows = plan.rows(epoch)
        lengths = np.array([len(row["input_ids"]) for row in rows])
        batches = batches_of(
            lengths, options.batch_size, grouped=plan.grouped, seed=plan.seed, epoch=epoch
        )
        for chosen in batches[history.batch :]:
            step = epoch * plan.steps_per_epoch + history.batch
            rate = rate_at(step, steps=plan.steps, warmup=options.warmup_ratio)
            for group in optimizer.param_groups:
                group["lr"] = options.learning_rate * rate
            batch = plan.collate([rows[row] for row in chosen])
            history.losses.append(take_step(model, optimizer, batch, plan))
            history.batch += 1
            if (step + 1) % STEPS_PER_LINE == 0:
                _tell(history, plan, step + 1, time.monotonic() - started)
            if checkpoint.is_due():
                with checkpoint.keeping():
                    suspend(checkpoint.path(STATE), model, optimizer, history, plan)
        end_epoch(history, model, plan, time.monotonic() - epoch_started)
    history.seconds = time.monotonic() - started
    if history.best is not None:
        model.load_state_dict(history.best)
    largest = max(weight.abs().max().item() for weight in model.parameters())
    refuse_divergence("the largest of the weights", largest, plan.section)
    return history


def judge(
    model: PreTrainedModel,
    windows: Sequence[Sequence[running.Ids]],
    labels: Sequence[int],
    device: torch.device,
) -> tuple[np.ndarray, float]:
    """Return a classifier's logits of texts, shape (n, classes), and its mean loss, in fp32.

    windows: as for `running.logits_of`; labels: the number of each text's class.
    """
    logits = running.logits_of(model, windows, device)
    loss = nn.functional.cross_entropy(torch.from_numpy(logits), torch.tensor(labels))
    return logits, loss.item()


def facts(plan: Plan[Any]) -> dict[str, Any]:
    """Return what a training ran on, for its receipt."""
    where: dict[str, Any] = {**running.facts(plan.device, plan.precision)}
    return where | {"threads": torch.get_num_threads()}


def costs(plan: Plan[Any], history: History) -> dict[str, Any]:
    """Return the times and the throughput of a training, from where it was resumed."""
    return {
        "resumed_at_step": history.resumed_at,
        "epochs": history.times,
        "steps_per_second": round((plan.steps - history.resumed_at) / history.seconds, 2),
    }


def _tell(history: History, plan: Plan[Any], step: int, elapsed: float) -> None:
    left = elapsed / (step - history.resumed_at) * (plan.steps - step)
    loss = torch.stack(history.losses[-STEPS_PER_LINE:]).mean().item()
    console.log(
        f"epoch {history.epoch + 1}, step {step:,} of {plan.steps:,}: loss {loss:.3f}, "
        f"{clock(elapsed)} elapsed, {clock(left)} left"
    )


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, out: Path) -> None:
    """Write the model, as safetensors, and its tokenizer to the folder `out`."""
    with _naming_disk_errors(out):
        model.save_pretrained(out)
    tokenizer.save_pretrained(out)


@contextmanager
def _naming_disk_errors(place: Path) -> Iterator[None]:
    """Raise an error of the disk as the OSError that safetensors wraps."""
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if not number:
            raise
        code = int(number[1])
        raise OSError(code, os.strerror(code), str(place)) from error


def suspend(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.AdamW,
    history: History,
    plan: Plan[Any],
) -> None:
    """Write everything that training needs to resume to `path`, as safetensors.

    Those are the weights, AdamW's moments, torch's random states, and the history, with the epoch
    and the batch. The order of batches and the learning rate follow from these. Weights that a
    model shares are written twice: safetensors holds no shared ones.
    """
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for name, weight in model.named_parameters():
        for key, value in optimizer.state[weight].items():
            tensors[f"optimizer.{name}.{key}"] = value
    for name, tensor in (history.best or {}).items():
        tensors[f"best.{name}"] = tensor
    tensors["random.cpu"] = torch.get_rng_state()
    if plan.device.type != "cpu":
        tensors["random.device"] = torch.get_device_module(plan.device).get_rng_state()
    tensors["losses"] = torch.stack(history.losses) if history.losses else torch.empty(0)
    kept = {key: getattr(history, key) for key in ("epoch", "batch", "rows", "times")}
    with files.whole_file(path) as partial:
        own: dict[str, torch.Tensor] = {}
        seen: set[int] = set()
        for name, tensor in tensors.items():
            plain = tensor.detach().contiguous()
            own[name] = plain.clone() if plain.data_ptr() in seen else plain
            seen.add(plain.data_ptr())
        with _naming_disk_errors(path):
            save_file(own, partial, metadata={"history": json.dumps(kept)})


def resume(
    path: Path, model: nn.Module, optimizer: torch.optim.AdamW, plan: Plan[Any]
) -> History | None:
    """Put model, optimizer and random states into the state that `suspend` wrote to `path`.

    Returns its history, or None if there is no file or a damaged one.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as stored:
            kept = json.loads(stored.metadata()["history"])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except SafetensorError as error:
        console.log(f"{path} is damaged ({error}): training begins anew")
        return None

    def below(prefix: str) -> dict[str, torch.Tensor]:
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }

    model.load_state_dict(below("model."))
    for name, weight in model.named_parameters():
        moments = below(f"optimizer.{name}.")
        if moments:
            optimizer.state[weight] = {key: value.to(plan.device) for key, value in moments.items()}
    torch.set_rng_state(tensors["random.cpu"])
    if plan.device.type != "cpu":
        torch.get_device_module(plan.device).set_rng_state(tensors["random.device"])
    history = History(**kept)
    history.losses = [loss.to(plan.device) for loss in tensors["losses"]]
    best = {name: tensor.to(plan.device) for name, tensor in below("best.").items()}
    history.best = best or None
    history.resumed_at = history.epoch * plan.steps_per_epoch + history.batch
    console.log(f"resuming after step {history.resumed_at:,} of {plan.steps:,}")
    return history
