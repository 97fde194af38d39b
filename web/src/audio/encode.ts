/** Return samples in [-1, 1] as 16-bit little-endian integers. Larger magnitudes are clipped, NaN becomes 0. */
export function encodeS16le(samples: Float32Array): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(2 * samples.length));
  for (const [index, sample] of samples.entries()) {
    const scaled = Math.round(sample * 32_768);
    view.setInt16(2 * index, Math.max(-32_768, Math.min(32_767, scaled || 0)), true);
  }
  return view.buffer as ArrayBuffer;
}

/** Return the level of samples in dB of full scale, from -100 (silence) to 0. */
export function levelDb(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.max(-100, 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-10));
}
