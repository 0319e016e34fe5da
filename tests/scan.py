"""Find what can run code when it is read: in Python's own words, and in the bytes of files."""

import ast
import io
import json
import pickletools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

# Modules that read or write pickles or Python's own bytes. Libraries use some of them between their
# processes; what counts here is what the project itself does.
MODULES = {
    *("pickle", "_pickle", "cPickle", "dill", "cloudpickle", "jsonpickle", "joblib", "shelve"),
    *("marshal", "diskcache"),
}
FUNCTIONS = {"eval", "exec", "compile", "__import__"}
# By the end of what is called: the object before the dot has any name.
METHODS = {"read_pickle", "to_pickle", "read_hdf", "HDFStore", "extractall", "unpack_archive"}
QUALIFIED = {
    *("torch.load", "torch.save", "torch.jit.load", "torch.hub.load", "BERTopic.load"),
    *("yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "yaml.unsafe_load_all"),
}
# Values that an argument must have where it is given.
ARGUMENTS = {
    "allow_pickle": False,
    "trust_remote_code": False,
    "weights_only": True,
    "use_safetensors": True,
    "serialization": "safetensors",
}
SAFE_LOADERS = {"SafeLoader", "CSafeLoader", "PackageLoader"}  # PyYAML's, and Jinja's of templates
WITHOUT_WEIGHTS = {"AutoConfig", "AutoTokenizer"}


def risks(code: str, *, explicit: bool) -> list[str]:
    """Return what in Python code can run code of what it reads, as `line: what`.

    explicit: whether arguments whose defaults are safe in the locked versions have to be given.
    """
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            named = [node.module or ""]
        elif isinstance(node, ast.Call):
            found += [(node.lineno, risk) for risk in _of_call(node, explicit)]
            continue
        elif isinstance(node, ast.Dict):  # arguments on their way to a call
            given = {ast.unparse(key).strip("'"): value for key, value in _pairs(node)}
            found += [(node.lineno, f"{{{risk}}}") for risk in _of_arguments(given)]
            continue
        else:
            name = _loader(node)
            if name is not None and name not in SAFE_LOADERS:
                found.append((node.lineno, name))
            continue
        found += [(node.lineno, name) for name in named if name.partition(".")[0] in MODULES]
    return [f"{line}: {risk}" for line, risk in sorted(set(found))]


def _loader(node: ast.AST) -> str | None:
    """Return the class of PyYAML's that a node names, also as a string for getattr."""
    name = getattr(node, "attr", None) or getattr(node, "value", None)
    is_loader = isinstance(name, str) and re.fullmatch(r"[A-Z]?[A-Za-z]*Loader", name)
    return name if is_loader else None


def _of_call(node: ast.Call, explicit: bool) -> Iterator[str]:
    called = ast.unparse(node.func)
    last = called.rpartition(".")[2]
    given = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    if called in FUNCTIONS or last in METHODS or called in QUALIFIED:
        yield called
        return
    for name, value in given.items():
        safe = isinstance(value, ast.Constant) and value.value == ARGUMENTS.get(name)
        if name in ARGUMENTS and not safe:
            yield f"{called}({name}={ast.unparse(value)})"
        if name == "typ" and not (
            isinstance(value, ast.Constant) and value.value in ("safe", "rt")
        ):
            yield f"{called}(typ={ast.unparse(value)})"
    if called == "yaml.load" and len(node.args) + len(given) < 2 and explicit:
        yield "yaml.load without a loader"
    if not explicit:
        return
    if called in ("np.load", "numpy.load") and "allow_pickle" not in given:
        yield f"{called} without allow_pickle=False"
    weights = last == "from_pretrained" and called.split(".")[-2] not in WITHOUT_WEIGHTS
    if weights and "use_safetensors" not in given:
        yield f"{called} without use_safetensors=True"
    if last == "SentenceTransformer" and "'use_safetensors': True" not in ast.unparse(node):
        yield f"{called} without use_safetensors=True"
    if last in ("from_pretrained", "SentenceTransformer"):
        # Unset, transformers asks at the terminal whether to run a folder's code.
        for name in ("local_files_only", "trust_remote_code"):
            if name not in given:
                yield f"{called} without {name}"


def _of_arguments(given: Mapping[str, ast.expr]) -> Iterator[str]:
    for name in ARGUMENTS.keys() & given.keys():
        if ast.unparse(given[name]) != repr(ARGUMENTS[name]):
            yield f"{name}={ast.unparse(given[name])}"


def _pairs(node: ast.Dict) -> Iterator[tuple[ast.expr, ast.expr]]:
    return ((key, value) for key, value in zip(node.keys, node.values, strict=True) if key)


def kind_of(content: bytes) -> str:
    """Return of which kind a file's bytes are: one that runs no code when it is read.

    Raises ValueError, with the reason, for a pickle and for anything that is not known.
    """
    if is_pickle(content):
        raise ValueError("a pickle")
    for kind, signature, check in BINARY:
        if content.startswith(signature):
            check(content)
            return kind
    if is_safetensors(content):
        return "safetensors"
    text = content.decode("utf-8")  # raises UnicodeDecodeError, which is a ValueError
    if re.search(r"[\x00-\x08\x0e-\x1f]", text):
        raise ValueError("neither text nor a known kind of file")
    return "text"


def is_pickle(content: bytes) -> bool:
    """Return whether bytes are a pickle of any protocol, or begin as one of protocol 2 to 5."""
    if content[:1] == b"\x80" and content[1:2] <= b"\x05":
        return True
    stream = io.BytesIO(content)
    opcodes = 0
    try:
        for opcode, _, _ in pickletools.genops(stream):
            opcodes += 1
            ended = opcode.name == "STOP"
    except (ValueError, UnicodeDecodeError, OverflowError):
        return False
    # A lone full stop is a text; of a longer one, the whole has to be a pickle.
    return bool(opcodes > 1 and ended and not stream.read().strip())


def is_safetensors(content: bytes) -> bool:
    """Return whether bytes are a safetensors file: a header of JSON, and tensors that fill it."""
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= len(content) - 8:
        return False
    try:
        header = json.loads(content[8 : 8 + length])
    except ValueError:
        return False
    header.pop("__metadata__", None)
    ends = [tensor["data_offsets"][1] for tensor in header.values()]
    return max(ends, default=0) == len(content) - 8 - length


def _check_npy(content: bytes) -> None:
    stream = io.BytesIO(content)
    major, _ = np.lib.format.read_magic(stream)
    readers = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    if readers[major](stream)[2].hasobject:
        raise ValueError("an npy file of objects, which are pickles")


def _check_parquet(content: bytes) -> None:
    for field in pq.read_schema(io.BytesIO(content)):
        if pa.types.is_binary(field.type) or isinstance(field.type, pa.BaseExtensionType):
            raise ValueError(f"a table whose column {field.name} can hold pickles")


def _accept(content: bytes) -> None:
    """Accept what its signature says."""


BINARY = [
    ("npy", b"\x93NUMPY", _check_npy),
    ("parquet", b"PAR1", _check_parquet),
    ("png", b"\x89PNG\r\n\x1a\n", _accept),
]


def scan(folder: Path) -> tuple[dict[str, int], list[str]]:
    """Return how many files of each kind are below a folder, and what is wrong with the others."""
    kinds: dict[str, int] = {}
    wrong = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        try:
            kind = kind_of(path.read_bytes())
        except ValueError as error:
            wrong.append(f"{path.relative_to(folder)}: {error}")
        else:
            kinds[kind] = kinds.get(kind, 0) + 1
    return kinds, wrong
