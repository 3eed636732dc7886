// GraphQL over WebSocket (graphql-ws), through the same plugins, context and masking as over HTTP.
import type { IncomingMessage, Server } from "node:http";
import type { ExecutionArgs, GraphQLError } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import type { YogaServerInstance } from "graphql-yoga";
import { WebSocketServer } from "ws";
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

/** Refuses sockets without a valid token (4403) or without any word in 3 s (4408). The result ends all of them. */
export function acceptSockets({ server, path, yoga, authentication, maxMessageBytes }: SocketOptions): {
  dispose(): Promise<void>;
} {
  const sockets = new WebSocketServer({ server, path, maxPayload: maxMessageBytes });
  const accepted = useServer<Record<string, unknown>>(
    {
      connectionInitWaitTimeout: 3_000,
      onConnect: async ({ connectionParams }) => {
        const authorization = connectionParams?.authorization;
        return (await authentication.identify(typeof authorization === "string" ? authorization : null)) !== null;
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
          rootValue: { execute, subscribe } satisfies Engine,
        };
      },
    },
    sockets,
  );
  return { dispose: async () => accepted.dispose() };
}

function engineOf(args: { rootValue?: unknown }): Engine {
  return args.rootValue as Engine;
}
