"""Running an encoder: the memory it keeps, and logits of texts, averaged over their windows."""

import ctypes
import subprocess
import sys

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


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="glibc's malloc alone")
def test_a_process_keeps_the_memory_that_tensors_leave():
    script = """
import resource, torch
from bertline.encoders import running
running.set_up("fp32", key="")
faults = []
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)  # 64 MiB, 16,384 pages
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(*faults)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert max(map(int, done.stdout.split()[1:])) < 100
