// Build the npm package into dist/: three scripts, the types, and the wasm file that `make wasm` wrote.
import { execFile } from "node:child_process";
import { copyFile, cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const DIST = join(HERE, "dist");
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PACKAGE = join(ROOT, "src/emovox");
const LICENSES = {
  LICENSE: join(ROOT, "LICENSE"),
  "weights-LICENSE": join(PACKAGE, "pretrained/LICENSE"),
  "silero-vad-LICENSE": join(PACKAGE, "runtime/silero/LICENSE"),
};

/** The types are a file for each source; they name each other as scripts. */
async function writeTypes() {
  await promisify(execFile)(join(HERE, "../../node_modules/.bin/tsc"), ["-p", join(HERE, "tsconfig.json")]);
  for (const name of await readdir(join(DIST, "types"), { recursive: true })) {
    if (!name.endsWith(".d.ts")) continue;
    const path = join(DIST, "types", name);
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace(/(["'])(\.{1,2}\/[^"']+)\.ts\1/g, "$1$2.js$1"));
  }
}

await rm(DIST, { recursive: true, force: true });
await mkdir(DIST);
await build({
  absWorkingDir: HERE,
  entryPoints: { index: "src/index.ts", worker: "src/worker/worker.ts", worklet: "src/audio/worklet.ts" },
  outdir: DIST,
  bundle: true,
  minifyIdentifiers: true,
  minifySyntax: true, // spaces stay, and with them the comments that tell bundlers to leave an import alone
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
});
await copyFile(join(PACKAGE, "serving/static/local/emovox.wasm"), join(DIST, "emovox.wasm"));
await mkdir(join(HERE, "LICENSES"), { recursive: true });
for (const [name, from] of Object.entries(LICENSES)) await cp(from, join(HERE, "LICENSES", name));
await writeTypes();
