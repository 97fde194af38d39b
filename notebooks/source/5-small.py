# %% [markdown] lang="en"
# # 5 · Small and fast: distil, INT8, ONNX, C, browser
#
# A model that runs on a telephone or a small board must be small. Three ways lead there: a small network that learns from a
# large one, weights in 8 bits, and a form that needs no Python. It needs `emovox[train]`, and a C compiler for the last part.

# %% [markdown] lang="zh"
# # 5 · 又小又快：知识蒸馏、INT8、ONNX、C、浏览器
#
# 要在手机或小型板卡上运行，模型必须小。有三条路：让小网络向大网络学习；用 8 位存储权重；导出为不需要 Python 的形式。
# 需要 `emovox[train]`，最后一部分还需要 C 编译器。

# %%
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("emovox") is None or importlib.util.find_spec("torch") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "emovox[train]"], check=True)

# %%
import os
import shlex
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

import emovox
from emovox.testing import RATE, write_voices

quick = bool(os.environ.get("EMOVOX_NOTEBOOK_QUICK"))  # set by the tests: less data, fewer steps
work = Path(tempfile.mkdtemp())
os.environ["EMOVOX_CACHE"] = str(work / "cache")
recording = Path(emovox.__file__).parent / "serving" / "static" / "demo.flac"  # 14 s of generated speech
samples = soundfile.read(recording, dtype="float32")[0]
window = samples[RATE : 4 * RATE]  # 3 s


def terminal(line):
    """Run an emovox command in the folder `work`, and print what it prints."""
    words = [sys.executable, "-m", *shlex.split(line)]
    done = subprocess.run(words, cwd=work, capture_output=True, text=True)
    print(f"$ {line}\n{done.stderr if done.returncode else done.stdout or done.stderr}")


# %% [markdown] lang="en"
# ## What a model costs
#
# `accurate` and `mobile` come with every installation. The time is the best of some runs for 3 s of audio, on one core of the
# machine that ran this notebook, busy with other work. On an idle core of an AMD EPYC it is 36.3 ms and 2.1 ms.

# %% [markdown] lang="zh"
# ## 模型的成本
#
# `accurate` 和 `mobile` 随安装提供。时间是在运行本笔记本的机器上、用一个核处理 3 秒音频的若干次中最快的一次；机器当时还在做别的工作。
# 在空闲的 AMD EPYC 单核上分别为 36.3 毫秒和 2.1 毫秒。

# %%
print(f"{'model':10}{'parameters':>12}{'MB':>7}{'ms':>7}")
for name in ("accurate", "mobile"):
    predictor = emovox.load(name)
    spent = []
    for _ in range(5 if quick else 20):
        begin = time.perf_counter()
        predictor.model.run(window[None])
        spent.append(1000 * (time.perf_counter() - begin))
    print(f"{name:10}{predictor.card.parameters:12,}{predictor.model.size / 1e6:7.1f}{min(spent):7.1f}")

# %% [markdown] lang="en"
# ## Distil: a student learns from a teacher
#
# In each fold the teacher learns first, from the training clips of the student. Its scores say more than a label: that a
# clip is *rather* sad than neutral. The student learns from both. In a recipe that is one table.

# %% [markdown] lang="zh"
# ## 知识蒸馏：学生向教师学习
#
# 在每一折中，教师先用学生的训练样本学习。教师的得分比标签包含更多信息：例如一个样本*更像*悲伤而不是中性。学生同时向两者学习。
# 在配方中，这只是一张表。

# %%
STUDENT = """
kind = "network"

[data]
protocol = "si"

[encoder]
name = "mobile"
width = 12
blocks = 2
features = 24

[teacher]
recipe = "teacher.toml"
share = 0.7              # of the target that comes from the teacher's scores
temperature = 2.0        # softens them

[learning.loss]
hint = 1.0               # the student also predicts the teacher's embedding

[learning.optimiser]
steps = 80
batch = 32
learning_rate = 4e-3

[learning.stopping]
share = 0.3
least = 1
every = 80
"""
TEACHER = """
kind = "network"

[data]
protocol = "si"

[encoder]
name = "hybrid"
width = 32
blocks = 2
recurrent_width = 32
cells = 32

[learning.optimiser]
steps = 80
batch = 32
learning_rate = 3e-3

[learning.stopping]
share = 0.3
least = 1
every = 80
"""
_ = (work / "student.toml").write_text(STUDENT, encoding="utf-8")
_ = (work / "teacher.toml").write_text(TEACHER, encoding="utf-8")

# %%
from emovox.evaluation.figures.metrics import summary
from emovox.workflow import train

labels = ("neutral", "happy", "sad", "angry")
voices = write_voices(work / "voices", labels=labels, speakers=3 if quick else 4, takes=2 if quick else 4)
short = [f"{table}learning.optimiser.steps=4" for table in ("", "teacher.recipe.")] if quick else []
TRAININGS = {
    "student alone": ["student.toml", "teacher.recipe=''", "learning.loss.hint=0"],
    "taught student": ["student.toml"],
}
for name, (recipe, *changes) in TRAININGS.items():
    own = short if name == "taught student" else short[:1]
    changes = [*changes, f'data.corpora=["{voices}"]', *own]
    run = train(work / recipe, changes, folder=work / name.replace(" ", "-"), workers=1)
    (tile,) = (found for key, found in run.predictions.items() if key.condition == "tile")
    uar = summary(tile, rng=0).uar
    print(f"{name:15} UAR {100 * uar.value:.1f} % [{100 * uar.low:.1f}, {100 * uar.high:.1f}] on new speakers")

