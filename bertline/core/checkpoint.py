"""Checkpoints of long stages: a killed stage resumes from its last one.

A checkpoint lies beside the stage's output, in `.<output>.checkpoint/<key>/`, which is no DVC
output. The key is a hash of everything that decides the result (code, parameters, inputs, packages,
precision, device), so a stage never resumes from a checkpoint of another configuration. All
checkpoints of an output are removed once it is written.

`BERTLINE_CHECKPOINT_SECONDS` sets the seconds between two checkpoints. The interval changes what a
kill costs, never a result, so it is no parameter.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bertline.core.errors import BertlineError

VARIABLE = "BERTLINE_CHECKPOINT_SECONDS"
INTERVAL = 60.0  # seconds between two checkpoints, unless the variable sets another number
# The interval is at least this many times the time that writing one takes, so that checkpoints of a
# large model on a slow disk cost two percent at most.
PATIENCE = 50


class Checkpoint:
    """The checkpoint of one output in one configuration.

    out: the output. key: identifies the configuration, in characters that a file name may have.
    Raises BertlineError if the environment variable is no number of seconds.
    """

    def __init__(self, out: Path, key: str) -> None:
        self._of_all = out.parent / f".{out.name}.checkpoint"
        self._folder = self._of_all / key
        self._wanted = _wanted_interval()
        self._cost = 0.0
        self._last = time.monotonic()

    def path(self, name: str) -> Path:
        """Return the path of the stage's own file `name` in the checkpoint; its folder exists."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / name

    def is_due(self) -> bool:
        """Return whether it is time for the next checkpoint."""
        interval = self._wanted
        if interval is None:
            interval = max(INTERVAL, PATIENCE * self._cost)
        return time.monotonic() - self._last >= interval

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Run the block, which writes a checkpoint, and measure how long it takes."""
        started = time.monotonic()
        yield
        self._last = time.monotonic()
        self._cost = self._last - started

    def discard(self) -> None:
        """Remove this configuration's checkpoint, which cannot be resumed."""
        shutil.rmtree(self._folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # it holds checkpoints of other configurations
            self._of_all.rmdir()

    def clear(self) -> None:
        """Remove all checkpoints of the output, of every configuration."""
        shutil.rmtree(self._of_all, ignore_errors=True)


def _wanted_interval() -> float | None:
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    try:
        seconds = float(named)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:
        raise BertlineError(
            f"{VARIABLE} should be the seconds between two checkpoints, such as 60 or 0.5, and is "
            f"`{named}`. Correct or unset it."
        )
    return seconds
