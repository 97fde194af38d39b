# %% [markdown] lang="en"
# # 7 · Your own recordings, your own labels, your own model
#
# From recordings in folders to a model file that every emovox command takes: three commands, no download. The labels are
# yours; they need not be emotions from a list. It needs `emovox[train]`.

# %% [markdown] lang="zh"
# # 7 · 自己的录音、自己的标签、自己的模型
#
# 从文件夹中的录音到一个可用于所有 emovox 命令的模型文件：三条命令，无需下载。标签由你决定，不必是某张表中的情绪。需要 `emovox[train]`。

# %%
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("emovox") is None or importlib.util.find_spec("torch") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "emovox[train]"], check=True)

# %%
import os
import shlex
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import soundfile

import emovox
from emovox.testing import RATE, acted

# %matplotlib inline
plt.rcParams["figure.dpi"] = 72
quick = bool(os.environ.get("EMOVOX_NOTEBOOK_QUICK"))  # set by the tests: less data
work = Path(tempfile.mkdtemp())


def terminal(line):
    """Run an emovox command in the folder `work`, and print what it prints."""
    words = [sys.executable, "-m", *shlex.split(line)]
    done = subprocess.run(words, cwd=work, capture_output=True, text=True)
    print(f"$ {line}\n{done.stderr if done.returncode else done.stdout or done.stderr}")


# %% [markdown] lang="en"
# ## Record
#
# Make one folder for each label, and in it one for each speaker: `voices/tense/ana/1.wav`. Any format works; `emovox listen
# --save talk.flac` records from a microphone.
#
# How many? At least 6 speakers and 10 recordings of each label by each; more speakers help more than more recordings. Let
# every speaker record *every* label in the same room. Otherwise the model learns the room. Ask all for their consent.
#
# Set `VOICES` to your folder. Here it is empty, so the next cell makes generated voices with three labels.

# %% [markdown] lang="zh"
# ## 录音
#
# 每个标签一个文件夹，其中每位说话人一个子文件夹：`voices/tense/ana/1.wav`。任何格式都可以；`emovox listen --save talk.flac` 可从麦克风录音。
#
# 需要多少？至少 6 位说话人，每人每个标签 10 段录音；增加说话人比增加录音更有用。让每位说话人在同一个房间里录*所有*的标签，否则模型学到的是房间。
# 请征得所有人的同意。
#
# 把 `VOICES` 设为你的文件夹。这里它是空的，因此下一个单元格用三个标签生成声音。

# %%
VOICES = ""

if VOICES:
    (work / "voices").symlink_to(Path(VOICES).resolve())
else:
    names = ("ana", "ben", "cem", "dee", "eva", "fin")
    for label, manner in {"relaxed": "neutral", "tense": "angry", "cheerful": "happy"}.items():
        for number, name in enumerate(names[: 3 if quick else 6], start=41):
            place = work / "voices" / label / name
            place.mkdir(parents=True)
            for take in range(2 if quick else 5):
                soundfile.write(place / f"{take + 1}.wav", acted(manner, number, take=take), RATE)

# %% [markdown] lang="en"
# ## Check
#
# Before any training: are all files readable, is anything there twice, and does the level alone reveal the label?

# %% [markdown] lang="zh"
# ## 检查
#
# 训练之前先看：文件是否都能读取，有没有重复，仅凭音量是否就能看出标签？

# %%
terminal("emovox data index folders voices --output voices.jsonl")
terminal("emovox data verify voices.jsonl")
terminal("emovox data stats voices.jsonl")

# %% [markdown] lang="en"
# A table serves as well: `path,label,speaker` in `clips.csv`, then `--data clips.csv`. `docs/corpora.md` has both in full.
#
# ## Train
#
# In a clone, `recipes/own-svm.toml` is the recipe for few recordings, and `recipes/own-mobile.toml` one for a network. This is
# the first, without changed copies, to be quick.

# %% [markdown] lang="zh"
# 也可以用表格：`clips.csv` 中的 `path,label,speaker`，再加 `--data clips.csv`。两种方式的完整说明见 `docs/corpora.md`。
#
# ## 训练
#
# 克隆的仓库中，`recipes/own-svm.toml` 是适合少量录音的配方，`recipes/own-mobile.toml` 用于训练网络。这里用前者，为节省时间去掉了数据增强的副本。

# %%
_ = (work / "own.toml").write_text(
    """
kind = "svm"
export = true

[data]
protocol = "auto"   # speaker-independent where speakers are known
""",
    encoding="utf-8",
)
terminal("emovox train own.toml --data voices --name mine --output mine --workers 1")

# %% [markdown] lang="en"
# ## Look at it honestly
#
# Every figure is of speakers that the model of the fold had not heard. The model that was written at the end has learnt
# from all of them; it says what it cannot promise.

# %% [markdown] lang="zh"
# ## 如实评估
#
# 每个数字都来自该折模型没有听过的说话人。最后写出的模型学习了全部录音；它会说明自己不能保证什么。

# %%
from emovox.evaluation.figures.metrics import summary
from emovox.evaluation.report.plots import confusion_figure
from emovox.training.run import Run

run = Run.load(work / "mine")
(tile,) = (found for key, found in run.predictions.items() if key.condition == "tile" and key.labels == "own")
figures = summary(tile, rng=0)
print(f"UAR {100 * figures.uar.value:.1f} % [{100 * figures.uar.low:.1f}, {100 * figures.uar.high:.1f}]")

model = emovox.load(str(work / "mine"))
print(model.labels, f"threshold {model.card.threshold:.2f}")
print(model.card.limits)
figure = confusion_figure(figures, title="mine: new speakers")
figure.set_dpi(64)
figure

# %% [markdown] lang="en"
# ## Use it
#
# The run folder is a model for every command: `predict`, `listen`, `serve`, `batch`, and in Python.

# %% [markdown] lang="zh"
# ## 使用
#
# 运行文件夹就是一个模型，可用于所有命令：`predict`、`listen`、`serve`、`batch`，以及 Python。

# %%
soundfile.write(work / "new.wav", acted("happy", 60), RATE)  # a speaker who is not in the recordings
terminal("emovox predict new.wav --model mine")
result = model.predict(work / "new.wav")
print(result.label, {label: round(score, 2) for label, score in result.scores.items()})

# %% [markdown] lang="en"
# `mine/mine.onnx` and `mine/mine.json` are all that another machine needs. They hold weights and text, no code.
#
# **If the figure is low:** listen to the confusions in `mine/report/report.html`. Are the labels clear to a person? Add speakers.
# Adapt to a voice that you know: `emovox speaker learn` (`8-trust`). **Next:** `8-trust`, may you rely on it?

# %% [markdown] lang="zh"
# 其他机器只需要 `mine/mine.onnx` 和 `mine/mine.json`。它们只含权重和文本，不含代码。
#
# **如果数字偏低：**听一听 `mine/report/report.html` 中混淆的录音。人能分清这些标签吗？增加说话人。适应你认识的声音：
# `emovox speaker learn`（`8-trust`）。**下一步：**`8-trust`，能信赖它吗？
