"""Train the backbone to detect corrupted sentences and wrong words, before it is fine-tuned.

Reads   data/parse/documents.parquet, data/parse/sentences.parquet, the encoder in
        data/download/backbone, and `adapt` of params.yaml.
Writes  data/adapt, the encoder that `train` starts from: safetensors and tokenizer. And a JSON file
        of the epochs' figures. With `adapt.epochs: 0` it is the backbone, file by file.

    python -m stages.adapt data/parse/documents.parquet data/parse/sentences.parquet \\
        data/download/backbone data/adapt

This is intermediate training (Phang, Févry and Bowman 2018, arXiv:1811.01088; Pruksachatkun et al.
2020, ACL) on a task that needs no labels: half of the documents' sentences are corrupted
(`bertline.training.corruptions`), and the encoder learns which, and which of their words are wrong. Its head
for sentences goes on into `train`, as a real sentence counts as acceptable. No sentence of the
sentences' corpus, training or test, is trained on here.

A run that was killed goes on from its last checkpoint and ends with the same bytes as one that was
not (`bertline.training.loop`).
"""

import hashlib
import heapq
import random
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from sklearn.metrics import matthews_corrcoef
from torch import nn
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from bertline.core import console, files, params
from bertline.core.checkpoint import Checkpoint
from bertline.core.errors import BertlineError
from bertline.core.receipt import receipt
from bertline.encoders import loading, running
from bertline.training import corruptions, loop
from bertline.training.corruptions import Corruptor, Words
from bertline.training.loop import Plan, Recipe

IGNORED = -100.0  # target of special tokens and padding, which the loss leaves out
BATCH = 10_000  # sentences that are cut into word pieces at a time


class Adapt(Recipe):
    """The section `adapt` of params.yaml."""

    epochs: Annotated[int, Field(ge=0)]
    sentences: Annotated[int, Field(ge=100, le=10_000_000)]
    held_out: Annotated[int, Field(ge=50)]
    max_words: Annotated[int, Field(ge=corruptions.FEWEST_WORDS, le=100)]
    corrupted_share: Annotated[float, Field(gt=0, lt=1)]
    token_loss_weight: Annotated[float, Field(ge=0)]
    seed: params.Seed


class Detector(nn.Module):
    """A classifier of sentences with a second head that judges each word piece."""

    def __init__(self, classifier: PreTrainedModel) -> None:
        super().__init__()
        self.classifier = classifier
        self.words = nn.Linear(classifier.config.hidden_size, 1)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits of sentences, shape (n, 2), and of word pieces being wrong, (n, length)."""
        output = self.classifier(
            input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True
        )
        return output.logits, self.words(output.hidden_states[-1]).squeeze(-1)


@dataclass(frozen=True)
class Detection(Plan):
    """A training to detect: the sentences, corrupted anew in every epoch, and those held out.

    A row is {"input_ids": [...], "wrong": [1.0, 0.0 or IGNORED for each], "labels": 0 if corrupted}.
    """

    section = "adapt"

    options: Adapt
    sentences: Sequence[str]
    held_out: Sequence[Mapping[str, Any]]
    corruptor: Corruptor
    tokenizer: PreTrainedTokenizerBase

    def rows(self, epoch: int) -> Sequence[Mapping[str, Any]]:
        """Return all sentences, other ones of them corrupted than in another epoch."""
        draw = random.Random(f"{self.seed}, epoch {epoch}")
        return corrupt(
            self.sentences, self.corruptor, self.tokenizer, self.options.corrupted_share, draw
        )

    @property
    def rows_per_epoch(self) -> int:
        """Return the number of sentences."""
        return len(self.sentences)

    def collate(self, rows: list[Mapping[str, Any]]) -> Mapping[str, torch.Tensor]:
        """Return rows padded to one length: input_ids, attention_mask, wrong and labels."""

        def padded(key: str, filler: float, kind: torch.dtype) -> torch.Tensor:
            columns = [torch.tensor(row[key], dtype=kind) for row in rows]
            return nn.utils.rnn.pad_sequence(columns, batch_first=True, padding_value=filler)

        ids = padded("input_ids", self.tokenizer.pad_token_id, torch.long)
        lengths = torch.tensor([len(row["input_ids"]) for row in rows])
        return {
            "input_ids": ids,
            "attention_mask": (torch.arange(ids.shape[1])[None, :] < lengths[:, None]).long(),
            "wrong": padded("wrong", IGNORED, torch.float32),
            "labels": torch.tensor([row["labels"] for row in rows]),
        }

    def loss(self, model: Detector, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the sentences' cross-entropy plus the weighted one of the word pieces."""
        sentences, words = model(batch["input_ids"], batch["attention_mask"])
        judged = (batch["wrong"] != IGNORED).float()
        of_words = nn.functional.binary_cross_entropy_with_logits(
            words.float(), batch["wrong"].clamp(min=0), weight=judged, reduction="sum"
        )
        of_sentences = nn.functional.cross_entropy(sentences.float(), batch["labels"])
        return of_sentences + self.options.token_loss_weight * of_words / judged.sum()

    def validate(self, model: Detector) -> dict[str, float]:
        """Return the loss and the MCC of telling corrupted sentences held out, in fp32."""
        logits, labels, loss = loop.judge(model.classifier, self.held_out, self.device)
        return {"loss": loss, "mcc": float(matthews_corrcoef(labels, logits.argmax(axis=1)))}


