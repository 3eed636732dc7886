// Listens for HTTP: bounds every connection in time and number, and knows where a request belongs.
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Logger } from "pino";
import { withLogFacts } from "../clients/hub/log-context.ts";
import type { Readiness } from "./readiness.ts";

export interface HttpTerms {
  /** Address to listen on. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly log: Logger;
  readonly limits?: Partial<HttpLimits>;
  readonly readiness: () => Readiness;
  readonly onConnection: (socket: Socket) => void;
  /** A GET or HEAD of `/download/:token`; the token is as the client sent it. */
  readonly onDownload: (request: IncomingMessage, response: ServerResponse, token: string) => Promise<void>;
}

/** Disposal refuses new connections, lets transfers under way end for a while, then cuts them. */
export interface HttpServer extends AsyncDisposable {
  readonly port: number;
  /** Begins with that at once, beside whatever else comes to its end. */
  drain(): void;
}

export interface HttpLimits {
  readonly connections: number;
  /** For the header of a request to arrive. */
  readonly headersMs: number;
  /** Without a byte taken or sent; this also ends a transfer whose client has stopped reading. */
  readonly idleMs: number;
  /** How long an answered connection is watched for the way its client parts. */
  readonly partingMs: number;
  /** For transfers under way to end once the server is told to stop. */
  readonly drainMs: number;
}

const defaults: HttpLimits = {
  connections: 512,
  headersMs: 10_000,
  idleMs: 60_000,
  partingMs: 30_000,
  drainMs: 15_000,
};

/** Of every response. */
export const standingHeaders = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'none'; sandbox",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Robots-Tag": "noindex",
} as const;

export async function listen(terms: HttpTerms): Promise<HttpServer> {
  const limits = { ...defaults, ...terms.limits };
  const hintMs = 1_000;
  const server = createServer(
    {
      headersTimeout: limits.headersMs,
      requestTimeout: limits.headersMs + 5_000,
      connectionsCheckingInterval: limits.headersMs / 2,
      maxHeaderSize: 8192,
      // The hint makes clients part as soon as they have everything; the server waits longer, to see how they do it.
      keepAliveTimeout: hintMs,
      keepAliveTimeoutBuffer: limits.partingMs - hintMs,
    },
    (request, response) => {
      const requestId = randomUUID();
      response.setHeader("x-request-id", requestId);
      void withLogFacts({ requestId }, () => serve(terms, request, response));
    },
  );
  server.maxConnections = limits.connections;
  server.setTimeout(limits.idleMs);
  server.on("connection", terms.onConnection);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(terms.port, terms.host, resolve);
  });
  const closed = Promise.withResolvers<void>();
  let isDraining = false;
  function drain(): void {
    if (isDraining) return;
    isDraining = true;
    const cut = setTimeout(() => server.closeAllConnections(), limits.drainMs);
    server.close(() => {
      clearTimeout(cut);
      closed.resolve();
    });
  }
  return {
    port: (server.address() as AddressInfo).port,
    drain,
    async [Symbol.asyncDispose]() {
      drain();
      await closed.promise;
    },
  };
}

/** A whole answer in one sentence. */
export function answer(
  response: ServerResponse,
  status: number,
  sentence: string,
  headers: OutgoingHttpHeaders = {},
): void {
  const body = `${sentence}\n`;
  const length = { "Content-Type": "text/plain; charset=utf-8", "Content-Length": Buffer.byteLength(body) };
  response.writeHead(status, { ...standingHeaders, ...length, ...headers }).end(body);
}

async function serve(terms: HttpTerms, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  try {
    if (!/^\/(?:health$|ready$|download\/)/.test(path)) answer(response, 404, "There is nothing here.");
    else if (request.method !== "GET" && request.method !== "HEAD")
      answer(response, 405, "This can only be fetched.", { Allow: "GET, HEAD" });
    else if (path === "/health") answer(response, 200, "This service is alive.");
    else if (path === "/ready") {
      const readiness = terms.readiness();
      const body = `${JSON.stringify(readiness)}\n`;
      const headers = { ...standingHeaders, "Content-Type": "application/json; charset=utf-8" };
      response.writeHead(readiness.status === "unavailable" ? 503 : 200, headers).end(body);
    } else await terms.onDownload(request, response, path.slice("/download/".length));
  } catch (error) {
    terms.log.error({ err: error }, "a request failed");
    if (response.headersSent) response.destroy();
    else answer(response, 500, "Something went wrong here: try again later.");
  }
}
