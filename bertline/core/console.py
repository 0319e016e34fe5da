"""What every stage's command line shares: the argument parser, progress lines and error messages.

parser = console.parser(__doc__)
...
if __name__ == "__main__":
    console.run(main)
"""

import argparse
import errno
import io
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from bertline.core.errors import BertlineError

Item = TypeVar("Item")

EXIT_MISTAKE = 2  # a mistake that the message explains; a defect of ours exits 1 with a traceback
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it; DVC then commits nothing

# Set by DVC for the commands of stages.
DVC_STAGE = "DVC_STAGE"
WATCH_INTERVAL = 1  # seconds between two looks whether the DVC that called is alive

# Seconds between two progress lines where stderr is a file: readable in a log, and not flooding it.
LOG_INTERVAL = 10

DISK_ERRORS = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the disk quota is used up: free some space",
    errno.EROFS: "the file system is read-only: choose a folder that can be written",
    errno.EACCES: "permission is denied: check who owns the folder",
    errno.EPERM: "the operation is not permitted: check who owns the folder",
    errno.EISDIR: "it is a folder, and a file is needed: name another place",
    errno.ENOTDIR: "a part of the path is a file and no folder: name another place",
    errno.EEXIST: "a file lies where a folder is needed: name another place",
    errno.ENAMETOOLONG: "the name is longer than the file system allows: choose a shorter one",
    errno.ELOOP: "symbolic links lead in a circle: name another place",
    errno.EFBIG: "the file is larger than the file system or a limit allows",
}
FULL_MEMORY = re.compile(r"out of memory|allocate memory", re.IGNORECASE)
# Those that only writing meets; the others may come from reading as well.
WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


def parser(documentation: str) -> argparse.ArgumentParser:
    """Return a parser whose help is the module's docstring, line breaks kept."""
    return argparse.ArgumentParser(
        description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def add_receipt_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the options of a stage with parameters: where they are, where its receipt goes."""
    arguments.add_argument(
        "--params", type=Path, default=Path("params.yaml"), help="parameters (default: %(default)s)"
    )
    add_receipt_argument(arguments)


def add_receipt_argument(arguments: argparse.ArgumentParser) -> None:
    """Add the option that every stage has: where its receipt goes."""
    arguments.add_argument(
        "--receipt", type=Path, help="write times, versions and machine facts to this JSON file"
    )


def log(message: str) -> None:
    """Print a line to stderr at once, so that logs keep the order of events."""
    print(message, file=sys.stderr, flush=True)


class LogBar(tqdm):
    """A tqdm bar for a log file: a line every ten seconds instead of a line that is redrawn."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        style = "{desc}: {n_fmt} of {total_fmt} {unit}, {rate_fmt}, {remaining} left"
        pace = {"mininterval": LOG_INTERVAL, "delay": LOG_INTERVAL}
        # tqdm would end the bar with a carriage return in the log: let it write to nowhere.
        fixed = {"bar_format": style, "leave": False, "file": io.StringIO()}
        super().__init__(*args, **kwargs | pace | fixed)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Print the state as a line; tqdm passes an empty `msg` when the bar is closed."""
        if msg is None:
            log(str(self))


def bar_class() -> type[tqdm]:
    """Return the kind of tqdm bar that suits where stderr goes: a terminal or a log file."""
    return tqdm if sys.stderr.isatty() else LogBar


@contextmanager
def counter(*, total: int, label: str, unit: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that counts work as done, and show it on a bar or in lines of a log."""
    with bar_class()(total=total, desc=label, unit=unit, leave=False) as bar:

        def advance(count: int) -> None:
            bar.update(count)

        yield advance


def progress(items: Iterable[Item], *, total: int, label: str, unit: str) -> Iterator[Item]:
    """Yield `items` and count each as done when the next is asked for."""
    with counter(total=total, label=label, unit=unit) as advance:
        for item in items:
            yield item
            advance(1)


def run(main: Callable[[], None]) -> None:
    """Call `main` and turn a person's mistake into a sentence and exit code 2.

    A SIGTERM is treated as Ctrl-C is, so that temporary files are removed in both cases. A stage
    that DVC has called ends when it sees that its parent is gone: nobody would take the result of
    an orphan. Its command in dvc.yaml begins with `exec`, as the parent would else be a shell that
    waits for it. One that was orphaned before this is called runs to its end, and the next
    `dvc repro` waits for that.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")  # unset, it warns at every fork
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if os.environ.get(DVC_STAGE):
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        main()
    except BertlineError as error:
        log(f"error: {error}")
        sys.exit(EXIT_MISTAKE)
    except KeyboardInterrupt:
        log("interrupted: nothing half-written is kept; run the same command to go on.")
        sys.exit(EXIT_INTERRUPTED)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        act = "write" if error.errno in WRITING else "read or write"
        # Arrow puts the name into the text, before what the system says.
        reason = (error.strerror or "").partition(". Detail:")[0]
        place = error.filename or ("the output" if error.errno in WRITING else f"({reason})")
        log(f"error: cannot {act} {place}: {DISK_ERRORS[error.errno]}, then run the command again.")
        sys.exit(EXIT_MISTAKE)
    except (MemoryError, RuntimeError) as error:
        if "deterministic" in str(error):  # of torch, where it has no such algorithm
            first = str(error).strip().partition("\n")[0]
            log(
                f"error: this device cannot compute the stage repeatably ({first}). Run it on "
                f"another: CUDA_VISIBLE_DEVICES= in front of the command hides the GPU."
            )
            sys.exit(EXIT_MISTAKE)
        # torch's errors of a full memory, a GPU's or the machine's, are RuntimeErrors.
        if isinstance(error, RuntimeError) and not FULL_MEMORY.search(str(error)):
            raise
        reason = str(error).strip().partition("\n")[0] or "out of memory"
        log(
            f"error: memory does not suffice ({reason}). Use smaller batches or smaller numbers in "
            f"params.yaml, less data, or a larger machine."
        )
        sys.exit(EXIT_MISTAKE)


def _end_with(parent: int) -> None:
    """Send this process a SIGTERM once its parent is another one: the system's, for an orphan."""
    while os.getppid() == parent:
        time.sleep(WATCH_INTERVAL)
    log("the dvc that called this stage has ended: ending too")
    os.kill(os.getpid(), signal.SIGTERM)
