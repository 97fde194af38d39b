// Transcripts among chosen files, and the recordings that they belong to.

import { stem } from "../export/download.ts";

const SUFFIXES = [".srt", ".vtt", ".json", ".textgrid", ".ctm"];

/** Return whether a file is a transcript, by the suffix of its name. */
export function isTranscript({ name }: { readonly name: string }): boolean {
  return SUFFIXES.some((suffix) => name.toLowerCase().endsWith(suffix));
}

/**
 * Return the transcript of a recording: the one of the same name, or the only one for the only recording; null: none.
 *
 * @param recordings all recordings that the transcripts may belong to.
 */
export function transcriptOf<Named extends { readonly name: string }>(
  recording: Named,
  recordings: readonly Named[],
  transcripts: readonly Named[],
): Named | null {
  const [only] = transcripts;
  if (recordings.length === 1 && transcripts.length === 1) return only ?? null;
  return transcripts.find(({ name }) => stem(name) === stem(recording.name)) ?? null;
}
