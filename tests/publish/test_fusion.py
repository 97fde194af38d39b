from __future__ import annotations

from pathlib import Path

import pytest

from publish.fusion import accuracy_interval, calibration_error, fusion_table, read_scored
from publish.laboratory import RESULTS, ROOT

HEAD = "utterance,speaker,fold,draw,label,voice,face,both,confidence\n"
ROWS = (
    "a,01,1,,happy,happy,sad,happy,0.8\n"
    "b,01,1,,sad,happy,sad,sad,0.8\n"
    "c,02,2,,happy,happy,happy,happy,0.8\n"
    "d,02,2,,sad,happy,happy,happy,0.8\n"
    "a,01,1,0,happy,happy,happy,happy,0.9\n"
    "c,02,2,0,happy,happy,happy,happy,0.9\n"
    "a,01,1,1,happy,happy,happy,sad,0.9\n"
    "c,02,2,1,happy,happy,happy,sad,0.9\n"
)


def test_figures_of_plain_and_adapted_clips(tmp_path: Path) -> None:
    (tmp_path / "five.csv").write_text(HEAD + ROWS)
    plain = [row for row in read_scored(tmp_path / "five.csv") if not row.draw]
    accuracy, low, high = accuracy_interval(plain, "both")
    assert (accuracy, low, high) == (75.0, 50.0, 100.0)
    assert calibration_error(plain) == pytest.approx(5.0)
    lines = fusion_table(tmp_path).splitlines()
    assert len(lines) == 2 + 6
    assert lines[4] == ("| five published folds | none | both | **75.0** | 50.0 to 100.0 | 75.0 | 75.0 ± 35.4 | 5.0 |")
    assert lines[2].split("|")[4:7] == [" **50.0** ", " 50.0 to 50.0 ", " 50.0 "]
    assert "| 10 clips of the person | both | **50.0** |" in lines[-1]


def test_the_page_shows_the_table_of_the_results() -> None:
    for page in ("docs/face.md", "docs/zh/face.md"):
        assert fusion_table(RESULTS / "fusion") in (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted((RESULTS / "fusion").glob("*.csv")), ids=lambda path: path.stem)
def test_clips_for_adaptation_are_never_scored_and_no_clip_is_missing(path: Path) -> None:
    lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    plain = [line[0] for line in lines if not line[3]]
    assert len(plain) == len(set(plain)) == 1440
    for draw in sorted({line[3] for line in lines} - {""}):
        scored = [line[0] for line in lines if line[3] == draw]
        assert len(scored) == len(set(scored)) == 24 * 50
