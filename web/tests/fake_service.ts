// Speaks the protocol of `emovox serve` without a model: for development (`npm run fake`) and for the tests.

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";
import { type WebSocket, WebSocketServer } from "ws";
import type { Row, Scores } from "../src/recogniser/protocol.ts";
import { FakeStream, HOP, LABELS, recognised, THRESHOLD, WINDOW } from "./fake_speech.ts";
import { mixed, readWav } from "./wav.ts";

const PORT = Number(process.env.PORT ?? 8765); // 0 takes a free port; the first line of the output names it
const STATIC = new URL("../../src/emovox/serving/static/", import.meta.url);
const LONGEST_AT_ONCE = 60; // seconds; longer recordings become jobs
const JOB_MS = 1500;
const LOCAL_POLICY = "script-src 'self' 'wasm-unsafe-eval'; "; // of the page without a server
const POLICY = "default-src 'self'; media-src 'self' blob:; base-uri 'none'; object-src 'none'; frame-ancestors 'none'";
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".flac": "audio/flac",
  ".wasm": "application/wasm",
};
const MODEL = { name: "pretend", version: "0.0.0" };
const CARD = {
  ...MODEL,
  default: true,
  offered: true,
  description: "level and brightness in place of emotion, for tests of the page",
  labels: LABELS,
  threshold: THRESHOLD,
  sets: [{ coverage: 90, least: 0.2 }],
  adaptable: true,
  modalities: ["voice", "face", "text"],
  licence: "Apache-2.0",
  licence_risk: "none: it learned from nothing",
  parameters: 2,
  figures: [{ corpus: "ravdess-8", protocol: "joint", metric: "UAR", value: 12.5, low: 10.1, high: 14.9 }],
};

const OTHER = { ...CARD, name: "second", default: false, adaptable: false, modalities: ["voice"] };

interface Job {
  readonly began: number;
  readonly result: object;
}

/** In place of the page's example, which it does not decode: two tones with a pause. */
const EXAMPLE = {
  sampleRate: 16_000,
  channels: [Float32Array.from({ length: 96_000 }, (_, i) => (i % 48_000 < 32_000 ? 0.2 * Math.sin(i / 12) : 0))],
};

const jobs = new Map<string, Job>();
const endings = new Set<() => void>(); // of the running sessions: what a service sends when it shuts down

const server = createServer((request, response) => {
  void route(request, response).catch((error: unknown) => fail(response, 500, "internal", String(error)));
});

async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://127.0.0.1");
  const path = url.pathname;
  if (path === "/v1/models") return answer(response, 200, { models: [CARD, OTHER] });
  if (path === "/v1/emotions" && request.method === "POST") return await emotions(request, response, url);
  if (path.startsWith("/v1/jobs/")) return job(request, response, path.slice("/v1/jobs/".length));
  await file(response, `${path.slice(1)}${path.endsWith("/") ? "index.html" : ""}`);
}

async function emotions(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const headers = { "content-type": request.headers["content-type"] ?? "" };
  const form = await new Response(Buffer.concat(chunks), { headers }).formData();
  const upload = form.get("file");
  if (!(upload instanceof Blob)) return fail(response, 422, "bad_request", "got no file, expected a field `file`");
  if (!upload.size) return fail(response, 422, "empty", `${upload.name}: got no bytes, expected audio`);
  const bytes = new Uint8Array(await upload.arrayBuffer());
  const sound = Buffer.from(bytes.subarray(0, 4)).toString() === "fLaC" ? EXAMPLE : readWav(bytes);
  if (!sound) return fail(response, 422, "undecodable", `${upload.name}: got no audio that is understood`);
  const channels = url.searchParams.get("channels") === "split" ? sound.channels : [mixed(sound.channels)];
  const alone: Row = recognised(upload.name, channels, sound.sampleRate, url.searchParams.has("adapt"));
  const others = (url.searchParams.get("modalities") ?? "voice").split(",").slice(1);
  const row = withLines(withModalities(alone, others), form.get("transcript"));
  const result = { model: { ...MODEL, name: url.searchParams.get("model") ?? MODEL.name }, ...row };
  if (row.duration <= LONGEST_AT_ONCE) return answer(response, 200, result);
  const id = randomUUID();
  jobs.set(id, { began: Date.now(), result });
  answer(response, 202, { job: { id, status: "queued", progress: 0 } }, { Location: `/v1/jobs/${id}` });
}

