// GraphQL over WebSocket (graphql-ws), through the same plugins, context and masking as over HTTP.
import type { IncomingMessage, Server } from "node:http";
import { type ExecutionArgs, type ExecutionResult, GraphQLError } from "graphql";
import type { YogaServerInstance } from "graphql-yoga";
import type { Logger } from "pino";
import { type WebSocket, WebSocketServer } from "ws";
import type { PublicContext } from "../../schema/public/context.ts";
import type { Authentication } from "../authenticate.ts";
import type { Places } from "../limits/places.ts";
import { keyOf } from "./principal.ts";
import type { Refusal } from "./request-gate.ts";
import { carrySockets } from "./socket-transport.ts";

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
  readonly mask: (error: unknown) => GraphQLError;
  readonly log: Logger;
  /** Why a request may not become a socket; null where it may. */
  readonly refuse: (request: IncomingMessage) => Refusal | null;
  /** Largest message in bytes; a larger one closes the socket (1009). */
  readonly maxMessageBytes: number;
  /** Of sockets, by who signed in. */
  readonly places: Places;
  readonly operationsPerSocket: number;
  /** In all, those that have not signed in yet included. */
  readonly maxSockets: number;
  /** Hears of every socket that was turned away, by a code. */
  readonly onRefused: (code: string) => void;
}

type Engine = Pick<ReturnType<SocketOptions["yoga"]["getEnveloped"]>, "execute" | "subscribe">;

const forbidden = [4403, "Forbidden"] as const;
/** The longest that a timer can wait. */
const longestWaitMs = 2 ** 31 - 1;
/** Of graphql-ws's own codes none says “too many”; clients try again later. */
const tooManySockets = 4429;
const initWaitMs = 3_000;
/** Who has not said good-bye by then is parted with. */
const goodByeMs = 1_000;

/**
 * Refuses sockets without a valid token (4403), without any word in 3 s (4408), and where somebody has too many (4429). Closes them
 * once their token has expired, or a subscription finds that it is good no more (4403). The result ends all of them.
 */
export function acceptSockets(options: SocketOptions): { readonly open: number; dispose(): Promise<void> } {
  const { server, path, yoga, authentication, mask, refuse, places, operationsPerSocket, maxSockets, onRefused } =
    options;
  const sockets = new WebSocketServer({
    server,
    path,
    maxPayload: options.maxMessageBytes,
    verifyClient: ({ req }, decide) => {
      const refusal = refuse(req);
      if (refusal) onRefused(refusal.code);
      if (refusal) decide(false, refusal.status, refusal.message);
      else if (sockets.clients.size >= maxSockets) decide(false, 503, "There are too many connections.");
      else decide(true);
    },
  });
  carrySockets(
    sockets,
    {
      connectionInitWaitTimeout: initWaitMs,
      onConnect: async ({ connectionParams, extra: { socket } }) => {
        const authorization = connectionParams?.authorization;
        const identity = await authentication.identify(typeof authorization === "string" ? authorization : null);
        if (!identity) {
          onRefused("UNAUTHENTICATED");
          return false;
        }
        const giveBack = places.take(keyOf(identity.actor));
        if (!giveBack) {
          onRefused("RATE_LIMITED");
          socket.close(tooManySockets, "Too many connections");
          return false;
        }
        // It may have gone while it was being looked up: then nobody will hear that it closes.
        if (socket.readyState !== socket.OPEN) {
          giveBack();
          return false;
        }
        const restMs = identity.expiresAtMs - Date.now();
        const expiry = restMs < longestWaitMs ? setTimeout(() => socket.close(...forbidden), restMs) : undefined;
        socket.once("close", () => {
          clearTimeout(expiry);
          giveBack();
        });
        return true;
      },
      execute: (args) => engineOf(args).execute(args),
      subscribe: (args) => engineOf(args).subscribe(args),
      onSubscribe: async (
        { connectionParams, extra, subscriptions },
        _id,
        payload,
      ): Promise<ExecutionArgs | readonly GraphQLError[]> => {
        if (Object.keys(subscriptions).length > operationsPerSocket) return [tooManyOperations()];
        const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
          connectionParams: connectionParams ?? {},
          req: extra.request,
          socket: extra.socket,
          params: payload,
        });
        try {
          const document = parse(payload.query);
          const errors: readonly GraphQLError[] = validate(schema, document);
          if (errors.length > 0) return errors.map(mask);
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
        } catch (error) {
          return [mask(error)];
        }
      },
    },
    options.log,
  );
  return {
    get open() {
      return sockets.clients.size;
    },
    async dispose() {
      for (const socket of sockets.clients) socket.close(1001, "Going away");
      const impatience = setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate();
      }, goodByeMs);
      await new Promise((closed) => sockets.close(closed));
      clearTimeout(impatience);
    },
  };
}

function tooManyOperations(): GraphQLError {
  return new GraphQLError("There are too many operations at once on this connection.", {
    extensions: { code: "RATE_LIMITED" },
  });
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
