// Tries again what a storage failed at for the moment, and nothing that could be done twice by that.
import { setTimeout as pause } from "node:timers/promises";
import { StorageError } from "../errors.ts";
import type { Draft, RangeReader, Storage, Upload } from "./storage.ts";

export interface RetryingOptions {
  /** Longest time for which one operation is begun again, counted from its first try. @default 60_000 */
  readonly retryForMs?: number;
  /** Mean wait in front of the second try; every further one is twice as long, up to `longestDelayMs`. @default 100 */
  readonly firstDelayMs?: number;
  /** @default 10_000 */
  readonly longestDelayMs?: number;
  /** Told in front of every wait. */
  readonly onRetry?: (retry: Retry) => void;
}

export interface Retry {
  readonly operation: keyof Storage | keyof Draft | keyof Upload | keyof RangeReader;
  /** Tries so far. */
  readonly tries: number;
  readonly delayMs: number;
  readonly error: StorageError;
}

/** Kept of every file that is sent, to know it again. */
const tailBytes = 4096;

type Persist = <T>(
  operation: Retry["operation"],
  call: () => Promise<T>,
  signals?: readonly (AbortSignal | undefined)[],
) => Promise<T>;

/**
 * Repeats what failed with `STORAGE_UNAVAILABLE`, with growing and scattered waits in between, and throws the last failure as it is.
 * Three things are not simply done again: what a `commit` or `replace` left is looked at first, for it may have taken effect although
 * it failed; a `list` is not begun anew once a name is out; and a draft that is aborted waits for nothing any more.
 */
export function retrying(storage: Storage, options: RetryingOptions = {}): Storage {
  const persist = persistence(options);
  return {
    begin: async (directory, attempt) => {
      const draft = await persist("begin", () => storage.begin(directory, attempt));
      return retryingDraft({ storage, directory, draft, persist });
    },
    stat: (directory, name) => persist("stat", () => storage.stat(directory, name)),
    open: async (directory, name) =>
      retryingReader(await persist("open", () => storage.open(directory, name)), persist),
    async *list() {
      const { names, first } = await persist("list", async () => {
        const names = storage.list()[Symbol.asyncIterator]();
        return { names, first: await names.next() };
      });
      try {
        for (let next = first; !next.done; next = await names.next()) yield next.value;
      } finally {
        await names.return?.();
      }
    },
    remove: (directory) => persist("remove", () => storage.remove(directory)),
    sweep: (live) => persist("sweep", () => storage.sweep(live)),
    freeBytes: () => persist("freeBytes", () => storage.freeBytes()),
  };
}

function persistence({
  retryForMs = 60_000,
  firstDelayMs = 100,
  longestDelayMs = 10_000,
  onRetry,
}: RetryingOptions): Persist {
  return async (operation, call, signals = []) => {
    const giveUpAt = performance.now() + retryForMs;
    for (let tries = 1; ; tries++) {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof StorageError && error.code === "STORAGE_UNAVAILABLE")) throw error;
        const stop = AbortSignal.any(signals.filter((signal) => signal !== undefined));
        // Scattered, so that whoever was cut off together does not come back together.
        const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (tries - 1)) * (0.5 + Math.random());
        stop.throwIfAborted();
        if (performance.now() + delayMs > giveUpAt) throw error;
        onRetry?.({ operation, tries, delayMs, error });
        await pause(delayMs, undefined, { signal: stop }).catch(() => {
          throw stop.reason;
        });
      }
    }
  };
}

interface DraftOptions {
  readonly storage: Storage;
  readonly directory: string;
  readonly draft: Draft;
  readonly persist: Persist;
}

function retryingDraft({ storage, directory, draft, persist }: DraftOptions): Draft {
  const ending = new AbortController();
  const signals = [ending.signal];
  const sent = new Map<string, SentFile>();
  const open = async (call: () => Promise<RangeReader>) =>
    retryingReader(await persist("open", call, signals), persist, ending.signal);

  /** Whose files the directory holds after a commit that failed. */
  const committed = async (): Promise<"nobody's" | "ours" | "another's"> => {
    let found = 0;
    for (const [name, file] of sent) {
      if (!(await persist("stat", () => storage.stat(directory, name), signals))) continue;
      const reader = await open(() => storage.open(directory, name));
      const ours = await file.isIn(reader).finally(() => reader.close());
      if (!ours) return "another's";
      found += 1;
    }
    if (found === 0) return "nobody's";
    return found === sent.size ? "ours" : "another's";
  };
  /** Gives back a refusal that no repetition changes; throws what may be repeated. */
  const tryCommit = async (): Promise<unknown> => {
    try {
      await draft.commit();
    } catch (error) {
      const files = await committed();
      if (files === "nobody's") throw error;
      if (files === "another's") return error;
    }
    return null;
  };
  const tryReplace = async (): Promise<void> => {
    try {
      await draft.replace();
    } catch (error) {
      if ((await committed()) !== "ours") throw error;
    }
  };

  return {
    async create(name) {
      const upload = await persist("create", () => draft.create(name), signals);
      const file = new SentFile();
      sent.set(name, file);
      return {
        async send(part) {
          await persist("send", () => upload.send(part), signals);
          file.add(part);
        },
        finish: () => persist("finish", () => upload.finish(), signals),
      };
    },
    open: (name) => open(() => draft.open(name)),
    async commit() {
      const refusal = await persist("commit", tryCommit, signals);
      if (refusal !== null) throw refusal;
    },
    replace: () => persist("replace", tryReplace, signals),
    abort() {
      ending.abort(new StorageError("STORAGE_UNAVAILABLE", "The draft was aborted."));
      return persist("abort", () => draft.abort());
    },
  };
}

/**
 * What tells a file from that of another attempt: its length and its last bytes. Those of an artifact are sealed under a key of its
 * own, and its meta.json ends in a hash that covers every other file, so no two attempts are alike in all of them.
 */
class SentFile {
  #size = 0;
  #tail: Buffer = Buffer.alloc(0);

  add(part: Uint8Array): void {
    this.#size += part.length;
    this.#tail = Buffer.concat([this.#tail, part.subarray(-tailBytes)]).subarray(-tailBytes);
  }

  async isIn(reader: RangeReader): Promise<boolean> {
    if (reader.size !== this.#size) return false;
    return this.#tail.equals(await reader.read(reader.size - this.#tail.length, this.#tail.length));
  }
}

function retryingReader(reader: RangeReader, persist: Persist, ending?: AbortSignal): RangeReader {
  return {
    size: reader.size,
    read: (position, length, signal) =>
      persist("read", async () => {
        const bytes = await reader.read(position, length, signal);
        if (bytes.length === length) return bytes;
        throw new StorageError("STORAGE_UNAVAILABLE", "The storage gave back less than it was asked for.");
      }, [signal, ending]),
    close: () => persist("close", () => reader.close(), [ending]),
  };
}