# %% [markdown] lang="en"
# Four generated speakers decide nothing: the intervals overlap widely. The shipped `mobile` and `hybrid` learnt from `accurate` in
# this way; `emovox train recipes/mobile.toml` does it again.
#
# ## INT8
#
# Weights and activations in 8 bits. Recordings of your use give the range of each activation. The command counts what really
# runs in integers, and which labels change.

# %% [markdown] lang="zh"
# 四位生成的说话人不足以下结论：区间大幅重叠。随附的 `mobile` 和 `hybrid` 就是这样向 `accurate` 学习的；`emovox train recipes/mobile.toml` 可重做一遍。
#
# ## INT8
#
# 权重和激活用 8 位表示。用你的使用场景中的录音确定每个激活的范围。该命令会统计实际以整数运行的部分，以及哪些标签发生了变化。

# %%
terminal("emovox compress quantize mobile --calibrate voices --output small.onnx")
for name in ("mobile", str(work / "small.onnx")):
    result = emovox.load(name).predict(recording)
    scores = {label: round(score, 3) for label, score in result.scores.items()}
    print(f"{Path(name).name:11} {result.label:8} {scores}")

# %% [markdown] lang="en"
# ## ONNX: any runtime
#
# A model is one ONNX file. Its input is the waveform, so another program needs no feature code. This cell uses ONNX Runtime
# alone, without emovox.

# %% [markdown] lang="zh"
# ## ONNX：任何运行时
#
# 一个模型就是一个 ONNX 文件。输入是波形，因此其他程序不需要任何特征代码。下面的单元格只用 ONNX Runtime，不用 emovox。

# %%
import json

import onnxruntime

options = onnxruntime.SessionOptions()
options.log_severity_level = 3  # no warnings about inputs that have defaults
session = onnxruntime.InferenceSession(work / "small.onnx", options)
card = json.loads((work / "small.json").read_text())
(scores,) = session.run(["scores"], {"samples": window[None]})
for label, score in zip(card["labels"], scores[0], strict=True):
    print(f"{label:9}{score:6.3f}")

# %% [markdown] lang="en"
# ## C: no Python, no library
#
# `emovox export --to c` writes the whole model, from samples to scores, as one C99 file that allocates no memory. The
# program around it has ten lines.

# %% [markdown] lang="zh"
# ## C：不需要 Python，也不需要任何库
#
# `emovox export --to c` 把整个模型（从采样到得分）写成一个不分配内存的 C99 文件。调用它的程序只有十来行。

# %%
PROGRAM = r"""
#include <stdio.h>
#include "mobile.h"

static float samples[MOBILE_SAMPLES], statistics[MOBILE_STATISTICS], scores[MOBILE_LABELS];

int main(void) {
    if (fread(samples, sizeof(float), MOBILE_SAMPLES, stdin) != MOBILE_SAMPLES) return 1;
    mobile_statistics(samples, MOBILE_SAMPLES, statistics);
    mobile_scores(statistics, mobile_mean, mobile_scale, scores);
    for (int i = 0; i < MOBILE_LABELS; i++) printf("%-9s%6.3f\n", mobile_labels[i], scores[i]);
    return 0;
}
"""
_ = (work / "main.c").write_text(PROGRAM)
if shutil.which("cc"):
    terminal("emovox export mobile --to c --output mobile.c")
    level = "-O1" if quick else "-O2"
    subprocess.run(["cc", "-std=c99", level, "main.c", "mobile.c", "-lm", "-o", "hear"], cwd=work, check=True)
    answer = subprocess.run([work / "hear"], input=window.tobytes(), capture_output=True, check=True).stdout.decode()
    print(answer)
    expected = emovox.load("mobile").model.run(window[None]).scores[0]
    spoken = np.array([float(line.split()[-1]) for line in answer.splitlines()])
    print("as in Python:", bool(np.abs(spoken - expected).max() < 1e-3))
else:
    print("no C compiler here; install gcc or clang")

# %% [markdown] lang="en"
# ## A browser, alone
#
# The same C code, compiled to WebAssembly, runs in a page: no server, no upload. `emovox serve` has that page at `/local/`, and any
# static host can serve its files. `emovox export MODEL --to wasm` makes the file for another model.

# %% [markdown] lang="zh"
# ## 只用浏览器
#
# 同样的 C 代码编译成 WebAssembly 后可在网页中运行：不需要服务器，也不上传。`emovox serve` 在 `/local/` 提供这个网页，任何静态托管也能提供这些文件。
# `emovox export MODEL --to wasm` 为其他模型生成该文件。

# %%
page = recording.parent / "local"
for path in sorted(page.iterdir(), key=lambda path: -path.stat().st_size):
    print(f"{path.name:20}{path.stat().st_size / 1000:8.1f} kB")

# %% [markdown] lang="en"
# **Next:** `6-real-time`, the small model on live audio. `docs/compression.md` says what INT8 costs on real corpora, and
# `docs/everywhere.md` has all of the C form, and `docs/browser.md` the page and its npm package.

# %% [markdown] lang="zh"
# **下一步：**`6-real-time`，把小模型用于实时音频。INT8 在真实语料库上的代价见 `docs/compression.md`，C 形式的全部说明见 `docs/everywhere.md`，
# 网页及其 npm 包见 `docs/browser.md`。
