"""Load an encoder from a folder on disk; nothing is fetched, and no code of its own is run."""

import logging
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from bertline.core import console
from bertline.core.errors import BertlineError

if TYPE_CHECKING:
    import torch

# What the libraries raise for an encoder's file that is damaged, missing or of another model: they
# check few of them before use, so that a missing key is a KeyError, and no heads a division by 0.
UNLOADABLE = (
    *(OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError),
    *(SafetensorError, StrictDataclassError),
)
PICKLES = ("pytorch_model.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
# Below this share of the encoder's word pieces, the tokenizer may well be of another model.
FEW_PIECES = 0.5
# Word pieces of an encoder that is trained with eager attention, at most: BERT's 512, and the two
# more positions that RoBERTa counts.
LONGEST_EAGER = 514


class explaining:
    """Turn what a library raises while it loads the encoder in `folder` into a sentence.

    lack: what the folder should hold; advice: what to do. A class rather than a generator, since
    the tokenizers library raises plain `Exception`: exactly that is caught, and of its subclasses
    those in UNLOADABLE.
    """

    def __init__(self, folder: Path, lack: str, advice: str = "") -> None:
        self.folder, self.lack, self.advice = folder, lack, advice

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise BertlineError from an error that the files of the folder are the cause of."""
        if kind is not Exception and not isinstance(error, UNLOADABLE):
            return
        text = str(error).strip()
        if console.FULL_MEMORY.search(text):
            return  # not the folder's fault
        # The first line, and the second, which explains it: the others are for authors.
        reason = " ".join(line.strip() for line in text.splitlines()[:2]).rstrip(".")
        if kind is not Exception and not isinstance(error, OSError | ValueError):
            reason = f"{type(error).__name__}: {reason}".rstrip(": ")  # a KeyError is a mere word
        pickles = sorted(path.name for name in PICKLES for path in self.folder.glob(name))
        if "trust_remote_code" in text:
            reason = (
                "it asks for code of its own, which is never run. Choose an encoder whose "
                "architecture transformers knows"
            )
        elif pickles and not any(self.folder.glob("*.safetensors*")):
            reason = (
                f"its weights are a pickle ({', '.join(pickles)}), which can run code and is never "
                f"read. Get model.safetensors, which most model repositories offer as well"
            )
        message = f"{self.folder} holds no {self.lack}: {reason}. {self.advice}".rstrip()
        raise BertlineError(message) from error


def load_config(folder: Path) -> PreTrainedConfig:
    """Return the configuration in an encoder's folder; BertlineError if it is not one."""
    advice = "Check the source's `members` or `files` in sources.yaml."
    with explaining(folder, "encoder that transformers can load", advice):
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer in an encoder's folder.

    Raises BertlineError if there is none, if it knows no word piece or none to pad with, or if its
    vocabulary exceeds the encoder's embeddings.
    """
    config = load_config(folder)
    advice = "An encoder needs tokenizer.json, or vocab.txt, beside its weights."
    with explaining(folder, "tokenizer that transformers can load", advice):
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        pieces = tokenizer.get_vocab()
    # Without a vocabulary, transformers makes a tokenizer of the special tokens alone.
    if not set(pieces) - set(tokenizer.all_special_tokens):
        raise BertlineError(
            f"{folder} holds no tokenizer: there is no vocabulary, or an empty one. {advice} "
            f"Check the source's `members` or `files` in sources.yaml."
        )
    if tokenizer.pad_token is None:
        raise BertlineError(
            f"{folder}: the tokenizer has no token to pad with. Name it in tokenizer_config.json "
            f'(`"pad_token": "[PAD]"` for a BERT).'
        )
    known = max(len(tokenizer), max(pieces.values()) + 1)
    if known > config.vocab_size:
        raise BertlineError(
            f"{folder}: the tokenizer knows {known:,} word pieces and the encoder has "
            f"embeddings for {config.vocab_size:,}: they belong to different models."
        )
    if known < FEW_PIECES * config.vocab_size:
        console.log(
            f"warning: {folder}: the tokenizer knows {known:,} of the {config.vocab_size:,} word "
            f"pieces that the encoder has embeddings for. See that they belong together."
        )
    return tokenizer


def longest_input(folder: Path) -> int:
    """Return how many word pieces the encoder in `folder` takes at most."""
    config = load_config(folder)
    limit = getattr(config, "max_position_embeddings", None)
    if limit is None:
        raise BertlineError(f"{folder}/config.json states no max_position_embeddings.")
    # RoBERTa's positions begin behind the padding index.
    return limit - 2 if config.model_type in {"roberta", "xlm-roberta", "camembert"} else limit


def attention(folder: Path, device: "torch.device") -> str | None:
    """Return the implementation of attention to train with: eager, or None, torch's own choice.

    On a CPU scaled_dot_product_attention has no kernel with dropout, and what it does instead takes
    a twentieth more of a training step. Eager attention holds the weights of all pairs of word
    pieces, as does that, so it is for encoders of short inputs only.
    """
    limit = getattr(load_config(folder), "max_position_embeddings", None)
    return "eager" if device.type == "cpu" and limit and limit <= LONGEST_EAGER else None


def quiet() -> None:
    """Keep the libraries from drawing bars of their own and repeating their advice in the log."""
    transformers_logging.set_verbosity_error()
    logging.getLogger("sentence_transformers.base.model").addFilter(_is_news)
    transformers_logging.disable_progress_bar()


def _is_news(record: logging.LogRecord) -> bool:
    """Return whether a message of sentence-transformers is one that no log of ours replaces."""
    return not str(record.msg).startswith("Default prompt name")
