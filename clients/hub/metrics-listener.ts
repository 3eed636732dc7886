// Shows a process's figures to Prometheus, on a port of their own that customers have no way to.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "pino";
import { collectDefaultMetrics, type Registry } from "prom-client";

export interface MetricsListenerTerms {
  /** Address to listen on. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly registry: Registry;
  /** Sets what has to be asked for elsewhere, before each answer; never throws, and takes 6 s at most. */
  readonly refresh?: () => Promise<void>;
  readonly log: Logger;
}

export interface MetricsListener extends AsyncDisposable {
  readonly port: number;
}

const deadlineMs = 8_000;

/** Answers `GET /metrics` with the figures of the registry and of Node itself. Those who ask at the same time get the same answer. */
export async function listenForScrapes({
  host,
  port,
  registry,
  refresh,
  log,
}: MetricsListenerTerms): Promise<MetricsListener> {
  collectDefaultMetrics({ register: registry });
  let scrape: Promise<string> | null = null;
  const figures = () => {
    scrape ??= Promise.resolve(refresh?.())
      .then(() => registry.metrics())
      .finally(() => {
        scrape = null;
      });
    return scrape;
  };
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
    const isAsked = request.url?.split("?", 1)[0] === "/metrics";
    if (!isAsked || request.method !== "GET") {
      response.writeHead(isAsked ? 405 : 404, { "content-type": "text/plain", ...(isAsked && { allow: "GET" }) });
      response.end("GET /metrics\n");
      return;
    }
    const late = setTimeout(() => response.writeHead(503).end("The figures take too long.\n"), deadlineMs);
    figures()
      .then((text) => {
        if (!response.headersSent)
          response.writeHead(200, { "content-type": registry.contentType, "cache-control": "no-store" }).end(text);
      })
      .catch((error: unknown) => {
        log.warn({ err: error }, "metrics cannot be told");
        if (!response.headersSent) response.writeHead(500).end();
      })
      .finally(() => clearTimeout(late));
  });
  server.maxConnections = 16;
  server.listen(port, host);
  await once(server, "listening");
  const listening = (server.address() as AddressInfo).port;
  log.info({ metricsPort: listening }, "metrics are served");
  return {
    port: listening,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
