"""Published figures of others, as they state them; the protocol was checked if possible."""

from __future__ import annotations

LISTENERS = "[10.1371/journal.pone.0196391](https://doi.org/10.1371/journal.pone.0196391)"
ACTION_UNITS = "[10.3390/app12010327](https://doi.org/10.3390/app12010327)"
CNN14 = "[10.3390/s21227665](https://doi.org/10.3390/s21227665)"
EMOBOX = "[arXiv:2406.07162](https://arxiv.org/abs/2406.07162)"
RES_LSTM = "[arXiv:2606.03359](https://arxiv.org/abs/2606.03359)"
LIGHT_SERNET = "[arXiv:2110.03435](https://arxiv.org/abs/2110.03435)"
TIM_NET = "[TIM-Net_SER, issue 16](https://github.com/Jiaxin-Ye/TIM-Net_SER/issues/16)"
"""Sources: where the figures stand."""

INDEPENDENT_HEAD = (
    *("system", "parameters", "RAVDESS-8: UAR", "RAVDESS-8: accuracy", "CASIA", "EMO-DB", "protocol", "source"),
)

BOTH = "6 folds; leave one out"

INDEPENDENT = (
    ("human listeners", "–", "–", "67", "–", "–", "–", LISTENERS),
    ("xlsr, fine-tuned", "317 M", "–", "81.8 ± 2.0", "–", "–", "5 folds", ACTION_UNITS),
    ("CNN14 (PANNs), fine-tuned", "81 M", "–", "76.6", "–", "–", "5 folds", CNN14),
    ("Whisper-large-v3, frozen (EmoBox)", "637 M", "75.3", "75.9", "59.6", "(91.3 SD)", BOTH, EMOBOX),
    ("WavLM-large, frozen (EmoBox)", "317 M", "72.0", "72.2", "52.1", "(92.6 SD)", BOTH, EMOBOX),
    ("HuBERT-large, frozen (EmoBox)", "317 M", "70.0", "70.3", "45.3", "(89.8 SD)", BOTH, EMOBOX),
    ("wav2vec2-base, frozen (EmoBox)", "95 M", "54.3", "55.4", "39.6", "(82.1 SD)", BOTH, EMOBOX),
    ("ResLSTM-SA, from scratch", "47 k", "62.3 ± 1.2", "–", "–", "–", "–", RES_LSTM),
    ("Light-SERNet", "0.46 M", "–", "–", "–", "94.2", "best epoch of the test speaker: inflated", LIGHT_SERNET),
    (
        *("xlsr and facial action units: voice **and face**", "317 M +", "–", "86.7", "–", "–"),
        *("5 folds; face alone 60–62", ACTION_UNITS),
    ),
)
"""Speaker-independent figures in %."""

DEPENDENT_HEAD = ("system", "parameters", "RAVDESS", "CASIA", "EMO-DB", "source")

DEPENDENT = (("TIM-Net (its authors' corrected values)", "0.1 M", "90.1", "91.1", "90.3", TIM_NET),)
"""Speaker-dependent figures in %: random splits over utterances."""

ZERO_SHOT = (
    f"Across corpora without training on the target (EmoBox, {EMOBOX}: four classes, mean of 12 pairs): "
    "Whisper-large-v3 46.9, WavLM-large 38.5, HuBERT-large 37.6, wav2vec2-base 27.7, chance 25."
)

REFERENCE = (
    ("CNN + LSTM, as claimed by the reference results", "1.2 M", "45 ms", "82.3"),
    ("light network, as claimed by the reference results", "0.3 M", "12 ms", "78.1"),
)
"""Name, parameters, latency and accuracy in %, of which corpus and split are not stated."""
