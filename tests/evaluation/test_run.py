from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from emovox.corpora.manifest import Clip
from emovox.evaluation.figures.files import write_predictions
from emovox.evaluation.figures.predictions import Predictions, Row
from emovox.evaluation.run import dropped, evaluate, fold_names, labels_for, mask
from emovox.schema.errors import PredictionsError, ProtocolError, UndecodableError
from emovox.schema.labels import EMOTIONS
from emovox.schema.result import Failure, Result

EXACT = 1e-12


class Fixed:
    """A recogniser that gives each path its scores, nothing for "silent", an error for "broken"; counts its calls."""

    def __init__(self, labels: Sequence[str], *, stop_after: int | None = None) -> None:
        self.labels = tuple(labels)
        self.calls: list[str] = []
        self._stop_after = stop_after

    def predict(self, source: str) -> Result:
        if self._stop_after is not None and len(self.calls) == self._stop_after:
            raise KeyboardInterrupt
        self.calls.append(source)
        if "broken" in source:
            raise UndecodableError(f"{source}: got no audio, expected a recording; copy it again")
        if "silent" in source:
            return Result(source, 1.0, None, None, None, {}, (), ())
        scores = np.random.default_rng(len(source) + ord(source[-1])).dirichlet(np.ones(len(self.labels)))
        named = dict(zip(self.labels, scores.tolist(), strict=True))
        return Result(source, 1.0, None, float(scores.max()), named, {}, (), ())


def clip(name: str, label: str | None, *, corpus: str = "own", speaker: str | None = "ada") -> Clip:
    return Clip(
        corpus=corpus,
        id=name,
        path=f"/{name}",
        speaker=speaker,
        native=label or "?",
        label=label,
        duration=1,
        sample_rate=16000,
    )


OWN = ("zen", "hangry", "meh")
CLIPS = [clip(f"u{i}", OWN[i % 3], speaker=f"s{i % 4}") for i in range(12)]


def test_own_labels_go_through() -> None:
    found = evaluate(Fixed(OWN), CLIPS, folds=[str(i % 2) for i in range(12)])
    assert found.classes == OWN
    assert found.label.tolist() == [c.label for c in CLIPS]
    assert found.utterance.tolist() == [c.id for c in CLIPS]
    assert found.fold.tolist() == ["0", "1"] * 6
    assert (found.predicted_index == found.scores.argmax(axis=1)).all()
    np.testing.assert_allclose(found.scores.sum(axis=1), 1, atol=EXACT)


def test_progress_counts_every_clip() -> None:
    seen: list[tuple[int, int]] = []
    evaluate(Fixed(OWN), CLIPS, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 12) for i in range(1, 13)]


def test_recordings_that_cannot_be_used_are_listed_and_count_as_wrong() -> None:
    failures: list[Failure] = []
    clips = [clip("u1", "zen"), clip("broken", "meh"), clip("silent", "hangry")]
    found = evaluate(Fixed(OWN), clips, on_failure=failures.append)
    assert len(found) == 3
    assert found.predicted.tolist()[1:] == ["", ""]
    assert np.isnan(found.scores[1:]).all()
    assert [(f.file, f.error.code) for f in failures] == [("/broken", "undecodable")], "silence is no failure"


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    work = tmp_path / "new" / "work.csv"
    expected = evaluate(Fixed(OWN), CLIPS)
    with pytest.raises(KeyboardInterrupt):
        evaluate(Fixed(OWN, stop_after=5), CLIPS, work=work)
    with work.open("ab") as file:
        file.write(b"own,u5,s1,1,meh,me")  # a line that the kill cut off
    again = Fixed(OWN)
    found = evaluate(again, CLIPS, work=work)
    assert again.calls == [c.path for c in CLIPS[5:]]
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert found.predicted.tolist() == expected.predicted.tolist()


@pytest.mark.parametrize("rest", ["", "corpus,utt", "corpus,utterance,speaker,fold,label,predicted,zen,hangry,meh\n"])
def test_a_work_file_without_a_whole_row_begins_anew(tmp_path: Path, rest: str) -> None:
    work = tmp_path / "work.csv"
    work.write_text(rest)
    found = evaluate(Fixed(OWN), CLIPS, work=work)
    assert len(found) == 12
    assert len(work.read_text().splitlines()) == 13


