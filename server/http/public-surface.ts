// The public surface: GraphQL over HTTP, SSE and WebSocket, GraphiQL, and what monitors ask.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createYoga } from "graphql-yoga";
import type { Logger } from "pino";
import { publicSchema } from "../../schema/public/schema.ts";
import type { EdgeConfig } from "../config.ts";
import { createDocumentCache, noCache } from "../limits/document-cache.ts";
import { createPlaces } from "../limits/places.ts";
import { clientAddress } from "./client-address.ts";
import { createGraphiql } from "./graphiql.ts";
import { readiness, sendJson } from "./health.ts";
import { maskErrors } from "./masking.ts";
import { gateOperations } from "./operation-gate.ts";
import { type ContextMaker, publicContexts } from "./public-context.ts";
import {
  isOriginAllowed,
  type RequestGateOptions,
  refuseAddress,
  refuseOperation,
  secureHeaders,
  sendRefusal,
} from "./request-gate.ts";
import { acceptSockets, type SocketContext } from "./sockets.ts";
import { partWithVanished } from "./vanished-clients.ts";

export interface PublicSurfaceOptions extends ContextMaker {
  readonly redisReady: () => boolean;
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
  const mask = maskErrors(log);
  const yoga = createOperations(options, mask);
  const pages = createPages(options);
  const vanished = partWithVanished();
  // Who sends a byte at a time is looked for every second.
  const server = createServer({ connectionsCheckingInterval: 1_000 }, (request, response) => {
    secureHeaders(response, gate);
    const url = request.url ?? "/";
    const path = url.split("?", 1)[0] ?? "/";
    const refusal = refuseAddress(request) ?? (path === endpoint ? refuseOperation(request, gate) : null);
    if (refusal) return sendRefusal(request, response, refusal);
    if (path === endpoint) vanished.watch(response);
    // Yoga answers some requests, such as preflights, without a promise.
    const answered = path === endpoint ? Promise.resolve(yoga(request, response)) : pages(path, request, response);
    answered.catch((error: unknown) => {
      log.error({ err: error }, "request failed");
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
  });
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
  const { corsOrigins, edge, hub } = options;
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

function createPages({ hub, redisReady, edge }: PublicSurfaceOptions) {
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
        const ready = await readiness(hub.db, redisReady);
        return sendJson(response, ready.postgres ? 200 : 503, ready);
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
