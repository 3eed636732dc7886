// Reads what a download link leads to, to its last byte, however often the connection breaks.
import { pause } from "./pause.ts";

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  /** How requests are sent, unless it is the platform's own way. */
  readonly fetch?: typeof globalThis.fetch;
}

/** The link does not lead to its file, or not any more. */
export class DownloadError extends Error {
  override readonly name = "DownloadError";
}

/** How long the server may be silent. */
const silenceMs = 30_000;
const firstPauseMs = 250;
const longestPauseMs = 10_000;
/** Tries in a row that bring not one byte: with their pauses about a minute. */
const mostTries = 10;

/**
 * The bytes of the file, in order and without a gap. A link works for one download: read it to its end, and once. Throws
 * `DownloadError`, or the reason of a signal that was aborted.
 */
export async function* readDownload(
  link: string,
  { signal, fetch = globalThis.fetch }: DownloadOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const download: Download = { link, fetch, position: 0, size: null, version: null };
  for (let tries = 1; ; tries++) {
    const before = download.position;
    let askedToWaitMs: number | undefined;
    try {
      yield* readOn(download, signal);
      return;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof DownloadError) throw error;
      if (download.position > before) tries = 1;
      if (tries >= mostTries)
        throw new DownloadError("The download broke off and cannot be resumed: restore it again.", { cause: error });
      if (error instanceof BusyError) askedToWaitMs = error.waitMs;
    }
    await pause(askedToWaitMs ?? Math.min(firstPauseMs * 2 ** (tries - 1), longestPauseMs), signal);
  }
}

interface Download {
  readonly link: string;
  readonly fetch: typeof globalThis.fetch;
  /** Bytes handed out so far. */
  position: number;
  /** Null: not known. */
  size: number | null;
  /** Entity tag of the file, null before the first answer. */
  version: string | null;
}

/** The server has the file and no time for it. */
class BusyError extends Error {
  readonly waitMs: number | undefined;

  constructor(waitMs: number | undefined) {
    super("the server is busy");
    this.waitMs = waitMs;
  }
}

/** One request: goes on where the one before it broke off. Returns at the end of the file only. */
async function* readOn(
  download: Download,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const silence = new AbortController();
  const ended = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal;
  async function spoken<T>(answer: Promise<T>): Promise<T> {
    const timer = setTimeout(() => silence.abort(), silenceMs);
    return answer.finally(() => clearTimeout(timer));
  }

  const { link, position, version } = download;
  const resumption = { range: `bytes=${position}-`, ...(version !== null && { "if-range": version }) };
  // Compressed on the way, a file would have neither its length nor its positions.
  const headers = { "accept-encoding": "identity", ...(position > 0 && resumption) };
  const response = await spoken(download.fetch(link, { headers, signal: ended }));
  if (!response.ok) throw await refusalOf(response, spoken);
  if (position > 0 && !response.headers.get("content-range")?.startsWith(`bytes ${position}-`)) {
    await response.body?.cancel();
    throw new DownloadError("The file behind the link changed while it was fetched: restore it again.");
  }
  download.version ??= response.headers.get("etag");
  download.size ??= numberOf(response.headers.get("content-length"));

  const reader = response.body?.getReader();
  try {
    for (;;) {
      const chunk = await spoken(reader?.read() ?? Promise.resolve({ done: true, value: undefined } as const));
      if (chunk.done) break;
      download.position += chunk.value.length;
      yield chunk.value;
    }
  } finally {
    await reader?.cancel().catch(() => undefined);
  }
  if (download.size !== null && download.position !== download.size) throw new Error("the answer was cut short");
}

async function refusalOf(response: Response, spoken: <T>(answer: Promise<T>) => Promise<T>): Promise<Error> {
  const { status, headers } = response;
  if (status === 429 || status >= 500) {
    await response.body?.cancel();
    const seconds = numberOf(headers.get("retry-after"));
    return new BusyError(seconds === null ? undefined : Math.min(seconds * 1000, longestPauseMs));
  }
  const sentence = headers.get("content-type")?.startsWith("text/plain") ? (await spoken(response.text())).trim() : "";
  return new DownloadError(sentence || `The download link was refused (HTTP status ${status}).`);
}

function numberOf(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}
