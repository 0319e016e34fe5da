"""Build the report: one HTML page, beside the images that it shows.

It needs neither network nor scripts, and reads well on a phone and on paper. Jinja2 escapes all
text of the data (titles, names of sets, words of topics).
"""

from collections.abc import Sequence
from typing import NamedTuple

import jinja2

from bertline.figures.results import GROUPINGS, Acceptability, Analysis, Topics, plain
from bertline.report import tables
from bertline.scoring.names import BOTH, TRAINING, VALIDATION, of_seed
from bertline.scoring.tables import BETTER, SCALED, WORSE

PIXELS_PER_INCH = 96  # of CSS


class Shown(NamedTuple):
    """A figure of the report: its file without the ending, its text alternative, its inches."""

    name: str
    alternative: str
    width: float
    height: float

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height in pixels of CSS."""
        return round(self.width * PIXELS_PER_INCH), round(self.height * PIXELS_PER_INCH)


def build(
    sentences: Acceptability, analysis: Analysis, documents: Topics, shown: Sequence[Shown]
) -> str:
    """Return the page; `shown` are the figures beside it, in their order on the page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bertline.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for show in (tables.number, tables.share, tables.interval, tables.points, plain):
        environment.filters[show.__name__] = show
    names = dict(both=BOTH, validation=VALIDATION, training=TRAINING, groupings=GROUPINGS)
    return environment.get_template("report.html").render(
        **names,
        sentences=sentences,
        analysis=analysis,
        documents=documents,
        tables=tables,
        figures=_sort(shown),
        tests=[name for name in sentences.sets if name not in (VALIDATION, BOTH)],
        decisions=_decisions(sentences),
        significant={
            finding: analysis.breakdown.query("set == @analysis.whole and finding == @finding")
            for finding in (WORSE, BETTER)
        },
        uncalibrated=analysis.calibration.query("seed == @MEAN and scaled == @UNCALIBRATED"),
        scaled=SCALED in set(analysis.calibration["scaled"]),
    )


def _sort(shown: Sequence[Shown]) -> dict[str, list[Shown]]:
    """Return the figures of each section of the page."""
    sections: dict[str, list[Shown]] = {
        **{"scores": [], "errors": [], "calibration": []},
        **{"topics": [], "stability": [], "baselines": []},
    }
    apart = {
        "reliability": "calibration",
        "topic_stability": "stability",
        "topic_baselines": "baselines",
    }
    for figure in shown:
        kind = figure.name.partition("/")[0]
        if kind == "breakdown":
            sections["errors"].append(figure)
        elif kind in apart:
            sections[apart[kind]].append(figure)
        else:
            sections["topics" if kind.startswith("topic_") else "scores"].append(figure)
    return sections


def _decisions(sentences: Acceptability) -> dict[str, list[float]]:
    """Return the threshold and the temperature of each seed's model."""
    rows = sentences.decisions.set_index("model").loc[[of_seed(seed) for seed in sentences.seeds]]
    return {name: rows[name].tolist() for name in ("threshold", "temperature")}
