import type { ModelName, Row } from "../recogniser/protocol.ts";
import { rounded } from "./round.ts";

/** Return results of one model as the JSON document of `emovox predict --format json`. */
export function jsonText(rows: readonly Row[], model: ModelName): string {
  return `${JSON.stringify({ model: { name: model.name, version: model.version }, results: rows.map(rounded) }, null, 2)}\n`;
}
