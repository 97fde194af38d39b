// Decode a file with the browser's own decoders.
import { EmovoxError } from "../errors.ts";
import type { Sound } from "../worker/messages.ts";

const LARGEST = 512 * 1024 * 1024; // bytes of a file; the browser holds all samples in memory at once
const USUAL_RATE = 48_000; // Hz, for files whose rate is not at a known place

/**
 * Decode a file to its channels.
 *
 * @param name of the file, for messages.
 * @throws EmovoxError `too_large` or `undecodable`.
 */
export async function decode(file: Blob, name: string): Promise<Sound> {
  if (file.size > LARGEST)
    throw new EmovoxError(
      "too_large",
      `${name} has ${Math.ceil(file.size / 1e6)} MB, expected at most ${Math.floor(LARGEST / 1e6)} MB; cut it into parts`,
    );
  const bytes = await file.arrayBuffer();
  const context = new OfflineAudioContext(1, 1, nativeRate(new DataView(bytes)) ?? USUAL_RATE);
  try {
    return soundOf(await context.decodeAudioData(bytes));
  } catch (error) {
    throw new EmovoxError(
      "undecodable",
      `${name} cannot be decoded by this browser; expected sound such as WAV, FLAC, MP3, M4A, OGG or WebM; convert it`,
      { cause: error },
    );
  }
}

export function soundOf(audio: AudioBuffer): Sound {
  const channels = Array.from({ length: audio.numberOfChannels }, (_, channel) =>
    Float32Array.from(audio.getChannelData(channel)),
  );
  return { sampleRate: audio.sampleRate, channels };
}

/** Return the mean of the channels as one. */
export function mixed({ sampleRate, channels }: Sound): Sound {
  const [first] = channels;
  if (!first || channels.length === 1) return { sampleRate, channels };
  const mean = first.map(
    (_, index) => channels.reduce((sum, channel) => sum + (channel[index] ?? 0), 0) / channels.length,
  );
  return { sampleRate, channels: [mean] };
}

/**
 * Return the sample rate of a WAV or FLAC file in Hz, so that the browser does not resample it; null for other files,
 * and for rates that browsers need not take.
 */
export function nativeRate(bytes: DataView): number | null {
  const mark = (at: number) => (bytes.byteLength >= at + 4 ? bytes.getUint32(at) : 0);
  let rate: number | null = null;
  if (mark(0) === 0x52494646 && mark(8) === 0x57415645) rate = wavRate(bytes);
  if (mark(0) === 0x664c6143 && bytes.byteLength > 21) rate = mark(18) >>> 12;
  return rate !== null && rate >= 8000 && rate <= 96_000 ? rate : null;
}

/** Look for the chunk "fmt ". */
function wavRate(bytes: DataView): number | null {
  for (let at = 12; at + 16 <= bytes.byteLength; ) {
    const size = bytes.getUint32(at + 4, true);
    if (bytes.getUint32(at) === 0x666d7420) return bytes.getUint32(at + 12, true);
    at += 8 + size + (size % 2);
  }
  return null;
}
