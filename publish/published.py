"""What others report, as they state it; the protocol was checked where it could be."""

from __future__ import annotations

INDEPENDENT_HEAD = ("system", "parameters", "RAVDESS-8: UAR", "RAVDESS-8: accuracy", "CASIA", "EMO-DB", "protocol")

INDEPENDENT = (
    ("human listeners", "–", "–", "67", "–", "–", "RAVDESS paper"),
    ("wav2vec2-large with augmentation", "317 M", "–", "82.3", "–", "–", "the highest figure found for voice alone"),
    ("xlsr, fine-tuned", "317 M", "–", "81.8 ± 2.0", "–", "–", "5 folds"),
    ("CNN14 (PANNs), fine-tuned", "81 M", "–", "76.6", "–", "–", "–"),
    ("Whisper-large-v3, frozen (EmoBox)", "637 M", "75.3", "75.9", "59.6", "(91.3 SD)", "6 folds; leave one out"),
    ("WavLM-large, frozen (EmoBox)", "317 M", "72.0", "72.2", "52.1", "(92.6 SD)", "6 folds; leave one out"),
    ("HuBERT-large, frozen (EmoBox)", "317 M", "70.0", "70.3", "45.3", "(89.8 SD)", "6 folds; leave one out"),
    ("wav2vec2-base, frozen (EmoBox)", "95 M", "54.3", "55.4", "39.6", "(82.1 SD)", "6 folds; leave one out"),
    ("ResLSTM-SA, from scratch", "47 k", "62.3 ± 1.2", "–", "–", "–", "the best small one from scratch found"),
    ("CNN + LSTM, from scratch", "–", "–", "56.7", "–", "–", "–"),
    ("Light-SERNet", "0.46 M", "–", "–", "–", "94.2", "best epoch picked on the test speaker: inflated"),
    ("SVM on hand-made features", "–", "–", "–", "–", "77", "leave one speaker out"),
    ("xlsr and facial action units: voice **and face**", "317 M +", "–", "86.7", "–", "–", "5 folds; face alone 60–62"),
)
"""Speaker-independent figures in %."""

DEPENDENT_HEAD = ("system", "parameters", "RAVDESS", "CASIA", "EMO-DB")

DEPENDENT = (("TIM-Net (its authors' corrected values)", "0.1 M", "90.1", "91.1", "90.3"),)
"""Speaker-dependent figures in %: random splits over utterances."""

ZERO_SHOT = (
    "Across corpora without training on the target (EmoBox: four classes, mean of 12 pairs): Whisper-large-v3 46.9, "
    "WavLM-large 38.5, HuBERT-large 37.6, wav2vec2-base 27.7, chance 25."
)

REFERENCE = (
    ("CNN + LSTM, as claimed by the reference results", "1.2 M", "45 ms", "82.3"),
    ("light network, as claimed by the reference results", "0.3 M", "12 ms", "78.1"),
)
"""Name, parameters, latency and accuracy in %, of which corpus and split are not stated."""
