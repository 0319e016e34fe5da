"""Apply a trained classifier from a folder on disk: its logits for sentences."""

from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from bertline.core import files
from bertline.encoders import loading, running


def load_trained(folder: Path) -> PreTrainedModel:
    """Return the classifier that `train` wrote to `folder`; BertlineError if there is none."""
    files.require(folder)
    with loading.explaining(folder, "trained model", f"Run `dvc repro train@{folder.name}`."):
        return AutoModelForSequenceClassification.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,  # unset, it asks whoever sits at the terminal
        )


def logits_of(
    model: PreTrainedModel, input_ids: list[np.ndarray], device: torch.device
) -> np.ndarray:
    """Return each sentence's logit of acceptable less that of unacceptable, (n,), float32."""
    logits = running.classify(model, input_ids, model.config.pad_token_id, device)
    return logits[:, 1] - logits[:, 0]
