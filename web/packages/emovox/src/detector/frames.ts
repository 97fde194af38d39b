/** Seconds of a decision frame: 80 samples at `VOICE_RATE`. */
export const FRAME = 0.02;

/** Seconds of audio per question to the network, on a fixed grid from the beginning of the stream. */
export const UNIT = 0.16;

/** Hz at which a voice is looked for: four harmonics of the highest voice are below 2 kHz. */
export const VOICE_RATE = 4000;

/** Return the first sample and the sample after the last one of each whole frame; a shorter tail is dropped. */
export function frameBounds(samples: number, length: number, hop: number): [start: number, end: number][] {
  const count = Math.max(0, 1 + Math.floor((samples - length) / hop));
  return Array.from({ length: count }, (_, index) => [index * hop, index * hop + length]);
}

/** Return the number of decision frames in a duration in seconds, at least 1. */
export function framesOf(seconds: number): number {
  return Math.max(1, Math.round(seconds / FRAME));
}

/** Return two arrays of numbers one after the other. */
export function joined(first: Float32Array, second: Float32Array): Float32Array {
  const whole = new Float32Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
