"""The reliability diagram: a panel per set with the stored points and the errors in words."""

import pytest

from bertline.figures import analysis, reliability, style
from tests.figures import stored


def load(folder, **options) -> analysis.Analysis:
    stored.write_metrics(folder / "metrics", **options)
    return analysis.load_analysis(folder / "metrics", folder / "analysis")


def test_a_panel_for_each_set_with_the_stored_points(tmp_path):
    loaded = load(tmp_path)

    panels = reliability.draw(loaded, "a source").axes

    names = ["validation", "in_domain_dev", "out_of_domain_dev"]
    assert [axes.get_title(loc="left").strip() for axes in panels] == names
    for axes, name in zip(panels, names, strict=True):
        points = loaded.reliability[loaded.reliability["set"] == name]
        trained = points[points["scaled"] == "uncalibrated"]
        _, first, second = axes.lines  # the diagonal, then both states
        assert first.get_xydata().tolist() == trained[["predicted", "observed"]].to_numpy().tolist()
        assert len(second.get_xydata()) == 10


def test_errors_stand_beside_what_chance_gives(tmp_path):
    loaded = load(tmp_path, sets={"test": 200})
    means = loaded.calibration[loaded.calibration["seed"] == "mean of seeds"]
    row = means[means["set"] == "test"].iloc[0]

    (axes,) = reliability.draw(loaded, "a source").axes

    chance = style.number(row["ece_if_calibrated"])
    assert axes.texts[0].get_text() == f"ECE {style.number(row['ece'])} (by chance {chance})"


@pytest.mark.parametrize("number", [1, 2, 5])
def test_any_number_of_sets(tmp_path, number):
    loaded = load(tmp_path, sets={f"set_{place}": 64 for place in range(number)})
    figure = reliability.draw(loaded, "a source")
    figure.draw_without_rendering()

    assert sum(axes.get_visible() for axes in figure.axes) == number
