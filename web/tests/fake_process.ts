// The fake service as a separate process on a free port, for tests that end it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("fake_service.ts", import.meta.url));
const PATIENCE_MS = 15_000;

export interface FakeProcess {
  readonly url: string;
  /** SIGTERM; resolves when the process has ended. */
  stop(): Promise<void>;
}

export async function startFake(): Promise<FakeProcess> {
  const child = spawn(process.execPath, ["--import", "tsx", SCRIPT], {
    env: { ...process.env, PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const [line] = await once(child.stdout, "data", { signal: AbortSignal.timeout(PATIENCE_MS) });
  return {
    url: `${String(line).trim()}/`,
    async stop() {
      const last = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
      child.kill("SIGTERM");
      await ended;
      clearTimeout(last);
    },
  };
}
