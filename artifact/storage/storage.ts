// The contract of every place that keeps artifacts: what is stored becomes visible whole, or not at all.

/** Bytes that can be read from any position, local or remote. */
export interface RangeReader {
  /** Total length in bytes. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `position`; throws `StorageError` where they are not there. `into`, as long at least, may be filled and
   * its beginning answered in place of new memory: nothing writes to it any more once the promise is settled.
   */
  read(position: number, length: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array>;
  /** May be called twice. */
  close(): Promise<void>;
}

/** One file on its way into a draft. Parts are sent one after another. */
export interface Upload {
  /**
   * Resolves when the part is accepted; the buffer may be re-used after that. A part that failed with `STORAGE_UNAVAILABLE` is not
   * in the file, whatever of it reached the storage: sent again, it takes the same place (the same position of a local file, the
   * same number of a multipart upload).
   */
  send(part: Uint8Array): Promise<void>;
  /**
   * Makes what was sent durable (fsync). May be called again where it failed with `STORAGE_UNAVAILABLE`; a storage that may have
   * lost what was sent, as after an fsync that failed, throws `NOT_STORED`.
   */
  finish(): Promise<void>;
}

/** A directory in the making. Nobody sees it before `commit`; `abort` leaves nothing, and may be called at any time, also twice. */
export interface Draft {
  /** May be called again where it failed with `STORAGE_UNAVAILABLE`; the file starts empty then. */
  create(name: string): Promise<Upload>;
  /** Reads a finished file back from the storage itself. */
  open(name: string): Promise<RangeReader>;
  /**
   * Publishes all finished files at once under the directory's name, durably. Throws where it exists already. Where it failed with
   * `STORAGE_UNAVAILABLE` it may have taken effect all the same: `retrying` looks, and calls it again where it has not.
   */
  commit(): Promise<void>;
  /**
   * As `commit`, in place of the committed directory of that name, which is removed. Throws `NOT_STORED` where there is none.
   * Whenever it is interrupted, one of the two is there in full, if need be after the next `sweep`.
   */
  replace(): Promise<void>;
  abort(): Promise<void>;
}

/** Every operation here may be repeated where it failed with `STORAGE_UNAVAILABLE`. */
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
