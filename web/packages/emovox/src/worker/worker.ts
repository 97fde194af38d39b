// The entry of the Worker.
import { imported, type OnnxFiles, withOnnx } from "../onnx/model.ts";
import { type Loaded, load } from "../wasm/module.ts";
import { Host } from "./host.ts";
import type { Reply, Request } from "./messages.ts";

interface WorkerScope {
  onmessage: ((message: MessageEvent<Request>) => void) | null;
  postMessage(reply: Reply): void;
}

async function loaded(wasm: string, onnx?: OnnxFiles): Promise<Loaded> {
  const compiled = await load(wasm);
  return onnx ? await withOnnx(compiled, onnx, imported) : compiled;
}

const scope = globalThis as unknown as WorkerScope;
const host = new Host(loaded, (reply) => scope.postMessage(reply));
scope.onmessage = ({ data }) => void host.take(data);
