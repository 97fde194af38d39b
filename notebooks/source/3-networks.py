# %% [markdown] lang="en"
# # 3 · CNN + LSTM and MobileNet, by recipe
#
# A *recipe* is a text file that says all about a training: clips, network, loss, optimiser, augmentation. This notebook
# trains two small networks with the same recipe, `mobile` (depthwise-separable convolutions, as in MobileNet) and `hybrid`
# (convolutions beside an LSTM), and shows what the main keys do. It needs the extra `train` (PyTorch; the CPU build is enough).

# %% [markdown] lang="zh"
# # 3 · 用配方训练 CNN + LSTM 与 MobileNet
#
# *配方*是一个文本文件，写明训练的一切：样本、网络、损失、优化器、数据增强。本笔记本用同一个配方训练两个小网络：`mobile`
# （与 MobileNet 相同的深度可分离卷积）和 `hybrid`（卷积加 LSTM），并说明主要参数的作用。需要附加组件 `train`（PyTorch，CPU 版即可）。

# %%
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("emovox") is None or importlib.util.find_spec("torch") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "emovox[train]"], check=True)

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile

from emovox.testing import RATE, acted, write_voices

# %matplotlib inline
plt.rcParams["figure.dpi"] = 72
quick = bool(os.environ.get("EMOVOX_NOTEBOOK_QUICK"))  # set by the tests: less data, fewer steps
work = Path(tempfile.mkdtemp())
os.environ["EMOVOX_CACHE"] = str(work / "cache")

# %% [markdown] lang="en"
# ## Clips and noise
#
# EMO-DB if it is there (`emovox data info emodb`), else generated voices. Noise for the copies comes from `$EMOVOX_NOISE`, for
# example MUSAN; here some is made if the variable is not set.

# %% [markdown] lang="zh"
# ## 样本与噪声
#
# 有 EMO-DB 就用它（见 `emovox data info emodb`），否则使用生成的声音。数据增强所用的噪声来自 `$EMOVOX_NOISE`，例如 MUSAN；
# 没有设置该变量时，这里生成一些噪声。

# %%
if (Path(os.environ.get("EMOVOX_CORPORA", "/none")) / "emodb").is_dir():
    data = "emodb"
else:
    print("EMO-DB is absent, going on with generated voices")
    labels = ("neutral", "happy", "sad", "angry")
    data = str(write_voices(work / "voices", labels=labels, speakers=2 if quick else 4, takes=2 if quick else 4))

