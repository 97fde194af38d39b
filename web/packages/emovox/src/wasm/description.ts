// The section "emovox" of the wasm file: the model's card and the parameters of its adaptation, as JSON.
import type { Familiarity } from "../engine/familiarity.ts";
import type { Adaptation, Card } from "../engine/model.ts";
import { EmovoxError } from "../errors.ts";

/** Version of the interface between this code and the wasm file; `emovox.export.wasm` writes the same. */
export const FORMAT = 2;

const SECTION = "emovox";

/** A figure of a model's card: a value in percent, and the bounds of its interval. */
export interface Figure {
  readonly corpus: string;
  readonly protocol: string;
  readonly metric: string;
  readonly value: number;
  readonly low: number | null;
  readonly high: number | null;
}

/** The card of the model in the wasm file. */
export interface ModelInfo extends Card {
  /** SHA-256 of the model's ONNX file. */
  readonly sha256: string;
  readonly adaptable: boolean;
  readonly description: string;
  readonly licence: string;
  readonly licence_risk: string;
  readonly parameters: number;
  readonly figures: readonly Figure[];
  /** Promises for sets of labels: those whose score reaches `least` hold the true one in `coverage` percent of the cases. */
  readonly sets?: readonly { readonly coverage: number; readonly least: number }[];
}

export interface Description {
  readonly format: number;
  readonly card: ModelInfo;
  /** Width p of the statistics. */
  readonly statistics: number;
  /** Lengths in samples that the network takes, ascending. */
  readonly lengths: readonly number[];
  readonly adaptation:
    | (Readonly<Record<keyof Omit<Adaptation, "variance" | "gate">, readonly number[]>> & {
        readonly variance: number;
        readonly gate: Readonly<Record<"mean" | "scale" | "weights", readonly number[]>> & { readonly bias: number };
      })
    | null;
  /** The axes are numbers, or bytes in base64; then each has a scale. */
  readonly familiarity:
    | (Omit<Familiarity, "axes"> &
        (
          | { readonly axes: readonly number[]; readonly scales?: never }
          | { readonly axes: string; readonly scales: readonly number[] }
        ))
    | null;
}

export interface Contents {
  readonly card: ModelInfo;
  readonly statistics: number;
  readonly lengths: readonly number[];
  readonly adaptation: Adaptation | null;
  readonly familiarity: Familiarity | null;
}

/**
 * Return what the section of a compiled file says.
 *
 * @throws EmovoxError `wasm_damaged` without a section, `wasm_version` if the file is for another version of this code.
 */
export function contentsOf(module: WebAssembly.Module): Contents {
  const [section] = WebAssembly.Module.customSections(module, SECTION);
  if (!section)
    throw new EmovoxError(
      "wasm_damaged",
      "the wasm file holds no model of emovox; serve the emovox.wasm that came with this package",
    );
  return contentsIn(JSON.parse(new TextDecoder().decode(section)) as Description, "the wasm file");
}

/**
 * Return what a description says.
 *
 * @param file its file, for messages.
 * @throws EmovoxError `wasm_version` if the file is for another version of this code.
 */
export function contentsIn(description: Description, file: string): Contents {
  const { format, card, statistics, lengths, adaptation, familiarity } = description;
  if (format !== FORMAT)
    throw new EmovoxError(
      "wasm_version",
      `${file} has format ${format}, this code reads format ${FORMAT}: code and file are of different versions; ` +
        "serve both from the same package, and reload the page without its cache",
    );
  return {
    card,
    statistics,
    lengths,
    adaptation: adaptation && parametersOf(adaptation),
    familiarity: familiarity && withAxes(familiarity),
  };
}

function withAxes({ axes, scales, ...known }: NonNullable<Description["familiarity"]>): Familiarity {
  if (!scales) return { ...known, axes: Float64Array.from(axes) };
  const bytes = Int8Array.from(atob(axes), (letter) => letter.charCodeAt(0));
  const width = bytes.length / scales.length;
  return { ...known, axes: Float64Array.from(bytes, (byte, index) => byte * (scales[Math.floor(index / width)] ?? 0)) };
}

function parametersOf({ axes, apart, within, variance, gate }: NonNullable<Description["adaptation"]>): Adaptation {
  const exact = (values: readonly number[]) => Float64Array.from(values);
  const { mean, scale, weights, bias } = gate;
  return {
    axes: exact(axes),
    apart: exact(apart),
    within: exact(within),
    variance,
    gate: { mean: exact(mean), scale: exact(scale), weights: exact(weights), bias },
  };
}
