// Reads ranges of a file behind an HTTP address, and refuses every answer that is not exactly the range that was asked for.
import { StorageError } from "../errors.ts";
import type { RangeReader } from "../storage/storage.ts";

export interface HttpReaderOptions {
  /** Sent with every request, such as `Authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Longest time for one range, from the request to its last byte. @default 60_000 */
  readonly deadlineMs?: number;
  /** For opening; every read has a signal of its own. */
  readonly signal?: AbortSignal;
}

/** What tells that a file is still the one that was opened. */
interface Version {
  readonly size: number;
  readonly etag: string | null;
}

const missingStatuses: ReadonlySet<number> = new Set([404, 410]);

/**
 * Throws `StorageError`: `NOT_STORED` where there is no such file, `STORAGE_UNAVAILABLE` for a server that fails, is late, does not
 * know ranges, or has another file there by now. A page of another origin is shown `Content-Range` and `ETag` only where the server
 * exposes them (`Access-Control-Expose-Headers`).
 */
export async function httpReader(url: string | URL, options: HttpReaderOptions = {}): Promise<RangeReader> {
  const { version } = await request(url, options, { position: 0, length: 1, known: null, signal: options.signal });
  return {
    size: version.size,
    async read(position, length, signal) {
      if (position + length > version.size)
        throw new StorageError("NOT_STORED", `The file ends before byte ${position + length}.`);
      if (length === 0) return new Uint8Array();
      return (await request(url, options, { position, length, known: version, signal })).bytes;
    },
    close: async () => {},
  };
}

interface Range {
  readonly position: number;
  readonly length: number;
  /** Null for the first request, which finds it out. */
  readonly known: Version | null;
  readonly signal: AbortSignal | undefined;
}

async function request(
  url: string | URL,
  { headers = {}, deadlineMs = 60_000 }: HttpReaderOptions,
  range: Range,
): Promise<{ readonly version: Version; readonly bytes: Uint8Array }> {
  const { position, length, known, signal } = range;
  signal?.throwIfAborted();
  const deadline = AbortSignal.timeout(deadlineMs);
  // A weak tag does not vouch for bytes, so a server ignores a condition made of one.
  const condition = known?.etag && !known.etag.startsWith("W/") ? { "If-Range": known.etag } : {};
  try {
    const response = await fetch(url, {
      headers: { ...headers, ...condition, Range: `bytes=${position}-${position + length - 1}` },
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    });
    try {
      if (known === null && response.status === 416) return emptyFile(response);
      const version = checkedVersion(response, range);
      return { version, bytes: await exactBody(response, length) };
    } finally {
      // What is left of an answer that was refused.
      if (!response.bodyUsed) await response.body?.cancel();
    }
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof StorageError) throw cause;
    throw unavailable(deadline.aborted ? "did not answer in time" : "could not be reached", cause);
  }
}

function checkedVersion(response: Response, { position, length, known }: Range): Version {
  const { status, headers } = response;
  if (missingStatuses.has(status)) throw new StorageError("NOT_STORED", "The server has no such file.");
  if (status === 200)
    throw unavailable(known ? "has another file there now" : "does not answer requests for a part of a file");
  if (status !== 206) throw unavailable(`answered with status ${status}`);
  if ((headers.get("content-encoding") ?? "identity") !== "identity")
    throw unavailable("changed the bytes on their way");
  const [, from, to, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers.get("content-range") ?? "") ?? [];
  if (Number(from) !== position || Number(to) !== position + length - 1)
    throw unavailable("answered with another part of the file");
  const version = { size: Number(size), etag: headers.get("etag") };
  if (!Number.isSafeInteger(version.size)) throw unavailable("did not tell the length of the file");
  if (known && (version.size !== known.size || version.etag !== known.etag))
    throw unavailable("has another file there now");
  return version;
}

/** No range of an empty file can be satisfied. */
function emptyFile({ headers }: Response): { version: Version; bytes: Uint8Array } {
  if (headers.get("content-range") !== "bytes */0") throw unavailable("answered with another part of the file");
  return { version: { size: 0, etag: headers.get("etag") }, bytes: new Uint8Array() };
}

/** Takes no more than was asked for, whatever comes. */
async function exactBody(response: Response, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  const reader = response.body?.getReader();
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    if (filled + next.value.length > length) {
      await reader?.cancel();
      throw unavailable("sent more than it was asked for");
    }
    bytes.set(next.value, filled);
    filled += next.value.length;
  }
  if (filled < length) throw unavailable("sent less than it was asked for");
  return bytes;
}

function unavailable(what: string, cause?: unknown): StorageError {
  return new StorageError("STORAGE_UNAVAILABLE", `The server ${what}.`, { cause });
}
