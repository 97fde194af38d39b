// Turn a stream of samples into speech regions, and cut these into tiles.
import { FRAME, UNIT } from "../detector/frames.ts";
import { type Mark, RegionFinder } from "../detector/regions.ts";
import { SPEECH_CONTEXT, type SpeechNetwork, SpeechUnits } from "../detector/speech.ts";
import { VAD, Vad } from "../detector/vad.ts";
import { PcmBuffer } from "./pcm_buffer.ts";
import { countWindows, extend, splitRegion } from "./tiles.ts";

/** The sample rate in Hz of all that follows the resampler. */
export const RATE = 16_000;

const BLOCK = 3 * RATE; // samples per step: longer calls are split, so that they need no more memory
const HOP = Math.round(FRAME * RATE);
const PADDING = Math.round(VAD.padding * RATE);
const UNIT_SAMPLES = Math.round(UNIT * RATE);
const ROUNDING = RATE / 2; // step of the lengths that a model gets; also the most audio around a tile

/** Durations in seconds, from the model's card; `hop` is the time between previews, null for none. */
export interface SegmenterOptions {
  readonly window: number;
  readonly shortest: number;
  readonly hop: number | null;
}

/** A region begins; positions are samples from the beginning of the stream, regions count from 0. */
export interface RegionStarted {
  readonly kind: "started";
  readonly region: number;
  readonly start: number;
}

/** A region has ended; it follows all its tiles. */
export interface RegionEnded {
  readonly kind: "ended";
  readonly region: number;
  readonly start: number;
  readonly end: number;
}

/** A piece of a region, or a preview of an open one, with the samples that a model scores for it. */
export interface Piece {
  readonly kind: "tile" | "preview";
  readonly region: number;
  readonly start: number;
  readonly end: number;
  readonly samples: Float32Array;
}

export type SegmenterEvent = RegionStarted | Piece | RegionEnded;

interface Span {
  readonly kind: "span";
  readonly region: number;
  readonly start: number;
  readonly end: number;
}

/** A converter from samples to speech regions and tiles. The result does not depend on the chunking. */
export class Segmenter {
  readonly #hop: number | null;
  readonly #window: number;
  readonly #shortest: number;
  readonly #vad = new Vad(RATE);
  readonly #audio = new PcmBuffer(RATE / 2);
  readonly #finder: RegionFinder;
  readonly #queue: (RegionStarted | Span | RegionEnded)[] = [];
  #region = -1;
  #regionStart = 0;
  #tileStart = 0;

  constructor({ window, shortest, hop }: SegmenterOptions, network: SpeechNetwork) {
    this.#window = Math.round(window * RATE);
    this.#shortest = Math.round(shortest * RATE);
    this.#hop = hop === null ? null : Math.round(hop / FRAME) * HOP;
    const units = new SpeechUnits(this.#audio, network);
    this.#finder = new RegionFinder((unit) => units.holdsSpeech(unit));
  }

  /** Samples since the beginning of the stream. */
  get total(): number {
    return this.#audio.end;
  }

  /** Memory of the audio in bytes. */
  get bytes(): number {
    return this.#audio.bytes;
  }

  /** Take the next samples at 16 kHz and return the events that are now certain. */
  feed(samples: Float32Array): SegmenterEvent[] {
    const events: SegmenterEvent[] = [];
    for (let first = 0; first < samples.length; ) {
      const last = first + Math.min(BLOCK, this.#toNextHop());
      const block = samples.subarray(first, last);
      this.#audio.append(block);
      const atHop = this.#hop !== null && this.#audio.end % this.#hop === 0;
      this.#advance(this.#finder.feed(this.#vad.feed(block, atHop)));
      events.push(...this.#release(null));
      if (atHop && this.#finder.isOpen) events.push(...this.#preview());
      this.#audio.forget(this.#oldestNeeded());
      first = last;
    }
    return events;
  }

  /** End the audio and return the last events; none if the recording is shorter than `shortest`. */
  flush(): SegmenterEvent[] {
    this.#advance([...this.#finder.feed(this.#vad.flush()), ...this.#finder.flush()]);
    return this.total >= this.#shortest ? this.#release(this.total) : [];
  }

  /** A call is cut at the ends of hops, so that a preview does not depend on the chunking. */
  #toNextHop(): number {
    return this.#hop === null ? BLOCK : this.#hop - (this.#audio.end % this.#hop);
  }

  #preview(): Piece[] {
    const { end } = this.#audio;
    const region = Math.ceil((end - this.#regionStart) / ROUNDING) * ROUNDING;
    const length = Math.min(end, this.#window, region);
    if (length < this.#shortest) return [];
    const samples = this.#audio.cut(end - length, end);
    return [{ kind: "preview", region: this.#region, start: end - length, end, samples }];
  }

  #advance(marks: readonly Mark[]): void {
    for (const { kind, frame } of marks) {
      if (kind === "opened") this.#open(frame);
      else this.#close(frame);
    }
    if (!this.#finder.isOpen) return;
    const end = Math.min(this.#audio.end, this.#finder.reach * HOP + PADDING);
    for (let count = countWindows(end - this.#tileStart, this.#window); count > 1; count -= 1)
      this.#plan(this.#tileStart, this.#tileStart + this.#window);
  }

  #open(frame: number): void {
    this.#region += 1;
    this.#regionStart = Math.max(0, frame * HOP - PADDING);
    this.#tileStart = this.#regionStart;
    this.#queue.push({ kind: "started", region: this.#region, start: this.#regionStart });
  }

  #close(frame: number): void {
    const end = Math.min(this.#audio.end, frame * HOP + PADDING);
    for (const [start, stop] of splitRegion(this.#tileStart, end, this.#window)) this.#plan(start, stop);
    this.#queue.push({ kind: "ended", region: this.#region, start: this.#regionStart, end });
  }

  #plan(start: number, end: number): void {
    this.#queue.push({ kind: "span", region: this.#region, start, end });
    this.#tileStart = end;
  }

  /** Return the planned events whose audio is known. */
  #release(total: number | null): SegmenterEvent[] {
    const events: SegmenterEvent[] = [];
    for (let item = this.#queue[0]; item && this.#audio.end >= this.#shortest; item = this.#queue[0]) {
      if (item.kind === "span") {
        const [start, end] = extend(item.start, item.end, ROUNDING, total);
        if (end > this.#audio.end) break;
        events.push({ ...item, kind: "tile", samples: this.#audio.cut(start, end) });
      } else events.push(item);
      this.#queue.shift();
    }
    return events;
  }

  #oldestNeeded(): number {
    const { isOpen, earliest, unit } = this.#finder;
    const planned = this.#queue.flatMap((item) => (item.kind === "span" ? [item.start] : []));
    const coming = isOpen ? this.#tileStart : earliest * HOP - PADDING;
    const oldest = Math.min(Math.min(coming, ...planned) - ROUNDING, unit * UNIT_SAMPLES - SPEECH_CONTEXT);
    // the next preview covers a window that ends at most one hop from now
    return this.#hop !== null && isOpen ? Math.min(oldest, this.#audio.end - this.#window) : oldest;
  }
}
