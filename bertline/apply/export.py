"""Copy a trained model into a folder of its own with a model card, ready for a hub.

Reads   a folder that train wrote in a project where evaluate has run, and the project's metrics,
        receipts and sources.yaml.
Writes  a folder: the model and its tokenizer; settings.json, with the temperature and the threshold
        that evaluate chose; and README.md, the card: data, recipe, scores with intervals, limits.

    bertline export data/train/1 acceptability-minilm

The folder works alone: `transformers.pipeline` and `bertline predict --classifier` load it, and
`hf upload <repository> acceptability-minilm` publishes it. See that the licences of the
data and of the backbone, which the card states, allow it.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from bertline.apply.classifier import SETTINGS, find_decision
from bertline.core import console, files, hashes, params
from bertline.core.errors import BertlineError
from bertline.scoring import tables
from bertline.scoring.names import VALIDATION, of_seed
from bertline.scoring.tables import SCALED
from bertline.scoring.thresholds import HALF
from bertline.sources.catalogue import Source

LEFT_OUT = ("history.csv", SETTINGS)  # the card has the last epoch; settings are written anew
SCORES = {"mcc": "MCC", "macro_f1": "macro F1", "accuracy": "accuracy"}
ON_HUB = {"mcc": "matthews_correlation", "macro_f1": "f1", "accuracy": "accuracy"}
# Licences as the Hub abbreviates them; https://huggingface.co/docs/hub/repositories-licenses
LICENCES = ("apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "bsd-3-clause")
SHOWN = 20  # classes that the card lists


class Facts(NamedTuple):
    """What the card is written from."""

    seed: int
    data: Source
    data_name: str
    backbone: Source
    backbone_name: str
    labels: list[str]
    settings: Mapping[str, Any]
    recipe: Mapping[str, Any]
    folds: Mapping[str, Mapping[str, Any]]
    scores: pd.DataFrame
    confidence: float
    calibration: pd.DataFrame
    summary: Mapping[str, Mapping[str, Any]]


def collect(folder: Path) -> Facts:
    """Return the facts about the model in `folder`, from the project that it lies in.

    Raises BertlineError if it is not what the recorded run trained, or was not evaluated.
    """
    if not folder.name.isdecimal() or not (folder / SETTINGS).exists():
        raise BertlineError(
            f"{folder} is no folder that train wrote, such as data/train/1. Name one of those."
        )
    seed, project = int(folder.name), folder.resolve().parents[2]
    metrics = project / "metrics"
    trained = files.read_json(metrics / "receipts" / f"train@{seed}.json", keys=["outputs"])
    if hashes.md5(folder) not in trained["outputs"].values():
        raise BertlineError(
            f"{folder} is not the model that metrics/receipts/train@{seed}.json is about. Run "
            f"`dvc repro evaluate`, and export again."
        )
    path, command = metrics / "evaluate" / "scores.csv", "dvc repro evaluate"
    scores = files.read_csv(path, tables.SCORES, command=command)
    if of_seed(seed) not in set(scores["model"]):
        raise BertlineError(
            f"metrics/evaluate/scores.csv has no score of {of_seed(seed)}. List the seed under "
            f"`seeds` in params.yaml, and run `dvc repro evaluate`."
        )
    evaluated = files.read_json(metrics / "receipts" / "evaluate.json")
    settings = files.read_json(folder / SETTINGS, keys=["max_length", "long_texts", "labels"])
    decision = find_decision(folder, len(settings["labels"]))
    recipe = dict(trained["parameters"]["train"])
    adapted = files.read_json(metrics / "receipts" / "adapt.json")["parameters"]["adapt"]
    if adapted["epochs"]:
        recipe |= {f"adapt.{key}": value for key, value in adapted.items()}
    recipe |= {key: trained[key] for key in ("device", "precision", "threads")}
    data_name = files.read_json(metrics / "parse" / "sentences.json", keys=["source"])["source"]
    backbone_name = files.read_json(metrics / "download" / "backbone.json", keys=["source"])[
        "source"
    ]
    catalogue = project / "sources.yaml"
    return Facts(
        seed=seed,
        data=params.load(catalogue, data_name, Source),
        data_name=data_name,
        backbone=params.load(catalogue, backbone_name, Source),
        backbone_name=backbone_name,
        labels=settings["labels"],
        settings=settings | asdict(decision),
        recipe=recipe,
        folds=files.read_json(metrics / "split.json", keys=["folds"])["folds"],
        scores=scores,
        confidence=evaluated["parameters"]["evaluate"]["confidence"],
        calibration=read_calibration(metrics, seed),
        summary=files.read_json(metrics / "evaluate" / "summary.json"),
    )


def read_calibration(metrics: Path, seed: int) -> pd.DataFrame:
    """Return the calibration of a seed's model on the test sets, without a row if it is not known.

    It is if `analyze` measured the predictions that `evaluate` wrote last.
    """
    path, receipt = metrics / "analyze" / "calibration.csv", metrics / "receipts" / "analyze.json"
    nothing = pd.DataFrame(columns=[*tables.CALIBRATION])
    if not (path.exists() and receipt.exists()):
        return nothing
    measured = files.read_json(receipt, keys=["inputs"])["inputs"].get("data/evaluate")
    evaluated = files.read_json(metrics / "receipts" / "evaluate.json", keys=["outputs"])["outputs"]
    if measured != evaluated.get("data/evaluate"):  # an old table may have other columns
        return nothing
    table = files.read_csv(path, tables.CALIBRATION, command="dvc repro analyze")
    return table[(table["seed"] == str(seed)) & (table["set"] != VALIDATION)]


def write_card(facts: Facts, name: str) -> str:
    """Return the model card of a model that is called `name`, with the Hub's metadata."""
    parts = [
        f"---\n{metadata(facts, name)}\n---",
        f"# {name}",
        f"{facts.backbone.title}, fine-tuned on {facts.data.title} to tell {_classes(facts)}. "
        f"Trained with seed {facts.seed} by Bertline, a DVC pipeline that "
        f"repeats every training to the byte.",
        "## Use",
        "```python\nfrom transformers import pipeline\n\n"
        f'classify = pipeline("text-classification", model="{name}", truncation=True)\n'
        'classify("A text.")\n```',
        _cutting(facts),
        "## Data",
        _data(facts),
        "## Recipe",
        _table(["parameter", "value"], [[f"`{k}`", f"`{v}`"] for k, v in facts.recipe.items()]),
        "## Scores",
        _scores(facts),
        *_calibration(facts),
        "## Limits",
        "\n".join(f"- {limit}" for limit in _limits(facts)),
    ]
    return "\n\n".join(parts) + "\n"


