export interface Sound {
  readonly sampleRate: number;
  readonly channels: readonly Float32Array[];
}

/** Read 16-bit PCM WAV; null for anything else. */
export function readWav(bytes: Uint8Array): Sound | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 44 || tag(0) !== "RIFF" || tag(8) !== "WAVE") return null;
  let [count, sampleRate] = [0, 0];
  for (
    let at = 12;
    at + 8 <= bytes.length;
    at += 8 + view.getUint32(at + 4, true) + (view.getUint32(at + 4, true) % 2)
  ) {
    if (tag(at) === "fmt ") {
      if (view.getUint16(at + 22, true) !== 16) return null;
      [count, sampleRate] = [view.getUint16(at + 10, true), view.getUint32(at + 12, true)];
    }
    if (tag(at) !== "data" || !count) continue;
    const length = Math.min(view.getUint32(at + 4, true), bytes.length - at - 8);
    const frames = Math.floor(length / 2 / count);
    const sample = (frame: number, channel: number) =>
      view.getInt16(at + 8 + 2 * (frame * count + channel), true) / 32_768;
    const channels = Array.from({ length: count }, (_, channel) =>
      Float32Array.from({ length: frames }, (_, frame) => sample(frame, channel)),
    );
    return { sampleRate, channels };
  }
  return null;
}

/** Write 16-bit PCM WAV. */
export function wavOf({ sampleRate, channels }: Sound): Buffer {
  const frames = channels[0]?.length ?? 0;
  const buffer = Buffer.alloc(44 + 2 * frames * channels.length);
  buffer.write("RIFF", 0);
  buffer.writeUInt32LE(buffer.length - 8, 4);
  buffer.write("WAVEfmt ", 8);
  buffer.writeUInt32LE(16, 16);
  buffer.writeUInt16LE(1, 20);
  buffer.writeUInt16LE(channels.length, 22);
  buffer.writeUInt32LE(sampleRate, 24);
  buffer.writeUInt32LE(2 * sampleRate * channels.length, 28);
  buffer.writeUInt16LE(2 * channels.length, 32);
  buffer.writeUInt16LE(16, 34);
  buffer.write("data", 36);
  buffer.writeUInt32LE(buffer.length - 44, 40);
  let at = 44;
  for (let frame = 0; frame < frames; frame += 1) {
    for (const samples of channels) {
      buffer.writeInt16LE(Math.max(-32_768, Math.min(32_767, Math.round(32_768 * (samples[frame] ?? 0)))), at);
      at += 2;
    }
  }
  return buffer;
}

export function mixed(channels: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array()] = channels;
  return first.map((_, index) => channels.reduce((sum, samples) => sum + (samples[index] ?? 0), 0) / channels.length);
}
