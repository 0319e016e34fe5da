"""Fine-tune the backbone to tell acceptable sentences from unacceptable ones, with one seed.

Reads   data/tokenize, data/split, the encoder in data/download/backbone, and `train` of
        params.yaml.
Writes  data/train/<seed>: the model (safetensors and tokenizer; `transformers.pipeline` loads it)
        and history.csv, a row per epoch. And a JSON file of the epochs' figures; times and
        throughput go to the receipt.

    python -m stages.train 1 data/tokenize data/split data/download/backbone data/train/1

The recipe is Devlin et al. (2019, appendix A.3) as BERT tutorials apply it to CoLA: AdamW with a
linear decay of the learning rate, a fresh classification head, two to four epochs. Everything is
seeded before the head is drawn.

A run that was killed goes on from its last checkpoint (`stages.checkpoint`) and ends with the same
bytes as one that was not. The loop is the project's own, since transformers' Trainer keeps its
checkpoints as pickles and does not repeat the order of batches when it goes on within an epoch.
"""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sklearn.metrics import accuracy_score, matthews_corrcoef
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    PreTrainedModel,
)

from stages import console, encoders, files, params
from stages.checkpoint import Checkpoint
from stages.encoders import LABELS
from stages.errors import BertlineError
from stages.params import Section
from stages.receipt import receipt

STEPS_PER_LINE = 40  # steps between two progress lines, as the recipe's authors print them

# Batches of like length are cut from so many batches' worth of sentences at a time: enough for
# little padding, few enough to leave the order random.
BATCHES_PER_POOL = 50

STATE = "state.safetensors"

HISTORY = (
    "epoch",
    "training_loss",
    "validation_loss",
    "validation_accuracy",
    "validation_mcc",
)


class Train(Section):
    """The section `train` of params.yaml."""

    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1, le=65_536)]
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    epsilon: Annotated[float, Field(gt=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0, lt=1)]
    warmup: Annotated[float, Field(ge=0, lt=1)]
    gradient_clip: Annotated[float, Field(gt=0)]
    keep: Literal["last", "best"]
    padding: Literal["longest", "max_length"]
    precision: Literal["auto", "bf16", "fp32"]
    threads: params.Threads


@dataclass(frozen=True)
class Plan:
    """What is trained how: the rows of the folds, the recipe, and what it runs on."""

    # `train` and `validation`: {"input_ids": [...], "labels": 0 or 1} for each sentence
    rows: Mapping[str, list[dict[str, Any]]]
    options: Train
    seed: int
    collate: DataCollatorWithPadding
    device: torch.device
    precision: str

    @property
    def steps_per_epoch(self) -> int:
        """Return the number of batches that the training fold is cut into."""
        return math.ceil(len(self.rows["train"]) / self.options.batch_size)

    @property
    def steps(self) -> int:
        """Return the number of steps of all epochs."""
        return self.steps_per_epoch * self.options.epochs


@dataclass
class History:
    """How far training has come, and what was measured on the way."""

    epoch: int = 0  # epochs done
    batch: int = 0  # batches done of the epoch after them
    losses: list[torch.Tensor] = field(default_factory=list)  # of those batches
    rows: list[dict[str, Any]] = field(default_factory=list)  # the figures of the epochs done
    times: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int | None = None  # of the highest validation MCC, the earlier on a tie
    best: dict[str, torch.Tensor] | None = None  # its weights, if they are wanted
    resumed_at: int = 0  # step that this process began at


def clock(seconds: float) -> str:
    """Return seconds as minutes and seconds, `3:07`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def score(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return accuracy and Matthews correlation of logits, shape (n, 2), against labels (n,)."""
    predicted = logits.argmax(axis=1)
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "mcc": float(matthews_corrcoef(labels, predicted)),
    }


