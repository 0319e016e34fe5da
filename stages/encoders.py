"""Load an encoder from a folder on disk; nothing is fetched, and no code of its own is run."""

from pathlib import Path

import torch
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from stages.errors import BertlineError

LABELS = ("unacceptable", "acceptable")  # by number, as CoLA labels sentences


def load_config(folder: Path) -> PreTrainedConfig:
    """Return the configuration in an encoder's folder; BertlineError if it is not one."""
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise BertlineError(
            f"{folder} holds no encoder that transformers can load: {_first_line(error)} "
            f"Check the source's `members` or `files` in sources.yaml."
        ) from error


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer in an encoder's folder.

    Raises BertlineError if there is none, or if its vocabulary exceeds the encoder's embeddings.
    """
    config = load_config(folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise BertlineError(
            f"{folder} holds no tokenizer that transformers can load: {_first_line(error)} "
            f"An encoder needs tokenizer.json, or vocab.txt, beside its weights."
        ) from error
    if len(tokenizer) > config.vocab_size:
        raise BertlineError(
            f"{folder}: the tokenizer knows {len(tokenizer):,} word pieces and the encoder has "
            f"embeddings for {config.vocab_size:,}: they belong to different models."
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


def choose_device() -> torch.device:
    """Return the accelerator that torch finds (CUDA, MPS or another), or the CPU."""
    if torch.accelerator.is_available():
        return torch.device(torch.accelerator.current_accelerator().type)
    return torch.device("cpu")


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


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") + "." if str(error).strip() else ""
