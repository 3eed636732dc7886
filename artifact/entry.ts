// What a source hands over and an opened artifact gives back: one file, directory or link at a time.

/**
 * A path inside the artifact: relative, `/`-separated, without empty, `.` or `..` parts and without a slash at its end; only the
 * tree's own root directory may be called `.`. Bytes only where the name is not valid UTF-8.
 */
export type EntryPath = string | Uint8Array;

export interface Entry {
  readonly path: EntryPath;
  readonly kind: "file" | "directory" | "symlink" | "hardlink";
  /** Bytes of content as announced by the source; 0 for everything but files. Null: unknown until read (a dump). */
  readonly size: number | null;
  /** Permission bits, 0o7777 at most. */
  readonly mode: number;
  /** Milliseconds since the epoch; a fraction of one is dropped. */
  readonly mtimeMs: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Where a symlink points, byte for byte as the source gave it; for a hardlink, the path of an earlier file in the artifact. */
  readonly linkTarget?: EntryPath;
  /**
   * The content of a file, read at most once, and always either read to its end or ended with `return()`. A stream that ends
   * before `size` is padded with zeros and one that goes on after it is cut, both with a warning: a tar's lengths are never wrong.
   * Throwing `EntryInterruptedError` pads and warns as well; any other error ends the whole artifact. A piece is copied before the
   * next is asked for, so that one buffer may serve for all of them.
   */
  readonly content?: AsyncIterable<Uint8Array>;
  /** In place of `content`: all of it, where it is at hand anyway. Copied before the next entry is asked for. */
  readonly bytes?: Uint8Array;
}

/** Something a customer should know about a snapshot that was completed all the same. */
export interface Warning {
  readonly code:
    | "VANISHED"
    | "UNREADABLE"
    | "CHANGED_WHILE_READ"
    | "SPECIAL_SKIPPED"
    | "NAME_NOT_UTF8"
    | "NAME_REFUSED"
    /** A command of the customer's own, before or after the backup, failed. */
    | "HOOK_FAILED"
    /** A program on the server complained in words that say nothing of any one path. */
    | "TOOL_WARNING";
  /** Printable form of the path; bytes that are no UTF-8 as `\xff`. */
  readonly path: string;
  /** One sentence. */
  readonly message: string;
}
