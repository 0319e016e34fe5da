"""The report: one page that holds, escapes and links what it should, and needs nothing else."""

import html.parser
import re
import tomllib
from dataclasses import replace

import pytest

from bertline.figures.results import OWN
from bertline.report import build, tables
from bertline.scoring.names import BOTH, MEAN
from bertline.sources import catalogue
from tests.command import PROJECT

VOID = {"meta", "img"}
SMALL = {"documents": 600, "topics": 40}
NOTES = {"validation": ["Uneven."], BOTH: ["Uneven.", "Few."]}
SHOWN = [
    build.Shown("scores", 'Scores. A "quoted" title', 8, 4),
    build.Shown("confusion/in domain#1", "Confusion", 5, 4),
    *(build.Shown(name, name, 8, 4) for name in ("reliability", "breakdown/major", "topic_map")),
    *(build.Shown(name, name, 8, 4) for name in ("topic_baselines", "topic_stability")),
]


class Page(html.parser.HTMLParser):
    """The elements of a page, its text, and whether every element is closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(source)
        self.text = re.sub(r"\s+", " ", "".join(self.words))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def page(classification, analysis):
    """Return a function that builds the classifiers' page of results with options, or of errors."""

    def build_page(*, errors=None, **options) -> Page:
        errors = analysis() if errors is None else errors
        return Page(build.classification(classification(**options), errors, SHOWN))

    return build_page


@pytest.fixture
def topics_page(topics):
    """Return a function that builds the page of stored topics, or of given ones."""

    def build_page(documents=None) -> Page:
        return Page(build.topics(topics(**SMALL) if documents is None else documents, SHOWN))

    return build_page


@pytest.fixture
def pages(page, topics_page) -> list[Page]:
    """Return both pages."""
    return [page(), topics_page()]


@pytest.mark.parametrize("place", [0, 1], ids=["classification", "topics"])
def test_page_is_well_formed_and_needs_neither_network_nor_scripts(pages, place):
    built = pages[place]

    assert built.open == []
    assert not {tag for tag, _ in built.elements} & {"script", "link", "iframe", "object", "form"}
    attributes = [pair for _, attrs in built.elements for pair in attrs.items()]
    links = [value for name, value in attributes if name in ("href", "src")]
    assert links and not any(re.match(r"https?:|/|data:", link) for link in links)
    assert not any(name.startswith("on") for name, _ in attributes)
    assert ("http-equiv", "Content-Security-Policy") in attributes
    style = built.text.partition("body {")[2]
    assert not any(word in style for word in ("url(", "@import", "@font-face"))


def test_images_link_to_their_svg_and_have_an_alternative(pages):
    built, of_topics = pages
    images, others = (
        [attrs for tag, attrs in one.elements if tag == "img"] for one in (built, of_topics)
    )

    # In the order of the sections.
    names = ["scores", "confusion/in%20domain%231", "breakdown/major", "reliability"]
    assert [image["src"] for image in images] == [f"{name}.png" for name in names]
    names = ["topic_map", "topic_stability", "topic_baselines"]
    assert [image["src"] for image in others] == [f"{name}.png" for name in names]
    assert images[0]["alt"] == 'Scores. A "quoted" title'
    assert (images[0]["width"], images[0]["height"]) == ("768", "384")
    assert "scores.svg" in [attrs.get("href") for tag, attrs in built.elements if tag == "a"]


def test_key_figures_stand_beside_baselines_and_spread(page, classification):
    text = page().text
    loaded = classification()

    mean = loaded.score("out_of_domain_dev", MEAN)
    lowest, highest = (loaded.summary["both_dev"][key] for key in ("mcc_min", "mcc_max"))
    for part in (
        f"{mean['mcc']:.3f}",
        f"{mean['mcc_low']:.3f} to {mean['mcc_high']:.3f}",
        f"{lowest:.3f} to {highest:.3f}",
        *("0.240", "0.038", "1,043", "516", "MCC of ensemble", "95% interval"),
        *("MCC, mean of 3 seeds", "Macro F1", "Accuracy of majority", "70.0%"),
    ):
        assert part in text


