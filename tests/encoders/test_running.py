"""Logits of texts: those of their windows, averaged, in the order of the texts."""

import numpy as np
import pytest
import torch

from bertline.encoders import running
from bertline.training import loop

CPU = torch.device("cpu")


@pytest.fixture
def model(tiny_bert):
    torch.manual_seed(1)
    return loop.load_classifier(tiny_bert, ["a", "b", "c"])


def one_by_one(model, windows: list[list[int]]) -> np.ndarray:
    with torch.inference_mode():
        rows = [model(input_ids=torch.tensor([window])).logits[0] for window in windows]
    return torch.stack(rows).numpy()


def test_text_of_one_window_has_its_logits(model):
    texts = [[[2, 5, 6, 7, 3]], [[2, 9, 3]], [[2, 8, 8, 3]]]

    found = running.logits_of(model, texts, CPU)

    assert found.dtype == np.float32 and found.shape == (3, 3)
    np.testing.assert_allclose(found, one_by_one(model, [row[0] for row in texts]), atol=1e-5)


def test_text_of_several_windows_has_their_mean(model):
    windows = [[2, 5, 6, 7, 3], [2, 9, 3], [2, 8, 8, 3], [2, 4, 3]]
    texts = [[windows[0]], np.array([np.array(windows[1]), np.array(windows[3])]), [windows[2]]]

    found = running.logits_of(model, texts, CPU)

    each = one_by_one(model, windows)
    expected = [each[0], (each[1] + each[3]) / 2, each[2]]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.dtype == np.float32