/** Return a row with the scores of further modalities in every segment but the last: those of the voice, backwards. */
function withModalities(row: Row, others: readonly string[]): Row {
  if (!others.length || !row.scores) return row;
  const backwards = (scores: Scores): Scores => {
    const values = Object.values(scores).reverse();
    return Object.fromEntries(Object.keys(scores).map((label, index) => [label, values[index] ?? 0]));
  };
  const all = (scores: Scores, names: readonly string[]) =>
    Object.fromEntries([["voice", scores], ...names.map((name) => [name, backwards(scores)] as const)]);
  const segments = row.segments.map((segment, index) => ({
    ...segment,
    modalities: all(segment.scores, index < row.segments.length - 1 ? others : []),
  }));
  return { ...row, segments, modalities: all(row.scores, others) };
}

/** Return a row with one line, its transcript's name, over its first segment. */
function withLines(row: Row, transcript: unknown): Row {
  const [first] = row.segments;
  if (!(transcript instanceof File) || !first) return row;
  const { start, end, label, confidence, scores } = first;
  return { ...row, lines: [{ start, end, text: transcript.name, label, confidence, scores, speaker: "A" }] };
}

function job(request: IncomingMessage, response: ServerResponse, id: string): void {
  const found = jobs.get(id);
  if (!found) return fail(response, 404, "no_such_job", `got no job ${id}`);
  if (request.method === "DELETE") {
    jobs.delete(id);
    response.writeHead(204).end();
    return;
  }
  const progress = Math.min(1, (Date.now() - found.began) / JOB_MS);
  if (progress < 1) return answer(response, 200, { job: { id, status: "running", progress } });
  answer(response, 200, { job: { id, status: "done", progress: 1 }, result: found.result });
}

async function file(response: ServerResponse, name: string): Promise<void> {
  const type = TYPES[extname(name)];
  const isLocal = name.startsWith("local/");
  const data =
    type && (isLocal || !name.includes("/")) ? await readFile(new URL(name, STATIC)).catch(() => null) : null;
  if (!data || !type) return fail(response, 404, "not_found", `got no ${name}`);
  const policy = isLocal ? `${LOCAL_POLICY}${POLICY}` : POLICY;
  response.writeHead(200, { "Content-Type": type, "Content-Security-Policy": policy, "Cache-Control": "no-store" });
  response.end(data);
}

function answer(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
}

function fail(response: ServerResponse, status: number, code: string, message: string): void {
  answer(response, status, { error: { code, message } });
}

function converse(socket: WebSocket): void {
  let stream: FakeStream | null = null;
  const send = (message: object) => socket.send(JSON.stringify(message));
  const refuse = (code: string, message: string) => {
    send({ type: "error", code, message });
    socket.close(4400);
  };
  const finish = (running: FakeStream) => {
    endings.delete(shutDown);
    for (const event of running.flush()) send(event);
    send({ type: "session.ended", seconds: running.seconds, previews_dropped: 0 });
  };
  const shutDown = () => {
    if (stream) finish(stream);
    send({
      type: "error",
      code: "shutting_down",
      message: "the service is being shut down; connect again in a moment",
    });
    socket.close(1001, "shutting_down");
  };
  const control = (message: {
    type?: string;
    sample_rate?: number;
    encoding?: string;
    channels?: number;
    adapt?: boolean;
  }) => {
    const { type, sample_rate = 0, encoding, channels = 1, adapt = false } = message;
    if (type === "session.start" && sample_rate >= 8000 && sample_rate <= 48_000 && encoding === "s16le") {
      stream = new FakeStream(sample_rate, 0, adapt);
      endings.add(shutDown);
      const settings = { hop: HOP, window: WINDOW, threshold: THRESHOLD, encoding, sample_rate, channels, adapt };
      send({ type: "session.started", model: MODEL, labels: LABELS, ...settings });
    } else if (type === "session.end" && stream) {
      finish(stream);
      socket.close(1000);
    } else refuse("bad_message", `got ${JSON.stringify(message)}, expected session.start or session.end`);
  };
  socket.on("close", () => endings.delete(shutDown));
  socket.on("message", (data: Buffer, binary: boolean) => {
    if (!binary) control(JSON.parse(data.toString()));
    else if (!stream) refuse("not_started", "got sound before session.start");
    else for (const event of stream.feed(samplesOf(data))) send(event);
  });
}

function samplesOf(data: Buffer): Float32Array {
  return Float32Array.from({ length: data.length >> 1 }, (_, index) => data.readInt16LE(2 * index) / 32_768);
}

const sockets = new WebSocketServer({ noServer: true });
server.on("upgrade", (request, socket, head) => {
  if (request.url !== "/v1/stream") socket.destroy();
  else sockets.handleUpgrade(request, socket, head, converse);
});
server.listen(PORT, "127.0.0.1", () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.once("SIGTERM", () => {
  for (const end of endings) end();
  server.close();
  server.closeAllConnections();
});
