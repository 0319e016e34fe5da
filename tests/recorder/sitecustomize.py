"""Record which files of the project a stage's process used.

Python imports this module at its start from a folder of PYTHONPATH. In a process that DVC has
started for a stage (it names it in DVC_STAGE) the modules that are loaded at the end, and the files
that were opened for reading and still exist, go to `<stage>.<process>.json` in the folder that
USED_FILES names, as paths relative to the project. `tests.project.run_first` sets it up.

Modules are taken from `sys.modules`, since Python reads them from `__pycache__`. Files that
receipt.py and dependencies.py open are left out: they hash what a stage declares. Files that
compiled libraries such as Arrow open are not recorded.
"""

import atexit
import json
import os
import sys
from pathlib import Path
from types import FrameType

WRITING = os.O_WRONLY | os.O_RDWR
HASHING = ("/bertline/core/receipt.py", "/bertline/core/dependencies.py")


class Recorder:
    """Listens for files that the process opens, and writes the record when it ends."""

    def __init__(self, project: Path, target: Path) -> None:
        self.project = f"{project}/"
        self.target = target
        self.opened: set[str] = set()
        sys.addaudithook(self.hear)
        atexit.register(self.write)

    def hear(self, event: str, arguments: tuple) -> None:
        """Record a file of the project that is opened for reading."""
        if event != "open":
            return
        path, _, flags = arguments
        if not isinstance(path, str | bytes) or (flags or 0) & WRITING:
            return
        name = os.fsdecode(path)
        inside = self.inside(name if name.startswith("/") else self.project + name)
        if inside and not _called_to_hash(sys._getframe()):
            self.opened.add(inside)

    def inside(self, path: str) -> str | None:
        """Return an absolute path relative to the project, or None if it lies elsewhere."""
        whole = os.path.normpath(path)
        return whole.removeprefix(self.project) if whole.startswith(self.project) else None

    def write(self) -> None:
        """Write the record, without Python's own caches."""
        loaded = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        modules = {name for path in loaded if path and (name := self.inside(path))}
        opened = {name for name in self.opened if Path(self.project, name).is_file()}
        opened = {name for name in opened if "__pycache__" not in name}
        used = {"modules": sorted(modules), "opened": sorted(opened)}
        self.target.write_text(json.dumps(used), encoding="utf-8")


def _called_to_hash(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.endswith(HASHING):
            return True
        frame = frame.f_back
    return False


if {"DVC_STAGE", "USED_FILES"} <= set(os.environ):
    Recorder(
        Path.cwd(),
        Path(os.environ["USED_FILES"], f"{os.environ['DVC_STAGE']}.{os.getpid()}.json"),
    )
