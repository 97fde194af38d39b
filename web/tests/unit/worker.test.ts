// The Worker of the browser package, page's side and its own, joined by a fake port; and what is wrong with a wasm file.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { mixed, nativeRate } from "../../packages/emovox/src/audio/decode.ts";
import { EmovoxError } from "../../packages/emovox/src/errors.ts";
import type { LiveEvent } from "../../packages/emovox/src/types.ts";
import { instantiate, load } from "../../packages/emovox/src/wasm/module.ts";
import { hasSimd } from "../../packages/emovox/src/wasm/simd.ts";
import { Client, type Port } from "../../packages/emovox/src/worker/client.ts";
import { Host } from "../../packages/emovox/src/worker/host.ts";
import type { Reply, Request } from "../../packages/emovox/src/worker/messages.ts";

const WASM = readFileSync(new URL("../../../src/emovox/serving/static/local/emovox.wasm", import.meta.url));
const RATE = 16_000;
const VOICE = Float32Array.from({ length: 3 * RATE }, (_, index) => {
  const within = index > RATE / 2 && index < 2.2 * RATE ? 0.3 : 0;
  return within * [1, 2, 3, 4].reduce((sum, n) => sum + Math.sin((2 * Math.PI * 150 * n * index) / RATE) / n, 0);
});
const SETTINGS = { threshold: null, adapt: false };

class FakeWorker implements Port {
  onmessage: Port["onmessage"] = null;
  onerror: Port["onerror"] = null;
  ended = false;
  readonly #host = new Host(
    () => instantiate(WASM),
    (reply: Reply) => void setTimeout(() => this.onmessage?.({ data: reply } as MessageEvent<Reply>)),
  );

  postMessage(request: Request): void {
    void this.#host.take(structuredClone(request));
  }

  terminate(): void {
    this.ended = true;
  }
}

async function loaded(): Promise<{ worker: FakeWorker; client: Client }> {
  const worker = new FakeWorker();
  const client = new Client(worker);
  await client.ask("load", { wasm: "emovox.wasm" });
  return { worker, client };
}

const failsWith = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof EmovoxError && error.code === code && message.test(error.message);

test("a stream gives events in order, and says at its end what it is adapted to", async () => {
  const { client } = await loaded();
  const events: LiveEvent[] = [];
  const stream = client.next;
  await client.ask(
    "open",
    { sampleRate: RATE, settings: { threshold: null, adapt: true } },
    { onEvent: (event) => void events.push(event) },
  );
  for (let first = 0; first < VOICE.length; first += 1600)
    await client.ask("feed", { stream, samples: VOICE.slice(first, first + 1600) });
  const finished = await client.ask("finish", { stream });
  assert.deepEqual([...new Set(events.map(({ type }) => type))], ["speech.started", "emotion.updated", "speech.ended"]);
  const [ended] = events.filter(({ type }) => type === "speech.ended");
  assert.deepEqual([finished.seconds, finished.adapted?.clips], [3, 0]); // a buzz is no speech: it teaches no voice
  assert.deepEqual(ended && "code" in ended && [ended.label, ended.code], [null, "not_speech"]);
  await assert.rejects(client.ask("finish", { stream }), failsWith("closed", /has ended; open another one/));
});

test("a recording gives its result, with progress; two can be asked at once", async () => {
  const { client } = await loaded();
  const shares: number[] = [];
  const question = { file: "a.wav", sound: { sampleRate: RATE, channels: [VOICE] }, settings: SETTINGS };
  const rows = await Promise.all([
    client.ask("analyse", question, { onProgress: (share) => void shares.push(share) }),
    client.ask("analyse", { ...question, sound: { sampleRate: RATE, channels: [VOICE, VOICE] } }),
  ]);
  assert.deepEqual(
    rows.map(({ segments }) => segments.length),
    [1, 2],
  );
  assert.deepEqual(shares, [0]);
});

test("a cancelled analysis ends", async () => {
  const { client } = await loaded();
  const long = new Float32Array(60 * RATE);
  const of = client.next;
  const question = { file: "a.wav", sound: { sampleRate: RATE, channels: [long] }, settings: SETTINGS };
  const answer = client.ask("analyse", question);
  await client.ask("cancel", { of });
  await assert.rejects(answer, failsWith("closed", /a.wav: cancelled/));
});

