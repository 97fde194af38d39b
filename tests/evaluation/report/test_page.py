from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from emovox.benchmark.end_to_end import Timing, summarise_latency
from emovox.evaluation.figures import metrics
from emovox.evaluation.figures.comparison import Entry, measure
from emovox.evaluation.figures.files import read_predictions
from emovox.evaluation.figures.predictions import Predictions
from emovox.evaluation.report.page import Facts, published_sexes, write_report
from emovox.evaluation.report.sections import headline_table, percent
from emovox.schema.figure import FigureKey
from emovox.schema.labels import EMOTIONS
from tests.evaluation.pictures import assert_drawn
from tests.evaluation.report.test_document import parsed


def words(entries: list[Entry], folder: Path, **facts: object) -> str:
    """The Markdown of a report, its escapes undone."""
    write_report(entries, folder, facts=Facts(**facts))  # type: ignore[arg-type]
    return (folder / "report.md").read_text(encoding="utf-8").replace("\\", "")


def test_figures_worked_out_by_hand_stand_in_both_forms(tmp_path: Path, hand_made: Predictions) -> None:
    page = write_report([Entry("mine", hand_made, "speaker-independent")], tmp_path, title="Own labels")
    text = (tmp_path / "report.md").read_text(encoding="utf-8").replace("\\", "")
    html = page.read_text(encoding="utf-8")
    parsed(html)
    for figure in ("58.3 [", "62.5 [", "| zen | 4 | 75.0 |", "| hangry | meh | 1 | 50.0 |", "| meh | no answer | 1 |"):
        assert figure in text, figure
    for figure in ("58.3 [", "62.5 [", ">75.0</td>", "no answer"):
        assert figure in html, figure
    assert "| own, 3 classes | chance | – | 8 | 33.3 | 33.3 |" in text
    assert "1 clips no speech was found" in text


def test_the_folder_holds_pictures_and_predictions(tmp_path: Path, hand_made: Predictions) -> None:
    write_report([Entry("mine", hand_made)], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "report.html", "report.md", "mine-own.csv",
        "mine-own-confusion.png", "mine-own-recall.png", "mine-own-reliability.png",
    }  # fmt: skip
    for path in tmp_path.glob("*.png"):
        assert_drawn(path.read_bytes())
        assert f"({path.name})" in (tmp_path / "report.md").read_text(encoding="utf-8")
    again = read_predictions(tmp_path / "mine-own.csv")
    assert metrics.uar(again.label, again.predicted) == metrics.uar(hand_made.label, hand_made.predicted)


def test_several_entries_and_corpora(tmp_path: Path, generated: Callable[..., Predictions]) -> None:
    ours, base = (
        generated(200, classes=EMOTIONS, skill=3, corpus="ravdess"),
        generated(200, classes=EMOTIONS, corpus="ravdess"),
    )
    other = generated(100, classes=EMOTIONS[:5], corpus="emodb", speakers=3)
    text = words([Entry("ours", ours), Entry("svm", base), Entry("ours", other)], tmp_path)
    assert "Differences on the same clips" in text
    assert "| ravdess | svm | ours | -" in text
    assert "| worse |" in text
    assert "ours: ECE" in text
    assert "RAVDESS has 2, EMO-DB has 10 different sentences" in text
    assert "fewer than five known speakers" in text
    assert text.count("| chance |") == 2


def test_runs_side_by_side_have_files_that_tell_their_protocol(
    tmp_path: Path, generated: Callable[..., Predictions]
) -> None:
    entries = [Entry(name, generated(40), key=FigureKey(name, "own", "own", "si")) for name in ("one", "two")]
    text = words(entries, tmp_path)
    assert {path.name for path in tmp_path.glob("*.csv")} == {"one-own_own_si_tile.csv", "two-own_own_si_tile.csv"}
    assert (
        "| own | two | one | +0.0 [+0.0, +0.0] | 1.000 | +0.0 [+0.0, +0.0] | 1.000 | no detectable difference |" in text
    )


