// The private surface: GraphQL for workers and restore services, on a port of its own. Whoever brings no worker's token is turned away
// before a byte of what they ask is read; the one thing they may do is join, with a token that was made for it.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createYoga } from "graphql-yoga";
import type { Logger } from "pino";
import { withLogFacts } from "../../clients/hub/log-context.ts";
import type { WorkerActor } from "../../domain/actor.ts";
import { enrol } from "../../domain/enrolments.ts";
import { UnauthenticatedError } from "../../domain/errors.ts";
import type { Hub } from "../../domain/hub.ts";
import { authenticateWorker } from "../../domain/workers.ts";
import type { PrivateContext } from "../../schema/private/builder.ts";
import { privateSchema } from "../../schema/private/schema.ts";
import type { HubMetrics } from "../metrics/hub-metrics.ts";
import { maskErrors, passingMessage } from "./masking.ts";
import { commandIn, observeOperations } from "./observed.ts";
import { jobFacts, withRequestId } from "./request-facts.ts";
import { sendJson } from "./send-json.ts";

export interface PrivateSurfaceOptions {
  readonly hub: Hub;
  readonly log: Logger;
  readonly metrics?: HubMetrics;
}

/** A completed backup may carry a manifest and a thousand warnings. */
const maxBodyBytes = 16 * 1024 * 1024;
const endpoint = "/internal/graphql";
const enrolmentEndpoint = "/internal/enrol";

/** The server, not yet listening. */
export function createPrivateSurface({ hub, log, metrics }: PrivateSurfaceOptions): {
  server: Server;
  dispose(): Promise<void>;
} {
  const yoga = createYoga<{ worker: WorkerActor }>({
    schema: privateSchema,
    graphqlEndpoint: endpoint,
    graphiql: false,
    landingPage: false,
    batching: false,
    multipart: false,
    maxRequestBodySize: maxBodyBytes,
    logging: false,
    cors: false,
    maskedErrors: { maskError: maskErrors(log, (code) => metrics?.refused("private", code)) },
    plugins: [
      // Outside of everything that logs: its lines say whose request, and which job, they are about.
      {
        onParams({ params, paramsHandler, setParamsHandler }) {
          const facts = jobFacts(params.variables);
          setParamsHandler((payload) => withLogFacts(facts, () => paramsHandler(payload)));
        },
      },
      observeOperations(
        (document) => commandIn(document) ?? "none",
        (command, seconds) => {
          metrics?.executed("private", command, seconds);
          log.debug({ command, seconds }, "command done");
        },
      ),
    ],
    context: ({ worker }): PrivateContext => ({ hub, worker }),
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (request.url) {
      case endpoint:
        return withWorker(await authenticateWorker(hub, bearer(request, "xvw_")), (worker) =>
          yoga(request, response, { worker }),
        );
      case enrolmentEndpoint:
        // All that is asked stands in the header: there is no body to be read.
        if (request.method !== "POST") return dismiss(response, 405, "BAD_USER_INPUT", "POST only.");
        return sendJson(response, 200, await enrol(hub, bearer(request, "xve_")));
      default:
        return sendJson(response, 404, { error: "there is nothing here" });
    }
  }

  const withWorker = async (worker: WorkerActor, work: (worker: WorkerActor) => unknown): Promise<void> => {
    await withLogFacts({ workerId: worker.workerId }, () => work(worker));
  };

  const server = createServer((request, response) => {
    if (request.url?.split("?", 1)[0] === "/health") return sendJson(response, 200, { status: "alive" });
    const answered = withRequestId({ request, response, trusted: true }, () => answer(request, response));
    answered.catch((error: unknown) => {
      if (response.headersSent) return response.destroy();
      if (error instanceof UnauthenticatedError) return dismiss(response, 401, error.code, error.message);
      const reference = String(response.getHeader("x-request-id"));
      const passing = passingMessage(error);
      if (passing !== null) {
        log.warn({ requestId: reference, reference, err: error }, "the database did not serve");
        return dismiss(response, 503, "SERVICE_UNAVAILABLE", passing, { reference });
      }
      log.error({ requestId: reference, reference, err: error }, "request failed");
      dismiss(response, 500, "INTERNAL", "Something went wrong on our side.", { reference });
    });
  });
  server.requestTimeout = 30_000;
  server.headersTimeout = 10_000;
  return { server, dispose: async () => yoga.dispose() };
}

/** The token in the header. Throws `UnauthenticatedError` where it has not the form of one. */
function bearer(request: IncomingMessage, prefix: "xvw_" | "xve_"): string {
  const token = /^Bearer (xv[we]_[A-Za-z0-9_-]{43})$/.exec(request.headers.authorization ?? "")?.[1];
  if (!token?.startsWith(prefix)) throw new UnauthenticatedError();
  return token;
}

/** An error as GraphQL tells it. The connection ends: what else comes on it is not read. */
function dismiss(response: ServerResponse, status: number, code: string, message: string, facts = {}): void {
  response.setHeader("connection", "close");
  sendJson(response, status, { errors: [{ message, extensions: { code, ...facts } }] });
}
