// A whole recording → its result, with adaptation in a second pass over the statistics of its tiles.
import type { Adapted, LiveEvent, Notice, Row, Segment } from "../types.ts";
import { adaptedTo, ChannelAnalyser, type Engine, namedScores, rounded } from "./channel.ts";
import type { Adaptation, Scored } from "./model.ts";
import { RATE } from "./segmenter.ts";
import { isSpeech, labelOf, summarise } from "./summary.ts";
import { Voice } from "./voice.ts";

const BLOCK = 10 * RATE; // samples between two reports of the progress

export interface RecordingOptions {
  readonly file: string;
  readonly threshold: number;
  /** Parameters that adapt the scores to the voice of the recording, or of each channel; null: no adaptation. */
  readonly adaptation: Adaptation | null;
  readonly notices?: readonly Notice[];
  /** Called between two blocks with the share that is done, from 0 to 1; what it throws ends the analysis. */
  readonly onProgress?: (share: number) => Promise<void> | void;
}

interface Heard {
  readonly segment: Segment;
  readonly scored: Scored;
}

/** Return the result of a recording: the channels at 16 kHz, all of one length. */
export async function analyse(
  engine: Engine,
  channels: readonly Float32Array[],
  options: RecordingOptions,
): Promise<Row> {
  const { file, threshold, adaptation, notices = [], onProgress = () => undefined } = options;
  const heard: Heard[][] = [];
  const plain: Segment[] = [];
  let unfamiliarity: number | null = null;
  for (const [channel, samples] of channels.entries()) {
    const keep = adaptation !== null;
    const settings = { channel, channels: channels.length, hop: null, threshold, voice: null, keep };
    const analyser = new ChannelAnalyser(engine, settings);
    const events: LiveEvent[] = [];
    for (let first = 0; first < samples.length; first += BLOCK) {
      await onProgress((channel + first / samples.length) / channels.length);
      events.push(...(await analyser.feed(samples.subarray(first, first + BLOCK))));
    }
    events.push(...(await analyser.flush()));
    const segments = events.flatMap((event) => (event.type === "speech.ended" ? event.segments : []));
    plain.push(...segments);
    if (keep) heard.push(segments.map((segment, index) => ({ segment, scored: scoredAt(analyser.heard, index) })));
    const distance = analyser.unfamiliarity;
    if (distance !== null) unfamiliarity = Math.max(unfamiliarity ?? 0, distance);
  }
  const duration = rounded((channels[0]?.length ?? 0) / RATE);
  const about = { file, duration, threshold, notices, unfamiliarity };
  if (!adaptation) return summarise(plain, about);
  const again = [];
  for (const channel of heard) again.push(await adapted(engine, adaptation, channel, threshold));
  const segments = again.flatMap((channel) => channel.segments);
  const source = channels.length > 1 ? "channel" : "recording";
  return summarise(segments, {
    ...about,
    adapted: together(
      again.map(({ voice }) => adaptedTo(voice, source)),
      source,
    ),
  });
}

async function adapted(engine: Engine, fit: Adaptation, heard: readonly Heard[], threshold: number) {
  const voice = new Voice(engine.network, fit);
  const said = heard.filter(({ segment }) => isSpeech(segment));
  for (const { segment, scored } of said) voice.add(scored, segment.end - segment.start);
  if (said.length) voice.prepare();
  const again = async ({ segment, scored }: Heard): Promise<Segment> => {
    if (!isSpeech(segment)) return segment;
    const scores = namedScores(engine.card.labels, await voice.scores(scored.statistics));
    const label = labelOf(scores, threshold);
    const confidence = Math.max(...Object.values(scores));
    return { ...segment, label, confidence, scores, plain_scores: segment.scores };
  };
  const segments = await Promise.all(heard.map(again));
  return { voice, segments };
}

function together(voices: readonly Adapted[], source: string): Adapted {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const [clips, seconds] = [sum(voices.map((voice) => voice.clips)), sum(voices.map((voice) => voice.seconds))];
  return { source, clips, seconds: rounded(seconds) };
}

function scoredAt(heard: readonly Scored[], index: number): Scored {
  const scored = heard[index];
  if (!scored) throw new RangeError(`got segment ${index}, the analyser has heard ${heard.length}`);
  return scored;
}
