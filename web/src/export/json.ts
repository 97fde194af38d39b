import type { ModelName, Row } from "../recogniser/protocol.ts";
import { rounded } from "./round.ts";

/** Return a result as the JSON document of `emovox predict --format json`, with one row. */
export function jsonText(row: Row, model: ModelName): string {
  return `${JSON.stringify({ model: { name: model.name, version: model.version }, results: [rounded(row)] }, null, 2)}\n`;
}
