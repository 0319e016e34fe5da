"""Keep how far a long stage has come, so that it goes on there after it was killed.

A checkpoint lies beside the stage's output, in `.<output>.checkpoint/<key>/`, which is no DVC
output. The key stands for everything that decides the result (code, parameters, inputs, packages,
precision, device): a checkpoint of anything else is never gone on with. All of them are removed
once the output is written.

`BERTLINE_CHECKPOINT_SECONDS` sets the seconds between two checkpoints. That changes what a kill
costs, never a result, so it is no parameter.
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
INTERVAL = 60.0  # seconds between two checkpoints, where the variable does not say another number
# And at least this many times as long as writing one takes: a large model on a slow disk is held up
# by two percent at most.
PATIENCE = 50


class Checkpoint:
    """The place for the checkpoint of one output in one configuration.

    out: the output. key: what stands for the configuration, in letters that a file name may have.
    Raises BertlineError if the environment variable is no number of seconds.
    """

    def __init__(self, out: Path, key: str) -> None:
        self._of_all = out.parent / f".{out.name}.checkpoint"
        self._folder = self._of_all / key
        self._wanted = _wanted_interval()
        self._cost = 0.0
        self._last = time.monotonic()

    def path(self, name: str) -> Path:
        """Return where the stage's own file `name` is or may be written; its folder exists."""
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
        """Run the block, which writes a checkpoint; the next is due some time after that."""
        started = time.monotonic()
        yield
        self._last = time.monotonic()
        self._cost = self._last - started

    def discard(self) -> None:
        """Remove this configuration's checkpoint: nothing in it is worth going on with."""
        shutil.rmtree(self._folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # others have theirs there
            self._of_all.rmdir()

    def clear(self) -> None:
        """Remove the checkpoints of the output, those of other configurations among them."""
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
