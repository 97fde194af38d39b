// The bands of a timeline, from top to bottom: waveform, a lane of segments per channel and its modalities, scores, axis.

export interface Band {
  readonly top: number;
  readonly height: number;
}

export interface Layout {
  readonly wave: Band;
  /** One lane per channel, in their order. */
  readonly lanes: readonly Band[];
  /** A row for each modality of a channel, below its lane. */
  readonly modalities: readonly (readonly Band[])[];
  readonly scores: readonly Band[];
  readonly axis: Band;
  readonly height: number;
  /** Pixels of a sixteenth of the page's letters: the timeline grows with them. */
  readonly unit: number;
}

/** The visible part of the time, and its width in pixels. */
export interface View {
  readonly start: number;
  readonly secondsPerPixel: number;
  readonly width: number;
}

const WAVE = 84;
const LANE = 40;
const MODALITY = 20;
const SCORES = 92;
const AXIS = 24;
const GAP = 8;
export const CAPTION = 16;
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];
const TICK_ROOM = 72; // pixels between two ticks, at least

/** Return the layout of a timeline, each band below its caption. Without a waveform, its band has height 0. */
export function layoutOf(channels: number, hasWave: boolean, unit = 1, modalities = 0): Layout {
  let top = 0;
  const band = (size: number, space = CAPTION): Band => {
    if (!size) return { top, height: 0 };
    const [height, caption] = [Math.round(size * unit), Math.round(space * unit)];
    const taken = { top: top + caption, height };
    top += caption + height + GAP;
    return taken;
  };
  const wave = band(hasWave ? WAVE : 0);
  const count = Math.max(1, channels);
  const lanes: Band[] = [];
  const rows: Band[][] = [];
  for (let channel = 0; channel < count; channel += 1) {
    lanes.push(band(LANE, count > 1 ? CAPTION : 0));
    rows.push(Array.from({ length: modalities }, () => band(MODALITY)));
  }
  const scores = Array.from({ length: count }, () => band(SCORES));
  const axis = Math.round(AXIS * unit);
  return {
    wave,
    lanes,
    modalities: rows,
    scores,
    axis: { top: top - GAP, height: axis },
    height: top - GAP + axis,
    unit,
  };
}

export function pixelOf(seconds: number, view: View): number {
  return (seconds - view.start) / view.secondsPerPixel;
}

export interface Ticks {
  readonly times: readonly number[];
  /** Decimals that all labels have. */
  readonly digits: number;
}

/** Return the times in seconds to label on the axis, far enough apart to be readable. */
export function ticks(view: View, unit = 1): Ticks {
  const step = STEPS.find((candidate) => candidate >= TICK_ROOM * unit * view.secondsPerPixel) ?? 7200;
  const end = view.start + view.width * view.secondsPerPixel;
  const times: number[] = [];
  for (let index = Math.ceil(view.start / step - 1e-9); index * step <= end; index += 1) {
    if (index >= 0) times.push(Number((index * step).toFixed(3)));
  }
  return { times, digits: step < 1 ? 1 : 0 };
}