@pytest.mark.parametrize(
    ("options", "told", "untold"),
    [
        (
            {},
            [
                "3 models were trained on 7,695 sentences, with the seeds 1, 2, 3.",
                "in_domain_dev, out_of_domain_dev: used as published",
                "validation was held out of the training set",
                "A 95% confidence interval for the mean over all seeds and all sentences",
                "from the sentences and from the seeds: in_domain_dev 0.028 and 0.011",
                "The class with the highest probability is predicted, by every model",
                "2 classes: unacceptable, acceptable.",
                "both_dev is the in-domain and the out-of-domain dev set together",
            ],
            ["adapted", "Intermediate training", "Gorodkin", "Drawn test set"],
        ),
        (
            {"seeds": (1,), "sets": {"test": 64}, "drawn": ["test"]},
            [
                "One model was trained on 7,695 sentences, with seed 1.",
                "It does not include the spread between seeds.",
                "test: drawn from the training set before anything was trained",
            ],
            ["validation was held out", "MCC of ensemble", "used as published"],
        ),
        (
            {
                "labels": [f"class {n}" for n in range(15)],
                "drawn": [],
                "notes": NOTES,
            },
            [
                "15 classes: class 0, class 1,",
                "class 11 and 3 more. validation, both_dev: Uneven. both_dev: Few. Key figures",
                "of Gorodkin for more than two classes",
                "validation was published beside the training set",
                "All 30 classes and sets",
            ],
            [],
        ),
        (
            {"chosen": "validation"},
            [
                "A sentence is predicted to be acceptable above a probability that maximises",
                "the MCC on validation, chosen for each model",
                "Thresholds of the seeds: 0.620, 0.620, 0.620.",
                "temperature of least loss on validation. Temperatures of the seeds: 1.700",
            ],
            ["nothing was tuned"],
        ),
        (
            {"adapted": 3},
            [
                "Backbone minilm, adapted, fine-tuned with 3 seeds.",
                "in 65,000 sentences of the documents, without labels, for 3 epochs",
                "held-out sentences with an MCC of 0.610",
            ],
            ["the new classification head"],
        ),
    ],
    ids=["default", "one-seed", "many-classes", "chosen-on-validation", "intermediate-training"],
)
def test_protocol_says_how_the_scores_came_about(page, options, told, untold):
    text = page(**options).text

    for part in told:
        assert part in text
    for part in untold:
        assert part not in text


def test_table_of_topics_has_outliers_apart_and_the_rest_summed(topics_page, topics):
    documents = topics(**SMALL)
    text = topics_page().text

    assert f"-1{documents.outliers}" in text
    assert "10 smaller topics together" in text
    assert f"{documents.table['count'].iloc[30:].sum():,}" in text
    assert "The 30 largest of 40 topics." in text
    assert "0.410" in text  # NMI


def test_more_topics_than_there_are_make_one_row_of_the_table_of_numbers(topics):
    documents = topics(**SMALL)
    documents.by_number.loc[documents.by_number["topics"] > 30, "topics"] = 38

    rows = tables.numbers_of_topics(documents).rows

    assert [row[0] for row in rows] == ["10", "20", "30", "38"]


def test_documents_without_groups_or_topics_are_said_to_have_none(topics_page, topics):
    text = topics_page(topics(topics=0, documents=20, groups=False)).text

    assert "20 (100.0%)" in text
    assert "All topics." in text
    assert "There are no topics to match." in text
    assert "the documents have no known groups" in text


def test_synthetic_corpus_is_called_synthetic_in_heading_and_figures(page, classification):
    title = catalogue.load_title("minimal-pairs", PROJECT / "sources.yaml")

    assert "synthetic" in title
    assert f"Classification: {title}" in page(title=title).text
    assert "synthetic" in classification(title=title).source  # in the subtitle of each figure


@pytest.mark.parametrize("evil", ["<script>alert(1)", "</style>", "<img src=x onerror=y>"])
def test_markup_in_data_is_shown_as_text_and_adds_no_element(
    page, topics_page, analysis, topics, evil
):
    name = evil.replace("/", "|")  # a set names a file of evaluate's
    options = {"seeds": (1,), "epochs": 1}

    def build_pages(text: str, name: str) -> list[Page]:
        errors = analysis(sets={"test": 64}, sources=(text, "b"), phenomena=(text, "c"), words=text)
        words = {topic: [text] for topic in range(5)}
        documents = topics(title=f"second {text}", topics=5, documents=100, words=words)
        title = f"first {text}"
        built = page(errors=errors, title=title, sets={name: 64}, **options)
        return [built, topics_page(documents)]

    harmless = re.sub(r"\S+", "x", evil)  # as many words: groups by length are the same
    said = [(f"first {evil}", name, evil), (f"second {evil}", evil)]
    both = zip(build_pages(harmless, "x"), build_pages(evil, name), said, strict=True)

    for plain, built, texts in both:
        assert [tag for tag, _ in built.elements] == [tag for tag, _ in plain.elements]
        assert built.open == []
        assert all(text in built.text for text in texts)


