// The contract of every place that keeps artifacts: what is stored becomes visible whole, or not at all.

/** Bytes that can be read from any position, local or remote. */
export interface RangeReader {
  /** Total length in bytes. */
  readonly size: number;
  /** Exactly `length` bytes from `position`; throws `StorageError` where they are not there. */
  read(position: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** One file on its way into a draft. Parts are sent one after another. */
export interface Upload {
  /** Resolves when the part is accepted; the buffer may be re-used after that. */
  send(part: Uint8Array): Promise<void>;
  /** Makes what was sent durable (fsync). */
  finish(): Promise<void>;
}

/** A directory in the making. Nobody sees it before `commit`; `abort` leaves nothing, and may be called at any time, also twice. */
export interface Draft {
  create(name: string): Promise<Upload>;
  /** Reads a finished file back from the storage itself. */
  open(name: string): Promise<RangeReader>;
  /** Publishes all finished files at once under the directory's name, durably. Throws where it exists already. */
  commit(): Promise<void>;
  abort(): Promise<void>;
}

export interface Storage {
  /**
   * Starts a draft of `directory`, a relative path whose parts are ids (`[A-Za-z0-9_-]{1,64}`); anything else is refused.
   * `attempt` keeps the drafts of two attempts at the same directory apart.
   */
  begin(directory: string, attempt: string): Promise<Draft>;
  /** Size in bytes of a committed file, or null. */
  stat(directory: string, name: string): Promise<{ readonly size: number } | null>;
  /** Throws `StorageError` `NOT_STORED` where there is no such file. */
  open(directory: string, name: string): Promise<RangeReader>;
  /** Committed snapshot directories. */
  list(): AsyncIterable<string>;
  /** Removes a committed directory; does nothing where there is none. */
  remove(directory: string): Promise<void>;
  /** Removes drafts that no living attempt owns: everything but `live`, given as `directory:attempt`. */
  sweep(live?: ReadonlySet<string>): Promise<number>;
  /** Bytes still free, or null where that has no meaning. */
  freeBytes(): Promise<number | null>;
}
