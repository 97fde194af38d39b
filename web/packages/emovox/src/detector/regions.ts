// Regions of speech in decisions on frames.
import { FRAME, framesOf, UNIT } from "./frames.ts";
import { CLEAR, LOUD, VAD, VOICED } from "./vad.ts";

const UNIT_FRAMES = Math.round(UNIT / FRAME);
const NEED = framesOf(VAD.onset);
const HANGOVER = framesOf(VAD.hangover);
const RECENT = framesOf(VAD.onsetWindow);

/** The start of a region at a frame, or its end before a frame; frames of 20 ms from the beginning of the stream. */
export interface Mark {
  readonly kind: "opened" | "closed";
  readonly frame: number;
}

/**
 * A finder of regions. Enough certainly voiced frames open a region, and voiced frames keep it open. Where frames are
 * only loud, the network decides, once per unit of 160 ms. A pause as long as the hangover closes the region.
 */
export class RegionFinder {
  isOpen = false;
  /** Frame after the last one with a voice or speech; an open region ends here or later. */
  reach = 0;
  #recent: number[] = [];
  #seen = 0;
  #loud = 0;

  /** @param holdsSpeech answers whether a unit holds speech; asked in ascending order about units that are known. */
  constructor(private readonly holdsSpeech: (unit: number) => boolean) {}

  /** First frame at which a region can still start. */
  get earliest(): number {
    return this.#seen - this.#recent.length;
  }

  /** Number of the unit of the next frame; earlier units are not asked about. */
  get unit(): number {
    return Math.floor(this.#seen / UNIT_FRAMES);
  }

  feed(levels: Uint8Array): Mark[] {
    const marks: Mark[] = [];
    for (const level of levels) this.#step(level, marks);
    return marks;
  }

  /** End the frames and return the last marks: of an incomplete unit, and of the open region. */
  flush(): Mark[] {
    const marks: Mark[] = [];
    if (this.#seen % UNIT_FRAMES) this.#endUnit(this.unit, marks);
    if (this.isOpen) this.#close(marks);
    return marks;
  }

  #step(level: number, marks: Mark[]): void {
    const { unit } = this;
    this.#seen += 1;
    if (level >= LOUD) this.#loud += 1;
    if (!this.isOpen) this.#wait(level, marks);
    else if (level >= VOICED) this.reach = this.#seen;
    if (this.unit > unit) this.#endUnit(unit, marks);
    if (this.isOpen && this.#seen - this.reach >= HANGOVER) {
      this.#loud = 0; // a new region cannot begin before this frame
      this.#close(marks);
    }
  }

  #wait(level: number, marks: Mark[]): void {
    this.#recent.push(level);
    if (this.#recent.length > RECENT) this.#recent.shift();
    if (level === CLEAR && this.#recent.filter((recent) => recent === CLEAR).length >= NEED) this.#open(VOICED, marks);
  }

  #endUnit(unit: number, marks: Mark[]): void {
    const loud = this.#loud;
    this.#loud = 0;
    const isKnown = this.isOpen && this.reach > unit * UNIT_FRAMES;
    if (loud < NEED || isKnown || !this.holdsSpeech(unit)) return;
    if (this.isOpen) this.reach = this.#seen;
    else this.#open(LOUD, marks);
  }

  #open(lowest: number, marks: Mark[]): void {
    const frame = this.earliest + this.#recent.findIndex((recent) => recent >= lowest);
    this.#recent = [];
    this.isOpen = true;
    this.reach = this.#seen;
    marks.push({ kind: "opened", frame });
  }

  #close(marks: Mark[]): void {
    this.isOpen = false;
    marks.push({ kind: "closed", frame: this.reach });
  }
}
