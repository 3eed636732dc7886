// Serves the portable door as a browser loads it: our modules with their types stripped, packages as npm has them, and ranges of vectors.
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { stripTypeScriptTypes } from "node:module";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(import.meta.dirname, "../..");
/** Where modules may lie; everything else is not found, a module of Node too. */
const served = ["artifact", "node_modules", "test/artifact"];
/** By name: packages whose own files are asked for with a path behind it end in a slash. */
const packages = ["age-encryption", "zod", "zstddec", "@scure/base"];
const folders = ["@noble/ciphers/", "@noble/curves/", "@noble/hashes/", "@noble/post-quantum/"];

export interface PageServer extends AsyncDisposable {
  readonly origin: string;
  /** What the page posted. */
  readonly report: Promise<unknown>;
  /** Paths that were asked for. */
  readonly asked: readonly string[];
}

export async function servePage(script: string): Promise<PageServer> {
  const { promise: report, resolve } = Promise.withResolvers<unknown>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://page");
    asked.push(pathname);
    answer(pathname, request, response, { script, resolve }).catch(() => response.writeHead(404).end());
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    report,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

async function answer(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  { script, resolve }: { script: string; resolve: (report: unknown) => void },
): Promise<void> {
  if (path === "/") return send(response, "text/html", page(script));
  if (path === "/report") {
    const text = (await request.setEncoding("utf8").toArray()).join("");
    send(response, "text/plain", "");
    return resolve(JSON.parse(text));
  }
  if (path.startsWith("/vectors/")) {
    const bytes = await readFile(join(import.meta.dirname, normalize(path)));
    return sendRange(response, bytes, request.headers.range);
  }
  if (!served.some((folder) => path.startsWith(`/${folder}/`))) throw new Error("not served");
  const text = await readFile(join(root, normalize(path)), "utf8");
  send(response, "text/javascript", path.endsWith(".ts") ? stripTypeScriptTypes(text) : text);
}

function page(script: string): string {
  const imports: Record<string, string> = { "#artifact": "/artifact/portable.ts" };
  for (const name of packages) imports[name] = fileURLToPath(import.meta.resolve(name)).slice(root.length);
  for (const folder of folders) imports[folder] = `/node_modules/${folder}`;
  return `<!doctype html><title>page</title><script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module" src="${script}"></script>`;
}

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { "Content-Type": `${type}; charset=utf-8` }).end(body);
}

function sendRange(response: ServerResponse, bytes: Buffer, range: string | undefined): void {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
  if (from === undefined) return void response.writeHead(200).end(bytes);
  const part = bytes.subarray(Number(from), Number(to) + 1);
  const told = `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`;
  response.writeHead(206, { "Content-Range": told, "Content-Length": part.length, ETag: '"v"' }).end(part);
}
