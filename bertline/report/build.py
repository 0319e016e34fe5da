"""Build a report, of the classifiers or of the topics: one HTML page, beside its images.

It needs neither network nor scripts, and reads well on a phone and on paper. Jinja2 escapes all
text of the data (titles, names of sets, words of topics).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jinja2

from bertline.figures.results import GROUPINGS, Analysis, Classification, Topics, plain
from bertline.report import tables
from bertline.scoring.names import BOTH, MEAN, TRAINING, VALIDATION, of_seed
from bertline.scoring.tables import BETTER, SCALED, UNCALIBRATED, WORSE

PIXELS_PER_INCH = 96  # of CSS
# Figures that stand in sections of their own; the others are with the scores or the topics.
SECTIONS = {
    "breakdown": "errors",
    "reliability": "calibration",
    "topic_stability": "stability",
    "topic_baselines": "baselines",
}


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


def classification(sentences: Classification, analysis: Analysis, shown: Sequence[Shown]) -> str:
    """Return the page of the classifiers; `shown` are the figures beside it, in their order."""
    tested = analysis.breakdown[analysis.breakdown["set"] == analysis.whole]
    means = analysis.calibration[analysis.calibration["seed"] == MEAN]
    names = dict(both=BOTH, validation=VALIDATION, training=TRAINING, groupings=GROUPINGS)
    return _render(
        "classification.html",
        shown,
        **names,
        sentences=sentences,
        analysis=analysis,
        **_tests(sentences),
        decisions=_decisions(sentences),
        significant={finding: tested[tested["finding"] == finding] for finding in (WORSE, BETTER)},
        uncalibrated=means[means["scaled"] == UNCALIBRATED],
        scaled=SCALED in set(analysis.calibration["scaled"]),
    )


def topics(documents: Topics, shown: Sequence[Shown]) -> str:
    """Return the page of the topics; `shown` are the figures beside it, in their order."""
    return _render("topics.html", shown, documents=documents)


def _render(template: str, shown: Sequence[Shown], **values: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bertline.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for show in (tables.number, tables.share, tables.points, plain):
        environment.filters[show.__name__] = show
    page = environment.get_template(template)
    return page.render(tables=tables, figures=_sort(shown), **values)


def _sort(shown: Sequence[Shown]) -> dict[str, list[Shown]]:
    """Return the figures of each section of the page."""
    sections: dict[str, list[Shown]] = {
        name: [] for name in ("scores", "topics", *SECTIONS.values())
    }
    for figure in shown:
        kind = figure.name.partition("/")[0]
        other = "topics" if kind.startswith("topic_") else "scores"
        sections[SECTIONS.get(kind, other)].append(figure)
    return sections


def _tests(sentences: Classification) -> dict[str, list[str]]:
    """Return the test sets that the source has, and those that were drawn."""
    names = [name for name in sentences.sets if name not in (VALIDATION, BOTH)]
    published = [name for name in names if name in sentences.published]
    return {"published": published, "drawn": [name for name in names if name not in published]}


def _decisions(sentences: Classification) -> dict[str, list[float]]:
    """Return the threshold and the temperature of each seed's model."""
    rows = sentences.decisions.set_index("model").loc[[of_seed(seed) for seed in sentences.seeds]]
    return {name: rows[name].tolist() for name in ("threshold", "temperature")}