def load_model(backbone: Path) -> PreTrainedModel:
    """Return the backbone with a new head for two labels, drawn from torch's random state.

    Raises BertlineError if the backbone's weights do not fill the encoder that its config.json
    describes: transformers would draw the others at random and train on.
    """
    with encoders.explaining(backbone, "model that can be fine-tuned to classify sentences"):
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            backbone,
            num_labels=len(LABELS),
            id2label=dict(enumerate(LABELS)),
            label2id={label: number for number, label in enumerate(LABELS)},
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # a head for other labels is replaced by a new one
            output_loading_info=True,
        )
    drawn = {*loading["missing_keys"], *(name for name, *_ in loading["mismatched_keys"])}
    # The pooler belongs to the head: encoders trained on other tasks come without one.
    lost = sorted(
        name
        for name in drawn
        if name.startswith(f"{model.base_model_prefix}.") and ".pooler." not in name
    )
    if lost:
        raise BertlineError(
            f"{backbone}: model.safetensors lacks {len(lost)} tensors of the encoder that "
            f"config.json describes, or has them in another shape: {', '.join(lost[:3])}"
            f"{' and others' if len(lost) > 3 else ''}. The two files belong to different models."
        )
    return model


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


def build_optimizer(model: PreTrainedModel, options: Train) -> torch.optim.AdamW:
    """Return AdamW for the recipe; biases and the weights of normalisation do not decay."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in trained if weight.ndim > 1]},
        {"params": [weight for weight in trained if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups,
        lr=options.learning_rate,
        eps=options.epsilon,
        weight_decay=options.weight_decay,
        fused=model.device.type in ("cpu", "cuda"),  # in one pass over the weights
    )


def take_step(
    model: PreTrainedModel, optimizer: torch.optim.AdamW, batch: Mapping[str, Any], plan: Plan
) -> torch.Tensor:
    """Change the weights for one batch and return its mean loss, detached and not waited for."""
    half = plan.precision == "bf16"
    inputs = {name: value.to(plan.device) for name, value in batch.items()}
    with torch.autocast(plan.device.type, torch.bfloat16, enabled=half):
        loss = model(**inputs).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), plan.options.gradient_clip)
    optimizer.step()
    optimizer.zero_grad()
    return loss.detach()


def validate(model: PreTrainedModel, plan: Plan) -> dict[str, float]:
    """Return loss, accuracy and MCC on the validation fold, in fp32."""
    rows = plan.rows["validation"]
    padding = model.config.pad_token_id
    labels = np.array([row["labels"] for row in rows])
    logits = encoders.classify(model, [row["input_ids"] for row in rows], padding, plan.device)
    loss = torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
    return {"loss": loss.item(), **score(logits, labels)}


def refuse_divergence(what: str, value: float) -> None:
    """Raise BertlineError if a loss, or a weight, is no number any more."""
    if not math.isfinite(value):
        raise BertlineError(
            f"{what} is {value}: training has diverged. Lower train.learning_rate, or set "
            f"train.warmup or train.precision: fp32."
        )


def end_epoch(history: History, model: PreTrainedModel, plan: Plan, seconds: float) -> None:
    """Add the epoch's figures to the history, and remember its weights if they are the best.

    Raises BertlineError if the loss is no number any more.
    """
    number = history.epoch + 1
    loss = torch.stack(history.losses).mean().item()
    refuse_divergence(f"the training loss of epoch {number}", loss)
    row = {"epoch": number, "training_loss": loss}
    times = {"training_seconds": round(seconds, 1)}
    if plan.rows["validation"]:
        started = time.monotonic()
        found = validate(model, plan)
        refuse_divergence(f"the validation loss of epoch {number}", found["loss"])
        row |= {f"validation_{name}": value for name, value in found.items()}
        times["validation_seconds"] = round(time.monotonic() - started, 1)
        earlier = [other["validation_mcc"] for other in history.rows]
        if not earlier or found["mcc"] > max(earlier):
            history.best_epoch = number
            if plan.options.keep == "best":
                weights = model.state_dict()
                history.best = {name: tensor.detach().clone() for name, tensor in weights.items()}
        console.log(
            f"epoch {number}: training loss {loss:.3f}, validation loss {found['loss']:.3f}, "
            f"accuracy {found['accuracy']:.3f}, MCC {found['mcc']:.3f}"
        )
    history.rows.append(row)
    history.times.append(times)
    history.epoch, history.batch, history.losses = number, 0, []


def fine_tune(model: PreTrainedModel, plan: Plan, checkpoint: Checkpoint) -> History:
    """Train `model` in place on the training fold, validating after each epoch if there is a fold.

    Goes on where `checkpoint` ends, and keeps a new one whenever it is due. Returns the history of
    the epochs.
    """
    options = plan.options
    rows = plan.rows["train"]
    lengths = np.array([len(row["input_ids"]) for row in rows])
    grouped = options.padding == "longest"
    model.to(plan.device)
    optimizer = build_optimizer(model, options)
    history = resume(checkpoint.path(STATE), model, optimizer, plan) or History()
    started = time.monotonic()
    for epoch in range(history.epoch, options.epochs):
        epoch_started = time.monotonic()
        model.train()
        batches = batches_of(
            lengths, options.batch_size, grouped=grouped, seed=plan.seed, epoch=epoch
        )
        for chosen in batches[history.batch :]:
            step = epoch * plan.steps_per_epoch + history.batch
            rate = rate_at(step, steps=plan.steps, warmup=options.warmup)
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
    if options.keep == "best":
        model.load_state_dict(history.best)
    largest = max(weight.abs().max().item() for weight in model.parameters())
    refuse_divergence("the largest of the weights", largest)
    return history


def _tell(history: History, plan: Plan, step: int, elapsed: float) -> None:
    left = elapsed / (step - history.resumed_at) * (plan.steps - step)
    loss = torch.stack(history.losses[-STEPS_PER_LINE:]).mean().item()
    console.log(
        f"epoch {history.epoch + 1}, step {step:,} of {plan.steps:,}: loss {loss:.3f}, "
        f"{clock(elapsed)} elapsed, {clock(left)} left"
    )


def suspend(
    path: Path,
    model: PreTrainedModel,
    optimizer: torch.optim.AdamW,
    history: History,
    plan: Plan,
) -> None:
    """Write everything that training needs to go on to `path`, as safetensors.

    Those are the weights, AdamW's moments, torch's random states, and the history, which says the
    epoch and the batch. The order of batches and the learning rate follow from these. Weights that
    a model shares are written twice: safetensors holds no shared ones.
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
    kept = {key: getattr(history, key) for key in ("epoch", "batch", "rows", "times", "best_epoch")}
    with files.whole_file(path) as partial:
        own: dict[str, torch.Tensor] = {}
        seen: set[int] = set()
        for name, tensor in tensors.items():
            plain = tensor.detach().contiguous()
            own[name] = plain.clone() if plain.data_ptr() in seen else plain
            seen.add(plain.data_ptr())
        save_file(own, partial, metadata={"history": json.dumps(kept)})