def test_broken_recordings_are_tried_again(tmp_path: Path) -> None:
    work = tmp_path / "work.csv"
    clips = [clip("u1", "zen"), clip("broken", "meh")]
    evaluate(Fixed(OWN), clips, work=work)
    failures: list[Failure] = []
    again = Fixed(OWN)
    evaluate(again, clips, work=work, on_failure=failures.append)
    assert again.calls == ["/broken"]
    assert len(failures) == 1


def test_the_work_file_of_another_model_is_refused(tmp_path: Path, hand_made: Predictions) -> None:
    write_predictions(hand_made, tmp_path / "work.csv")
    with pytest.raises(
        PredictionsError, match=r"has scores for zen, hangry, meh, the model gives zen, meh; delete this"
    ):
        evaluate(Fixed(("zen", "meh")), [clip("u1", "zen")], work=tmp_path / "work.csv")


def test_masked_scores_are_renormalised() -> None:
    rows = [
        Row("a", "1", "s", "1", "x", "z", (0.3, 0.1, 0.6)),
        Row("a", "2", "s", "1", "y", "z", (0.0, 0.0, 1.0)),
        Row("a", "3", "s", "1", "y", "", None),
        Row("b", "1", "s", "1", "z", "z", (0.3, 0.1, 0.6)),
        Row("b", "2", "s", "1", "x", "y", (0.3, 0.4, 0.3)),
    ]
    found = mask(Predictions.from_rows(rows, ("x", "y", "z")))
    np.testing.assert_allclose(found.scores[0], [0.75, 0.25, 0], atol=EXACT)
    np.testing.assert_allclose(found.scores[1], [0.5, 0.5, 0], atol=EXACT)
    assert np.isnan(found.scores[2]).all()
    np.testing.assert_allclose(found.scores[3], [1 / 3, 0, 2 / 3], atol=EXACT)
    assert found.predicted.tolist() == ["x", "x", "", "z", "x"]


def test_a_mask_of_all_classes_changes_nothing(generated: Callable[..., Predictions]) -> None:
    made = generated()
    found = mask(made)
    np.testing.assert_allclose(found.scores, made.scores, atol=EXACT)
    assert found.predicted.tolist() == made.predicted.tolist()


def test_the_shipped_view_keeps_every_label() -> None:
    clips = [clip("u1", "happy"), clip("u2", "sad")]
    seven = evaluate(Fixed(EMOTIONS), clips, masked=False)
    assert (seven.scores > 0).all()
    masked = evaluate(Fixed(EMOTIONS), clips)
    assert ((masked.scores > 0).sum(axis=1) == 2).all()
    assert set(masked.predicted.tolist()) <= {"happy", "sad"}


def test_calm_becomes_neutral_and_boredom_is_dropped_and_counted() -> None:
    clips = [clip("a", "calm"), clip("b", "boredom", corpus="emodb"), clip("c", "sad"), clip("d", None)]
    assert labels_for(clips, EMOTIONS) == ("neutral", None, "sad", None)
    assert labels_for(clips, (*EMOTIONS, "calm")) == ("calm", None, "sad", None)
    assert dropped(clips, EMOTIONS) == {("emodb", "boredom"): 1, ("own", "?"): 1}
    assert evaluate(Fixed(EMOTIONS), clips).utterance.tolist() == ["a", "c"]


def test_labels_that_the_model_does_not_know_are_refused() -> None:
    with pytest.raises(ProtocolError, match=r"own u1: has the label 'zen', the model has neutral, .*; map the label"):
        evaluate(Fixed(EMOTIONS), [clip("u1", "zen")])


def test_nothing_to_predict_is_refused() -> None:
    with pytest.raises(ProtocolError, match="none of the 1 clips has a label that the model has"):
        evaluate(Fixed(EMOTIONS), [clip("u1", "boredom")])


def test_folds_of_a_protocol() -> None:
    clips = [clip(f"{c}{s}", "zen", corpus=c, speaker=s) for c in ("a", "b") for s in ("x", "y")]
    labels = ["zen"] * 4
    assert fold_names("si", clips, labels) == ["1", "2", "1", "2"]
    assert fold_names("zero-shot", clips, labels) == ["1"] * 4


def test_independent_folds_need_speakers() -> None:
    with pytest.raises(ProtocolError, match="si: 1 of 1 clips have no speaker"):
        fold_names("si", [clip("u1", "zen", speaker=None)], ["zen"])
    assert evaluate(Fixed(OWN), [clip("u1", "zen", speaker=None)]).speaker.tolist() == [""]
