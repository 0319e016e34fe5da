"""Intermediate training: an encoder learns to detect corrupted sentences and wrong words.

Training on another task before fine-tuning (Phang, Févry and Bowman 2018, arXiv:1811.01088;
Pruksachatkun et al. 2020, ACL), here one without labels: half of the documents' sentences are
corrupted (`corruptions`), and the encoder learns which, and which of their words are wrong. The
head for sentences is kept for fine-tuning on acceptability, as an intact sentence counts as
acceptable.
"""

import hashlib
import heapq
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from sklearn.metrics import matthews_corrcoef
from torch import nn
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from bertline.core import console, files, params
from bertline.core.errors import BertlineError
from bertline.encoders import loading
from bertline.training import corruptions, loop
from bertline.training.corruptions import Corruptor, Words
from bertline.training.loop import Plan, Recipe

# What is detected, by number: the classes of CoLA and of the minimal pairs, whose head this is.
LABELS = ("unacceptable", "acceptable")
IGNORED = -100.0  # target of special tokens and padding, which the loss leaves out
BATCH = 10_000  # sentences that are tokenized at a time


class Adapt(Recipe):
    """The section `adapt` of params.yaml."""

    epochs: Annotated[int, Field(ge=0)]
    texts: Literal["documents", "sentences"]
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
class Detection(Plan[Detector]):
    """A training to detect: the sentences, corrupted anew in every epoch, and those held out.

    A row is {"input_ids": [...], "wrong": [1.0, 0.0 or IGNORED for each], "labels": 0 or 1}, 0 if
    the sentence is corrupted.
    """

    section = "adapt"

    options: Adapt
    sentences: Sequence[str]
    held_out: Sequence[Mapping[str, Any]]
    corruptor: Corruptor
    tokenizer: PreTrainedTokenizerBase

    def rows(self, epoch: int) -> Sequence[Mapping[str, Any]]:
        """Return all sentences, corrupted anew in each epoch."""
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
        """Return the loss and the MCC of detecting held-out corrupted sentences, in fp32."""
        labels = [row["labels"] for row in self.held_out]
        windows = [[row["input_ids"]] for row in self.held_out]
        logits, loss = loop.judge(model.classifier, windows, labels, self.device)
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


@dataclass(frozen=True)
class Sample:
    """Sentences to train on and to hold out, and how many were found and left out."""

    training: list[str]
    held_out: list[str]
    in_corpus: int  # left out, as they are sentences of the corpus
    found: int


def sample(documents: Path, corpus: Path, options: Adapt) -> Sample:
    """Return a random sample of the documents' plain sentences, none of them in the corpus.

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
    return Sample(chosen[options.held_out :], chosen[: options.held_out], in_corpus, found)


def plan_detection(
    chosen: Sample, backbone: Path, options: Adapt, device: torch.device, precision: str
) -> Detection:
    """Return the training on a sample, the held-out sentences corrupted once and for all."""
    corruptor, tokenizer = Corruptor(chosen.training), load_word_tokenizer(backbone)
    draw = random.Random(f"{options.seed}, held out")
    held_out = corrupt(chosen.held_out, corruptor, tokenizer, options.corrupted_share, draw)
    return Detection(
        options, options.seed, device, precision, chosen.training, held_out, corruptor, tokenizer
    )
