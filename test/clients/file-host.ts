// Serves one file over HTTP with ranges, and cuts, stalls or refuses answers as a test says.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface FileHost extends AsyncDisposable {
  readonly link: string;
  /** `Range` and `If-Range` of every request so far. */
  readonly asked: { readonly range: string | undefined; readonly ifRange: string | undefined }[];
}

export interface Behaviour {
  /** Bytes after which the connection is cut. */
  readonly cutAfter?: number;
  readonly refusal?: { readonly status: number; readonly sentence: string; readonly headers?: Record<string, string> };
  readonly etag?: string;
}

/** `behaviours`: of one request after the other; later ones are answered whole. */
export async function serveFile(content: Buffer, behaviours: readonly Behaviour[] = []): Promise<FileHost> {
  const asked: FileHost["asked"] = [];
  const server = createServer((request, response) => {
    const behaviour = behaviours[asked.length] ?? {};
    asked.push({ range: request.headers.range, ifRange: request.headers["if-range"] as string | undefined });
    if (behaviour.refusal) refuse(response, behaviour.refusal);
    else send(request, response, content, behaviour);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    link: `http://127.0.0.1:${(server.address() as AddressInfo).port}/download/token`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function send(request: IncomingMessage, response: ServerResponse, content: Buffer, behaviour: Behaviour): void {
  const { cutAfter, etag = '"v1"' } = behaviour;
  const asked =
    request.headers["if-range"] === etag || !request.headers["if-range"] ? request.headers.range : undefined;
  const start = Number(/^bytes=(\d+)-$/.exec(asked ?? "")?.[1] ?? 0);
  const part = content.subarray(start);
  const span = { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` };
  response.writeHead(asked ? 206 : 200, { etag, "content-length": part.length, ...(asked && span) });
  if (cutAfter === undefined) response.end(part);
  else response.write(part.subarray(0, cutAfter), () => setTimeout(() => response.destroy(), 20));
}

function refuse(response: ServerResponse, { status, sentence, headers }: NonNullable<Behaviour["refusal"]>): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...headers }).end(`${sentence}\n`);
}
