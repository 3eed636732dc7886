// A client of download links that can break off, over a connection of its own for each request.
import { once } from "node:events";
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  /** Breaks the connection once so many bytes of the body have come. */
  readonly cutAfter?: number;
}

export async function ask(url: string, { method = "GET", headers = {}, cutAfter }: Asked = {}): Promise<Answer> {
  const request = httpRequest(url, { method, headers, agent: false });
  request.end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  let length = 0;
  const answer = () => ({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
  if (cutAfter === 0) response.destroy();
  else
    for await (const chunk of response as AsyncIterable<Buffer>) {
      const taken = chunk.subarray(0, cutAfter === undefined ? chunk.length : cutAfter - length);
      chunks.push(taken);
      length += taken.length;
      if (length === cutAfter) break;
    }
  return answer();
}