test("what waits fails when the Worker fails or is closed", async () => {
  const { worker, client } = await loaded();
  const failures: EmovoxError[] = [];
  await client.ask(
    "open",
    { sampleRate: RATE, settings: SETTINGS },
    { onEvent: () => undefined, onFailure: (error) => void failures.push(error) },
  );
  worker.onerror?.({ message: "out of memory" } as ErrorEvent);
  assert.match(failures[0]?.message ?? "", /the Worker has failed: out of memory; create another recogniser/);
  await assert.rejects(client.ask("drop", { stream: 1 }), failsWith("worker_failed", /out of memory/));
  const other = await loaded();
  other.client.close();
  assert.equal(other.worker.ended, true);
  await assert.rejects(other.client.ask("drop", { stream: 1 }), failsWith("closed", /create another one/));
});

test("a script that cannot be loaded is named", async () => {
  const worker = new FakeWorker();
  const client = new Client(worker);
  const waiting = client.ask("load", { wasm: "emovox.wasm" });
  worker.onerror?.({} as ErrorEvent);
  await assert.rejects(waiting, failsWith("worker_unreachable", /give its address in the option `worker`/));
});

test("a sample rate out of range is refused", async () => {
  const { client } = await loaded();
  const opening = client.ask("open", { sampleRate: 100, settings: SETTINGS });
  await assert.rejects(opening, /got a sample rate of 100 Hz, expected 4000 to 384000 Hz/);
});

test("a file that is no wasm, or of another version, says what and what next", async () => {
  const page = new TextEncoder().encode("<!doctype html>");
  await assert.rejects(instantiate(page), failsWith("wasm_damaged", /got 15 bytes that are no WebAssembly/));
  const empty = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
  await assert.rejects(instantiate(empty), failsWith("wasm_damaged", /holds no model of emovox/));
  const text = new TextEncoder().encode('{"format":99}');
  const section = [0, 7 + text.length, 6, ...new TextEncoder().encode("emovox"), ...text];
  const other = Uint8Array.from([...empty, ...section]);
  await assert.rejects(instantiate(other), failsWith("wasm_version", /format 99, this code reads format 2/));
  await assert.rejects(instantiate(WASM.subarray(0, 5000)), failsWith("wasm_damaged", /load the file again/));
});

test("a file that is not there says where", async () => {
  await assert.rejects(
    load("http://127.0.0.1:9/emovox.wasm"),
    failsWith("wasm_unreachable", /127.0.0.1:9.*option `wasm`/),
  );
});

test("a browser without vectors says that it needs an update", async (context) => {
  assert.equal(hasSimd(), true);
  context.mock.method(WebAssembly, "validate", () => false);
  await assert.rejects(instantiate(WASM), failsWith("no_simd", /Chrome and Edge 91, Firefox 89, Safari 16.4 or newer/));
});

test("between two lengths of the network, the sound goes on backwards", async () => {
  const { network } = await instantiate(WASM);
  const piece = VOICE.subarray(9000, 26_000);
  const mirrored = Float32Array.from({ length: 17_600 }, (_, at) => piece[at < 17_000 ? at : 33_998 - at] ?? 0);
  const found = await network.run(piece);
  assert.deepEqual(found, await network.run(mirrored));
  assert.deepEqual(found.scores, await network.scores(found.statistics, network.profile));
  for (const length of [4799, 72_001])
    assert.throws(() => network.run(new Float32Array(length)), /samples, expected 4800 to 72000/);
});

test("the sample rate of WAV and FLAC files is read, so that the browser does not resample them", () => {
  const wav = new DataView(new ArrayBuffer(64));
  for (const [at, mark] of [
    [0, 0x52494646],
    [8, 0x57415645],
    [12, 0x4c495354],
    [24, 0x666d7420],
  ] as const)
    wav.setUint32(at, mark);
  wav.setUint32(16, 4, true); // a list before the format
  wav.setUint32(28, 16, true);
  wav.setUint32(36, 22_050, true);
  assert.equal(nativeRate(wav), 22_050);
  wav.setUint32(36, 4000, true);
  assert.equal(nativeRate(wav), null);
  const flac = readFileSync(new URL("../../../examples/demo.flac", import.meta.url));
  assert.equal(nativeRate(new DataView(flac.buffer, flac.byteOffset, flac.length)), 16_000);
  assert.equal(nativeRate(new DataView(new ArrayBuffer(3))), null);
});

test("channels are mixed to their mean", () => {
  const channels = [Float32Array.of(0.5, 1), Float32Array.of(-0.5, 0)];
  assert.deepEqual(mixed({ sampleRate: 8000, channels }).channels, [Float32Array.of(0, 0.5)]);
  assert.equal(mixed({ sampleRate: 8000, channels: [] }).channels.length, 0);
});
