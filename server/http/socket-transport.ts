// Carries graphql-ws over sockets of `ws`: as its own `useServer` does, but what callers do wrong is no news on standard error, and
// a caller who does not read is parted with.
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { CloseCode, handleProtocols, makeServer, type ServerOptions } from "graphql-ws";
import type { Logger } from "pino";
import type { WebSocket, WebSocketServer } from "ws";
import { withLogFacts } from "../../clients/hub/log-context.ts";
import { passingMessage } from "./masking.ts";

/** What the hooks of graphql-ws find in `context.extra`. */
export interface Extra {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
}

/** Try again later: clients of graphql-ws do so by themselves, which they do after none of its own codes. */
const tryAgainLater = 1013;
/** How often a socket is asked whether it is still there; without an answer by the next time, it is not. */
const keepAliveMs = 12_000;
/** Answers that wait to be read, in bytes. */
const maxUnreadBytes = 4 * 1024 * 1024;

export function carrySockets(
  server: WebSocketServer,
  options: ServerOptions<Record<string, unknown>, Extra>,
  log: Logger,
): void {
  const graphql = makeServer<Record<string, unknown>, Extra>(options);
  server.options.handleProtocols = handleProtocols;
  server.on("connection", (socket, request) => {
    const fail = (error: unknown) => {
      // A message that only servers send, or a ping with more levels than can be sent back: graphql-ws takes it for a fault of its own.
      if (
        error instanceof RangeError ||
        (error instanceof Error && error.message.startsWith("Unexpected message of type"))
      )
        return socket.close(CloseCode.BadRequest, "Invalid message received");
      if (passingMessage(error) !== null) {
        log.warn({ err: error }, "the database did not serve");
        return socket.close(tryAgainLater, "Try again later");
      }
      log.error({ err: error }, "socket failed");
      socket.close(CloseCode.InternalServerError, "Internal server error");
    };
    // Frames that are none, or too large: `ws` has closed with the fitting code already.
    socket.on("error", () => undefined);
    let answered = true;
    socket.on("pong", () => {
      answered = true;
    });
    const keepAlive = setInterval(() => {
      if (!answered) return socket.terminate();
      answered = false;
      socket.ping();
    }, keepAliveMs);
    const closed = graphql.opened(
      {
        protocol: socket.protocol,
        send: (text) => sendText(socket, text),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (receive) =>
          socket.on("message", (data) => {
            void withLogFacts({ requestId: randomUUID() }, () => receive(String(data))).catch(fail);
          }),
      },
      { socket, request },
    );
    socket.once("close", (code, reason) => {
      clearInterval(keepAlive);
      closed(code, String(reason)).catch(fail);
    });
  });
}

function sendText(socket: WebSocket, text: string): Promise<void> {
  if (socket.readyState !== socket.OPEN) return Promise.resolve();
  if (socket.bufferedAmount > maxUnreadBytes) {
    socket.terminate();
    return Promise.resolve();
  }
  return new Promise((resolve, reject) => {
    socket.send(text, (error) => (error && socket.readyState === socket.OPEN ? reject(error) : resolve()));
  });
}
