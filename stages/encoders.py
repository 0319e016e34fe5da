"""Load an encoder from a folder on disk; nothing is fetched, and no code of its own is run."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from stages import console
from stages.errors import BertlineError

LABELS = ("unacceptable", "acceptable")  # by number, as CoLA labels sentences

# Memory that cuBLAS may use: with a fixed size its results are the same on every run.
# https://docs.nvidia.com/cuda/cublas/#results-reproducibility
CUBLAS_WORKSPACE = ":4096:8"

# Sentences classified at once. They share a padded length, so it is part of the last digits.
SENTENCES_PER_STEP = 64

Item = TypeVar("Item")
Result = TypeVar("Result")

# What the libraries raise for an encoder's file that is damaged, missing or of another model: they
# look at few of them before use, so that an absent key is a KeyError, and no layers a division.
UNLOADABLE = (
    *(OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError),
    *(SafetensorError, StrictDataclassError),
)
PICKLES = ("pytorch_model.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
# Below this share of the encoder's word pieces, the tokenizer may well be of another model.
FEW_PIECES = 0.5


class explaining:
    """Turn what a library raises while it loads the encoder in `folder` into a sentence.

    `lack` says what the folder does not hold, `advice` what to do. A class and no generator, since
    the tokenizers library raises plain `Exception`: exactly that is caught, and no class below it
    but the ones in UNLOADABLE.
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
            return  # no fault of the folder's
        # The first line, and a second one that says what of it: the others are of use to authors.
        reason = " ".join(line.strip() for line in text.splitlines()[:2]).rstrip(".")
        if kind is not Exception and not isinstance(error, OSError | ValueError):
            reason = f"{kind.__name__}: {reason}".rstrip(": ")  # a KeyError is a mere word
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


def set_up(precision: str, *, key: str) -> tuple[torch.device, str]:
    """Make the libraries quiet and repeatable; return the device and the precision to compute in.

    precision, key: as for `choose_precision`.
    """
    quiet()
    compute_repeatably()
    device = choose_device()
    return device, choose_precision(precision, device, key=key)


def choose_device() -> torch.device:
    """Return the accelerator that torch finds (CUDA, MPS or another), or the CPU."""
    if torch.accelerator.is_available():
        return torch.device(torch.accelerator.current_accelerator().type)
    return torch.device("cpu")


def compute_repeatably() -> None:
    """Let torch choose algorithms that give the same result on every run, or refuse to compute.

    For the whole process; to be called before anything is computed on a GPU.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", CUBLAS_WORKSPACE)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False  # which tries algorithms and keeps the fastest
    # The deterministic mode also fills fresh memory, which no operation here reads unwritten:
    # it costs a sixth of a training step and changes no result.
    torch.utils.deterministic.fill_uninitialized_memory = False


def in_parallel(
    function: Callable[[Item], Result], items: Iterable[Item], device: torch.device
) -> Iterator[Result]:
    """Yield `function` of each item, in order; on a CPU as many at once as there are cores.

    Each is computed by one thread, so that the result is the same with any number of cores: an
    operation that is divided among threads sums in another order with another number of them. Few
    items more than there are cores are taken from `items` before their results are asked for.
    """
    if device.type != "cpu":
        yield from map(function, items)
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    workers = cores()
    pool = ThreadPoolExecutor(workers)
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def classify(
    model: PreTrainedModel, input_ids: list[np.ndarray], padding_id: int, device: torch.device
) -> np.ndarray:
    """Return a classifier's logits for each sentence, shape (n, labels), float32.

    Sentences are taken in order of length, so that little is padded, and computed in fp32. The
    model is left in evaluation mode.
    """
    order = np.argsort([len(ids) for ids in input_ids], kind="stable")
    steps = [
        order[start : start + SENTENCES_PER_STEP]
        for start in range(0, len(order), SENTENCES_PER_STEP)
    ]
    model.eval().to(device)

    def step(rows: np.ndarray) -> np.ndarray:
        batch = [torch.tensor(input_ids[row], dtype=torch.long) for row in rows]
        padded = torch.nn.utils.rnn.pad_sequence(batch, batch_first=True, padding_value=padding_id)
        lengths = torch.tensor([len(ids) for ids in batch])
        mask = torch.arange(padded.shape[1])[None, :] < lengths[:, None]
        with torch.inference_mode():
            output = model(input_ids=padded.to(device), attention_mask=mask.long().to(device))
        return output.logits.float().cpu().numpy()

    logits = np.empty((len(input_ids), model.config.num_labels), dtype=np.float32)
    for rows, values in zip(steps, in_parallel(step, steps, device), strict=True):
        logits[rows] = values
    return logits


def describe(device: torch.device) -> str:
    """Return the kind of device, with an accelerator's name where torch knows it."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return device.type


def choose_precision(wanted: str, device: torch.device, *, key: str) -> str:
    """Return bf16 or fp32 for `wanted` (auto, bf16 or fp32) on `device`.

    auto is bf16 where the hardware computes it natively. Raises BertlineError, naming the
    parameter `key`, where bf16 is wanted and the hardware lacks it.
    """
    native = has_native_bf16(device)
    if wanted == "bf16" and not native:
        raise BertlineError(
            f"params.yaml: {key} is bf16, and this {device.type} does not compute it natively. "
            f"Set it to fp32, or to auto."
        )
    return "bf16" if wanted != "fp32" and native else "fp32"


def has_native_bf16(device: torch.device) -> bool:
    """Return whether `device` multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False


def quiet() -> None:
    """Keep transformers from drawing its own bars and repeating its advice in the log."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