def test_errors_are_broken_down_and_the_most_confident_ones_are_shown(page, analysis):
    loaded = analysis()
    text = page().text

    rate = f"{loaded.everything['error_rate']:.1%}"
    assert f"{rate} of 1,043 test sentences are misclassified" in text
    assert "No group is significant." in text
    missing = loaded.summary["breakdown"]["intervals_missing_by_chance"]
    assert f"about {missing:,.0f} miss the true value" in text
    assert "1,043 of 1,043 test sentences are annotated" in text
    assert len(loaded.errors) == 5
    for error in loaded.errors:
        assert error["text"] in text
        classes = f"{error['label']}{error['predicted']}"
        assert f"{classes}{error['probability']:.1%}{error['seeds_wrong']} of 3" in text


def test_each_class_has_its_scores_with_intervals(page):
    text = page(labels=("ham", "spam", "<phish>"), sets={"test": 90}).text

    assert "testspam360.7200.640 to 0.8000.6600.570 to 0.7500.6900.620 to 0.760" in text
    assert "test<phish>" in text


def test_significant_groups_are_named_with_their_difference(page, analysis):
    loaded = analysis()
    chosen = (loaded.breakdown["set"] == "both_dev") & (loaded.breakdown["group"] == "gj04")
    loaded.breakdown.loc[chosen, "finding"] = "more errors"
    row = loaded.breakdown[chosen].iloc[0]

    text = page(errors=loaded).text

    said = f"More errors than the rest. gj04 (source: {row['error_rate']:.1%} of {row['sentences']}"
    assert said in text
    assert "No group is significant." not in text


def test_missing_annotations_and_errors_are_said(page, analysis):
    loaded = replace(analysis(sets={"test": 64}, phenomena=()), errors=[])

    text = page(errors=loaded).text

    assert "No sentence is annotated" in text
    assert "No test sentence is misclassified by most seeds." in text
    assert "There is no validation fold to fit one on." in text


def test_calibration_and_overfitting_are_reported(page, analysis):
    loaded = analysis()
    text = page().text

    means = loaded.calibration.query("seed == 'mean of seeds' and set == 'both_dev'")
    assert len(means) == 2
    for row in means.to_dict("records"):
        assert f"{row['ece']:.3f}{row['ece_if_calibrated']:.3f}" in text
    notes = loaded.summary["notes"]
    assert notes and all(note in text for note in notes)
    for rule in ("highest validation MCC", "lowest validation loss", "last epoch"):
        assert rule in text


def test_what_makes_topics_poor_is_told_above_them(topics_page, topics):
    documents = topics(**SMALL)
    noted = replace(documents, measures=documents.measures | {"notes": ["Most <b> are unknown."]})

    assert "notes" not in [attrs.get("class") for _, attrs in topics_page().elements]
    assert "Most <b> are unknown. Key figures" in topics_page(noted).text


def test_stability_is_told_in_counts(topics_page):
    text = topics_page().text

    assert "clustered again 10 times" in text
    assert "20 of 40 topics are stable" in text
    assert "40.0% of all documents are in the core of a stable topic" in text
    assert "found 55 to 68 topics" in text


@pytest.mark.parametrize(
    ("own", "told"),
    [
        # KeyNMF has (.15 - n / 1000) * .95 at 10 to 50 topics, in the mean .12 * .95 = .114; its SD
        # over seeds is .002.
        (0.15, "0.150 for Bertline and 0.114 for KeyNMF, the best other model. Bertline leads by"),
        (0.1165, "Bertline leads by 0.003."),
        (0.1155, "The difference is within the spread of KeyNMF over seeds (SD up to 0.002)."),
        (0.1125, "The difference is within the spread of KeyNMF over seeds (SD up to 0.002)."),
        (0.1, "KeyNMF leads by 0.014."),
    ],
)
def test_the_best_other_model_is_compared_with_both_figures(topics_page, topics, own, told):
    documents = topics(**SMALL)
    rows = documents.baselines["model"] == OWN
    documents.baselines.loc[rows, "npmi_times_coverage"] = own

    text = topics_page(documents).text

    assert told in text
    held_out = "0.100 KeyNMF, 0.100 Bertline (graph), 0.100 NMF, 0.100 LDA."
    assert f"that a model was not fitted to: {held_out}" in text
    assert "automatic40265.0%" in text  # the model that chooses its number of topics


def test_without_other_models_the_report_says_how_to_compare(topics_page, topics):
    documents = topics(**SMALL)
    alone = documents.baselines[documents.baselines["model"] == OWN]

    text = topics_page(replace(documents, baselines=alone)).text

    assert "No other topic models were compared; make baselines compares them." in text


def test_the_package_ships_every_template():
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    package = PROJECT / "bertline"

    patterns = settings["tool"]["setuptools"]["package-data"]["bertline"]
    shipped = {path for pattern in patterns for path in package.glob(pattern)}
    assert shipped >= set((package / "report" / "templates").iterdir())
