// The public surface: GraphQL over HTTP, SSE and WebSocket, GraphiQL, and what monitors ask.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createYoga } from "graphql-yoga";
import type { Logger } from "pino";
import { publicSchema } from "../../schema/public/schema.ts";
import { createGraphiql } from "./graphiql.ts";
import { readiness, sendJson } from "./health.ts";
import { maskErrors } from "./masking.ts";
import { type ContextMaker, publicContexts } from "./public-context.ts";
import { acceptSockets, type SocketContext } from "./sockets.ts";

export interface PublicSurfaceOptions extends ContextMaker {
  readonly redisReady: () => boolean;
  /** Web origins that may call from a browser; others get no CORS headers at all. */
  readonly corsOrigins: readonly string[];
  readonly log: Logger;
}

const maxBodyBytes = 256 * 1024;
const endpoint = "/graphql";

/** The server, not yet listening, and what ends its sockets. */
export function createPublicSurface(options: PublicSurfaceOptions): { server: Server; dispose(): Promise<void> } {
  const { corsOrigins, log } = options;
  const contextOf = publicContexts(options);
  const yoga = createYoga<SocketContext>({
    schema: publicSchema,
    graphqlEndpoint: endpoint,
    graphiql: false,
    landingPage: false,
    batching: false,
    multipart: false,
    maxRequestBodySize: maxBodyBytes,
    logging: false,
    // Yoga grants the origin “null” to whoever is not on its list: those get no headers at all instead.
    cors: (request) => {
      const origin = request.headers.get("origin");
      return origin !== null && corsOrigins.includes(origin)
        ? { origin, credentials: false, methods: ["GET", "POST"] }
        : false;
    },
    maskedErrors: { maskError: maskErrors(log) },
    // A socket's operations carry the token that it was opened with, all others their own.
    context: ({ connectionParams, request, req }) =>
      contextOf({
        authorization: connectionParams ? connectionParams.authorization : request.headers.get("authorization"),
        address: req?.socket.remoteAddress ?? null,
      }),
  });
  const pages = createPages(options);
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    // Yoga answers some requests, such as preflights, without a promise.
    const answered = path === endpoint ? Promise.resolve(yoga(request, response)) : pages(path, request, response);
    answered.catch((error: unknown) => {
      log.error({ err: error }, "request failed");
      response.destroy();
    });
  });
  server.requestTimeout = 30_000;
  server.headersTimeout = 10_000;
  const { authentication } = options;
  const sockets = acceptSockets({ server, path: endpoint, yoga, authentication, maxMessageBytes: maxBodyBytes });
  return {
    server,
    async dispose() {
      await sockets.dispose();
      await yoga.dispose();
    },
  };
}

function createPages({ hub, redisReady }: PublicSurfaceOptions) {
  const graphiql = createGraphiql(endpoint);
  return async (path: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method !== "GET" && request.method !== "HEAD") return sendJson(response, 405, { error: "GET only" });
    switch (path) {
      case "/graphiql":
        return graphiql(request, response);
      case "/health":
        return sendJson(response, 200, { status: "alive" });
      case "/ready": {
        const ready = await readiness(hub.db, redisReady);
        return sendJson(response, ready.postgres ? 200 : 503, ready);
      }
      case "/":
        response.writeHead(302, { location: "/graphiql" }).end();
        return;
      default:
        return sendJson(response, 404, { error: "there is nothing here" });
    }
  };
}