if "EMOVOX_NOISE" not in os.environ:
    rng = np.random.default_rng(0)
    (work / "noise").mkdir()
    for number, colour in enumerate((0.0, 0.5, 1.0)):  # white to brown
        spectrum = np.fft.rfft(rng.standard_normal(3 * RATE)) / np.arange(1, 3 * RATE // 2 + 2) ** colour
        noise = np.fft.irfft(spectrum)
        soundfile.write(work / "noise" / f"{number}.wav", 0.5 * noise / np.abs(noise).max(), RATE)
    os.environ["EMOVOX_NOISE"] = str(work / "noise")

# %% [markdown] lang="en"
# ## The recipe
#
# `docs/networks.md` has all keys. An unknown key or a value out of range is an error that names it.

# %% [markdown] lang="zh"
# ## 配方
#
# 全部参数见 `docs/networks.md`。未知的键或超出范围的值会报错，并指明是哪一个。

# %%
RECIPE = """
kind = "network"

[data]
protocol = "si"          # every test speaker is new

[encoder]
name = "mobile"
width = 24
blocks = 3
features = 48

[copies]
voices = 1               # changed copies of each training tile
emodb = 1

[augment]
noise = { probability = 0.5, snr_low = 5.0, snr_high = 30.0 }
speed = { probability = 0.5, lowest = 0.9, highest = 1.1 }
gain = { probability = 0.5, low_db = -10.0, high_db = 6.0 }

[learning.loss]
gamma = 2.0              # focal loss
smoothing = 0.1

[learning.optimiser]
steps = 60
batch = 16
accumulate = 2           # a step sums the gradients of 2 batches
learning_rate = 4e-3
warm_up = 0.2            # share of the steps
grad_clip = 1.0

[learning.spec_augment]
probability = 0.7
time = 0.1
n_time = 2

[learning.stopping]
share = 0.3              # of the training speakers: they measure UAR
least = 1
every = 10
"""
recipe = work / "small.toml"
_ = recipe.write_text(RECIPE, encoding="utf-8")

# %% [markdown] lang="en"
# ## What the keys do
#
# **Focal loss** gives a clip the weight (1 − p)^γ. Clips that the network already knows (p near 1) count less. **Warm-up** and
# **cosine**: the learning rate rises over the first steps, then falls to 0. **Accumulation** makes a step of 2 batches of 16
# with the memory of one.

# %% [markdown] lang="zh"
# ## 各参数的作用
#
# **焦点损失**（focal loss）给样本 (1 − p)^γ 的权重，网络已经掌握的样本（p 接近 1）权重较小。**预热**与**余弦**：学习率在最初的步骤中上升，
# 然后降到 0。**梯度累积**用一个批次的内存完成由 2 个批次（各 16 个样本）组成的一步。

# %%
from emovox.training.optim import learning_rate_at
from emovox.workflow import read_recipe

plan = read_recipe(recipe).learning
p = np.linspace(0.02, 1, 100)
figure, axes = plt.subplots(1, 2, figsize=(8, 2.6), layout="constrained")
for gamma in (0, 1, 2):
    axes[0].plot(p, (1 - p) ** gamma * -np.log(p), label=f"γ = {gamma}")
axes[0].set(xlabel="probability of the right class", ylabel="loss", title="focal loss")
axes[0].legend()
axes[1].plot([learning_rate_at(step, plan.optimiser) for step in range(plan.optimiser.steps)])
axes[1].set(xlabel="step", ylabel="learning rate", title="warm-up and cosine")
plt.show()

# %% [markdown] lang="en"
# **Copies** are changed as sound: noise 5 to 30 dB below the voice, speed, level. **SpecAugment** hides stripes of the
# features in every step, so that the network relies on no single moment.

# %% [markdown] lang="zh"
# **副本**在声音层面改变：比人声低 5 至 30 dB 的噪声、语速、音量。**SpecAugment** 在每一步遮住特征的若干条带，使网络不依赖某一个瞬间。

# %%
import torch

from emovox.augment.augment import Augmenter
from emovox.augment.config import Augment, Noise
from emovox.augment.sources import load_sources
from emovox.features.frames import frame_features
from emovox.training.data.mixing import spec_augment

always = Augment(noise=Noise(probability=1.0, snr_low=5.0, snr_high=5.0))
voice = acted("happy", 3)
noisy = Augmenter(always, load_sources(always))(voice, np.random.default_rng(1))
bands = frame_features(noisy).log_mel
inputs = torch.from_numpy(bands - bands.mean())[None]
striped = spec_augment(
    inputs, torch.ones(1, len(bands), dtype=torch.bool), plan.spec_augment, torch.Generator().manual_seed(3)
)

figure, axes = plt.subplots(1, 3, figsize=(9, 2.4), sharey=True, layout="constrained")
pictures = {"clean": frame_features(voice).log_mel, "noise at 5 dB": bands, "and SpecAugment": striped[0].numpy()}
for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
    axis.imshow(picture.T, aspect="auto", origin="lower", cmap="magma")
    axis.set(title=title, xlabel="frame (10 ms)")
axes[0].set_ylabel("mel band")
plt.show()

# %% [markdown] lang="en"
# ## Train both networks
#
# `train` runs every fold: the network of a fold has not heard its test speaker. On the command line:
# `emovox train small.toml --data voices`. Keys can be changed in the call, as here the encoder.

# %% [markdown] lang="zh"
# ## 训练两个网络
#
# `train` 运行所有的折：每一折的网络都没有听过该折的测试说话人。命令行写法：`emovox train small.toml --data voices`。
# 调用时可以修改任何键，例如这里的编码器。

# %%
from emovox.evaluation.figures.metrics import summary
from emovox.workflow import train

ENCODERS = {
    "mobile": [],
    "hybrid": ['encoder={name="hybrid", width=24, blocks=2, recurrent_width=24, cells=16, attention=16}'],
}
runs = {}
for name, changes in ENCODERS.items():
    short = ["learning.optimiser.steps=4", "learning.stopping.every=2"] if quick else []
    changes = [f"name={name}", f'data.corpora=["{data}"]', *changes, *short]
    runs[name] = train(recipe, changes, folder=work / name, workers=1)
    (tile,) = (found for key, found in runs[name].predictions.items() if key.condition == "tile")
    uar = summary(tile, rng=0).uar
    print(f"{name:7} UAR {100 * uar.value:.1f} % [{100 * uar.low:.1f}, {100 * uar.high:.1f}] on new speakers")

# %% [markdown] lang="en"
# With four speakers the intervals are wide: they decide nothing about the networks. On real corpora, the full `hybrid` and
# `mobile` reach 67.0 % and 65.1 % on new speakers of RAVDESS (eight classes; `docs/results.md`).
#
# ## Curves
#
# Every stage writes `log.csv`, TensorBoard events and `curves.png`. The UAR is that of training speakers who were held out.

# %% [markdown] lang="zh"
# 只有四位说话人，区间很宽，不足以比较两个网络。在真实语料库上，完整的 `hybrid` 和 `mobile` 在 RAVDESS 的新说话人上达到 67.0 % 和 65.1 %
# （八类，见 `docs/results.md`）。
#
# ## 曲线
#
# 每个阶段都会写出 `log.csv`、TensorBoard 事件和 `curves.png`。其中的 UAR 由留出的训练说话人测得。

# %%
import csv

figure, axes = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
for name in runs:
    (log,) = (work / name / "folds" / "1").glob("*/log.csv")
    steps = list(csv.DictReader(log.open()))
    axes[0].plot([float(step["loss"]) for step in steps], label=name)
    measured = [step for step in steps if step["uar"]]
    axes[1].plot([int(step["step"]) for step in measured], [100 * float(step["uar"]) for step in measured], marker="o")
axes[0].set(xlabel="step", ylabel="loss", title="fold 1")
axes[1].set(xlabel="step", ylabel="UAR [%]", title="held-out training speakers", ylim=(0, 105))
axes[0].legend()
plt.show()

# %% [markdown] lang="en"
# ## From here
#
# - `recipes/own-mobile.toml` trains a full network on your recordings (`7-your-own`).
# - `recipes/mobile-ravdess.toml` and `recipes/hybrid-ravdess.toml` are the published trainings. They learn from a teacher too.
# - `--resume` continues a training that was stopped, with the same figures.
#
# **Next:** `4-transfer` starts from networks that others trained on many voices.

# %% [markdown] lang="zh"
# ## 接下来
#
# - `recipes/own-mobile.toml` 在你自己的录音上训练完整的网络（`7-your-own`）。
# - `recipes/mobile-ravdess.toml` 和 `recipes/hybrid-ravdess.toml` 是已发布的训练，它们还向一个教师学习。
# - `--resume` 继续中断的训练，得到的数字不变。
#
# **下一步：**`4-transfer` 从别人用大量声音训练好的网络出发。
