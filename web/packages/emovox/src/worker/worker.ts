// The entry of the Worker.
import { load } from "../wasm/module.ts";
import { Host } from "./host.ts";
import type { Reply, Request } from "./messages.ts";

interface WorkerScope {
  onmessage: ((message: MessageEvent<Request>) => void) | null;
  postMessage(reply: Reply): void;
}

const scope = globalThis as unknown as WorkerScope;
const host = new Host(load, (reply) => scope.postMessage(reply));
scope.onmessage = ({ data }) => void host.take(data);
