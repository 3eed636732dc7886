// The public surface: GraphQL over HTTP, SSE and WebSocket, GraphiQL, and what monitors ask.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createYoga } from "graphql-yoga";
import type { Logger } from "pino";
import { publicSchema } from "../../schema/public/schema.ts";
import type { EdgeConfig } from "../config.ts";
import { createDocumentCache, noCache } from "../limits/document-cache.ts";
import { createPlaces } from "../limits/places.ts";
import type { HubMetrics } from "../metrics/hub-metrics.ts";
import type { Readiness } from "../readiness.ts";
import { clientAddress } from "./client-address.ts";
import { createGraphiql } from "./graphiql.ts";
import { maskErrors } from "./masking.ts";
import { observeOperations } from "./observed.ts";
import { gateOperations } from "./operation-gate.ts";
import { type ContextMaker, publicContexts } from "./public-context.ts";
import { withRequestId } from "./request-facts.ts";
import {
  isOriginAllowed,
  type RequestGateOptions,
  refuseAddress,
  refuseOperation,
  secureHeaders,
  sendRefusal,
} from "./request-gate.ts";
import { sendJson } from "./send-json.ts";
import { acceptSockets, type SocketContext } from "./sockets.ts";
import { partWithVanished } from "./vanished-clients.ts";

export interface PublicSurfaceOptions extends ContextMaker {
  readonly readiness: () => Promise<Readiness>;
  readonly metrics: HubMetrics;
  /** Web origins that may call from a browser; others get no CORS headers at all. */
  readonly corsOrigins: readonly string[];
  readonly edge: EdgeConfig;
  readonly log: Logger;
}

const maxBodyBytes = 256 * 1024;
const endpoint = "/graphql";

/** The server, not yet listening, and what ends its sockets. */
export function createPublicSurface(options: PublicSurfaceOptions): { server: Server; dispose(): Promise<void> } {
  const { corsOrigins, edge, log, authentication } = options;
  const gate: RequestGateOptions = { corsOrigins, publicUrl: edge.publicUrl };
  const { metrics } = options;
  const mask = maskErrors(log, (code) => metrics.refused("public", code));
  const yoga = createOperations(options, mask);
  const pages = createPages(options);
  const vanished = partWithVanished(log);
  // Who sends a byte at a time is looked for every second.
  const server = createServer({ connectionsCheckingInterval: 1_000 }, (request, response) => {
    secureHeaders(response, gate);
    const url = request.url ?? "/";
    const path = url.split("?", 1)[0] ?? "/";
    const refusal = refuseAddress(request) ?? (path === endpoint ? refuseOperation(request, gate) : null);
    if (refusal) {
      metrics.refused("public", refusal.code);
      return sendRefusal(request, response, refusal);
    }
    if (path === endpoint) vanished.watch(response);
    // Yoga answers some requests, such as preflights, without a promise.
    const answered = withRequestId({ request, response, trusted: edge.proxies > 0 }, async () =>
      path === endpoint ? yoga(request, response) : pages(path, request, response),
    );
    answered.catch((error: unknown) => {
      log.error({ requestId: response.getHeader("x-request-id"), err: error }, "request failed");
      response.destroy();
    });
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;
  server.maxConnections = edge.connections;
  const sockets = acceptSockets({
    server,
    path: endpoint,
    yoga,
    authentication,
    mask,
    log,
    refuse: (request) =>
      refuseAddress(request) ??
      (isOriginAllowed(request, gate) ? null : { status: 403, code: "FORBIDDEN", message: "Forbidden" }),
    maxMessageBytes: maxBodyBytes,
    places: createPlaces({ each: edge.socketsPerUser, all: edge.connections }),
    operationsPerSocket: edge.operationsPerSocket,
    maxSockets: edge.connections,
    onRefused: (code) => metrics.refused("public", code),
  });
  metrics.gauge("xvault_sockets_open", "WebSockets that are open.", () => sockets.open);
  return {
    server,
    async dispose() {
      vanished.stop();
      await sockets.dispose();
      await yoga.dispose();
    },
  };
}

function createOperations(options: PublicSurfaceOptions, mask: ReturnType<typeof maskErrors>) {
  const { corsOrigins, edge, hub, metrics } = options;
  const contextOf = publicContexts(options);
  return createYoga<SocketContext>({
    schema: publicSchema,
    graphqlEndpoint: endpoint,
    graphiql: false,
    landingPage: false,
    batching: false,
    multipart: false,
    maxRequestBodySize: maxBodyBytes,
    logging: false,
    parserAndValidationCache: { documentCache: createDocumentCache(), errorCache: noCache },
    // Yoga grants the origin “null” to whoever is not on its list: those get no headers at all instead.
    cors: (request) => {
      const origin = request.headers.get("origin");
      return origin !== null && corsOrigins.includes(origin)
        ? { origin, credentials: false, methods: ["GET", "POST"] }
        : false;
    },
    plugins: [
      observeOperations(
        (_, operation) => operation,
        (operation, seconds) => metrics.executed("public", operation, seconds),
      ),
      gateOperations({
        rates: hub.rates,
        mask,
        perMinute: { known: edge.operationsPerMinute, anonymous: edge.anonymousOperationsPerMinute },
        streams: createPlaces({ each: edge.streamsPerUser, all: edge.connections }),
        proxies: edge.proxies,
      }),
    ],
    maskedErrors: { maskError: mask },
    // A socket's operations carry the token that it was opened with, all others their own.
    context: ({ connectionParams, request, req }) =>
      contextOf({
        authorization: connectionParams ? connectionParams.authorization : request.headers.get("authorization"),
        address: req ? clientAddress(req, edge.proxies) : null,
      }),
  });
}

function createPages({ readiness, edge }: PublicSurfaceOptions) {
  const graphiql = edge.graphiql ? createGraphiql(endpoint) : null;
  return async (path: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      return sendJson(response, 405, { error: "GET only" });
    }
    if (graphiql && path === "/graphiql") return graphiql(request, response);
    switch (path) {
      case "/health":
        return sendJson(response, 200, { status: "alive" });
      case "/ready": {
        const ready = await readiness();
        return sendJson(response, ready.status === "unavailable" ? 503 : 200, ready);
      }
      case "/":
        if (!graphiql) return sendJson(response, 404, { error: "there is nothing here" });
        response.writeHead(302, { location: "/graphiql" }).end();
        return;
      default:
        return sendJson(response, 404, { error: "there is nothing here" });
    }
  };
}
