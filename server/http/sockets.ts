// GraphQL over WebSocket (graphql-ws), through the same plugins, context and masking as over HTTP.
import type { IncomingMessage, Server } from "node:http";
import type { ExecutionArgs, ExecutionResult, GraphQLError } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import type { YogaServerInstance } from "graphql-yoga";
import { type WebSocket, WebSocketServer } from "ws";
import type { PublicContext } from "../../schema/public/context.ts";
import type { Authentication } from "../authenticate.ts";

/** What a socket brought along when it opened; the public context reads the token from it. */
export interface SocketContext {
  readonly connectionParams?: Readonly<Record<string, unknown>>;
  /** The request, over HTTP, or the one that opened the socket. */
  readonly req?: IncomingMessage;
}

export interface SocketOptions {
  readonly server: Server;
  readonly path: string;
  readonly yoga: YogaServerInstance<SocketContext, object>;
  readonly authentication: Authentication;
  /** Largest message in bytes; a larger one closes the socket (1009). */
  readonly maxMessageBytes: number;
}

type Engine = Pick<ReturnType<SocketOptions["yoga"]["getEnveloped"]>, "execute" | "subscribe">;

const forbidden = [4403, "Forbidden"] as const;
/** The longest that a timer can wait. */
const longestWaitMs = 2 ** 31 - 1;

/**
 * Refuses sockets without a valid token (4403) or without any word in 3 s (4408), and closes them once their token has expired or a
 * subscription finds it revoked (4403). A socket that does not answer a ping within 12 s is dropped. The result ends all of them.
 */
export function acceptSockets({ server, path, yoga, authentication, maxMessageBytes }: SocketOptions): {
  dispose(): Promise<void>;
} {
  const sockets = new WebSocketServer({ server, path, maxPayload: maxMessageBytes });
  const accepted = useServer<Record<string, unknown>>(
    {
      connectionInitWaitTimeout: 3_000,
      onConnect: async ({ connectionParams, extra: { socket } }) => {
        const authorization = connectionParams?.authorization;
        const identity = await authentication.identify(typeof authorization === "string" ? authorization : null);
        if (!identity) return false;
        const restMs = identity.expiresAtMs - Date.now();
        const expiry = restMs < longestWaitMs ? setTimeout(() => socket.close(...forbidden), restMs) : undefined;
        socket.once("close", () => clearTimeout(expiry));
        return true;
      },
      execute: (args) => engineOf(args).execute(args),
      subscribe: (args) => engineOf(args).subscribe(args),
      onSubscribe: async (
        { connectionParams, extra },
        _id,
        payload,
      ): Promise<ExecutionArgs | readonly GraphQLError[]> => {
        const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
          connectionParams: connectionParams ?? {},
          req: extra.request,
          socket: extra.socket,
          params: payload,
        });
        const document = parse(payload.query);
        const errors: readonly GraphQLError[] = validate(schema, document);
        if (errors.length > 0) return errors;
        return {
          schema,
          document,
          operationName: payload.operationName ?? null,
          variableValues: payload.variables ?? null,
          contextValue: await contextFactory(),
          rootValue: {
            execute,
            subscribe: async (args: ExecutionArgs) => {
              const result = await subscribe(args);
              return isUpdates(result) ? closing(result, extra.socket, args.contextValue as PublicContext) : result;
            },
          } satisfies Engine,
        };
      },
    },
    sockets,
  );
  return { dispose: async () => accepted.dispose() };
}

function isUpdates(result: unknown): result is AsyncIterableIterator<ExecutionResult> {
  return typeof result === "object" && result !== null && Symbol.asyncIterator in result;
}

/** Passes everything on; where it ends because nobody is signed in any more, that is the end of the socket too. */
function closing(
  updates: AsyncIterableIterator<ExecutionResult>,
  socket: WebSocket,
  context: PublicContext,
): AsyncIterableIterator<ExecutionResult> {
  return {
    async next() {
      const result = await updates.next();
      if (result.done && (await context.currentActor()) === null) socket.close(...forbidden);
      return result;
    },
    return: async () => (await updates.return?.()) ?? { done: true, value: undefined },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function engineOf(args: { rootValue?: unknown }): Engine {
  return args.rootValue as Engine;
}
