"""What the field has used for a decade: openSMILE's eGeMAPS and a support vector machine.

openSMILE is free for research only (audEERING's licence): an extra for this comparison, nothing else uses it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from emovox.audio.types import Samples
from emovox.schema.labels import EMOTIONS

RATE = 16000
CLIPS = 1000
"""What the machine has learnt from: about a corpus."""


def egemaps_svm() -> Callable[[Samples], object]:
    """Make a recogniser over eGeMAPS (88 functionals), fitted on numbers drawn at random: only its time matters.

    Returns:
        A function from samples [n] float32 at 16 kHz to one of the labels.
    """
    import opensmile  # not at the top: the tests collect this module where it is not installed, as in CI

    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
    )
    rng = np.random.default_rng(0)
    labels = np.arange(CLIPS) % len(EMOTIONS)
    classifier = make_pipeline(StandardScaler(), PCA(0.95), SVC())
    classifier.fit(rng.standard_normal((CLIPS, smile.num_features)) + labels[:, None] / 10, labels)

    def predict(samples: Samples) -> object:
        return classifier.predict(smile.process_signal(samples, RATE).to_numpy())

    return predict
