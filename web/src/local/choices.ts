// Models that the folder of the page has besides that in emovox.wasm: models.json, which `make web` writes, lists them.
import type { ModelInfo, RecogniserOptions } from "../../packages/emovox/src/index.ts";

/** A model that is loaded only once it is chosen. Addresses are relative to the page. */
export interface Choice extends Required<Pick<RecogniserOptions, "model" | "onnxruntime">> {
  readonly info: ModelInfo;
  /** MB to fetch. */
  readonly megabytes: number;
}

/** Return the choices. A page that has none names no list; a list that cannot be fetched leaves out the choices. */
export async function choices(): Promise<readonly Choice[]> {
  const list = document.querySelector<HTMLMetaElement>('meta[name="emovox-models"]')?.content;
  if (!list) return [];
  const response = await fetch(list).catch(() => null);
  return response?.ok ? ((await response.json()) as readonly Choice[]) : [];
}
