import assert from "node:assert/strict";
import { after, test } from "node:test";
import { WebSocket } from "ws";
import type { LiveEvent } from "../../src/recogniser/protocol.ts";
import type { LiveStream, RecogniserError } from "../../src/recogniser/recogniser.ts";
import { ServiceRecogniser } from "../../src/recogniser/service.ts";
import { startFake } from "../fake_process.ts";

const SAMPLE_RATE = 16_000;
const PATIENCE_MS = 10_000;

Object.assign(globalThis, { WebSocket }); // Node 20 has no WebSocket

const fakes: Awaited<ReturnType<typeof startFake>>[] = [];
after(() => Promise.all(fakes.map((fake) => fake.stop())));

/** Open a session in the middle of an utterance, on a separate service. */
async function speaking(adapt = false) {
  const fake = await startFake();
  fakes.push(fake);
  const events: LiveEvent[] = [];
  const lost: RecogniserError[] = [];
  const stream: LiveStream = await new ServiceRecogniser(fake.url, async () => null).listen({
    sampleRate: SAMPLE_RATE,
    adapt,
    signal: new AbortController().signal,
    onEvent: (event) => events.push(event),
    onLost: (error) => lost.push(error),
  });
  stream.send(Float32Array.from({ length: 2 * SAMPLE_RATE }, (_, index) => 0.3 * Math.sin(index / 10)));
  await until(() => events.some(({ type }) => type === "emotion.updated"));
  return { fake, stream, events, lost };
}

async function until(done: () => boolean): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !done(); ) {
    assert.ok(Date.now() < end, "got nothing in time");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("a service that shuts down gives the verdict on the open utterance, and the session is lost", async () => {
  const { fake, events, lost } = await speaking();
  await fake.stop();
  await until(() => lost.length > 0);
  assert.equal(events.at(-1)?.type, "speech.ended");
  assert.deepEqual(
    lost.map(({ code }) => code),
    ["shutting_down"],
  );
});

test("a finished session gives the last verdict and is not lost, even if the service ends later", async () => {
  const { fake, stream, events, lost } = await speaking();
  await stream.finish();
  assert.equal(events.at(-1)?.type, "speech.ended");
  await fake.stop();
  assert.deepEqual(lost, []);
});

test("a session that the page closes is not lost", async () => {
  const { fake, stream, lost } = await speaking();
  stream.close();
  await fake.stop();
  assert.deepEqual(lost, []);
});

test("a session that adapts says so in its verdicts, and keeps the plain scores", async () => {
  for (const adapt of [true, false]) {
    const { fake, stream, events } = await speaking(adapt);
    await stream.finish();
    await fake.stop();
    const last = events.at(-1);
    assert.ok(last?.type === "speech.ended");
    assert.equal(last.adapted?.clips, adapt ? 1 : undefined);
    assert.equal(last.segments[0]?.plain_scores !== undefined, adapt);
  }
});
