"""Render what `bench` measured as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

TITLES = {
    "training": "Fine-tuning",
    "large": "Fine-tuning an encoder of bert-base's shape",
    "embedding": "Embedding",
    "topics": "Topics",
    "busy": "Threads, on idle and on busy cores",
    "profile": "Where the time goes",
}

READING = """\
Medians over repeats in turn (A B C A B C), each in a fresh process; ranges over the repeats in
brackets. *Bertline's ratio* is how many times as many items a second Bertline's first row does,
taken within each repeat. CPU time is that of all threads, for each item. Imports, loading, warming
up and scoring are not timed. Memory is the peak of the resident memory until the clock stopped, of
all processes of a row together."""


def render(found: Mapping[str, Any]) -> str:
    """Return the results as Markdown. found: what `bench` writes as JSON."""
    sections = found["sections"]
    repeats, slow = found["sizes"]["repeats"], found["sizes"]["slow_repeats"]
    told = f"`make bench`, {found['minutes']} minutes; repeats: {repeats}, of what is slow {slow}."
    parts = ["# Benchmarks", "", told, "", READING, ""]
    parts += [*_goals(sections), *_machine(found["machine"])]
    for name, section in sections.items():
        parts += [f"## {TITLES[name]}", "", *RENDERERS[name](section), ""]
    parts += _peak_shares(sections, found["machine"])
    return "\n".join(parts).rstrip() + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def with_range(values: Mapping[str, float], digits: int = 1) -> str:
    """Return median and range: `8.1 [7.9, 8.4]`."""
    median, low, high = (f"{values[name]:,.{digits}f}" for name in ("median", "low", "high"))
    return f"{median} [{low}, {high}]"


def _met(row: Mapping[str, Any]) -> str:
    return "" if row["met"] is None else "met" if row["met"] else "missed"


def _goal(row: Mapping[str, Any]) -> str:
    return "" if row["goal"] is None else f"{row['goal']:g}"


def _same(row: Mapping[str, Any]) -> str:
    return {True: "yes", False: "no", None: "undefined"}[row["same"]]


def _goals(sections: Mapping[str, Any]) -> list[str]:
    """Return a table of all ratios that have a goal."""
    rows = [
        [TITLES[name], row["name"], with_range(row["ratio"], 2), _goal(row), _met(row), _same(row)]
        for name, section in sections.items()
        for row in section.get("rows", [])
        if row["goal"] is not None
    ]
    if not rows:
        return []
    header = ["", "beside", "Bertline's ratio", "goal", "", "quality holds"]
    return [*table(header, rows), ""]


def _machine(facts: Mapping[str, Any]) -> list[str]:
    one, every = facts["peaks"]["one_thread"], facts["peaks"]["all_cores"]
    rows = [
        ["processor", f"{facts['processor']}, {facts['cores']} cores used"],
        ["instruction sets", ", ".join(facts["instruction_sets"])],
        ["bf16", "native" if facts["native_bf16"] else "not native: Bertline computes in fp32"],
        ["memory", f"{facts['memory_gib']} GiB"],
        ["system", f"{facts['system']}, Python {facts['python']}"],
        ["packages", ", ".join(f"{name} {at}" for name, at in facts["packages"].items())],
        *(
            [label, f"{one[key]:,.0f} with one thread, {every[key]:,.0f} with all cores"]
            for label, key in (
                ("GEMM peak in fp32, GFLOP/s", "fp32_gflops"),
                ("GEMM peak in bf16, GFLOP/s", "bf16_gflops"),
                ("copies of memory, GB/s", "copy_gb"),
            )
        ),
    ]
    return ["## Machine", "", *table(["", ""], rows), ""]


def _speed(row: Mapping[str, Any]) -> list[str]:
    """Return the cells that the tables of all comparisons have."""
    layout = f"{row['processes']} × {row['threads']}"
    return [
        *(row["name"], layout, with_range(row["per_second"]), with_range(row["ratio"], 2)),
        *(_goal(row), _met(row), f"{row['cpu_ms']['median']:.1f}", f"{row['peak_memory_mib']:,}"),
    ]


SPEED = [
    *("", "processes × threads", "a second", "Bertline's ratio", "goal", ""),
    *("CPU ms each", "memory, MiB"),
]


def _training(section: Mapping[str, Any]) -> list[str]:
    rows = []
    for row in section["rows"]:
        scores = row["quality"]
        interval = "-"
        if scores["low"] is not None:
            interval = f"[{scores['low']:+.3f}, {scores['high']:+.3f}]"
        quality = [f"{scores['mcc']:.3f}", interval, _same(row), f"{scores['loss']:.3f}"]
        rows.append(_speed(row) + quality)
    told = (
        f"One epoch over {section['sentences']:,} sentences of minimal-pairs, the same for all; "
        f"sentences a second. MCC and loss are on held-out sentences, means over the seeds; the "
        f"interval is that of the difference to Bertline's MCC, undefined where all answers are "
        f"of one class, as after few steps."
    )
    header = [*SPEED, "MCC", "difference", "holds 0", "loss"]
    return [told, "", *table(header, rows)]


def _embedding(section: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            *_speed(row),
            f"{row['quality']['mean']:.5f}",
            f"{row['quality']['least']:.5f}",
            _same(row),
        ]
        for row in section["rows"]
    ]
    told = (
        f"{section['documents']:,} documents of newsgroups-tokens, documents a second. Cosines are "
        f"to the vectors of the plain `encode`; .999 on average and .99 at least are asked for."
    )
    return [told, "", *table([*SPEED, "mean cosine", "least", "holds"], rows)]


def _topics(section: Mapping[str, Any]) -> list[str]:
    rows = []
    for row in section["rows"]:
        found = row["quality"]
        parts = [with_range(seconds) for seconds in row["parts"].values()]
        quality = [f"{found['topics']:.0f}", f"{found['coverage']:.2f}", f"{found['npmi']:.3f}"]
        rows.append(
            _speed(row) + parts + [*quality, f"{found['ami']:.3f}", f"{found['ami_new']:.3f}"]
        )
    told = (
        f"{section['documents']:,} documents with the same vectors, {section['new']:,} of them "
        f"new: topics and their words, the 2-D map, and the assignment of the new ones; documents "
        f"a second. AMI is that with the newsgroups, outliers counted as a topic."
    )
    parts = [f"{part}, s" for part in section["rows"][0]["parts"]]
    header = [*SPEED, *parts, "topics", "coverage", "NPMI", "AMI", "AMI, new"]
    return [told, "", *table(header, rows)]


def _busy(section: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            row["name"],
            f"{section['batch'] / row['per_second']['median']:.2f}",
            with_range(row["ratio"], 2),
        ]
        for row in section["rows"]
    ]
    told = (
        "Bertline's training in one process, with idle cores and with two other processes that "
        "compute. The ratio is that of the first row to each."
    )
    return [told, "", *table(["", "s per step of 32", "ratio"], rows)]


def _profile(section: Mapping[str, Any]) -> list[str]:
    names = list(section)
    groups = list(dict.fromkeys(group for one in section.values() for group in one["shares"]))
    rows = [
        [group, *(f"{section[name]['shares'].get(group, 0):.1%}" for name in names)]
        for group in groups
    ]
    lines = ["Shares of the time of torch's operators, Python and tokenization left out.", ""]
    lines += [*table(["", *names], rows), ""]
    for name in names:
        found = list(section[name]["operators"].items())[:8]
        slowest = ", ".join(f"`{operator}` {share:.1%}" for operator, share in found)
        lines.append(f"Slowest operators of {name}: {slowest}.")
    return lines


RENDERERS = {
    "training": _training,
    "large": _training,
    "embedding": _embedding,
    "topics": _topics,
    "busy": _busy,
    "profile": _profile,
}


def _peak_shares(sections: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """Return what share of the measured GEMM peak each contender reaches, padding not counted."""
    rows = []
    for name, section in sections.items():
        for row in section.get("rows", []):
            if "gflops" not in row or name == "busy":
                continue
            used = row["processes"] * row["threads"]
            peaks = facts["peaks"]["one_thread" if used == 1 else "all_cores"]
            rate = row["gflops"]["median"]
            shares = [f"{rate / peaks[key]:.0%}" for key in ("bf16_gflops", "fp32_gflops")]
            rows.append([TITLES[name], row["name"], f"{rate:,.0f}", *shares])
    if not rows:
        return []
    told = (
        "Operations of the matrix products that the word pieces need, padding left out, by the "
        "formula in `benchmarks/inputs.py`, as a share of the measured GEMM peak of the cores used."
    )
    header = ["", "", "GFLOP/s", "of the bf16 peak", "of the fp32 peak"]
    return ["## Distance to the machine's limit", "", told, "", *table(header, rows)]
