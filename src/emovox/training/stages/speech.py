"""Stage: the map that tells speech from other sounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec

from emovox.corpora.folds import speaker_key
from emovox.models.trained import NetworkSpeech
from emovox.schema.progress import Progress
from emovox.training.log import Report
from emovox.training.speech import LearntSpeech, SpeechData, learn_speech
from emovox.training.speech_material import SpeechMaterial, encoder_values
from emovox.training.speech_sounds import FOLDS, NEVER, PieceNote
from emovox.training.stages.stage import Context, Fitted, named


@dataclass(frozen=True)
class LearnSpeech:
    """Learns the map from speech of the training clips, and from other sounds; skipped unless the recipe has `speech`.

    Sounds of the groups that `SpeechMaterial.held` names are left out: they test the model of this fold. Threshold and
    figures come from maps that have not heard the speaker or the group of sounds.
    """

    def run(self, context: Context, fitted: Fitted) -> Fitted:
        """Return the network with its map; see `Stage`."""
        if not context.recipe.speech:
            return fitted
        if context.sounds is None:
            raise ValueError(f"{context.recipe.name}: got no sounds to tell speech from, expected them as `sounds`")
        encoder, config = fitted.network.encoder, context.recipe.final_encoder
        progress = _piece_progress(named(context.report, "speech"))
        values, pooling = encoder_values(context.sounds, encoder, config, progress=progress)
        rows = dict(learnt_pieces(context, context.sounds))
        data = SpeechData(list(rows.values()), values[list(rows)], pooling)
        found, threshold, figures = learn_speech(data)
        about = NetworkSpeech(
            threshold=threshold,
            kept=round(figures.kept, 4),
            refused=round(figures.mean_refused, 4),
            kinds=tuple(sorted({note.kind for note in data.notes if not note.is_speech and note.fold != NEVER})),
        )
        return replace(fitted, speech=LearntSpeech(found, about))


def learnt_pieces(context: Context, sounds: SpeechMaterial) -> Iterator[tuple[int, PieceNote]]:
    """Yield number and note of each piece to learn from; the speakers are dealt over the groups of sounds in turn."""
    clips = {f"{clip.corpus}/{clip.id}": clip for clip in (context.task.clips[number] for number in context.train)}
    speakers = {name: speaker_key(clip) if clip.speaker else name for name, clip in clips.items()}
    heard = sorted({speakers[note.sound] for note in sounds.notes if note.is_speech and note.sound in clips})
    groups = [name for name in FOLDS if name not in sounds.held]
    fold = {speaker: groups[place % len(groups)] for place, speaker in enumerate(heard)}
    for number, note in enumerate(sounds.notes):
        if not note.is_speech and note.fold not in sounds.held:
            yield number, note
        elif note.is_speech and note.sound in clips:
            yield number, msgspec.structs.replace(note, fold=fold[speakers[note.sound]])


def _piece_progress(report: Report | None) -> Progress:
    def progress(done: int, total: int) -> None:
        """Report the pieces that are computed."""
        if report is not None:
            report(done, total, "pieces of sounds")

    return progress
