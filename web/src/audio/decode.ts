import { Peaks } from "./peaks.ts";

const LARGEST = 96 * 1024 * 1024; // bytes of a file; the decoder holds all samples in memory at once
const OUTLINE_RATE = 8000; // Hz; an outline needs no more

/** Return the outline of a recording, of the mean of its channels; null if it is too large or cannot be decoded. */
export async function outlineOf(file: File): Promise<Peaks | null> {
  if (file.size > LARGEST) return null;
  try {
    const context = new OfflineAudioContext(1, 1, OUTLINE_RATE);
    const audio = await context.decodeAudioData(await file.arrayBuffer());
    const peaks = new Peaks(audio.sampleRate);
    peaks.add(mean(Array.from({ length: audio.numberOfChannels }, (_, index) => audio.getChannelData(index))));
    return peaks;
  } catch {
    return null; // the service decodes more formats than browsers do
  }
}

function mean(channels: readonly Float32Array[]): Float32Array {
  const [first] = channels;
  if (!first || channels.length === 1) return first ?? new Float32Array();
  return first.map((_, index) => channels.reduce((sum, channel) => sum + (channel[index] ?? 0), 0) / channels.length);
}
