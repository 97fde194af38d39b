"""Parameters of the frame features, shared by the Numba features and the front end of the networks."""

from __future__ import annotations

import msgspec

from emovox.schema.errors import ConfigError


class FeatureConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Parameters of the frame features of mono audio.

    Frames are centred as in librosa (`center=True`, zero padding): frame t is centred on sample t * hop, and n
    samples give 1 + n // hop frames. The mel scale and its area normalisation are Slaney's. The window is a periodic
    Hann window of `n_fft` samples. A frame covers 32 ms every 10 ms by default, the usual compromise for speech.

    Attributes:
        sample_rate: Hz, >= 1000.
        n_fft: length of a frame and of its transform in samples, even, >= 16.
        hop: step between frames in samples, 1 to `n_fft`.
        n_mels: number of mel bands, >= `n_mfcc`.
        n_mfcc: number of cepstral coefficients, >= 1; 13 are the usual choice.
        mel_fmin: lower edge of the mel bands in Hz, >= 0.
        mel_fmax: upper edge of the mel bands in Hz, at most half the sample rate.
        top_db: dynamic range of log-mel in dB below its loudest value.
        delta_width: window of the derivatives in frames, odd, >= 3; 9 as in librosa.
        rolloff: share of the magnitudes below the roll-off frequency, in (0, 1).
        f0_fmin: lowest F0 in Hz, > 0; 65 Hz covers low male voices.
        f0_fmax: highest F0 in Hz, at most half the sample rate; 500 Hz covers most excited voices.
        f0_length: frame length of YIN in samples, even, longer than two periods of `f0_fmin`.
        f0_threshold: voicing threshold of YIN, in (0, 1); 0.1 is the value of the paper.

    Raises:
        ConfigError: a value is out of range.
    """

    sample_rate: int = 16000
    n_fft: int = 512
    hop: int = 160
    n_mels: int = 64
    n_mfcc: int = 13
    mel_fmin: float = 0.0
    mel_fmax: float = 8000.0
    top_db: float = 80.0
    delta_width: int = 9
    rolloff: float = 0.85
    f0_fmin: float = 65.0
    f0_fmax: float = 500.0
    f0_length: int = 2048
    f0_threshold: float = 0.1

    def __post_init__(self) -> None:
        """Raise an error for values for which the features are not defined."""
        checks = {
            "sample_rate": self.sample_rate >= 1000,
            "n_fft": self.n_fft >= 16 and self.n_fft % 2 == 0,
            "hop": 1 <= self.hop <= self.n_fft,
            "n_mfcc": 1 <= self.n_mfcc <= self.n_mels,
            "mel_fmax": 0 <= self.mel_fmin < self.mel_fmax <= self.sample_rate / 2,
            "delta_width": self.delta_width >= 3 and self.delta_width % 2 == 1,
            "rolloff": 0 < self.rolloff < 1,
            "f0_fmax": 0 < self.f0_fmin < self.f0_fmax <= self.sample_rate / 2,
            "f0_length": self.f0_length > 2 * self.sample_rate / self.f0_fmin and self.f0_length % 2 == 0,
            "f0_threshold": 0 < self.f0_threshold < 1,
        }
        for name, good in checks.items():
            if not good:
                raise ConfigError(f"{name} is {getattr(self, name)}, out of range; see FeatureConfig")
