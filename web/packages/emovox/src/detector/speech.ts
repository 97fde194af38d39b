// A small network that decides where periodicity does not: silero-vad (MIT).
import type { PcmBuffer } from "../engine/pcm_buffer.ts";
import { UNIT } from "./frames.ts";
import { VAD } from "./vad.ts";

const RATE = 16_000;
const CHUNK = 512;
const CONTEXT = 64;
const CHUNKS = Math.round(UNIT * RATE) / CHUNK; // 5
const FEWEST = 2; // chunks of speech in a unit of speech: a click is in one, or on the border of two
const LEVEL = 0.05; // root mean square that the network gets; at -60 dBFS it finds no speech
const MOST_GAIN = 1e4;

/** Samples before a unit that the network needs: 4 ms. */
export const SPEECH_CONTEXT = CONTEXT;

/** The network itself. It keeps its state from chunk to chunk. */
export interface SpeechNetwork {
  /** Forget what was heard. */
  start(): void;
  /** Return the probability of speech in the 512 new samples of a chunk [576] at 16 kHz; the first 64 are context. */
  probability(chunk: Float32Array): number;
}

/** A network that never finds speech: then only a voice opens a region. */
export const DEAF: SpeechNetwork = { start: () => undefined, probability: () => 0 };

/** The network over one stream at 16 kHz; its state is carried from unit to unit, and starts anew after a gap. */
export class SpeechUnits {
  #next = -1;
  #loudest = 0;

  constructor(
    private readonly audio: PcmBuffer,
    private readonly network: SpeechNetwork,
  ) {}

  /** Return whether a unit holds speech: at least two of its five chunks of 32 ms. Missing audio counts as silence. */
  holdsSpeech(unit: number): boolean {
    if (unit !== this.#next) {
      this.network.start();
      this.#loudest = 0;
    }
    this.#next = unit + 1;
    const piece = this.#cut(unit);
    this.#loudest = Math.max(this.#loudest, rms(piece.subarray(CONTEXT)));
    const gain = Math.fround(Math.min(MOST_GAIN, Math.max(1, LEVEL / Math.max(this.#loudest, 1e-9))));
    const loud = piece.map((sample) => sample * gain);
    let found = 0;
    for (let first = 0; first < CHUNKS * CHUNK; first += CHUNK) {
      if (this.network.probability(loud.subarray(first, first + CONTEXT + CHUNK)) > VAD.networkThreshold) found += 1;
    }
    return found >= FEWEST;
  }

  #cut(unit: number): Float32Array {
    const start = unit * CHUNKS * CHUNK - CONTEXT;
    const piece = new Float32Array(CONTEXT + CHUNKS * CHUNK);
    const first = Math.max(0, start);
    piece.set(this.audio.cut(first, Math.min(start + piece.length, this.audio.end)), first - start);
    return piece;
  }
}

function rms(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / samples.length);
}