def metadata(facts: Facts, name: str) -> str:
    """Return the card's front matter, YAML without its dashes."""
    from huggingface_hub import EvalResult, ModelCardData

    own = facts.scores[facts.scores["model"] == of_seed(facts.seed)]
    results = [
        EvalResult(
            task_type="text-classification",
            dataset_type=facts.data_name,
            dataset_name=facts.data.title,
            dataset_split=str(row["set"]),
            metric_type=ON_HUB[key],
            metric_name=SCORES[key],
            metric_value=float(row[key]),
        )
        for _, row in own.iterrows()
        for key in SCORES
        if not pd.isna(row[key])
    ]
    licence = facts.backbone.licence.lower()
    fetch = facts.backbone.fetch
    data = ModelCardData(
        license=licence if licence in LICENCES else "other",
        library_name="transformers",
        pipeline_tag="text-classification",
        base_model=fetch["hub"] if fetch.get("kind") == "hub" else None,
        metrics=[*ON_HUB.values()],
        tags=["bertline"],
        model_name=name,
        eval_results=results,
    )
    return str(data.to_yaml()).strip()


def _classes(facts: Facts) -> str:
    shown = ", ".join(f"`{name}`" for name in facts.labels[:SHOWN])
    more = f" and {len(facts.labels) - SHOWN} others" if len(facts.labels) > SHOWN else ""
    return f"{len(facts.labels)} classes: {shown}{more}"


def _cutting(facts: Facts) -> str:
    length, how = facts.settings["max_length"], facts.settings["long_texts"]
    beyond = {
        "head": "of a longer text the beginning is read",
        "head_tail": "of a longer text the first quarter and the last three quarters of what fits "
        "are read; a pipeline reads the beginning",
        "windows": "a longer text has the mean logits of its windows; a pipeline reads the first",
    }[how]
    text = f"Texts have {length} word pieces at most: {beyond}."
    temperature, threshold = facts.settings["temperature"], facts.settings["threshold"]
    if temperature != 1:
        text += f" Probabilities are meant at temperature {temperature:g}: divide the logits by it."
    if threshold not in (None, HALF):
        text += f" A text is `{facts.labels[1]}` if its probability exceeds {threshold:g}."
    return text + " `bertline predict --classifier` does all this by `settings.json`."


