from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from emovox.corpora.manifest import Clip
from emovox.evaluation.model_run import evaluate_model
from emovox.runtime.predictor import load
from emovox.schema.card import CardCorpus
from emovox.schema.errors import ProtocolError
from emovox.testing import RATE, speech, write_toy

LABELS = ("low", "middle", "high")


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """Eight voices by two speakers of different sex, labels low and high only, one with another label."""
    found = []
    for number in range(8):
        label = ("low", "high")[number % 2]
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, speech((110.0, 400.0)[number % 2] + number, seconds=1.5), RATE)
        speaker = ("ada", "bob")[number // 4]
        found.append(
            Clip(
                corpus="own",
                id=str(number),
                path=str(path),
                speaker=speaker,
                sex="female" if speaker == "ada" else "male",
                native=label,
                label=label,
                duration=1.5,
                sample_rate=RATE,
            )
        )
    return found


def test_a_model_with_own_labels_over_own_recordings(tmp_path: Path, clips: list[Clip]) -> None:
    card = write_toy(tmp_path, labels=LABELS)
    run = evaluate_model(load(str(card)), clips, protocol="si")
    masked, every = run.entries
    assert (masked.name, every.name) == ("toy", "toy, all labels")
    assert set(masked.predictions.predicted.tolist()) <= {"low", "high"}
    assert masked.predictions.fold.tolist() == ["1"] * 4 + ["2"] * 4
    assert masked.protocol == "speaker-independent"
    assert not every.detailed
    assert run.failures == ()
    assert run.facts.parameters == {"toy": 9}
    assert run.facts.sexes[("own", "bob")] == "male"


def test_a_corpus_of_its_training_is_named(tmp_path: Path, clips: list[Clip]) -> None:
    card = write_toy(tmp_path, labels=LABELS, corpora=(CardCorpus("own", "CC0-1.0", 2, 8),))
    run = evaluate_model(load(str(card)), clips, protocol="si")
    assert run.facts.trained_on == ("own",)
    assert run.entries[0].protocol == "trained on these speakers (not a result)"


def test_other_corpora_are_unheard_by_default(tmp_path: Path, clips: list[Clip]) -> None:
    run = evaluate_model(load(str(write_toy(tmp_path, labels=("low", "high")))), clips)
    (entry,) = run.entries
    assert entry.protocol == "corpus not in training"
    assert set(entry.predictions.fold.tolist()) == {"1"}


def test_broken_files_are_told_and_do_not_stop_the_rest(tmp_path: Path, clips: list[Clip]) -> None:
    Path(clips[2].path).write_text("no audio")
    run = evaluate_model(load(str(write_toy(tmp_path, labels=LABELS))), clips)
    assert [failure.file for failure in run.failures] == [clips[2].path]
    assert run.entries[0].predictions.predicted[2] == ""
    assert len(run.entries[0].predictions) == 8
    assert any("could not be used and counts as wrong" in note for note in run.facts.notes)


def test_speaker_independent_needs_speakers(tmp_path: Path, clips: list[Clip]) -> None:
    nameless = [Clip(**{f: getattr(c, f) for f in c.__struct_fields__} | {"speaker": None}) for c in clips]
    with pytest.raises(ProtocolError, match="si: 8 of 8 clips have no speaker"):
        evaluate_model(load(str(write_toy(tmp_path, labels=LABELS))), nameless, protocol="si")
