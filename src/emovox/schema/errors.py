"""The exception hierarchy: one root, a stable code per class, messages that say got, expected and next step."""

from __future__ import annotations

from typing import ClassVar


class EmovoxError(Exception):
    """Root of every error that emovox raises on purpose; `code` is stable and part of the JSON output."""

    code: ClassVar[str] = "error"


class AudioError(EmovoxError):
    """The recording cannot be used."""

    code = "audio"


class UnreadableError(AudioError):
    """The file is missing, is a directory, or may not be read."""

    code = "unreadable"


class EmptyAudioError(AudioError):
    """The file has no bytes, or decodes to 0 samples."""

    code = "empty"


class UndecodableError(AudioError):
    """The bytes are not audio in a format that the installed decoders know."""

    code = "undecodable"


class NonFiniteError(AudioError):
    """The samples hold NaN or infinity."""

    code = "non_finite"


class ScaleError(AudioError):
    """The samples are far beyond [-1, 1], such as 16-bit values as floats."""

    code = "bad_scale"


class TrackError(AudioError):
    """The requested audio track does not exist in this file."""

    code = "no_such_track"


class ChannelError(AudioError):
    """The requested channel does not exist in this recording."""

    code = "no_such_channel"


class NoAudioFilesError(AudioError):
    """A directory holds no file with an audio suffix."""

    code = "no_audio_files"


class MicrophoneError(EmovoxError):
    """An input device delivers no sound, or has stopped delivering it."""

    code = "microphone"


class DeviceError(MicrophoneError):
    """No input device, or more than one, matches this name or number."""

    code = "no_such_device"


class ModelError(EmovoxError):
    """A model cannot be loaded or used."""

    code = "model"


class UnknownModelError(ModelError):
    """No shipped model has this name and no file has this path."""

    code = "unknown_model"


class CardError(ModelError):
    """A model card contradicts its graph or the format."""

    code = "bad_card"


class FetchError(ModelError):
    """A model cannot be fetched, or what came is not the model."""

    code = "fetch"


class AdaptError(ModelError):
    """The model has no parameters that adapt it to a voice."""

    code = "cannot_adapt"


class NoSetsError(ModelError):
    """The model has no sets of labels."""

    code = "no_sets"


class SpeakerError(EmovoxError):
    """A speaker's profile cannot be made, read or kept, or belongs to another model."""

    code = "bad_speaker"


class UnknownSpeakerError(SpeakerError):
    """No speaker of this name is known here."""

    code = "unknown_speaker"


class WeightsError(ModelError):
    """Pretrained weights cannot be found, downloaded or read."""

    code = "bad_weights"


class ConfigError(EmovoxError):
    """A configuration value is out of range or of the wrong kind."""

    code = "bad_config"


class RecipeError(ConfigError):
    """A recipe has an unknown key, a wrong type or a value out of range."""

    code = "bad_recipe"


class TrainingError(EmovoxError):
    """A network cannot be trained, or training has diverged."""

    code = "training"


class CheckpointError(EmovoxError):
    """A checkpoint is damaged, or belongs to another recipe or network."""

    code = "bad_checkpoint"


class CorpusError(EmovoxError):
    """A corpus folder does not look as published, or files are missing."""

    code = "bad_corpus"


class UnknownCorpusError(CorpusError):
    """No corpus of this name is known."""

    code = "unknown_corpus"


class ManifestError(CorpusError):
    """A manifest row is malformed or names a file that does not exist."""

    code = "bad_manifest"


class ProtocolError(EmovoxError):
    """These data do not allow the requested evaluation without bias, e.g. speakers are unknown."""

    code = "bad_protocol"


class PredictionsError(EmovoxError):
    """A predictions CSV is malformed."""

    code = "bad_predictions"


class AnswerError(EmovoxError):
    """A system under test, such as a user's own function, raises or returns what is no answer."""

    code = "bad_answer"


class ExportError(EmovoxError):
    """A fitted model cannot be written, or the graph disagrees with the original."""

    code = "export"


class CompressionError(EmovoxError):
    """A model cannot be distilled, pruned or quantised as asked."""

    code = "compression"


class PipelineError(EmovoxError):
    """A live stream has ended, or its model failed."""

    code = "stream_ended"


class OverloadError(EmovoxError):
    """Audio arrives faster than it is analysed, or results are not read.

    Args:
        message: what happened.
        taken: samples per channel that were accepted before.
    """

    code = "overload"

    def __init__(self, message: str, *, taken: int = 0) -> None:
        super().__init__(message)
        self.taken = taken


class ArchiveError(EmovoxError):
    """A batch run cannot start, continue or resume."""

    code = "archive"


class WorkerError(ArchiveError):
    """Worker processes or machines are not available, or die repeatedly."""

    code = "worker_died"


class TranscriptError(EmovoxError):
    """A transcript cannot be read, or is not that of the recording."""

    code = "transcript"


class VideoError(EmovoxError):
    """A file has no pictures, or they cannot be decoded; its sound may be intact."""

    code = "video"


class MissingExtraError(EmovoxError):
    """An optional dependency is not installed.

    Args:
        need: what needs the dependency, e.g. "decoding .m4a".
        extra: the extra of this package that installs it.
    """

    code = "missing_extra"

    def __init__(self, need: str, extra: str) -> None:
        super().__init__(f"{need} needs the extra '{extra}': pip install 'emovox[{extra}]'")
        self.extra = extra
