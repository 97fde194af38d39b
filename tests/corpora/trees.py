"""Small corpora with the real names of the published ones, and clips that are no files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from emovox.corpora.manifest import Clip
from emovox.corpora.registry import CORPORA

SECONDS, RATE = 0.05, 8000

NEMO_TABLE = (
    "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
    "WR0_surprised_64.wav\tsurprised\tUcho.\tucho\tWR0\tmale\t23\n"
    "EB0_neutral_13.wav\tneutral\tPolski.\tpolski\tEB0\tfemale\t27\n"
)
IEMOCAP_TABLE = (
    "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
    "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]\n"
    "C-E2:\tNeutral;\t()\n\n"
    "[10.0100 - 11.3925]\tSes01F_impro01_M001\tfru\t[2.5000, 2.5000, 2.5000]\n"
    "[12.0100 - 13.3925]\tSes01F_impro01_M002\texc\t[2.5000, 2.5000, 2.5000]\n"
)
MELD_HEAD = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
MELD_TRAIN = MELD_HEAD + '1,"Oh, hi!",Chandler,joy,positive,0,0,8,21,"00:16:16,059","00:16:21,731"\n'
MELD_TEST = MELD_HEAD + "1,Why?,The Interviewer,anger,negative,0,0,8,21,x,y\n"

MORE: dict[str, tuple[str, ...]] = {
    "ravdess": ("Actor_02/03-01-08-02-02-01-02.wav",),
    "casia": ("ZhaoZuoxiang/surprise/250.wav",),
    "emodb": ("wav/16b10Lb.wav",),
    "tess": (
        "OAF_neutral/OA_bite_neutral.wav",
        "OAF_Fear/OAF_dog_fear.wav",
    ),
    "nemo": ("samples/EB0_neutral_13.wav",),
    "crema-d": (
        "AudioWAV/1002_IEO_HAP_HI.wav",
        "AudioWAV/1040_ITH_SAD_X.wav",
    ),
    "savee": (
        "AudioData/KL/su15.wav",
        "AudioData/JE/n30.wav",
    ),
    "emovo": ("m3/gio-m3-n5.wav",),
    "esd": ("0020/Surprise/train/0020_001750.wav",),
    "shemo": ("male/M56W12.wav",),
    "urdu": ("Sad/SF2_F10_S010.wav",),
    "iemocap": (
        "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M001.wav",
        "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M002.wav",
    ),
    "meld": ("test/output_repeated_splits_test/dia0_utt0.wav",),
    "cafe": ("Neutre/12-N-1-6.wav",),
    "ravdess-video": ("Video_Speech_Actor_02/Actor_02/01-01-08-02-02-01-02.mp4",),
}
"""Clips beside the example of a corpus."""

IEMOCAP_WORDS = """\
Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
Ses01F_impro01_MXX0 [007.0000-007.5000]: (noise)
Ses01F_impro01_M001 [010.0100-011.3900]: Next!
"""

TREES = {name: (corpus.example, *MORE.get(name, ())) for name, corpus in CORPORA.items()}
LABEL_FILES: dict[str, dict[str, str]] = {
    "nemo": {"data.tsv": NEMO_TABLE},
    "iemocap": {
        "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt": IEMOCAP_TABLE,
        "Session1/dialog/transcriptions/Ses01F_impro01.txt": IEMOCAP_WORDS,
    },
    "meld": {"train/train_sent_emo.csv": MELD_TRAIN, "test_sent_emo.csv": MELD_TEST},
}

WriteClip = Callable[..., Path]
MakeTree = Callable[..., Path]

NAMED = sorted(name for name, corpus in CORPORA.items() if corpus.names)
"""Corpora whose clips are known by name."""


def path_of(name: str, clip: str) -> PurePosixPath:
    """Return the path of a published id, for corpora whose folders have information beyond the file names."""
    speaker, _, rest = clip.partition("_")
    if name == "casia":
        return PurePosixPath(speaker, *rest.split("_")).with_suffix(".wav")
    if name == "esd":
        emotion = ("Neutral", "Angry", "Happy", "Sad", "Surprise")[(int(rest) - 1) // 350]
        return PurePosixPath(speaker, emotion, f"{clip}.wav")
    return PurePosixPath(f"{clip}.wav")


def clip(corpus: str, number: int, speaker: str | None, label: str | None, language: str | None = "en") -> Clip:
    """A clip in memory; `native` is the label."""
    return Clip(
        corpus=corpus,
        id=f"{number}",
        path=f"/{corpus}/{number}.wav",
        speaker=speaker,
        language=language,
        native=label or "dropped",
        label=label,
        sentence=f"{number % 10}",
        duration=1.0,
        sample_rate=16000,
    )
