// Runs as the page's service worker: stores the files of this version, and answers from them.
import type { StoreProblem } from "./offline.ts";

declare const VERSION: string; // hash of the files
declare const FILES: readonly string[];
declare const LATER: readonly string[]; // files of models to choose, which are stored once they are fetched

interface ExtendableEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}

interface FetchEvent extends Event {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

interface Client {
  postMessage(message: StoreProblem): void;
}

interface Scope {
  readonly location: Location;
  readonly clients: {
    claim(): Promise<void>;
    matchAll(options: { includeUncontrolled: boolean }): Promise<readonly Client[]>;
  };
  addEventListener(type: "install" | "activate", listener: (event: ExtendableEvent) => void): void;
  addEventListener(type: "fetch", listener: (event: FetchEvent) => void): void;
}

const scope = globalThis as unknown as Scope;
const PREFIX = "emovox-";
const NAME = `${PREFIX}${VERSION}`;

async function store(): Promise<void> {
  const cache = await caches.open(NAME);
  try {
    await cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" })));
  } catch (error) {
    await caches.delete(NAME);
    const offline = error instanceof DOMException && error.name === "QuotaExceededError" ? "full" : "unreachable";
    for (const client of await scope.clients.matchAll({ includeUncontrolled: true })) client.postMessage({ offline });
    throw error;
  }
}

async function dropOthers(): Promise<void> {
  const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== NAME);
  await Promise.all(old.map((name) => caches.delete(name)));
  await scope.clients.claim();
}

async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(NAME);
  const stored = await cache.match(request, { ignoreSearch: true });
  if (stored) return stored;
  const response = await fetch(request);
  const isLater = LATER.some((name) => request.url === new URL(name, scope.location.href).href);
  if (isLater && response.ok) await cache.put(request, response.clone()).catch(() => undefined); // a full cache: not offline
  return response;
}

scope.addEventListener("install", (event) => event.waitUntil(store()));
scope.addEventListener("activate", (event) => event.waitUntil(dropOthers()));
scope.addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(answer(event.request));
});
