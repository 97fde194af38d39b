# %% [markdown] lang="en"
# # 1 · From recordings to features
#
# This notebook walks the classical path of speech emotion recognition: load a corpus, clean the clips, compute MFCC,
# pitch and energy, reduce them by PCA, and look at them by t-SNE. It takes about a minute.
#
# **Installation.** From a clone, `pip install -r requirements.txt` is enough for this notebook and the next. Elsewhere the
# first cell installs what is missing. Further uses are *extras*: `pip install 'emovox[train]'` brings PyTorch for training
# (notebooks 3 to 5 and 7), `serve` the service (notebook 6), `mic` the microphone, `media` m4a and video, `all` everything.

# %% [markdown] lang="zh"
# # 1 · 从录音到特征
#
# 本笔记本走一遍语音情绪识别的经典流程：加载语料库，清洗语料样本，计算 MFCC、基频和能量，用 PCA 降维，再用 t-SNE 观察。全程约一分钟。
#
# **安装。** 在克隆的仓库中，`pip install -r requirements.txt` 足以运行本笔记本和下一个。在其他环境中，第一个单元格会安装缺少的部分。
# 其余用途由“附加组件”提供：`pip install 'emovox[train]'` 安装训练所需的 PyTorch（笔记本 3 至 5 和 7），`serve` 对应服务（笔记本 6），
# `mic` 对应麦克风，`media` 对应 m4a 和视频，`all` 则全部安装。

# %%
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("emovox") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "emovox[evaluate]"], check=True)

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile

from emovox.corpora.registry import CORPORA, index
from emovox.testing import RATE, acted

# %matplotlib inline
plt.rcParams["figure.dpi"] = 72
quick = bool(os.environ.get("EMOVOX_NOTEBOOK_QUICK"))  # set by the tests: less data
work = Path(tempfile.mkdtemp())

# %% [markdown] lang="en"
# ## Load RAVDESS, CASIA and EMO-DB
#
# emovox downloads no corpus. The next cell says where each is published. Unpack it, and set `EMOVOX_CORPORA` to the folder
# that holds `ravdess`, `casia` and `emodb`.
#
# Where a corpus is absent, the notebook goes on with **generated voices**. They are harmonics in syllables, not speech. They
# have the file names of the corpus, so the code below stays the same. Figures from them say nothing about people.

# %% [markdown] lang="zh"
# ## 加载 RAVDESS、CASIA 和 EMO-DB
#
# emovox 不会下载任何语料库。下一个单元格显示各语料库的发布地址。解压之后，把 `EMOVOX_CORPORA` 设为包含 `ravdess`、`casia` 和 `emodb` 的文件夹。
#
# 缺少某个语料库时，笔记本改用**生成的声音**继续。它们是按音节起伏的谐波，并不是语音，但文件名与该语料库一致，因此后面的代码不变。由此得到的数字不说明任何真人的情况。

# %%
for name in ("ravdess", "casia", "emodb"):
    corpus = CORPORA[name]
    print(f"{name:8} {corpus.clips} clips of {corpus.speakers} speakers, {corpus.licence}\n         {corpus.where}")

# %%
CASIA_SPEAKERS = ("wangzhe", "liuchanhg", "ZhaoZuoxiang", "zhaoquanyin")
EMODB_SPEAKERS = ("03", "08", "10", "09", "11", "13", "12", "14", "15", "16")
FIRST = {"ravdess": 1, "casia": 11, "emodb": 21}  # number of the first generated voice: each corpus has its own


def file_name(corpus, code, speaker, take):
    """Return the name that a clip has in a corpus; speakers and takes count from 0."""
    if corpus == "ravdess":
        return f"Actor_{speaker + 1:02}/03-01-{code}-01-{take % 2 + 1:02}-{take // 2 + 1:02}-{speaker + 1:02}.wav"
    if corpus == "casia":
        return f"{CASIA_SPEAKERS[speaker]}/{code}/{201 + take}.wav"
    return f"wav/{EMODB_SPEAKERS[speaker]}a{take + 1:02}{code}a.wav"


def codes(corpus):
    """Return code → emotion for the emotions that the generated voices have."""
    if corpus == "emodb":
        found = {"W": "angry", "E": "disgust", "A": "fear", "F": "happy", "N": "neutral", "T": "sad"}
    elif corpus == "casia":
        found = {label: label for label in CORPORA[corpus].labels}
    else:
        labels = enumerate(CORPORA[corpus].labels.values(), start=1)
        found = {f"{number:02}": label for number, label in labels if label != "calm"}
    return found


