"""The report: one page that holds, escapes and links what it should, and needs nothing else."""

import dataclasses
import html.parser
import json
from pathlib import Path

import pandas as pd
import pytest

from bertline.figures import analysis, results
from bertline.report import analysis as analysis_part
from bertline.report import build, page
from bertline.sources import catalogue
from tests.command import PROJECT
from tests.figures import stored

VOID = {"meta", "img"}


class Page(html.parser.HTMLParser):
    """The elements of a page, its text, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def build_page(folder: Path, *, topics: dict | None = None, **options) -> str:
    stored.write_metrics(folder / "metrics", **options)
    stored.write_topics(folder / "topics", **({"documents": 600, "topics": 40} | (topics or {})))
    shown = [
        page.Shown("scores", 'Scores. A "quoted" title', 8, 4),
        page.Shown("confusion/in domain#1", "Confusion", 5, 4),
        page.Shown("topic_map", "A map", 11, 8),
    ]
    return build.build(
        results.load_acceptability(folder / "metrics"),
        analysis.load_analysis(folder / "metrics", folder / "analysis"),
        results.load_topics(folder / "metrics", folder / "topics"),
        shown,
    )


def test_page_is_well_formed_and_needs_no_network(tmp_path):
    page = Page(build_page(tmp_path))

    assert page.open == []
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object", "form"}
    links = [
        value
        for _, attrs in page.elements
        for key, value in attrs.items()
        if key in ("href", "src")
    ]
    assert links
    assert not any(link.startswith(("http:", "https:", "//", "/", "data:")) for link in links)
    assert "http" not in build_page(tmp_path).replace("http-equiv", "")


def test_images_link_to_their_svg_and_have_an_alternative(tmp_path):
    page = Page(build_page(tmp_path))
    images = [attrs for tag, attrs in page.elements if tag == "img"]

    assert [image["src"] for image in images] == [
        "scores.png",
        "confusion/in%20domain%231.png",
        "topic_map.png",
    ]
    assert images[0]["alt"] == 'Scores. A "quoted" title'
    assert (images[0]["width"], images[0]["height"]) == ("768", "384")
    assert "scores.svg" in [attrs.get("href") for tag, attrs in page.elements if tag == "a"]


def test_key_figures_stand_beside_baselines_and_spread(tmp_path):
    page = Page(build_page(tmp_path, seeds=(1, 2, 3)))
    loaded = results.load_acceptability(tmp_path / "metrics")
    mean = loaded.score("out_of_domain_dev", results.MEAN)

    assert f"{mean['mcc']:.3f}" in page.text
    assert f"{mean['mcc_low']:.3f} to {mean['mcc_high']:.3f}" in page.text
    assert f"{loaded.summary['out_of_domain_dev']['mcc_sd']:.3f}" in page.text
    lowest, highest = (loaded.summary["both_dev"][key] for key in ("mcc_min", "mcc_max"))
    assert f"{lowest:.3f} to {highest:.3f}" in page.text
    for part in (
        "0.240",
        "1,043",
        "MCC of their ensemble",
        "95% interval",
        "MCC, mean of 3 seeds",
        "MCC of majority",
        "516",
    ):
        assert part in page.text


def test_protocol_in_plain_words(tmp_path):
    text = Page(build_page(tmp_path, seeds=(1, 2, 3))).text

    assert "3 models were trained on 7,695 sentences, one for each of the seeds 1, 2, 3." in text
    assert "in_domain_dev, out_of_domain_dev: published as they are" in text
    assert "validation was held out of the training set" in text
    assert "Made so that in 95% of all cases it holds the true mean: that of all seeds" in text
    assert "both_dev is the in-domain and the out-of-domain dev set together" in text
    assert "from the sentences and from the seeds: in_domain_dev 0.028 and 0.011" in text
    assert "more than one half, for every model; nothing was chosen" in text
    assert "synthetic" in text


def test_one_seed_is_said_to_tell_no_spread(tmp_path):
    text = Page(build_page(tmp_path, seeds=(5,), sets={"test": 64})).text

    assert "One model was trained on 7,695 sentences, with seed 5." in text
    assert "validation was held out" not in text
    assert "What another seed would give is not in it" in text
    assert "ensemble" not in text


def test_what_was_chosen_on_validation_is_said_with_its_values(tmp_path):
    text = Page(build_page(tmp_path, seeds=(1, 2), chosen="validation")).text

    assert "highest MCC on validation, whose own score is therefore too good" in text
    assert "For the seeds: 0.620, 0.620." in text
    assert "by which logits are divided, of least loss on validation. For the seeds: 1.700" in text


def test_training_before_fine_tuning_is_said_wherever_the_encoder_is_named(tmp_path):
    plain = Page(build_page(tmp_path / "plain", seeds=(1, 2))).text
    adapted = Page(build_page(tmp_path / "adapted", seeds=(1, 2), adapted=3)).text

    assert "adapted" not in plain
    assert "corrupted" not in plain
    assert "Backbone minilm, adapted, fine-tuned with 2 seeds." in adapted
    assert "in 65,000 sentences of the documents, without labels, in 3 epochs" in adapted
    assert "told the corrupted ones with an MCC of 0.610" in adapted


def test_table_of_topics_has_outliers_apart_and_the_rest_summed(tmp_path):
    text = Page(build_page(tmp_path, topics={"topics": 40, "documents": 2000})).text
    table = results.load_topics(tmp_path / "metrics", tmp_path / "topics").table

    assert "outliers, in no topic" in text
    assert "10 smaller topics together" in text
    assert f"{table['count'].iloc[30:].sum():,}" in text
    assert "The 30 largest of 40 topics." in text


def test_what_comes_from_outside_is_escaped(tmp_path):
    evil = "<script>alert('$x_1$')</script>"
    text = build(
        tmp_path,
        title=evil,
        documents_title="<b>&",
        sets={"<i>": 64},
        topics={"words": {0: ["<script>", "a&b", '"']}},
    )

    assert "<script" not in text
    assert "<i>&lt;" not in text
    assert "<code>&lt;i&gt;</code>" in text
    assert "&lt;script&gt;, a&amp;b, &quot;" in text
    assert '<script>, a&b, "' in Page(text).text


@pytest.mark.parametrize("groups", [True, False], ids=["groups", "no-groups"])
def test_agreement_is_told_where_documents_have_groups(tmp_path, groups):
    text = Page(build_page(tmp_path, groups=groups)).text

    assert ("0.410" in text) == groups
    assert ("the documents have no known groups" in text) == (not groups)


def test_only_outliers(tmp_path):
    text = Page(build_page(tmp_path, topics={"topics": 0, "documents": 20})).text

    assert "20 (100.0%)" in text
    assert "The 0 largest of 0 topics." in text


def test_generated_corpus_is_called_synthetic_in_the_heading_and_in_every_figure_of_scores(
    tmp_path,
):
    title = catalogue.load_title("minimal-pairs", PROJECT / "sources.yaml")
    page = Page(build_page(tmp_path, title=title))

    assert "synthetic" in title
    assert f"Acceptability: {title}" in page.text
    loaded = results.load_acceptability(tmp_path / "metrics")
    assert "synthetic" in loaded.source  # what each figure's subtitle, its text alternative, says


def test_browser_is_told_to_run_no_script(tmp_path):
    elements = Page(build_page(tmp_path)).elements

    policies = [attrs["content"] for _, attrs in elements if "http-equiv" in attrs]
    assert len(policies) == 1 and "script-src 'none'" in policies[0]
    assert not any(name.startswith("on") for _, attrs in elements for name in attrs)


def test_style_loads_nothing(tmp_path):
    style = build_page(tmp_path).partition("<style>")[2].partition("</style>")[0]

    assert "font:" in style
    assert not any(word in style for word in ("url(", "@import", "@font-face"))


@pytest.mark.parametrize("evil", ["<script>alert(1)", "</style>", "<img src=x onerror=y>"])
def test_markup_from_any_place_is_shown_as_text_and_adds_no_element(tmp_path, evil):
    name = evil.replace("/", "|")  # a set names a file of evaluate's
    small = {"topics": 5, "documents": 100}
    plain = Page(build_page(tmp_path / "plain", sets={"test": 64}, topics=small))

    page = Page(
        build(
            tmp_path / "evil",
            title=f"first {evil}",
            documents_title=f"second {evil}",
            sets={name: 64},
            topics=small | {"words": {topic: [evil] for topic in range(5)}},
        )
    )

    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    assert page.open == []
    for said in (f"first {evil}", f"second {evil}", name, evil):
        assert said in page.text


def test_failures_name_groups_that_differ_and_say_how_many_intervals_miss(tmp_path):
    text = Page(build_page(tmp_path)).text
    loaded = analysis.load_analysis(tmp_path / "metrics", tmp_path / "analysis")
    whole = loaded.everything

    assert f"{whole['error_rate']:.1%} of 1,043 test sentences are judged wrongly" in text
    assert "No group stands out" in text or "than the rest." in text
    missing = loaded.summary["breakdown"]["intervals_missing_by_chance"]
    assert f"some {missing:,.0f} miss the true value" in text
    assert "1,043 of 1,043 test sentences" in text


def test_a_corpus_without_annotations_says_so(tmp_path):
    stored.write_metrics(tmp_path / "metrics")
    stored.write_analysis(tmp_path / "metrics", tmp_path / "analysis", phenomena=())
    loaded = analysis.load_analysis(tmp_path / "metrics", tmp_path / "analysis")

    assert "No sentence is annotated" in analysis_part.failures(loaded)


def test_confident_errors_show_sentence_label_probability_and_seeds(tmp_path):
    text = Page(build_page(tmp_path)).text
    loaded = analysis.load_analysis(tmp_path / "metrics", tmp_path / "analysis")

    assert len(loaded.errors) == 5
    for error in loaded.errors:
        assert error["text"] in text
        assert f"{error['probability']:.1%}" in text
        assert f"{error['seeds_wrong']} of 3" in text


def test_no_confident_error_is_said(tmp_path):
    build_page(tmp_path)
    loaded = analysis.load_analysis(tmp_path / "metrics", tmp_path / "analysis")

    perfect = dataclasses.replace(loaded, errors=[])

    assert "no test sentence that most seeds get wrong" in analysis_part.confident_errors(perfect)


def test_sentences_from_outside_are_escaped(tmp_path):
    stored.write_metrics(tmp_path / "metrics")
    evil = "<script>alert(1)</script>"
    stored.write_analysis(
        tmp_path / "metrics", tmp_path / "analysis", words=evil, sources=(evil, "b"),
        phenomena=(evil, "c"),
    )  # fmt: skip
    loaded = analysis.load_analysis(tmp_path / "metrics", tmp_path / "analysis")

    shown = analysis_part.confident_errors(loaded) + analysis_part.breakdown_table(loaded)

    assert "<script" not in shown and "&lt;script&gt;" in shown


def test_calibration_stands_beside_what_chance_gives(tmp_path):
    text = Page(build_page(tmp_path)).text
    measures = pd.read_csv(tmp_path / "metrics" / "analyze" / "calibration.csv")
    mean = measures[(measures["seed"] == "mean of seeds") & (measures["set"] == "both_dev")]

    assert len(mean) == 2
    for row in mean.to_dict("records"):
        assert f"{row['ece']:.3f}" in text and f"{row['ece_if_calibrated']:.3f}" in text


def test_notes_on_overfitting_are_in_the_report(tmp_path):
    text = Page(build_page(tmp_path)).text
    notes = json.loads((tmp_path / "metrics" / "analyze.json").read_text())["notes"]

    assert notes and all(note in text for note in notes)
    for rule in ("highest validation MCC", "lowest validation loss", "last epoch"):
        assert rule in text
