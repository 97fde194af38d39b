# %% [markdown] lang="en"
# # 2 · MFCC and SVM: a baseline, and why a random split lies
#
# A support vector machine on the functionals of notebook 1. It is evaluated twice: on random folds, as many papers do, and
# on speakers that it has not heard. `pip install -r requirements.txt` is enough.

# %% [markdown] lang="zh"
# # 2 · MFCC 与 SVM：基线模型，以及随机划分为何骗人
#
# 在笔记本 1 的统计泛函上训练支持向量机，并评估两次：一次像许多论文那样用随机折，一次用训练中从未出现的说话人。
# 只需 `pip install -r requirements.txt`。

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

from emovox.corpora.load import load_clips
from emovox.features.functionals import functionals
from emovox.testing import write_voices

# %matplotlib inline
plt.rcParams["figure.dpi"] = 72
quick = bool(os.environ.get("EMOVOX_NOTEBOOK_QUICK"))  # set by the tests: less data
work = Path(tempfile.mkdtemp())

# %% [markdown] lang="en"
# ## The clips
#
# EMO-DB, if `EMOVOX_CORPORA` names a folder that holds `emodb` (free download: `emovox data info emodb`). Otherwise
# generated voices: seven emotions, and speakers who each act them in their own manner, as actors do.

# %% [markdown] lang="zh"
# ## 样本
#
# 如果 `EMOVOX_CORPORA` 指向的文件夹中有 `emodb`，就用 EMO-DB（可免费下载：`emovox data info emodb`）。否则使用生成的声音：七种情绪，
# 每位说话人像演员一样各有自己的表达方式。

# %%
if (Path(os.environ.get("EMOVOX_CORPORA", "/none")) / "emodb").is_dir():
    clips = load_clips(["emodb"])
else:
    print("EMO-DB is absent, going on with generated voices")
    folder = write_voices(work / "voices", speakers=4 if quick else 8, takes=3 if quick else 5)
    clips = load_clips([str(folder)])
matrix = np.stack([functionals(soundfile.read(clip.path, dtype="float32")[0]) for clip in clips])
labels = np.array([clip.label for clip in clips])
print(f"{len(clips)} clips of {len({clip.speaker for clip in clips})} speakers, {matrix.shape[1]} functionals each")

# %% [markdown] lang="en"
# ## The model
#
# Standardise, keep 95 % of the variance, classify. All three steps are one *pipeline*, fitted on training clips alone. If you
# standardise or select features before the split, the test clips have been seen.

# %% [markdown] lang="zh"
# ## 模型
#
# 标准化，保留 95 % 的方差，分类。三步合成一个*流水线*，只在训练样本上拟合。如果在划分之前就做标准化或特征选择，就等于已经看过测试样本。

# %%
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from emovox.corpora.folds import make_folds
from emovox.evaluation.figures.metrics import summary
from emovox.evaluation.figures.predictions import Predictions, Row

classes = sorted(set(labels))


def evaluate(protocol, columns=slice(None), c=3.0):
    """Return out-of-fold predictions: every clip is scored by a model that has not learnt from it."""
    rows = []
    for fold in make_folds(protocol, clips):
        train, test = list(fold.train), list(fold.test)
        model = make_pipeline(StandardScaler(), PCA(0.95), SVC(C=c, gamma="scale"))
        model.fit(matrix[train][:, columns], labels[train])
        distances = model.decision_function(matrix[test][:, columns])
        scores = np.exp(distances - distances.max(axis=1, keepdims=True))
        scores /= scores.sum(axis=1, keepdims=True)
        for clip, row in zip((clips[i] for i in test), scores, strict=True):
            guess = classes[row.argmax()]
            rows.append(Row(clip.corpus, clip.id, clip.speaker, str(fold.number), clip.label, guess, row))
    return Predictions.from_rows(rows, classes)


found = {"random folds (sd)": evaluate("sd"), "new speakers (si)": evaluate("si")}
for name, predictions in found.items():
    figures = summary(predictions, rng=0)
    uar = figures.uar
    print(
        f"{name:18} UAR {100 * uar.value:.1f} % [{100 * uar.low:.1f}, {100 * uar.high:.1f}], chance {100 / len(classes):.1f} %"
    )