def resume(
    path: Path, model: PreTrainedModel, optimizer: torch.optim.AdamW, plan: Plan
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
    console.log(f"going on after step {history.resumed_at:,} of {plan.steps:,}")
    return history


def select(tokens: pd.DataFrame, folds: pd.DataFrame, fold: str) -> list[dict[str, Any]]:
    """Return the word pieces and labels of the sentences of `fold`, in the order of `tokens`.

    Raises BertlineError if a sentence has no fold, or two.
    """
    if folds["id"].duplicated().any():
        raise BertlineError("a sentence has two folds. Run `dvc repro split`.")
    of_sentence = tokens["id"].map(folds.set_index("id")["fold"])
    if of_sentence.isna().any():
        raise BertlineError(
            f"{of_sentence.isna().sum():,} sentences have no fold: the tables of tokenize and "
            f"split belong to different runs. Run `dvc repro split`."
        )
    chosen = of_sentence == fold
    return [
        {"input_ids": ids.tolist(), "labels": int(label)}
        for ids, label in zip(
            tokens.loc[chosen, "input_ids"], tokens.loc[chosen, "label"], strict=True
        )
    ]


def check_labels(rows: list[dict[str, Any]]) -> None:
    """Raise BertlineError unless both labels occur: one class cannot be told from nothing."""
    found = sorted({row["labels"] for row in rows})
    if found != [0, 1]:
        raise BertlineError(
            f"the training fold should hold acceptable (1) and unacceptable (0) sentences; it has "
            f"{len(rows):,} with the labels {found}. Check the labels of inputs.sentences."
        )


def table_of(history: History) -> str:
    """Return the per-epoch table, times included, as lines of text."""
    columns = {
        "epoch": "epoch",
        "training_loss": "train. loss",
        "validation_loss": "valid. loss",
        "validation_accuracy": "valid. acc.",
        "validation_mcc": "valid. MCC",
        "training_seconds": "train. s",
        "validation_seconds": "valid. s",
    }
    rows = [row | times for row, times in zip(history.rows, history.times, strict=True)]
    table = pd.DataFrame(rows).reindex(columns=list(columns)).rename(columns=columns)
    return table.to_string(index=False, float_format=lambda value: f"{value:.3f}", na_rep="-")


def main() -> None:
    """Read the arguments and the parameters, fine-tune, and write model and history."""
    arguments = console.parser(__doc__)
    arguments.add_argument("seed", type=params.parse_seed, help="seed of this model")
    arguments.add_argument("tokens", type=Path, help="folder that tokenize wrote")
    arguments.add_argument("folds", type=Path, help="folder that split wrote")
    arguments.add_argument("backbone", type=Path, help="folder of the encoder")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--metrics", type=Path, help="write the epochs' figures to this file")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "train", Train)
    tokenized = files.read_json(args.tokens / "settings.json", keys=["max_length"])
    max_length = tokenized["max_length"]
    tokens = files.read_table(args.tokens / "tokens.parquet", columns=["id", "label", "input_ids"])
    folds = files.read_table(args.folds / "folds.parquet", columns=["id", "fold"])
    rows = {fold: select(tokens, folds, fold) for fold in ("train", "validation")}
    check_labels(rows["train"])
    if options.keep == "best" and not rows["validation"]:
        raise BertlineError(
            f"{args.params}: train.keep is best, which needs a validation fold, and "
            f"split.validation is 0. Set train.keep to last."
        )

    work = receipt(
        args.receipt,
        f"train@{args.seed}",
        parameters={"train": options},
        inputs=[args.tokens, args.folds, args.backbone],
        outputs=[args.out, args.metrics],
    )
    with work as run:
        with files.whole_folder(args.out) as out:
            device, precision = encoders.set_up(options.precision, key="train.precision")
            torch.set_num_threads(options.threads)
            tokenizer = encoders.load_tokenizer(args.backbone)
            torch.manual_seed(args.seed)  # before the head is drawn
            model = load_model(args.backbone)
            console.log(
                f"seed {args.seed}: {model.num_parameters():,} parameters on {device.type} in "
                f"{precision}; {len(rows['train']):,} sentences to train, "
                f"{len(rows['validation']):,} to validate"
            )
            fixed = max_length if options.padding == "max_length" else None
            collate = DataCollatorWithPadding(tokenizer, padding=options.padding, max_length=fixed)
            plan = Plan(rows, options, args.seed, collate, device, precision)
            checkpoint = Checkpoint(
                args.out, run.key(device=encoders.describe(device), precision=precision)
            )
            started = time.monotonic()
            history = fine_tune(model, plan, checkpoint)
            elapsed = time.monotonic() - started
            console.log(table_of(history))
            model.save_pretrained(out)
            tokenizer.save_pretrained(out)
            files.write_csv(
                out / "history.csv",
                HISTORY,
                [[row.get(name, "") for name in HISTORY] for row in history.rows],
            )
            kept = history.best_epoch if options.keep == "best" else options.epochs
            figures = {
                "epochs": history.rows,
                "best_epoch": history.best_epoch,
                "kept_epoch": kept,
            }
            taken = plan.steps - history.resumed_at
            run |= {
                "device": encoders.describe(device),
                "precision": precision,
                "threads": torch.get_num_threads(),
                "resumed_at_step": history.resumed_at,
                "epochs": history.times,
                "steps_per_second": round(taken / elapsed, 2),
            }
            if args.metrics:
                files.write_json(args.metrics, figures)
        checkpoint.clear()


if __name__ == "__main__":
    console.run(main)
