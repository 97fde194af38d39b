import assert from "node:assert/strict";
import { test } from "node:test";
import { CaptureClock, RunningMedian } from "../../src/audio/clock.ts";
import { encodeS16le, levelDb } from "../../src/audio/encode.ts";
import { Peaks } from "../../src/audio/peaks.ts";

test("samples become 16-bit little-endian integers, clipped, NaN as 0", () => {
  const bytes = new Uint8Array(encodeS16le(Float32Array.from([0, 0.5, -0.5, 1, -1, 2, -2, Number.NaN, 1 / 32_768])));
  const view = new DataView(bytes.buffer);
  const values = Array.from({ length: bytes.length / 2 }, (_, index) => view.getInt16(2 * index, true));
  assert.deepEqual(values, [0, 16_384, -16_384, 32_767, -32_768, 32_767, -32_768, 0, 1]);
  assert.deepEqual([...bytes.subarray(2, 4)], [0x00, 0x40]);
});

test("encoding is exact to half a step", () => {
  const samples = Float32Array.from({ length: 500 }, (_, index) => 0.9 * Math.sin(index / 7));
  const view = new DataView(encodeS16le(samples));
  for (const [index, sample] of samples.entries()) {
    assert.ok(Math.abs(view.getInt16(2 * index, true) / 32_768 - sample) <= 0.5 / 32_768);
  }
});

test("the level of full scale is 0 dB, that of a full sine 3 dB less, that of silence the floor", () => {
  const sine = Float32Array.from({ length: 48_000 }, (_, index) => Math.sin((2 * Math.PI * 100 * index) / 48_000));
  assert.ok(Math.abs(levelDb(Float32Array.from([1, -1]))) < 1e-6);
  assert.ok(Math.abs(levelDb(sine) + 3.0103) < 1e-3);
  assert.equal(levelDb(new Float32Array(100)), -100);
  assert.equal(levelDb(new Float32Array()), -100);
});

test("latency counts from the moment at which a sample was captured", () => {
  const clock = new CaptureClock();
  clock.note(0.1, 1000);
  clock.note(0.2, 1100);
  clock.note(0.3, 1900); // the device stopped for 700 ms
  assert.equal(clock.capturedAt(0.2), 1100);
  assert.ok(Math.abs((clock.capturedAt(0.15) ?? 0) - 1050) < 1e-6);
  assert.ok(Math.abs((clock.capturedAt(0.25) ?? 0) - 1850) < 1e-6);
  assert.equal(clock.capturedAt(0.4), null);
});

test("one late answer does not move the median", () => {
  const median = new RunningMedian(5);
  for (const value of [100, 110, 90]) median.add(value);
  assert.equal(median.add(5000), 110);
  for (const value of [300, 300, 300]) median.add(value);
  assert.equal(median.add(300), 300);
});

test("peaks do not depend on the length of the blocks, and grow over many minutes", () => {
  const samples = Float32Array.from({ length: 8000 * 30 }, (_, index) => Math.sin(index / 50) * (index / 240_000));
  const [whole, pieces] = [new Peaks(8000), new Peaks(8000)];
  whole.add(samples);
  for (let at = 0; at < samples.length; at += 777) pieces.add(samples.subarray(at, at + 777));
  assert.equal(whole.duration, 30);
  assert.equal(pieces.duration, 30);
  for (const [start, end] of [
    [0, 1],
    [12.34, 12.36],
    [29.9, 30],
    [0, 30],
  ] as const) {
    assert.deepEqual(pieces.between(start, end), whole.between(start, end));
  }
  const [low, high] = whole.between(29, 30);
  assert.ok(high > 0.95 && low < -0.95);
  assert.ok(Math.abs(whole.largest - 1) < 0.01);
  assert.deepEqual(whole.between(31, 32), [0, 0]);
});
