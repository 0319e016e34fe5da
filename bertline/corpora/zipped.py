"""Read a text file that a publisher packs into a zip archive, with limits that no bomb passes."""

import lzma
import struct
import zipfile
import zlib
from pathlib import Path

from bertline.core.errors import BertlineError

# Of one file, unpacked. CoLA's largest has 429 kB; a million sentences have some 100 MB.
MAX_BYTES = 2 << 30
# A member may unpack to this many times the archive's size, or to LEAST_LIMIT: text packs to a
# fifth, even a made-up corpus hardly to a fiftieth, and a bomb to a thousandth.
LARGEST_RATIO = 100
LEAST_LIMIT = 1 << 20

# What zipfile raises for an archive that is damaged, encrypted or packed in a way it cannot read.
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, RuntimeError, ValueError, OverflowError),
)


def read(
    folder: Path, archive: str | None, name: str, *, layout: str, edition: str
) -> tuple[str, bytes]:
    """Return where the file `name` is, in words, and its bytes.

    It lies in `folder`, or in the zip file `archive` of it. `layout` says which files belong
    there, `edition` what the archive should be; both are for messages. Raises BertlineError for a
    file that is missing, and an archive that cannot be read or unpacks to too much.
    """
    if archive is None:
        path = folder / name
        if not path.is_file():
            raise BertlineError(f"{path} does not exist; {layout}.")
        return str(path), path.read_bytes()
    path = folder / archive
    place = f"{path}: {name}"
    try:
        with zipfile.ZipFile(path) as bundle:
            entries = [entry for entry in bundle.infolist() if entry.filename == name]
            if not entries:
                raise BertlineError(f"{path} has no member {name}; is it {edition}?")
            if len(entries) > 1:
                raise BertlineError(
                    f"{path} has {len(entries)} members named {name}, so it is not clear which is "
                    f"meant. Pack the archive anew."
                )
            size = entries[0].file_size
            limit = min(MAX_BYTES, max(LEAST_LIMIT, LARGEST_RATIO * path.stat().st_size))
            if size > limit:
                raise BertlineError(
                    f"{place} unpacks to {size:,} bytes; at most {limit:,} are read from an "
                    f"archive of this size. Unpack it, and leave out `archive` in sources.yaml."
                )
            return place, bundle.read(entries[0])
    except UNREADABLE as error:
        raise BertlineError(f"{path} is not a zip file that can be read: {error}.") from error
