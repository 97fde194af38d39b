# %% [markdown] lang="en"
# # 6 · In real time: streams, a microphone, the service
#
# A stream takes audio as it arrives and gives events: speech begins, previews every half second, and the final result when
# the speech ends. This notebook needs `emovox[serve,plot]`, for a microphone also `mic`.

# %% [markdown] lang="zh"
# # 6 · 实时识别：流、麦克风、服务
#
# 流一边接收音频，一边给出事件：话语开始；每半秒一次预览；话语结束时给出最终结果。本笔记本需要 `emovox[serve,plot]`，使用麦克风还需要 `mic`。

# %%
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("emovox") is None or importlib.util.find_spec("fastapi") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "emovox[serve,plot]"], check=True)

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile

import emovox

# %matplotlib inline
plt.rcParams["figure.dpi"] = 72
recording = Path(emovox.__file__).parent / "serving" / "static" / "demo.flac"  # 14 s of generated speech
samples, rate = soundfile.read(recording, dtype="float32")
model = emovox.load("mobile")
print(model)

# %% [markdown] lang="en"
# ## Events of a stream
#
# The audio arrives in chunks of 0.1 s, as from a telephone. Any chunk size gives the same events.

# %% [markdown] lang="zh"
# ## 流的事件
#
# 音频以 0.1 秒的小块到达，和电话一样。无论块的大小如何，事件都相同。

# %%
from emovox.schema.events import EmotionUpdated, SpeechEnded


def listen(chunks):
    """Yield the events of a stream."""
    with model.stream() as stream:
        for chunk in chunks:
            yield from stream.feed(chunk)
        yield from stream.flush()


chunks = [samples[start : start + 1600] for start in range(0, len(samples), 1600)]
events = list(listen(chunks))
for event in events[:14]:
    print(f"{getattr(event, 'end', event.start):5.2f} s  {type(event).__name__:15} {getattr(event, 'label', '')}")

# %% [markdown] lang="en"
# `None` means that the model is not sure: the highest score is below the threshold of its card. A preview is not a result:
# `SpeechEnded` is computed anew, and equals what `emovox predict` says of the same audio.

# %% [markdown] lang="zh"
# `None` 表示模型没有把握：最高得分低于模型卡中的阈值。预览不是结果：`SpeechEnded` 会重新计算，与 `emovox predict` 对同一段音频的结果一致。

# %%
live = [segment for event in events if isinstance(event, SpeechEnded) for segment in event.segments]
print("equal to predict:", tuple(live) == model.predict(recording).segments)

previews = [event for event in events if isinstance(event, EmotionUpdated)]
figure, axes = plt.subplots(2, 1, figsize=(8, 4), sharex=True, layout="constrained")
axes[0].plot(np.arange(len(samples)) / rate, samples, linewidth=0.4)
for event in events:
    if isinstance(event, SpeechEnded):
        axes[0].axvspan(event.start, event.end, alpha=0.2)
        axes[0].text(event.start, 0.9 * samples.max(), event.label or "?")
for label in ("neutral", "sad", "happy", "angry"):
    axes[1].plot(
        [event.end for event in previews], [event.scores[label] for event in previews], marker=".", label=label
    )
axes[1].set(xlabel="time [s]", ylabel="score of the preview")
axes[1].legend(ncols=4)
plt.show()

# %% [markdown] lang="en"
# ## How fast?
#
# A model that needs 2 ms for 3 s of audio leaves time for many streams. A `Pipeline` runs one model for all of them.

# %% [markdown] lang="zh"
# ## 速度如何？
#
# 处理 3 秒音频只需约 2 毫秒的模型，可以同时服务许多个流。`Pipeline` 用一个模型为所有的流计算。

# %%
import time

from emovox.runtime.pipeline import Pipeline

begin = time.perf_counter()
with Pipeline(model, threads=1) as pipeline:
    calls = [pipeline.open() for _ in range(5)]
    ended = dict.fromkeys(calls, 0)
    for chunk in chunks:
        for call in calls:
            call.feed(chunk)
            ended[call] += sum(isinstance(event, SpeechEnded) for event in call.take())
    for call in calls:
        call.end()
        while not call.is_done:
            call.wait()
            ended[call] += sum(isinstance(event, SpeechEnded) for event in call.take())
spent = time.perf_counter() - begin
print(f"utterances of each of 5 streams: {list(ended.values())}")
print("faster than speech:", 5 * len(samples) / rate > spent)