def _data(facts: Facts) -> str:
    lines = [f"{facts.data.title} (licence: {facts.data.licence})."]
    lines += [f"Homepage: {facts.data.homepage}."] * bool(facts.data.homepage)
    lines += [f"Citation: {facts.data.citation}"] * bool(facts.data.citation)
    sizes = [[name, f"{fold['sentences']:,}"] for name, fold in facts.folds.items()]
    return " ".join(lines) + "\n\n" + _table(["set", "texts"], sizes)


def _scores(facts: Facts) -> str:
    rows = [
        [str(row["set"]), str(row["model"]), *(_with_interval(row, key) for key in SCORES)]
        for _, row in facts.scores.iterrows()
        if not str(row["model"]).startswith("seed ") or row["model"] == of_seed(facts.seed)
    ]
    text = (
        f"Brackets are {facts.confidence:.0%} intervals: over the draw of texts, and for the mean "
        "over the draw of seeds, too. MCC is Matthews correlation (of more than two classes "
        "Gorodkin's R_K): 1 is perfect, 0 is chance. This model is "
        f"`{of_seed(facts.seed)}`."
    )
    return text + "\n\n" + _table(["set", "model", *SCORES.values()], rows)


def _calibration(facts: Facts) -> list[str]:
    if facts.calibration.empty:
        return []
    rows = [
        [
            str(row["set"]),
            f"{row['temperature']:.3g}" if row["scaled"] == SCALED else "1",
            f"{row['ece']:.3f}",
            f"{row['ece_if_calibrated']:.3f}",
        ]
        for _, row in facts.calibration.iterrows()
    ]
    text = (
        "The expected calibration error is how far, on average, the probability of the predicted "
        "class is from how often it is right; by chance, that of a perfectly calibrated model is "
        "above 0."
    )
    if SCALED in set(facts.calibration["scaled"]):
        text += " Logits are divided by the temperature: 1, and the one that fits the validation "
        text += "fold."
    header = ["set", "temperature", "calibration error", "of a perfectly calibrated model"]
    return [text + "\n\n" + _table(header, rows)]


def _with_interval(row: pd.Series, key: str) -> str:
    if pd.isna(row[key]):
        return ""
    low, high = row[f"{key}_low"], row[f"{key}_high"]
    interval = "" if pd.isna(low) or pd.isna(high) else f" [{low:.3f}, {high:.3f}]"
    return f"{row[key]:.3f}{interval}"


def _limits(facts: Facts) -> list[str]:
    limits = [
        f"It was trained and scored on {facts.data.title} alone: other texts, topics and languages "
        f"are likely to have more errors. It gives one of its classes to every text.",
        f"The licence of the data is: {facts.data.licence}; that of the backbone: "
        f"{facts.backbone.licence}.",
    ]
    for name, figures in facts.summary.items():
        spread = figures.get("mcc_sd")
        if spread is not None and name != "validation":
            limits.append(
                f"On {name}, MCC of models with other seeds varies by an SD of {spread:.3f}."
            )
        limits += [str(note) for note in figures.get("notes", []) if name != "validation"]
    if facts.settings["temperature"] == 1:
        limits.append("Probabilities are the softmax of the logits, and were not calibrated.")
    return list(dict.fromkeys(limits))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


def main() -> None:
    """Read the arguments, collect the facts, and write the folder."""
    arguments = console.parser(__doc__)
    arguments.add_argument("model", type=Path, help="folder that train wrote: data/train/1")
    arguments.add_argument("out", type=Path, help="folder to write; its name is that of the model")
    args = arguments.parse_args()
    facts = collect(args.model)
    if args.out.exists():
        raise BertlineError(f"{args.out} exists already. Name another folder, or remove it.")
    with files.whole_folder(args.out) as out:
        for path in sorted(args.model.iterdir()):
            if path.is_file() and path.name not in LEFT_OUT:
                shutil.copyfile(path, out / path.name)
        files.write_json(out / SETTINGS, facts.settings)
        card = write_card(facts, args.out.name)
        (out / "README.md").write_text(card, encoding="utf-8")
    console.log(f"{args.out}: the model of seed {facts.seed}, with a card in README.md")


if __name__ == "__main__":
    console.run(main)
