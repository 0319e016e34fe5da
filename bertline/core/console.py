"""The command line of every stage: argument parser, progress lines and error messages.

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

from bertline.core import caches
from bertline.core.errors import BertlineError

caches.settle()  # before libraries are imported, which is when they look

Item = TypeVar("Item")

EXIT_MISTAKE = 2  # a user's mistake, explained by the message; a bug exits 1 with a traceback
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it; DVC then commits nothing

# Set by DVC for the commands of stages.
DVC_STAGE = "DVC_STAGE"
WATCH_INTERVAL = 1  # seconds between two checks that the calling DVC is alive

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
# Errors that only writing can raise.
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
        "--receipt", type=Path, help="write hashes, versions and machine facts to this JSON file"
    )


def log(message: str) -> None:
    """Print a line to stderr, flushed, so that logs keep the order of events."""
    print(message, file=sys.stderr, flush=True)


class LogBar(tqdm):
    """A tqdm bar for a log file: a new line every ten seconds."""

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
    """Call `main` and turn a user's mistake into a sentence and exit code 2.

    SIGTERM is handled as Ctrl-C, so that temporary files are removed in both cases. A stage that
    DVC has called ends when its parent process is gone, since nothing would use its result. Its
    command in dvc.yaml begins with `exec`, as its parent would otherwise be a waiting shell. A
    stage that was orphaned before this call runs to its end, and the next `dvc repro` waits for it.
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
        log("interrupted: nothing half-written is kept; run the same command to continue.")
        sys.exit(EXIT_INTERRUPTED)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        act = "write" if error.errno in WRITING else "read or write"
        # Arrow puts the file's name into the text, in front of the system's message.
        reason = (error.strerror or "").partition(". Detail:")[0]
        place = error.filename or ("the output" if error.errno in WRITING else f"({reason})")
        log(f"error: cannot {act} {place}: {DISK_ERRORS[error.errno]}, then run the command again.")
        sys.exit(EXIT_MISTAKE)
    except (MemoryError, RuntimeError) as error:
        if "deterministic" in str(error):  # raised by torch where it has no such algorithm
            first = str(error).strip().partition("\n")[0]
            log(
                f"error: this device cannot compute the stage repeatably ({first}). Run it on "
                f"another: CUDA_VISIBLE_DEVICES= in front of the command hides the GPU."
            )
            sys.exit(EXIT_MISTAKE)
        # torch raises a RuntimeError where memory, of the GPU or the machine, is full.
        if isinstance(error, RuntimeError) and not FULL_MEMORY.search(str(error)):
            raise
        reason = str(error).strip().partition("\n")[0] or "out of memory"
        log(
            f"error: memory does not suffice ({reason}). Use smaller batches or smaller numbers in "
            f"params.yaml, less data, or a larger machine."
        )
        sys.exit(EXIT_MISTAKE)


def _end_with(parent: int) -> None:
    """Send this process a SIGTERM once its parent has changed, as it does for an orphan."""
    while os.getppid() == parent:
        time.sleep(WATCH_INTERVAL)
    log("the dvc that called this stage has ended: ending too")
    os.kill(os.getpid(), signal.SIGTERM)
