"""Run an encoder: device, precision and algorithms that repeat, on as many cores as there are."""

import ctypes
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from bertline.core import files, machine
from bertline.core.errors import BertlineError
from bertline.encoders.loading import explaining, quiet

# Memory that cuBLAS may use: with a fixed size its results are the same on every run.
# https://docs.nvidia.com/cuda/cublas/#results-reproducibility
CUBLAS_WORKSPACE = ":4096:8"

# Options of mallopt(3), of glibc, as <malloc.h> numbers them, and what `keep_memory` sets them to.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
NEVER_TRIM, LARGEST_BLOCK = 2**31 - 1, 2**30

# Sentences classified at once. They share a padded length, so it is part of the last digits.
SENTENCES_PER_STEP = 64

Ids = Sequence[int] | np.ndarray  # word pieces
Item = TypeVar("Item")
Result = TypeVar("Result")


def set_up(precision: str, *, key: str) -> tuple[torch.device, str]:
    """Make the libraries quiet and repeatable; return the device and the precision to compute in.

    precision, key: as for `choose_precision`.
    """
    quiet()
    keep_memory()
    compute_repeatably()
    device = choose_device()
    return device, choose_precision(precision, device, key=key)


def facts(device: torch.device, precision: str) -> dict[str, str]:
    """Return where a stage computes, for its receipt and the key of its checkpoint."""
    return {"device": describe(device), "precision": precision}


def choose_device() -> torch.device:
    """Return the accelerator that torch finds (CUDA, MPS or another), or the CPU."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return torch.device(accelerator.type if accelerator else "cpu")


def compute_repeatably() -> None:
    """Let torch choose algorithms that give the same result on every run, or refuse to compute.

    For the whole process; to be called before anything is computed on a GPU.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", CUBLAS_WORKSPACE)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False  # which tries algorithms and keeps the fastest
    # The deterministic mode also fills fresh memory, which no operation here reads unwritten:
    # it costs a sixth of a training step and changes no result.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def keep_memory() -> None:
    """Let the process keep the memory that tensors leave, and take it in huge pages.

    By default glibc gives each large block back to the system, and every step begins with pages
    to be mapped and cleared anew: a seventh of a training step on a CPU. It has no effect on
    results, and none on systems without glibc's mallopt or Linux's huge pages. For the whole
    process; to be called before torch has computed anything.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch reads it at its first allocation
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK)
        libc.mallopt(M_TRIM_THRESHOLD, NEVER_TRIM)


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
    workers = machine.cores()
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

    logits = np.empty((len(input_ids), model.config.num_labels or 0), dtype=np.float32)
    for rows, values in zip(steps, in_parallel(step, steps, device), strict=True):
        logits[rows] = values
    return logits


def load_trained(folder: Path) -> PreTrainedModel:
    """Return the classifier that `train` wrote to `folder`; BertlineError if there is none."""
    files.require(folder)
    with explaining(folder, "trained model", f"Run `dvc repro train@{folder.name}`."):
        return AutoModelForSequenceClassification.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,  # unset, it asks whoever sits at the terminal
        )


def logits_of(
    model: PreTrainedModel, windows: Sequence[Sequence[Ids]], device: torch.device
) -> np.ndarray:
    """Return a classifier's logits of each text, shape (n, classes), float32.

    windows: for each text the word pieces of its windows, one at least. The logits of a text are
    the mean of those of its windows.
    """
    flat = [np.asarray(window) for of_text in windows for window in of_text]
    logits = classify(model, flat, model.config.pad_token_id, device)
    if len(flat) == len(windows):
        return logits
    counts = np.array([len(of_text) for of_text in windows])
    sums = np.add.reduceat(logits, np.cumsum(counts) - counts, axis=0)
    return (sums / counts[:, None]).astype(np.float32)


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