def folder_of(corpus):
    """Return the folder of a corpus, with generated voices if the corpus is absent."""
    real = Path(os.environ.get("EMOVOX_CORPORA", "/none")) / corpus
    if real.is_dir():
        return real
    for code, label in codes(corpus).items():
        for speaker in range(2 if quick else 4):
            for take in range(2 if quick else 4):
                path = work / corpus / file_name(corpus, code, speaker, take)
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, acted(label, FIRST[corpus] + speaker, take=take), RATE)
    print(f"{corpus}: absent, going on with generated voices")
    return work / corpus


clips = [clip for name in ("ravdess", "casia", "emodb") for clip in index(name, folder_of(name), partial=True)]
first = clips[0]
print(
    f"\n{len(clips)} clips; the first: {first.id}, {first.native} → {first.label}, speaker {first.speaker} ({first.sex})"
)

# %% [markdown] lang="en"
# A clip has the label of its corpus (`native`) and the label that emovox maps it to (`label`), its speaker, and more.
# `emovox data verify ravdess` checks a download: missing, broken and duplicated files.

# %% [markdown] lang="zh"
# 每个语料样本带有语料库原有的标签（`native`）、emovox 映射后的标签（`label`）、说话人等信息。
# `emovox data verify ravdess` 检查下载内容：缺失、损坏和重复的文件。

# %%
counts = {}
for clip in clips:
    counts.setdefault(clip.label, dict.fromkeys(("ravdess", "casia", "emodb"), 0))[clip.corpus] += 1
print(f"{'label':10}{'ravdess':>9}{'casia':>9}{'emodb':>9}")
for label, row in sorted(counts.items()):
    print(f"{label:10}" + "".join(f"{number:9}" for number in row.values()))

# %% [markdown] lang="en"
# ## Clean
#
# `preprocess` does what the guide asks for: mix to one channel, resample to 22,050 Hz, remove silence 20 dB below the loudest
# frame, and scale the peak to 1. Peak normalisation hides how loud a clip is. Loudness can be a cue (anger) and a trap (a
# close microphone), so decide on purpose. `emovox predict` does not normalise.

# %% [markdown] lang="zh"
# ## 清洗
#
# `preprocess` 完成指南要求的步骤：混成单声道，重采样到 22,050 Hz，去掉比最响帧低 20 dB 以上的静音，并把峰值缩放到 1。
# 峰值归一化会抹去录音的响度。响度既可能是线索（愤怒），也可能是陷阱（麦克风离得近），应当有意识地取舍。`emovox predict` 不做归一化。

# %%
from emovox.audio.preprocess import SAMPLE_RATE, preprocess

angry = next(clip for clip in clips if clip.corpus == "ravdess" and clip.label == "angry")
sad = next(clip for clip in clips if clip.corpus == "ravdess" and clip.label == "sad" and clip.speaker == angry.speaker)
raw, rate = soundfile.read(sad.path, dtype="float32")
clean = preprocess(sad.path)[0]

figure, axes = plt.subplots(2, 1, figsize=(7, 3), sharex=True, layout="constrained")
axes[0].plot(np.arange(len(raw)) / rate, raw, linewidth=0.6)
axes[1].plot(np.arange(len(clean)) / SAMPLE_RATE, clean, linewidth=0.6)
axes[0].set(title=f"as recorded: {len(raw) / rate:.2f} s, peak {np.abs(raw).max():.2f}")
axes[1].set(title=f"cleaned: {len(clean) / SAMPLE_RATE:.2f} s, peak {np.abs(clean).max():.2f}", xlabel="time [s]")
plt.show()

# %% [markdown] lang="en"
# ## MFCC with Δ and ΔΔ, F0, energy
#
# `frame_features` computes all of them from one Fourier transform, every 10 ms. The values are those of librosa, within named
# tolerances, in a tenth of the time. The defaults are for 16 kHz.

# %% [markdown] lang="zh"
# ## MFCC 及其 Δ 和 ΔΔ，基频，能量
#
# `frame_features` 由一次傅里叶变换算出全部特征，每 10 毫秒一帧。数值与 librosa 一致（误差范围见文档），用时约为其十分之一。默认参数针对 16 kHz。

# %%
from emovox.features.config import FeatureConfig
from emovox.features.frames import frame_features

