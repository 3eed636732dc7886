// The private surface: GraphQL for workers and restore services, on a port of its own, closed to everybody without a worker's token.
import { createServer, type Server } from "node:http";
import { createYoga } from "graphql-yoga";
import type { Logger } from "pino";
import { UnauthenticatedError } from "../../domain/errors.ts";
import type { Hub } from "../../domain/hub.ts";
import { authenticateWorker } from "../../domain/workers.ts";
import type { PrivateContext } from "../../schema/private/builder.ts";
import { privateSchema } from "../../schema/private/schema.ts";
import { sendJson } from "./health.ts";
import { maskErrors } from "./masking.ts";

export interface PrivateSurfaceOptions {
  readonly hub: Hub;
  readonly log: Logger;
}

/** A completed backup may carry a manifest and a thousand warnings. */
const maxBodyBytes = 16 * 1024 * 1024;
const endpoint = "/internal/graphql";

/** The server, not yet listening. */
export function createPrivateSurface({ hub, log }: PrivateSurfaceOptions): {
  server: Server;
  dispose(): Promise<void>;
} {
  const yoga = createYoga({
    schema: privateSchema,
    graphqlEndpoint: endpoint,
    graphiql: false,
    landingPage: false,
    batching: false,
    multipart: false,
    maxRequestBodySize: maxBodyBytes,
    logging: false,
    cors: false,
    maskedErrors: { maskError: maskErrors(log) },
    context: async ({ request }): Promise<PrivateContext> => {
      const token = /^Bearer (xvw_[A-Za-z0-9_-]{43})$/.exec(request.headers.get("authorization") ?? "")?.[1];
      if (!token) throw new UnauthenticatedError();
      return { hub, worker: await authenticateWorker(hub, token) };
    },
  });
  const server = createServer((request, response) => {
    if (request.url?.split("?", 1)[0] === "/health") return sendJson(response, 200, { status: "alive" });
    if (request.url !== endpoint) return sendJson(response, 404, { error: "there is nothing here" });
    Promise.resolve(yoga(request, response)).catch((error: unknown) => {
      log.error({ err: error }, "request failed");
      response.destroy();
    });
  });
  server.requestTimeout = 30_000;
  server.headersTimeout = 10_000;
  return { server, dispose: async () => yoga.dispose() };
}
