// A hub in a few lines: the real public SDL over HTTP and WebSocket, with a handful of answers, and sockets that can be cut.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { useServer } from "graphql-ws/use/ws";
import { createSchema, createYoga } from "graphql-yoga";
import { WebSocketServer } from "ws";
import type { ScriptedJob } from "./scripted-job.ts";

export const token = "the-token-of-the-tests";

export interface SmallHub extends AsyncDisposable {
  readonly url: string;
  /** How many sockets were opened so far. */
  readonly socketsOpened: () => number;
  /** How many are open now. */
  readonly socketsOpen: () => number;
  /** Cuts every socket without a word. */
  cutSockets(): void;
  /** Hears nothing more of what comes over them, not even that they are to close. */
  deafenSockets(): void;
}

type Resolver = (
  parent: unknown,
  args: Readonly<Record<string, unknown>>,
  context: { token: string | null },
) => unknown;

export interface SmallHubOptions {
  readonly Query?: Readonly<Record<string, Resolver>>;
  readonly Mutation?: Readonly<Record<string, Resolver>>;
  readonly job?: ScriptedJob;
  /** Whether a socket may open with this token; only with that of the tests where it is not set. */
  readonly accepts?: (token: string) => boolean;
}

export async function startSmallHub({
  Query = {},
  Mutation = {},
  job,
  ...options
}: SmallHubOptions): Promise<SmallHub> {
  const schema = createSchema<{ token: string | null }>({
    typeDefs: await readFile(new URL("../../schema/public.graphql", import.meta.url), "utf8"),
    resolvers: {
      Query,
      Mutation,
      Subscription: {
        jobProgressed: {
          subscribe: (_: unknown, { after }: { after?: string | null }) => job?.watch(after ?? null),
          resolve: (step: unknown) => step,
        },
      },
    },
  });
  const yoga = createYoga({
    schema,
    logging: false,
    context: ({ request }) => ({ token: request.headers.get("authorization")?.replace(/^Bearer /, "") ?? null }),
  });
  const server = createServer(yoga);
  const sockets = new WebSocketServer({ server, path: "/graphql" });
  let socketsOpened = 0;
  sockets.on("connection", () => socketsOpened++);
  const { accepts = (shown) => shown === token } = options;
  const onConnect = ({ connectionParams }: { connectionParams?: Record<string, unknown> | undefined }) =>
    accepts(String(connectionParams?.authorization).replace(/^Bearer /, ""));
  const feed = useServer({ schema, onConnect }, sockets);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/graphql`,
    socketsOpened: () => socketsOpened,
    socketsOpen: () => sockets.clients.size,
    cutSockets() {
      for (const socket of sockets.clients) socket.terminate();
    },
    deafenSockets() {
      for (const socket of sockets.clients) socket.pause();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      await feed.dispose();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await yoga.dispose();
    },
  };
}