config = FeatureConfig(f0_threshold=0.25)  # 0.1 is that of the paper; a higher one takes breathy voice for voiced, too
cut = {clip.label: preprocess(clip.path, sample_rate=16000, normalise=False)[0] for clip in (sad, angry)}
heard = {label: frame_features(samples, config) for label, samples in cut.items()}

figure, axes = plt.subplots(3, 2, figsize=(8, 4.5), sharex="col", layout="constrained")
for column, (label, features) in enumerate(heard.items()):
    for row, name in enumerate(("mfcc", "delta", "delta2")):
        axes[row, column].imshow(getattr(features, name).T[1:], aspect="auto", origin="lower", cmap="viridis")
        axes[row, column].set_ylabel(name)
    axes[0, column].set_title(label)
    axes[2, column].set_xlabel("frame (10 ms)")
plt.show()

# %%
figure, axes = plt.subplots(2, 1, figsize=(7, 3.6), sharex=True, layout="constrained")
for label, features in heard.items():
    time = np.arange(len(features)) / 100
    axes[0].plot(time, np.where(features.voiced, features.f0, np.nan), label=label)
    axes[1].plot(time, 20 * np.log10(features.rms + 1e-6), label=label)
axes[0].set(ylabel="F0 [Hz]", title="the same speaker, two emotions")
axes[1].set(ylabel="level [dB]", xlabel="time [s]")
axes[0].legend()
plt.show()

for label, features in heard.items():
    print(f"{label:6} F0 {np.median(features.f0[features.voiced]):5.0f} Hz, energy {np.mean(features.rms):.3f}")

# %% [markdown] lang="en"
# ## One vector for each clip
#
# Frames vary in number. *Functionals* (mean, deviation, percentiles, slope) summarise them as 609 numbers for each clip.

# %% [markdown] lang="zh"
# ## 每个样本一个向量
#
# 各样本的帧数不同。*统计泛函*（均值、标准差、百分位数、斜率）把它们概括为每个样本 609 个数。

# %%
from emovox.features.functionals import functional_names, functionals

matrix = np.stack(
    [functionals(preprocess(clip.path, sample_rate=16000, top_db=None, normalise=False)[0]) for clip in clips]
)
print(matrix.shape, functional_names()[:3], "…", functional_names()[-1])

# %% [markdown] lang="en"
# ## PCA: 95 % of the variance
#
# Most of the 609 numbers repeat each other. A few components keep 95 % of the variance.

# %% [markdown] lang="zh"
# ## PCA：保留 95 % 的方差
#
# 609 个数大多互相重复。少数主成分就能保留 95 % 的方差。

# %%
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from emovox.evaluation.report.scatter import scatter_figure, tsne, variance_figure

pca = PCA().fit(StandardScaler().fit_transform(matrix))
figure = variance_figure(pca.explained_variance_ratio_, keep=0.95, title="Functionals of all clips")
figure.set_dpi(72)
figure

# %% [markdown] lang="en"
# ## t-SNE: what lies close together?
#
# The same points twice: coloured by emotion, and by speaker. If the colours of the *speakers* form the islands, a model will
# learn voices before it learns emotions. The next notebook shows what follows from this.

# %% [markdown] lang="zh"
# ## t-SNE：哪些点彼此靠近？
#
# 同一批点画两次：先按情绪着色，再按说话人着色。如果形成“岛屿”的是*说话人*的颜色，模型会先学会声音，再学会情绪。下一个笔记本说明由此产生的后果。

# %%
points = tsne(matrix)
figure = scatter_figure(points, [clip.label for clip in clips], title="t-SNE by emotion")
figure.set_dpi(64)
figure

# %%
figure = scatter_figure(
    points, [f"{clip.corpus}/{clip.speaker}" for clip in clips], title="t-SNE by speaker", kind="speaker"
)
figure.set_dpi(64)
figure

# %% [markdown] lang="en"
# ## On the command line
#
# The same without Python: `emovox features calls/ --output frames.csv` writes every frame, `--set functionals` one row for
# each recording. **Next:** `2-baseline`, a classifier on these numbers, and why a random split lies.

# %% [markdown] lang="zh"
# ## 命令行
#
# 不写 Python 也可以：`emovox features calls/ --output frames.csv` 写出每一帧，加上 `--set functionals` 则每个录音一行。
# **下一步：**`2-baseline`，在这些数上训练分类器，并说明为什么随机划分会骗人。
