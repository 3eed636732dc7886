// Decides what a download link answers: it can be fetched and resumed until one download has arrived whole, and then never again.
import { type FileHandle, open } from "node:fs/promises";
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Logger } from "pino";
import type { ByteRange } from "./delivery.ts";
import { answer, standingHeaders } from "./http.ts";
import { attachment, isPreview, requestedRange } from "./http-fields.ts";
import type { HubClock } from "./hub-clock.ts";
import type { Prepared, PreparedDownloads } from "./prepared.ts";
import { type Arrivals, transfer } from "./transfer.ts";

export interface LinkTerms {
  readonly downloads: PreparedDownloads;
  readonly arrivals: Arrivals;
  readonly clock: HubClock;
  readonly log: Logger;
  /** A download has arrived whole. Ends the link before it first waits for anything. */
  readonly onFetched: (restoreId: string) => Promise<void>;
  /** Hears of bytes that were handed to the network, and of requests that were refused. */
  readonly observe?: { served(bytes: number): void; refused(status: number): void };
}

type Refusal = [status: number, sentence: string, headers?: OutgoingHttpHeaders];

/** As many as a download manager opens for one file. */
const transfersPerLink = 16;

export class DownloadLinks {
  readonly #terms: LinkTerms;
  readonly #transfers = new Map<string, number>();

  constructor(terms: LinkTerms) {
    this.#terms = terms;
  }

  async answer(request: IncomingMessage, response: ServerResponse, token: string): Promise<void> {
    await this.#terms.arrivals.returned(request.socket);
    const prepared = /^[A-Za-z0-9_-]{43,128}$/.test(token) ? this.#terms.downloads.find(token) : undefined;
    const log = this.#terms.log.child({ link: `tok_…${token.slice(-4)}`, restoreId: prepared?.record.restoreId });
    if (!prepared) return this.#refuse(response, log, [404, "This link is unknown."]);
    const refusal = this.#refusal(request, prepared);
    if (refusal) return this.#refuse(response, log, refusal);

    const { fileName, size, sha256 } = prepared.record;
    const etag = `"${sha256}"`;
    const headers = {
      ...standingHeaders,
      "Accept-Ranges": "bytes",
      "Content-Disposition": attachment(fileName),
      "Content-Type": contentType(fileName),
      ETag: etag,
    };
    if (request.method === "HEAD") {
      response.writeHead(200, { ...headers, "Content-Length": size }).end();
      return;
    }
    const asked = requestedRange(request.headers, { size, etag });
    if (asked === "unsatisfiable")
      return this.#refuse(response, log, [
        416,
        "The file ends before this range.",
        { "Content-Range": `bytes */${size}` },
      ]);
    const range = asked ?? { start: 0, end: size };
    const span = asked && { "Content-Range": `bytes ${range.start}-${range.end - 1}/${size}` };
    const file = await open(prepared.path).catch(() => null);
    if (!file) return this.#refuse(response, log, [410, "This link has ended."]);
    response.writeHead(asked ? 206 : 200, { ...headers, ...span, "Content-Length": range.end - range.start });
    await this.#send(prepared, { file, range, response, log });
  }

  #refusal({ method, headers }: IncomingMessage, { record }: Prepared): Refusal | null {
    if (record.ended?.reason === "fetched") return [410, "This link has been used: it works for one download."];
    if (record.expiresAt === null) return [503, "This download is about to be ready.", { "Retry-After": "2" }];
    if (record.ended?.reason === "withdrawn" && record.ended.at < record.expiresAt)
      return [410, "This link has been revoked."];
    if (record.ended || new Date(record.expiresAt) <= this.#terms.clock.now()) return [410, "This link has expired."];
    if (method === "HEAD") return null;
    if (isPreview(headers)) return [403, "This link is for one download, not for previews."];
    if ((this.#transfers.get(record.restoreId) ?? 0) >= transfersPerLink)
      return [429, "Too many transfers of this download at once.", { "Retry-After": "5" }];
    return null;
  }

  async #send(
    { record: { restoreId }, delivery }: Prepared,
    { file, range, response, log }: { file: FileHandle; range: ByteRange; response: ServerResponse; log: Logger },
  ): Promise<void> {
    const { socket } = response.req;
    await this.#terms.downloads
      .noteBegun(restoreId)
      .catch((error) => log.warn({ err: error }, "a transfer that began is not noted"));
    const sending = delivery.begin(range);
    let isSent: boolean;
    this.#count(restoreId, +1);
    try {
      isSent = await transfer(file, sending, response);
    } finally {
      this.#count(restoreId, -1);
      await file.close();
    }
    const verdict = async (arrived: boolean) => {
      log.info({ from: range.start, to: sending.sentTo, arrived }, "download sent");
      this.#terms.observe?.served(sending.sentTo - range.start);
      if (!arrived) return;
      delivery.arrived(sending);
      if (delivery.isComplete && !this.#terms.downloads.get(restoreId)?.record.ended)
        await this.#terms.onFetched(restoreId).catch((error) => log.error({ err: error }, "download not wiped"));
    };
    if (isSent) this.#terms.arrivals.expect(socket, verdict);
    else await verdict(false);
  }

  #refuse(response: ServerResponse, log: Logger, [status, sentence, headers]: Refusal): void {
    log.info({ status }, "download refused");
    this.#terms.observe?.refused(status);
    answer(response, status, sentence, headers);
  }

  #count(restoreId: string, change: number): void {
    const count = (this.#transfers.get(restoreId) ?? 0) + change;
    if (count > 0) this.#transfers.set(restoreId, count);
    else this.#transfers.delete(restoreId);
  }
}

function contentType(fileName: string): string {
  if (fileName.endsWith(".zip")) return "application/zip";
  return fileName.endsWith(".tar") ? "application/x-tar" : "application/octet-stream";
}
