// GraphiQL as one page without any address outside of this hub: sign in on top, example operations in tabs.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { renderGraphiQL } from "@graphql-yoga/render-graphiql";
import { examples } from "./graphiql-examples.ts";

interface Page {
  readonly packed: Buffer;
  readonly policy: string;
}

/** A handler that answers with the page, made and packed once. The page carries no data of anybody's. */
export function createGraphiql(
  endpoint: string,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  let page: Promise<Page> | null = null;
  return async (request, response) => {
    page ??= makePage(endpoint);
    if (!/\bgzip\b/.test(request.headers["accept-encoding"] ?? "")) {
      response.writeHead(406, { "content-type": "text/plain" }).end("This page is sent gzip-encoded only.\n");
      return;
    }
    const { packed, policy } = await page;
    response.writeHead(200, {
      "content-type": "text/html; charset=utf-8",
      "content-encoding": "gzip",
      "content-length": packed.byteLength,
      "cache-control": "no-cache",
      "content-security-policy": policy,
      vary: "accept-encoding",
    });
    response.end(request.method === "HEAD" ? undefined : packed);
  };
}

async function makePage(endpoint: string): Promise<Page> {
  const editor = renderGraphiQL({
    endpoint,
    title: "xVault GraphiQL",
    defaultTabs: [...examples],
    subscriptionsProtocol: "GRAPHQL_SSE",
    subscriptionsEndpoint: endpoint,
    credentials: "omit",
    // Tokens typed into the headers stay in the page, and no query is written into the address of it.
    shouldPersistHeaders: false,
  } as Parameters<typeof renderGraphiQL>[0]);
  const session = readFileSync(new URL("graphiql-session.html", import.meta.url), "utf8").replaceAll(
    "{{endpoint}}",
    endpoint,
  );
  const html = editor.replace('<div id="root"></div>', () => `${session}<div id="root"></div>`);
  return { packed: await promisify(gzip)(html), policy: policyFor(html) };
}

/** The page's own scripts by their hashes, and calls to this hub alone. The editor styles itself and works in blobs. */
function policyFor(html: string): string {
  const scripts = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(
    ([, text = ""]) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`,
  );
  return [
    "default-src 'none'",
    `script-src ${scripts.join(" ")} blob:`,
    "worker-src blob:",
    "style-src 'unsafe-inline'",
    "img-src data:",
    "font-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
