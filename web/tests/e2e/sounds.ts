// The recordings of the tests: spoken by espeak-ng if it is installed, otherwise tones with the rhythm of speech.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mixed, readWav, type Sound, wavOf } from "../wav.ts";

const FOLDER = join(tmpdir(), "emovox-web-tests");
const SENTENCES = [
  ["+f3", "70", "185", "What a wonderful surprise, I am so glad that you came to see us today!"],
  ["+m3", "25", "120", "The train leaves at a quarter past seven, and it is raining again."],
  ["+f2", "95", "210", "I told you not to touch it! Put it down, right now, do you hear me?"],
] as const;

/** Two sentences with a pause after each, mono. */
export const SPEECH = join(FOLDER, "speech.wav");
/** One speaker per channel. */
export const CALL = join(FOLDER, "call.wav");
/** A minute and a half. */
export const LONG = join(FOLDER, "long.wav");
export const SILENCE = join(FOLDER, "silence.wav");
/** Input of the browser's fake microphone, in a loop. */
export const MICROPHONE = join(FOLDER, "microphone.wav");

/** Write the recordings. */
export default function make(): void {
  mkdirSync(FOLDER, { recursive: true });
  const [first, second, third] = SENTENCES.map(spoken);
  if (!first || !second || !third) throw new Error("got no sentences, expected three");
  const { sampleRate } = first;
  const quiet = (seconds: number) => new Float32Array(Math.round(seconds * sampleRate));
  const write = (path: string, ...channels: Float32Array[]) => writeFileSync(path, wavOf({ sampleRate, channels }));
  const [one, two, three] = [first, second, third].map(({ channels }) => mixed(channels)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const talk = joined(quiet(0.6), one, quiet(1.4), two, quiet(1.2), three, quiet(0.8));
  write(SPEECH, talk);
  write(SILENCE, quiet(3));
  write(LONG, joined(...Array.from({ length: Math.ceil((90 * sampleRate) / talk.length) }, () => talk)));
  const left = joined(quiet(0.4), one, quiet(0.8), quiet(two.length / sampleRate), quiet(0.5), three);
  const right = joined(quiet(0.8), quiet(one.length / sampleRate), two, quiet(0.5), quiet(three.length / sampleRate));
  const length = Math.max(left.length, right.length);
  write(CALL, ...[left, right].map((samples) => joined(samples, new Float32Array(length - samples.length))));
  writeFileSync(MICROPHONE, wavOf({ sampleRate, channels: [joined(quiet(1.5), one, quiet(6), two, quiet(2))] }));
}

function spoken([voice, pitch, speed, text]: (typeof SENTENCES)[number]): Sound {
  const path = join(FOLDER, `${voice}.wav`);
  try {
    execFileSync("espeak-ng", ["-v", `en${voice}`, "-p", pitch, "-s", speed, "-w", path, text]);
  } catch {
    return tones(Number(pitch));
  }
  const sound = readWav(readFileSync(path));
  if (!sound) throw new Error(`got no WAV from espeak-ng in ${path}`);
  return sound;
}

function tones(pitch: number): Sound {
  const sampleRate = 22_050;
  const samples = Float32Array.from({ length: 3 * sampleRate }, (_, index) => {
    const seconds = index / sampleRate;
    return 0.2 * Math.sin(2 * Math.PI * (120 + pitch) * seconds) * Math.abs(Math.sin(9 * seconds));
  });
  return { sampleRate, channels: [samples] };
}

function joined(...parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
