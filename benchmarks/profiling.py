"""Where the time of a training step and of embedding goes, by groups of torch's operators."""

import re
from typing import Any

from torch.profiler import ProfilerActivity, profile

from benchmarks import ours
from benchmarks.contender import Clock

# Groups of operators by their names; the first that fits counts.
GROUPS = (
    ("matrix products", r"mm$|mm_|bmm|matmul|linear|mkldnn|onednn|scaled_dot|flash_attention"),
    ("random numbers of dropout", r"dropout|bernoulli|rand|uniform|philox"),
    ("normalisation, activations, softmax, loss", r"layer_norm|gelu|softmax|tanh|nll|relu|erf"),
    ("optimiser and clipping", r"adam|foreach|linalg|(^|::)norm|clip|clamp"),
    (
        "copies and casts",
        r"copy|_to\b|::to$|clone|contiguous|::cat$|index|embedding|gather|scatter",
    ),
    ("fills", r"fill|zero|ones|full"),
)
REST = "rest"


def group_of(operator: str) -> str:
    """Return the group of an operator, such as `aten::addmm`."""
    return next((name for name, pattern in GROUPS if re.search(pattern, operator)), REST)


def shares(times: dict[str, float]) -> dict[str, float]:
    """Return the share of each group in the time of all operators, largest first.

    times: of each operator itself, those that it calls left out.
    """
    total = sum(times.values())
    found: dict[str, float] = {}
    for operator, time in times.items():
        found[group_of(operator)] = found.get(group_of(operator), 0.0) + time
    return {name: found[name] / total for name in sorted(found, key=lambda name: -found[name])}


def _profiled(contender: Any, clock: Clock, settings: dict[str, Any]) -> dict[str, Any]:
    profiler = profile(activities=[ProfilerActivity.CPU], **_all_threads())
    outcome = contender(Clock(around=profiler), **settings)
    times = {
        event.key: event.self_cpu_time_total
        for event in profiler.key_averages()
        if event.self_cpu_time_total > 0
    }
    slowest = sorted(times, key=lambda name: -times[name])[:12]
    total = sum(times.values())
    with clock.timing():  # the outcome of a contender has seconds; these are of no interest
        pass
    return {
        "items": outcome["items"],
        "shares": shares(times),
        "operators": {name: times[name] / total for name in slowest},
    }


def _all_threads() -> dict[str, Any]:
    """Return the option that lets the profiler see threads that Python starts."""
    from torch._C._profiler import _ExperimentalConfig

    return {"experimental_config": _ExperimentalConfig(profile_all_threads=True)}


def training(clock: Clock, **settings: Any) -> dict[str, Any]:
    """Profile `ours.fine_tune`. settings: its keywords."""
    return _profiled(ours.fine_tune, clock, settings)


def embedding(clock: Clock, **settings: Any) -> dict[str, Any]:
    """Profile `ours.embed`. settings: its keywords."""
    return _profiled(ours.embed, clock, settings)
