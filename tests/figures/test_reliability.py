"""The reliability diagram: a panel per set with the stored points and calibration errors."""

import pytest

from bertline.figures import reliability, style


def test_a_panel_for_each_set_with_the_stored_points_and_errors(analysis):
    loaded = analysis()

    panels = reliability.draw(loaded, "a source").axes

    names = ["validation", "in_domain_dev", "out_of_domain_dev"]
    assert [axes.get_title(loc="left").strip() for axes in panels] == names
    means = loaded.calibration[loaded.calibration["seed"] == "mean of seeds"]
    for axes, name in zip(panels, names, strict=True):
        points = loaded.reliability[loaded.reliability["set"] == name]
        plain = points[points["scaled"] == "uncalibrated"]
        _, first, second = axes.lines  # the diagonal, then both states
        assert first.get_xydata().tolist() == plain[["predicted", "observed"]].to_numpy().tolist()
        assert len(second.get_xydata()) == 10
        row = means[means["set"] == name].iloc[0]
        ece, calibrated = (style.number(row[key]) for key in ("ece", "ece_if_calibrated"))
        assert axes.texts[0].get_text().startswith(f"ECE {ece} (calibrated: {calibrated})")


def test_one_test_set_has_its_panel_beside_the_validation_fold(analysis):
    loaded = analysis(sets={"validation": 64, "test": 64})

    panels = reliability.draw(loaded, "a source").axes

    assert [axes.get_title(loc="left").strip() for axes in panels] == ["validation", "test"]
    lowest = loaded.reliability["low"].min()
    assert panels[0].get_xlim() == panels[0].get_ylim()
    assert 0 <= panels[0].get_xlim()[0] + 0.02 <= lowest + 0.02


@pytest.mark.parametrize("number", [1, 5])
def test_any_number_of_sets(analysis, number):
    loaded = analysis(sets={f"set_{place}": 64 for place in range(number)})

    figure = reliability.draw(loaded, "a source")

    assert sum(axes.get_visible() for axes in figure.axes) == number
