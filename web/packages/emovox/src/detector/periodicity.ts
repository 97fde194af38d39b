// The periodicity of a short frame: it separates voices from rain, wind, engines and clicks.
// Source: P. Boersma, Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
// sampled sound, IFA Proceedings 17, 1993, equation 9.

/** Samples of a frame at 4 kHz: 40 ms, nearly three periods of a voice of 70 Hz. */
export const WINDOW = 160;

const SHORTEST_LAG = 8; // 500 Hz; a higher voice repeats at a multiple of its period
const LONGEST_LAG = 57; // 70 Hz
const LEAST = 1.1754943508222875e-38; // the smallest normal float32
const HANN = Float32Array.from({ length: WINDOW }, (_, index) => 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / WINDOW));
const CORRECTION = correction();

/**
 * Return the highest peak of the normalised autocorrelation over the lags of a voice.
 *
 * @param low samples at 4 kHz without offset.
 * @param start first sample of the frame.
 * @returns about 1 for a steady voice, 0.2 to 0.5 for noise, 0 without a peak or for silence.
 */
export function periodicity(low: Float32Array, start: number): number {
  const frame = HANN.map((weight, index) => weight * (low[start + index] ?? 0));
  const lags = autocorrelation(frame);
  const energy = Math.max(lags[0] ?? 0, LEAST);
  const ratio = lags.map((value, lag) => (value * (CORRECTION[lag] ?? 0)) / energy);
  let best = 0;
  for (let lag = SHORTEST_LAG; lag <= LONGEST_LAG; lag += 1) {
    const value = ratio[lag] ?? 0;
    if (value > best && value >= (ratio[lag - 1] ?? 0) && value >= (ratio[lag + 1] ?? 0)) best = value;
  }
  return Math.min(1, best);
}

/** Long lags cover less of the window; dividing by its own autocorrelation evens that out. */
function correction(): Float64Array {
  const lags = autocorrelation(HANN);
  return lags.map((value) => (lags[0] ?? 0) / value);
}

/** Return the autocorrelation at the lags 0 to one beyond the longest. */
function autocorrelation(frame: Float32Array): Float64Array {
  const lags = new Float64Array(LONGEST_LAG + 2);
  for (let lag = 0; lag < lags.length; lag += 1) {
    let sum = 0;
    for (let index = lag; index < WINDOW; index += 1) sum += (frame[index] ?? 0) * (frame[index - lag] ?? 0);
    lags[lag] = sum;
  }
  return lags;
}