# %% [markdown] lang="en"
# **The random split lies.** The clips, the features and the model are the same. In random folds every test speaker is also in
# training, so the model can recognise *how this speaker sounds when angry*. On a new speaker that knowledge is worthless.
# Users are new speakers. So quote the second figure.
#
# On real corpora the gap is as large: emovox's `svm` reaches a UAR of 84.6 % [82.5, 86.6] on random folds of CASIA, and
# 40.9 % [38.5, 43.4] on new speakers.
#
# UAR is the mean of the recalls of all classes. It does not reward guessing the frequent class. The interval is a bootstrap
# over *speakers*, because clips of one speaker are not independent.

# %% [markdown] lang="zh"
# **随机划分会骗人。** 样本、特征和模型都相同。在随机折中，每位测试说话人也出现在训练里，模型可以记住*这个人愤怒时的声音*。
# 换一位新说话人，这种知识就没有用了。而用户都是新说话人，因此应当报告第二个数字。
#
# 真实语料库上的差距同样大：emovox 的 `svm` 在 CASIA 的随机折上 UAR 为 84.6 % [82.5, 86.6]，在新说话人上为 40.9 % [38.5, 43.4]。
#
# UAR（非加权平均召回率）是各类召回率的平均值，猜最常见的类别得不到好处。区间由对*说话人*的自助法得到，因为同一说话人的样本并不独立。

# %%
from emovox.evaluation.report.plots import confusion_figure, recall_figure

honest = summary(found["new speakers (si)"], rng=0)
figure = confusion_figure(honest, title="SVM on new speakers")
figure.set_dpi(64)
figure

# %%
figure = recall_figure(honest, title="SVM on new speakers")
figure.set_dpi(64)
figure

# %% [markdown] lang="en"
# ## Which features carry it?
#
# The functionals come in groups. Each group alone, and all without it, on new speakers:

# %% [markdown] lang="zh"
# ## 哪些特征在起作用？
#
# 统计泛函分为若干组。下面是在新说话人上只用一组、以及去掉一组的结果：

# %%
from emovox.features.groups import group_columns

names = ("mfcc", "f0", "energy") if quick else ("mfcc", "delta", "f0", "energy", "spectral", "rhythm", "modulation")
every = np.arange(matrix.shape[1])
print(f"{'group':12}{'alone':>8}{'without':>9}   UAR in %")
for name in names:
    alone = group_columns([name])
    rest = np.setdiff1d(every, alone)
    values = [100 * summary(evaluate("si", columns), rng=0, draws=10).uar.value for columns in (alone, rest)]
    print(f"{name:12}{values[0]:8.1f}{values[1]:9.1f}")

# %% [markdown] lang="en"
# ## A third trap: choosing on the test speakers
#
# Trying many settings and quoting the best one is a choice on the test speakers. The best of many equal settings looks good by
# luck. Choose on *training* speakers (inner folds), in every fold; `emovox train` with a recipe of kind `svm` does so.

# %% [markdown] lang="zh"
# ## 第三个陷阱：在测试说话人上做选择
#
# 试许多参数再报告最好的一个，等于在测试说话人上做了选择；许多同样好的参数里，总有一个靠运气显得更好。应当在每一折里只用*训练*说话人（内层折）选择；
# `emovox train` 配合 `svm` 类的配方就是这样做的。

# %%
from sklearn.model_selection import GridSearchCV, GroupKFold

speakers = np.array([clip.speaker for clip in clips])
chosen = []
for fold in make_folds("si", clips):
    train = list(fold.train)
    grid = GridSearchCV(
        make_pipeline(StandardScaler(), PCA(0.95), SVC()), {"svc__C": [0.3, 1.0, 3.0, 10.0]}, cv=GroupKFold(3)
    )
    grid.fit(matrix[train], labels[train], groups=speakers[train])
    chosen.append(grid.best_params_["svc__C"])
print("penalty C chosen in each fold:", chosen)

# %% [markdown] lang="en"
# **Next:** `3-networks` trains small neural networks by recipe. To train this baseline on your own recordings and get a model
# file from it, see `7-your-own`.

# %% [markdown] lang="zh"
# **下一步：**`3-networks` 按配方训练小型神经网络。如果想用自己的录音训练这个基线并得到模型文件，请看 `7-your-own`。
