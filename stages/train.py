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
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from sklearn.metrics import accuracy_score, matthews_corrcoef
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    EvalPrediction,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from stages import console, encoders, files, params
from stages.encoders import LABELS
from stages.errors import BertlineError
from stages.params import Section
from stages.receipt import receipt

STEPS_PER_LINE = 40  # steps between two progress lines, as the recipe's authors print them
# Memory that cuBLAS may use: with a fixed size its results are the same on every run.
# https://docs.nvidia.com/cuda/cublas/#results-reproducibility
CUBLAS_WORKSPACE = ":4096:8"

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


class History(TrainerCallback):
    """Collects the per-epoch table, prints progress, and remembers the best epoch's weights."""

    def __init__(self, *, keep: str) -> None:
        self.keep = keep
        self.rows: list[dict[str, Any]] = []
        self.times: list[dict[str, float]] = []
        self.losses: list[torch.Tensor] = []
        self.best: dict[str, torch.Tensor] | None = None
        self.best_epoch: int | None = None
        self.training_started = self.epoch_started = self.epoch_ended = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self.training_started = time.monotonic()
        console.log(f"{state.max_steps} steps, {args.num_train_epochs} epochs")

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the epoch's clock."""
        self.epoch_started = time.monotonic()
        self.losses = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Print a line every `STEPS_PER_LINE` steps."""
        if state.global_step % STEPS_PER_LINE:
            return
        elapsed = time.monotonic() - self.training_started
        left = elapsed / state.global_step * (state.max_steps - state.global_step)
        loss = torch.stack(self.losses[-STEPS_PER_LINE:]).mean().item()
        console.log(
            f"epoch {int(state.epoch - 1e-9) + 1}, step {state.global_step:,} of "
            f"{state.max_steps:,}: loss {loss:.3f}, {clock(elapsed)} elapsed, {clock(left)} left"
        )

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Record the epoch's training loss; validation follows where there is a fold for it."""
        self.epoch_ended = time.monotonic()
        loss = torch.stack(self.losses).mean().item()
        if not np.isfinite(loss):
            raise BertlineError(
                f"the training loss of epoch {len(self.rows) + 1} is {loss}: training has "
                f"diverged. Lower train.learning_rate, or set train.warmup or train.precision: "
                f"fp32."
            )
        self.rows.append({"epoch": len(self.rows) + 1, "training_loss": loss})
        self.times.append({"training_seconds": round(self.epoch_ended - self.epoch_started, 1)})

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float], **kwargs: Any
    ) -> None:
        """Add the validation figures to the epoch's row."""
        row = self.rows[-1]
        for name in ("loss", "accuracy", "mcc"):
            row[f"validation_{name}"] = metrics[f"eval_{name}"]
        self.times[-1]["validation_seconds"] = round(time.monotonic() - self.epoch_ended, 1)
        others = [earlier["validation_mcc"] for earlier in self.rows[:-1]]
        if not others or row["validation_mcc"] > max(others):
            self.best_epoch = row["epoch"]
            if self.keep == "best":
                weights = kwargs["model"].state_dict()
                self.best = {name: tensor.detach().clone() for name, tensor in weights.items()}
        console.log(
            f"epoch {row['epoch']}: training loss {row['training_loss']:.3f}, validation loss "
            f"{row['validation_loss']:.3f}, accuracy {row['validation_accuracy']:.3f}, "
            f"MCC {row['validation_mcc']:.3f}"
        )


