"""Classifiers with random weights, as train writes them."""

from collections.abc import Sequence
from pathlib import Path

import torch

from bertline.core import files
from bertline.encoders import loading
from bertline.training import loop
from tests import tiny


def write_classifier(
    folder: Path,
    encoder: Path,
    *,
    seed: int = 1,
    labels: Sequence[str] = tiny.CLASSES,
    **settings: object,
) -> Path:
    """Write a model for `labels` whose head is drawn with `seed`; return the folder."""
    torch.manual_seed(seed)
    model = loop.load_classifier(encoder, labels)
    with torch.no_grad():
        model.classifier.weight.mul_(20)  # so that classes differ
    folder.mkdir(parents=True)
    loop.save(model, loading.load_tokenizer(encoder), folder)
    own = {"max_length": 12, "long_texts": "head", "labels": [*labels]} | settings
    files.write_json(folder / "settings.json", own)
    return folder
