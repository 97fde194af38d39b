"""The feature sets that can be written as tables: by frame, and functionals of the whole recording."""

from __future__ import annotations

import numpy as np

from emovox.audio.types import Samples
from emovox.features.config import FeatureConfig
from emovox.features.frames import columns, frame_features
from emovox.features.mfcc import DEFAULT
from emovox.features.table import Table


def frame_table(samples: Samples, config: FeatureConfig = DEFAULT) -> Table:
    """Compute all frame features, one row a frame.

    Args:
        samples: [n] float32 at `config.sample_rate`.
        config: the parameters.

    Returns:
        `columns(config)`, values [t, columns], and times t * hop / sample_rate in seconds.

    Raises:
        AudioError: samples that are not one channel of finite numbers.

    >>> table = frame_table(np.zeros(320, np.float32))
    >>> table.times.tolist()
    [0.0, 0.01, 0.02]
    """
    values = frame_features(samples, config).to_matrix()
    times = np.arange(len(values)) * config.hop / config.sample_rate
    return Table(columns(config), values, times)


def functional_table(samples: Samples) -> Table:
    """Compute the utterance functionals of 16 kHz audio [n], one row.

    Raises:
        AudioError: samples that are not one channel of finite numbers.
    """
    from emovox.features.functionals import functional_names, functionals

    return Table(tuple(functional_names()), np.asarray(functionals(samples), np.float32)[None])
