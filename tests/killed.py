"""Stages that are killed in the middle of their work, in the process of the tests."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from bertline.training import loop


class Killed(BaseException):
    """Stands in for the end of the process."""


@contextmanager
def training_after(steps: int) -> Iterator[None]:
    """Let the training in the block die after so many steps, and leave another random state."""
    take_step, taken = loop.take_step, []

    def step_and_die(*arguments: object) -> torch.Tensor:
        if len(taken) == steps:
            raise Killed
        taken.append(1)
        return take_step(*arguments)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(loop, "take_step", step_and_die)
        yield
    torch.manual_seed(99)  # a new process has another one
