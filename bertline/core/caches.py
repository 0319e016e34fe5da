"""A place for the caches of libraries where the user has none, as in a container with `--user`.

numba refuses to compile without a cache, matplotlib warns, and what huggingface_hub fetches has no
place. Each looks below the user's cache folder, or at a variable, when it is imported.
"""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

import platformdirs


def settle() -> None:
    """Name a folder of this user's own for caches, unless the usual one can be written to.

    Variables that are set and name another place for one library are left as they are.
    """
    try:
        if _is_writable(platformdirs.user_cache_path()):
            return
    except RuntimeError:  # neither HOME nor the list of users says where the home is
        pass
    folder = _private_folder()
    os.environ["XDG_CACHE_HOME"] = str(folder)  # huggingface_hub, fontconfig, numba, our own
    os.environ.setdefault("NUMBA_CACHE_DIR", str(folder / "numba"))  # where it ignores XDG: macOS
    os.environ.setdefault("MPLCONFIGDIR", str(folder / "matplotlib"))


def _is_writable(path: Path) -> bool:
    """Return whether `path` is a folder that this process can write to, or can make."""
    nearest = next(place for place in (path, *path.parents) if place.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _private_folder() -> Path:
    """Return a folder that only this user can write to: caches hold code that is run."""
    folder = Path(tempfile.gettempdir(), f"bertline-{os.getuid()}")
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()  # of a link, not of what it leads to: anyone could have made one
    is_own = status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & 0o022
    if stat.S_ISDIR(status.st_mode) and is_own:
        return folder
    return Path(tempfile.mkdtemp(prefix="bertline-"))
