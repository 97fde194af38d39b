"""The output `speech` is added to models of another name and place; what is learnt is tested beside."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from emovox.runtime.model import Model
from emovox.runtime.registry import read_card
from emovox.schema.trust import CardTrust
from emovox.testing import speech, write_toy
from emovox.training.speech import SpeechData, SpeechFigures
from emovox.training.speech_sounds import FOLDS, PieceNote
from publish import speech as module
from publish.head import write_head
from publish.speech import with_speech
from publish.trust import speech_table

LABELS = ("low", "high")


def data(graph: bytes, pooling: object) -> SpeechData:
    """Statistics of the toy: speech has a low pitch."""
    notes = [
        PieceNote(
            f"{fold}{number}", "own" if number % 2 else kinds[0], fold, number % 2 == 1, number % 4 != 3, 1.0, 2.0
        )
        for fold, kinds in FOLDS.items()
        for number in range(20)
    ]
    rng = np.random.default_rng(0)
    change = np.array([-4.0 if note.is_speech else -1.0 for note in notes]) + 0.1 * rng.standard_normal(len(notes))
    return SpeechData(notes, np.stack([np.full(len(notes), -2.0), change], 1).astype(np.float32))


def test_a_model_gets_the_output_its_heads_follow_and_the_rest_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = CardTrust(sets=())
    big = write_toy(tmp_path, name="big", trust=trust, labels=LABELS)
    head = write_head(write_toy(tmp_path, name="own", labels=LABELS), big, tmp_path / "heads")
    monkeypatch.setattr(module, "speech_data", data)
    monkeypatch.setattr(module, "heads", lambda: {"own": head})
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(module, "FOLDER", tmp_path / "cache")
    written = with_speech(big, tmp_path / "new")
    card = read_card(written)
    assert card.speech is not None
    assert (card.speech.threshold, card.speech.refused) == (0.5, 1.0)
    assert card.trust == trust
    batch = np.stack([speech(hz, seconds=1.0) for hz in (200.0, 3300.0)])
    moved = Model.load(tmp_path / "new" / "heads" / "own.json")
    for model in (Model.load(written), moved):
        found = model.run(batch).speech
        assert found is not None
        assert (found > 0.5).tolist() == [True, False]
    np.testing.assert_array_equal(moved.run(batch).scores, Model.load(head).run(batch).scores)
    figures = msgspec.json.decode((tmp_path / "results" / "speech" / "big.json").read_bytes(), type=SpeechFigures)
    assert figures.kept == pytest.approx(card.speech.kept, abs=1e-4)
    assert figures.kept > 0.9
    assert f"| `big` | {100 * figures.kept:.1f} |" in speech_table(tmp_path / "results" / "speech")


def test_a_kind_that_often_gets_a_label_is_named(tmp_path: Path) -> None:
    figures = SpeechFigures(
        kept=0.996,
        kept_changed=0.99,
        kept_corpus={},
        refused={"dog": 0.7, "rain": 1.0},
        undetected={"dog": 0.3, "rain": 0.9},
        tiles=(1, 1),
    )
    (tmp_path / "toy.json").write_bytes(msgspec.json.encode(figures))
    assert "| `toy` | 99.6 | 99.0 | 85.0 | 60.0 | dog 70 |" in speech_table(tmp_path)
