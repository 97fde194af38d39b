"""The exception tree: one root, a stable code on each class, messages that say got, expected, next step."""

from __future__ import annotations

from typing import ClassVar


class EmovoxError(Exception):
    """Root of every error that emovox raises on purpose; `code` is stable and stands in the JSON output."""

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


class ChannelError(AudioError):
    """The channel asked for does not exist in this recording."""

    code = "no_such_channel"


class NoAudioFilesError(AudioError):
    """A directory holds no file with an audio suffix."""

    code = "no_audio_files"


class MicrophoneError(EmovoxError):
    """No sound can be had from an input device, or none any more."""

    code = "microphone"


class DeviceError(MicrophoneError):
    """No input device has this name or number, or several have."""

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
    """A network cannot learn, or has stopped to."""

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
    """The evaluation asked for cannot be done honestly on these data."""

    code = "bad_protocol"


class PredictionsError(EmovoxError):
    """A predictions CSV is malformed."""

    code = "bad_predictions"


class ExportError(EmovoxError):
    """A fitted model cannot be written, or the graph disagrees with the original."""

    code = "export"


class PipelineError(EmovoxError):
    """A live stream has ended, or its model failed."""

    code = "stream_ended"


class OverloadError(EmovoxError):
    """Audio comes faster than it can be worked off, or answers are not taken.

    Args:
        message: what happened.
        taken: samples of each channel that were taken before.
    """

    code = "overload"

    def __init__(self, message: str, *, taken: int = 0) -> None:
        super().__init__(message)
        self.taken = taken


class ArchiveError(EmovoxError):
    """Work over an archive cannot begin, go on, or be resumed."""

    code = "archive"


class WorkerError(ArchiveError):
    """The processes or machines that shall do the work cannot be had, or die again and again."""

    code = "worker_died"


class MissingExtraError(EmovoxError):
    """An optional dependency is not installed.

    Args:
        need: what the caller wanted to do, e.g. "decoding .m4a".
        extra: the extra of this package that brings it.
    """

    code = "missing_extra"

    def __init__(self, need: str, extra: str) -> None:
        super().__init__(f"{need} needs the extra '{extra}': pip install 'emovox[{extra}]'")
        self.extra = extra
