"""Checkpoints: kept when due, for one configuration, and gone at the end."""

import pytest

from bertline.core import checkpoint
from bertline.core.checkpoint import Checkpoint
from bertline.core.errors import BertlineError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list whose only item is the time that checkpoints see."""
    now = [1000.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    monkeypatch.delenv(checkpoint.VARIABLE, raising=False)
    return now


def test_checkpoint_is_due_once_a_minute(tmp_path, clock):
    kept = Checkpoint(tmp_path / "out", "key")
    clock[0] += 59
    assert not kept.is_due()
    clock[0] += 1
    assert kept.is_due()

    with kept.keeping():
        clock[0] += 0.5

    assert not kept.is_due()
    clock[0] += 60
    assert kept.is_due()


def test_slow_disk_is_given_time(tmp_path, clock):
    kept = Checkpoint(tmp_path / "out", "key")
    with kept.keeping():
        clock[0] += 10

    clock[0] += 499  # of 50 times 10 s
    assert not kept.is_due()
    clock[0] += 1
    assert kept.is_due()


def test_variable_sets_the_seconds_whatever_the_disk(tmp_path, clock, monkeypatch):
    monkeypatch.setenv(checkpoint.VARIABLE, "0.5")
    kept = Checkpoint(tmp_path / "out", "key")
    with kept.keeping():
        clock[0] += 10

    clock[0] += 0.5
    assert kept.is_due()


@pytest.mark.parametrize("named", ["soon", "-1", "nan"])
def test_variable_that_is_no_number_of_seconds_is_refused(tmp_path, monkeypatch, named):
    monkeypatch.setenv(checkpoint.VARIABLE, named)

    with pytest.raises(BertlineError, match=rf"{checkpoint.VARIABLE} should be .* is `{named}`"):
        Checkpoint(tmp_path / "out", "key")


def test_configurations_do_not_see_each_other_and_all_are_cleared(tmp_path):
    one, other = (Checkpoint(tmp_path / "out", key) for key in ("one", "other"))
    one.path("state").write_text("of one")

    assert not other.path("state").exists()
    one.clear()

    assert list(tmp_path.iterdir()) == []


def test_discarding_leaves_the_checkpoints_of_others(tmp_path):
    one, other = (Checkpoint(tmp_path / "out", key) for key in ("one", "other"))
    for kept in (one, other):
        kept.path("state").write_text("something")

    one.discard()

    assert other.path("state").read_text() == "something"
    other.discard()
    assert list(tmp_path.iterdir()) == []
