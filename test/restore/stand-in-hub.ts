// Answers the private operations that the restore service uses; the real hub is tested with it end to end elsewhere.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

type Input = Record<string, unknown>;

export interface Call {
  readonly operation: string;
  readonly input: Input;
}

/** Thrown by an answer: a refusal with this code. */
export class Refusal extends Error {}

export interface StandInHub extends AsyncDisposable {
  readonly url: string;
  readonly calls: Call[];
  /** By operation, e.g. `claimJob`. */
  readonly answers: Record<string, (input: Input) => unknown>;
  /** The inputs of one operation so far. */
  inputs(operation: string): Input[];
}

const expiresAt = () => new Date(Date.now() + 3_600_000).toISOString();

export async function startStandInHub(answers: StandInHub["answers"] = {}): Promise<StandInHub> {
  const calls: Call[] = [];
  const all: StandInHub["answers"] = {
    registerWorker: () => ({ workerId: "wrk_restore", leaseSeconds: 60, heartbeatSeconds: 15 }),
    heartbeat: () => ({ serverTime: new Date().toISOString() }),
    claimJob: () => null,
    renewLease: () => ({ leaseSeconds: 60, cancelRequested: false }),
    enterPhase: (input) => input,
    failJob: (input) => input,
    releaseJob: (input) => input,
    completeRestore: () => ({ expiresAt: expiresAt() }),
    reconcileRestores: ({ restoreIds }) => ({ serve: restoreIds }),
    recordFetch: () => ({ timesFetched: 1 }),
    ...answers,
  };
  const server = createServer(async (request, response) => {
    const { query, variables } = (await json(request)) as { query: string; variables: { input: Input } };
    const operation = /{\s*(\w+)\(input/.exec(query)?.[1] ?? "unknown";
    calls.push({ operation, input: variables.input });
    response.setHeader("content-type", "application/json");
    try {
      response.end(JSON.stringify({ data: { [operation]: await all[operation]?.(variables.input) } }));
    } catch (error) {
      const code = error instanceof Refusal ? error.message : "INTERNAL";
      response.end(JSON.stringify({ data: null, errors: [{ message: "refused", extensions: { code } }] }));
    }
  });
  // A connection that is closed for being idle can take a claim along.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    answers: all,
    inputs: (operation) => calls.filter((call) => call.operation === operation).map((call) => call.input),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