@pytest.mark.parametrize("names", [("a b/ü:c", "a b/ü;c"), ("同", "同")])
def test_names_of_any_kind_give_files_of_their_own(
    tmp_path: Path, generated: Callable[..., Predictions], names: tuple[str, str]
) -> None:
    write_report([Entry(name, generated(40)) for name in names], tmp_path)
    assert len(list(tmp_path.glob("*.csv"))) == 2
    assert len(list(tmp_path.glob("*-confusion.png"))) == 2


def test_entries_without_detail_stand_in_the_tables_only(tmp_path: Path, hand_made: Predictions) -> None:
    text = words([Entry("mine", hand_made), Entry("other view", hand_made, detailed=False)], tmp_path)
    assert "| other view |" in text
    assert "## other view" not in text
    assert "## mine on own" in text


def test_costs_command_and_notes(tmp_path: Path, hand_made: Predictions) -> None:
    latency = summarise_latency([Timing(0.001, 0.002, 0.007, 0.010, 2.0)], front_end_share=0.25)
    text = words(
        [Entry("mine", hand_made)],
        tmp_path,
        command="emovox evaluate mine --corpus own",
        model="mine",
        parameters={"mine": 12345},
        latency=latency,
        notes=("3 clips of own are left out.",),
    )
    for part in (
        "| 12,345 | 10.0 ms for 2.0 s |",
        "    emovox evaluate mine --corpus own",
        "- 3 clips of own are left",
    ):
        assert part in text, part
    assert "| front end | 1.75 | 1.75 |" in text
    assert "(200 × real time)" in text


def test_speakers_in_training_are_warned_about(tmp_path: Path, hand_made: Predictions) -> None:
    text = words([Entry("mine", hand_made)], tmp_path, model="mine", trained_on=("own",))
    assert "> **Warning:** mine was trained on own: these speakers were in training" in text
    assert 'class="warning"' in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_figures_by_sex_where_it_is_known(tmp_path: Path, hand_made: Predictions) -> None:
    sexes = {("own", "ada"): "female", ("own", "eva"): "female", ("own", "bob"): "male", ("own", "dan"): "male"}
    text = words([Entry("mine", hand_made)], tmp_path, sexes=sexes)
    # Women: zen 2 of 3, hangry 0 of 1. Men: zen 1/1, hangry 1/1, meh 1/2.
    assert "| female | 4 | 33.3 | 50.0 |" in text
    assert "| male | 4 | 83.3 | 75.0 |" in text
    assert "| eva | female | 2 | 0.0 | 0.0 |" in text


def test_without_sexes_nothing_is_said_about_them(tmp_path: Path, hand_made: Predictions) -> None:
    text = words([Entry("mine", hand_made)], tmp_path)
    assert "By sex" not in text
    assert "| speaker | clips | UAR | accuracy |" in text


def test_sexes_of_published_corpora_need_no_files(generated: Callable[..., Predictions]) -> None:
    found = published_sexes([Entry("x", generated(20, corpus="emodb"))])
    assert found[("emodb", "03")] == "male"
    assert published_sexes([Entry("x", generated(20, corpus="mine"))]) == {}


def test_speaker_dependent_figures_are_called_inflated(tmp_path: Path, hand_made: Predictions) -> None:
    text = words([Entry("mine", hand_made, "speaker-dependent (inflated)")], tmp_path)
    assert "Speaker-dependent figures are inflated" in text


def test_columns_without_figures_are_left_out(hand_made: Predictions) -> None:
    measured = measure([Entry("x", hand_made)], draws=5)
    assert "latency" not in headline_table(measured, costs={}).head
    assert "protocol" not in headline_table(measured, costs={}).head
    assert "latency" in headline_table(measured, costs={"x": ("5", "1 ms")}).head


def test_shares_become_percent() -> None:
    assert [percent(value) for value in (0.1234, 1.0, None, float("nan"))] == ["12.3", "100.0", "–", "–"]