# %% [markdown] lang="en"
# ## A microphone
#
# The microphone of the machine on which this kernel runs; without one, the recording stands in. In a browser (Colab) the
# kernel has no microphone: there, use the page of the service below, or `emovox listen` on your own machine. **Inform everyone
# who can be heard before you start.**

# %% [markdown] lang="zh"
# ## 麦克风
#
# 这里用的是运行内核的那台机器的麦克风；没有麦克风时用上面的录音代替。在浏览器中（Colab），内核没有麦克风：请使用下面服务的网页，
# 或在自己的电脑上运行 `emovox listen`。**开始之前，请告知所有可能被听到的人。**

# %%
import soxr

from emovox.audio.devices import find_device
from emovox.audio.microphone import Microphone
from emovox.schema.errors import MicrophoneError, MissingExtraError


def microphone(seconds):
    """Yield chunks of the microphone, [n] at 16 kHz, as they arrive."""
    source = Microphone(find_device(), rate=16000, seconds=seconds)
    resample = soxr.ResampleStream(source.rate, 16000, 1, dtype="float32")
    try:
        for block in source.blocks(1600):
            yield resample.resample_chunk(np.ascontiguousarray(block.mean(axis=0)))
    finally:
        source.close()


try:
    find_device()
    sound = microphone(8)
except (MicrophoneError, MissingExtraError):
    print("no microphone here: a recording stands in")
    sound = chunks[:80]

for event in listen(sound):
    if not isinstance(event, EmotionUpdated):
        print(f"{getattr(event, 'end', event.start):5.2f} s  {type(event).__name__:15} {getattr(event, 'label', '')}")

# %% [markdown] lang="en"
# ## The service as a client sees it
#
# `emovox serve` answers over HTTP and WebSocket, and has a page for file and microphone. Here it runs beside the notebook, on a
# port that is free. **Never** use it to infer the emotions of workers, applicants, pupils or students: that is prohibited in
# the EU.

# %% [markdown] lang="zh"
# ## 从客户端看服务
#
# `emovox serve` 通过 HTTP 和 WebSocket 应答，并带有用于文件和麦克风的网页。这里让它在笔记本旁边的空闲端口上运行。
# **切勿**用它推断员工、求职者、学生的情绪：这在欧盟是被禁止的。

# %%
import json
import socket
import urllib.error
import urllib.request

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
address = f"http://127.0.0.1:{port}"
command = [sys.executable, "-m", "emovox", "serve", "--model", "mobile", "--port", str(port)]
server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
for _ in range(240):
    try:
        print(urllib.request.urlopen(f"{address}/healthz").read().decode())
        break
    except urllib.error.URLError:
        time.sleep(0.25)
else:
    raise SystemExit(f"the service did not start; run in a terminal: emovox serve --port {port}")

# %%
boundary = "notebook"
body = (
    f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="demo.flac"\r\n\r\n'.encode()
    + recording.read_bytes()
    + f"\r\n--{boundary}--\r\n".encode()
)
request = urllib.request.Request(
    f"{address}/v1/emotions", body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
)
answer = json.load(urllib.request.urlopen(request))
print(answer["label"], answer["confidence"], len(answer["segments"]), "segments")

# %% [markdown] lang="en"
# The same in a terminal: `curl -F file=@call.wav http://127.0.0.1:8000/v1/emotions`. Live audio goes over a WebSocket: first a
# text with the form of the audio, then bytes.

# %% [markdown] lang="zh"
# 终端中的写法：`curl -F file=@call.wav http://127.0.0.1:8000/v1/emotions`。实时音频走 WebSocket：先发一条说明音频格式的文本，再发字节。

# %%
from websockets.sync.client import connect

with connect(f"ws://127.0.0.1:{port}/v1/stream") as socket_:
    socket_.send(json.dumps({"type": "session.start", "sample_rate": 16000, "encoding": "s16le"}))
    for chunk in chunks[:60]:
        socket_.send((chunk * 32767).astype("<i2").tobytes())
    socket_.send(json.dumps({"type": "session.end"}))
    for text in socket_:
        event = json.loads(text)
        if event["type"] != "emotion.updated":
            print(event["type"], {key: event[key] for key in ("start", "end", "label") if key in event})

server.terminate()
_ = server.wait()

# %% [markdown] lang="en"
# **Next:** `7-your-own`, a model from your own recordings. `docs/service.md` has keys, limits, jobs and telephony;
# `docs/streaming.md` has overload and events in full.

# %% [markdown] lang="zh"
# **下一步：**`7-your-own`，用自己的录音训练模型。密钥、限制、任务和电话音频见 `docs/service.md`；过载与全部事件见 `docs/streaming.md`。