def corrupt(
    sentences: Iterable[str],
    corruptor: Corruptor,
    tokenizer: PreTrainedTokenizerBase,
    share: float,
    draw: random.Random,
) -> list[dict[str, Any]]:
    """Return a row for each sentence, a `share` of them corrupted by draws of `draw`.

    tokenizer: as `load_word_tokenizer` loads it.
    """
    chosen: list[Words] = [
        corruptor.corrupt(sentence, draw) if draw.random() < share else corruptions.intact(sentence)
        for sentence in sentences
    ]
    rows = []
    for start in range(0, len(chosen), BATCH):
        batch = chosen[start : start + BATCH]
        encoded = tokenizer(
            [of_sentence.words for of_sentence in batch], is_split_into_words=True, truncation=True
        )
        for number, of_sentence in enumerate(batch):
            wrong = [
                IGNORED if word is None else float(of_sentence.wrong[word])
                for word in encoded.word_ids(number)
            ]
            label = 0 if any(of_sentence.wrong) else 1
            ids = encoded["input_ids"][number]
            rows.append({"input_ids": ids, "wrong": wrong, "labels": label})
    return rows


def load_word_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer for words of an encoder that `encoders.load_tokenizer` accepts.

    Byte-level ones put a space before each word then, as they do in running text; and sentences
    are cut at what the encoder takes, also where the tokenizer does not say how much that is.
    """
    return AutoTokenizer.from_pretrained(
        folder,
        add_prefix_space=True,
        model_max_length=loading.longest_input(folder),
        local_files_only=True,
        trust_remote_code=False,
    )


def collect(
    texts: Iterable[str], *, known: set[str], most: int, max_words: int
) -> tuple[list[str], int, int]:
    """Return at most `most` different plain sentences of the texts, in order of their hashes.

    Those with the lowest hashes are kept, which is a random sample that no order of documents
    decides, in memory for `most` sentences. Different are those that are not the same to
    the letter. Also returns how many of the sentences that were found are in `known` (see
    `normalize`) and so left out, and how many there were in all.
    """
    lowest: list[tuple[int, str]] = []  # a heap of negated hashes: the highest is at its top
    kept: set[str] = set()
    in_corpus = found = 0
    for text in texts:
        for sentence in corruptions.sentences(text, max_words=max_words):
            found += 1
            if sentence in kept:
                continue
            if normalize(sentence) in known:
                in_corpus += 1
                continue
            digest = hashlib.blake2b(sentence.encode(), digest_size=8).digest()
            entry = (-int.from_bytes(digest, "big"), sentence)
            if len(lowest) < most:
                heapq.heappush(lowest, entry)
            elif entry > lowest[0]:
                kept.discard(heapq.heapreplace(lowest, entry)[1])
            else:
                continue
            kept.add(sentence)
    return [sentence for _, sentence in sorted(lowest, reverse=True)], in_corpus, found


def normalize(sentence: str) -> str:
    """Return the words of a sentence in lower case, without its marks: what makes it the same."""
    words = corruptions.WORD.findall(sentence.lower())
    return " ".join(word for word in words if word[0].isalnum())


def gather(documents: Path, corpus: Path, options: Adapt) -> tuple[list[str], int, int]:
    """Return the sentences to hold out and, behind them, those to train on, and `collect`'s counts.

    documents, corpus: the tables of parse. Raises BertlineError if there are too few sentences.
    """
    texts, sentences = (
        files.read_table(table, columns=["text"])["text"] for table in (documents, corpus)
    )
    chosen, in_corpus, found = collect(
        console.progress(texts, total=len(texts), label="collect", unit="documents"),
        known={normalize(sentence) for sentence in sentences},
        most=options.sentences + options.held_out,
        max_words=options.max_words,
    )
    least = options.held_out + options.batch_size
    if len(chosen) < least:
        raise BertlineError(
            f"{documents} has {len(chosen):,} different plain sentences of at most "
            f"{options.max_words} words, and adapt needs {least:,}. A plain sentence begins with "
            f"a capital and ends with a full stop, ! or ?: choose documents as they were written "
            f"under inputs.documents, or set adapt.epochs to 0."
        )
    return chosen, in_corpus, found


def copy(backbone: Path, out: Path) -> None:
    """Lay the backbone's files down in `out` as they are.

    Not by shutil.copytree, whose errors do not say that it was the disk that is full.
    """
    for path in sorted(backbone.rglob("*")):
        if path.is_file():
            target = out / path.relative_to(backbone)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def main() -> None:
    """Read the arguments and the parameters, train to detect, and write encoder and figures."""
    arguments = console.parser(__doc__)
    arguments.add_argument("documents", type=Path, help="Parquet table of documents")
    arguments.add_argument(
        "sentences", type=Path, help="Parquet table of sentences, not trained on"
    )
    arguments.add_argument("backbone", type=Path, help="folder of the encoder")
    arguments.add_argument("out", type=Path, help="folder to write")
    arguments.add_argument("--metrics", type=Path, help="write the epochs' figures to this file")
    console.add_receipt_arguments(arguments)
    args = arguments.parse_args()
    options = params.load(args.params, "adapt", Adapt)
    files.require(args.backbone)

    work = receipt(
        args.receipt,
        "adapt",
        parameters={"adapt": options},
        inputs=[args.documents, args.sentences, args.backbone],
        outputs=[args.out, args.metrics],
    )
    with work as run:
        if options.epochs == 0:
            with files.whole_folder(args.out) as out:
                copy(args.backbone, out)
                if args.metrics:
                    files.write_json(args.metrics, {"sentences": 0, "in_corpus": 0, "epochs": []})
            Checkpoint(args.out, "").clear()  # of a run with epochs that was killed
            console.log("adapt.epochs is 0: the backbone stays as it is")
            return
        chosen, in_corpus, found = gather(args.documents, args.sentences, options)
        with files.whole_folder(args.out) as out:
            device, precision = running.set_up(options.precision, key="adapt.precision")
            torch.set_num_threads(options.threads)
            tokenizer = loading.load_tokenizer(args.backbone)
            words = load_word_tokenizer(args.backbone)
            torch.manual_seed(options.seed)  # before the heads are drawn
            model = Detector(loop.load_classifier(args.backbone))
            held_out, sentences = chosen[: options.held_out], chosen[options.held_out :]
            corruptor = Corruptor(sentences)
            draw = random.Random(f"{options.seed}, held out")
            judged = corrupt(held_out, corruptor, words, options.corrupted_share, draw)
            plan = Detection(
                options, options.seed, device, precision, sentences, judged, corruptor, words
            )
            console.log(
                f"{len(sentences):,} of {found:,} plain sentences, {in_corpus:,} left out as they "
                f"are in the sentences' corpus; {plan.steps:,} steps on {device.type} in "
                f"{precision}"
            )
            checkpoint = Checkpoint(
                args.out, run.key(device=running.describe(device), precision=precision)
            )
            history = loop.fit(model, plan, checkpoint)
            loop.save(model.classifier, tokenizer, out)
            run |= loop.facts(plan)
            run.costs |= loop.costs(plan, history)
            if args.metrics:
                figures = {
                    "sentences": len(sentences),
                    "in_corpus": in_corpus,
                    "epochs": history.rows,
                }
                files.write_json(args.metrics, figures)
        checkpoint.clear()


if __name__ == "__main__":
    console.run(main)