class LossKeepingTrainer(Trainer):
    """A Trainer that hands each step's loss to the history, as tensors: reading them waits."""

    history: History

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Run one step as the base class does and note its loss."""
        loss = super().training_step(*args, **kwargs)
        self.history.losses.append(loss.detach())
        return loss


def clock(seconds: float) -> str:
    """Return seconds as minutes and seconds, `3:07`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def score(prediction: EvalPrediction) -> dict[str, float]:
    """Return accuracy and Matthews correlation of logits, shape (n, 2), against labels (n,)."""
    predicted = prediction.predictions.argmax(axis=1)
    return {
        "accuracy": float(accuracy_score(prediction.label_ids, predicted)),
        "mcc": float(matthews_corrcoef(prediction.label_ids, predicted)),
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


def arguments_of(
    options: Train,
    *,
    seed: int,
    precision: str,
    device: torch.device,
    validate: bool,
    scratch: Path,
) -> TrainingArguments:
    """Return the Trainer's settings for the recipe; nothing is saved or reported by itself."""
    return TrainingArguments(
        output_dir=str(scratch),
        num_train_epochs=options.epochs,
        per_device_train_batch_size=options.batch_size,
        per_device_eval_batch_size=options.batch_size * 2,
        learning_rate=options.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=options.warmup,  # below 1, a share of all steps
        optim="adamw_torch_fused",  # AdamW in one pass over the weights
        adam_epsilon=options.epsilon,
        weight_decay=options.weight_decay,
        max_grad_norm=options.gradient_clip,
        train_sampling_strategy="group_by_length" if options.padding == "longest" else "random",
        bf16=precision == "bf16",
        use_cpu=device.type == "cpu",
        dataloader_pin_memory=device.type == "cuda",
        seed=seed,
        eval_strategy="epoch" if validate else "no",
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


def fine_tune(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Mapping[str, list[dict[str, Any]]],
    settings: TrainingArguments,
    *,
    keep: str,
    padding: str,
    max_length: int,
) -> History:
    """Train `model` in place on `rows["train"]`, validating on `rows["validation"]` if any.

    Each row is `{"input_ids": [...], "labels": 0 or 1}`. Returns the history of the epochs.
    """
    history = History(keep=keep)
    trainer = LossKeepingTrainer(
        model=model,
        args=settings,
        train_dataset=rows["train"],
        eval_dataset=rows["validation"] or None,
        data_collator=DataCollatorWithPadding(
            tokenizer,
            padding=padding,
            max_length=max_length if padding == "max_length" else None,
        ),
        compute_metrics=score,
        callbacks=[history],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.history = history
    trainer.train()
    if keep == "best":
        model.load_state_dict(history.best)
    return history


def select(tokens: pd.DataFrame, folds: pd.DataFrame, fold: str) -> list[dict[str, Any]]:
    """Return the sentences of `fold` as the Trainer's rows, in the order of `tokens`.

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
    with work as facts, files.whole_folder(args.out) as out:
        encoders.quiet()
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", CUBLAS_WORKSPACE)
        device = encoders.choose_device()
        precision = encoders.choose_precision(options.precision, device, key="train.precision")
        torch.set_num_threads(options.threads)
        tokenizer = encoders.load_tokenizer(args.backbone)
        set_seed(args.seed, deterministic=True)  # before the head is drawn
        # The deterministic mode also fills fresh memory, which no operation here reads unwritten:
        # it costs a sixth of a step and changes no result.
        torch.utils.deterministic.fill_uninitialized_memory = False
        model = load_model(args.backbone)
        console.log(
            f"seed {args.seed}: {model.num_parameters():,} parameters on {device.type} in "
            f"{precision}; {len(rows['train']):,} sentences to train, "
            f"{len(rows['validation']):,} to validate"
        )
        settings = arguments_of(
            options,
            seed=args.seed,
            precision=precision,
            device=device,
            validate=bool(rows["validation"]),
            scratch=out,
        )
        started = time.monotonic()
        history = fine_tune(
            model,
            tokenizer,
            rows,
            settings,
            keep=options.keep,
            padding=options.padding,
            max_length=max_length,
        )
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
        facts |= {
            "device": device.type,
            "precision": precision,
            "threads": torch.get_num_threads(),
            "epochs": history.times,
            "sentences_per_second": round(len(rows["train"]) * options.epochs / elapsed, 1),
        }
        if args.metrics:
            files.write_json(args.metrics, figures)


if __name__ == "__main__":
    console.run(main)
