"""All frame features of a recording, computed together from one Fourier transform."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples
from emovox.features.config import FeatureConfig
from emovox.features.delta import delta
from emovox.features.energy import rms, zero_crossing_rate
from emovox.features.mfcc import DEFAULT, log_mel_of, mfcc_of
from emovox.features.pitch import yin
from emovox.features.signal import mono
from emovox.features.spectral import centroid, rolloff
from emovox.features.spectrum import Frames, bin_frequencies, power_spectrum


@dataclass(frozen=True, eq=False)
class FrameFeatures:
    """Features of t frames; frame i is centred on sample i * hop. All are float32 except `voiced`.

    Attributes:
        mfcc: shape [t, n_mfcc]: cepstral coefficients of the log-mel spectrogram.
        delta: shape [t, n_mfcc]: first derivative of `mfcc`, per frame.
        delta2: shape [t, n_mfcc]: second derivative of `mfcc`, per frame².
        log_mel: shape [t, n_mels]: dB, clipped at `top_db` below the loudest value of the recording.
        rms: shape [t]: root mean square over `n_fft` samples.
        f0: shape [t]: Hz, the YIN estimate of every frame, also of unvoiced ones.
        voiced: shape [t], bool: whether the frame is voiced.
        zcr: shape [t]: zero crossings per sample, over `n_fft` samples.
        centroid: shape [t]: Hz, spectral centroid.
        rolloff: shape [t]: Hz, frequency below which the share `rolloff` of the magnitudes lies.
    """

    mfcc: Frames
    delta: Frames
    delta2: Frames
    log_mel: Frames
    rms: Frames
    f0: Frames
    voiced: npt.NDArray[np.bool_]
    zcr: Frames
    centroid: Frames
    rolloff: Frames

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.rms.size

    def to_matrix(self) -> Frames:
        """Return all features side by side: shape [t, len(columns(config))], float32, `voiced` as 0 or 1."""
        tracks = [getattr(self, field.name) for field in fields(self)]
        return np.column_stack(tracks).astype(np.float32, copy=False)


def frame_features(samples: Samples, config: FeatureConfig = DEFAULT) -> FrameFeatures:
    """Compute the frame features of one channel.

    Args:
        samples: shape [n], float32 at `config.sample_rate`, n >= 1; not modified.
        config: frame lengths, mel bands and F0 range.

    Returns:
        Features of t = 1 + n // hop frames. A recording shorter than a frame is padded with zeros.

    Raises:
        ChannelError: `samples` is not one-dimensional.
        EmptyAudioError: `samples` has 0 samples.
        NonFiniteError: `samples` has NaN or infinity.

    >>> len(frame_features(np.zeros(16000, np.float32)))
    101
    """
    samples = mono(samples)
    power = power_spectrum(samples, n_fft=config.n_fft, hop=config.hop)
    frequencies = bin_frequencies(sample_rate=config.sample_rate, n_fft=config.n_fft)
    bands = log_mel_of(power, config)
    cepstrum = mfcc_of(bands, config)
    f0, voiced = pitch(samples, config)
    return FrameFeatures(
        mfcc=cepstrum,
        delta=delta(cepstrum, width=config.delta_width),
        delta2=delta(cepstrum, width=config.delta_width, order=2),
        log_mel=bands,
        rms=rms(samples, length=config.n_fft, hop=config.hop),
        f0=f0,
        voiced=voiced,
        zcr=zero_crossing_rate(samples, length=config.n_fft, hop=config.hop),
        centroid=centroid(power, frequencies),
        rolloff=rolloff(power, frequencies, share=config.rolloff),
    )


def pitch(samples: Samples, config: FeatureConfig = DEFAULT) -> tuple[Frames, npt.NDArray[np.bool_]]:
    """Compute F0 and voicing with the parameters of `config`; see `pitch.yin`.

    Args:
        samples: shape [n], float32 at `config.sample_rate`.
        config: F0 range, frame length, hop and threshold.

    Returns:
        F0 in Hz, shape [t], float32, and voicing, shape [t], bool.
    """
    return yin(
        samples,
        sample_rate=config.sample_rate,
        fmin=config.f0_fmin,
        fmax=config.f0_fmax,
        length=config.f0_length,
        hop=config.hop,
        threshold=config.f0_threshold,
    )


def columns(config: FeatureConfig = DEFAULT) -> tuple[str, ...]:
    """Return the names of the columns of `FrameFeatures.to_matrix`; docs/features.md describes them.

    >>> columns()[0], columns()[-1], len(columns())
    ('mfcc_0', 'rolloff', 109)
    """
    widths = {"mfcc": config.n_mfcc, "delta": config.n_mfcc, "delta2": config.n_mfcc, "log_mel": config.n_mels}
    names: list[str] = []
    for field in fields(FrameFeatures):
        width = widths.get(field.name)
        names += [field.name] if width is None else [f"{field.name}_{i}" for i in range(width)]
    return tuple(names)
