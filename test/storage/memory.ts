// A storage in memory, for tests that look at or tamper with the bytes. It keeps the contract as every other does.
import { type Draft, type RangeReader, type Storage, StorageError } from "#artifact/node";

const idPattern = /^[A-Za-z0-9_-]{1,64}$/;
const namePattern = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*$/;

export interface MemoryStorage extends Storage {
  /** Committed files by `directory/name`. */
  readonly files: Map<string, Buffer>;
  /** Parts of the files in drafts that are neither committed nor aborted, by `directory:attempt`. */
  readonly drafts: Map<string, Map<string, Buffer[]>>;
}

export function memoryStorage(): MemoryStorage {
  const files = new Map<string, Buffer>();
  const drafts = new Map<string, Map<string, Buffer[]>>();
  return {
    files,
    drafts,
    async begin(directory, attempt) {
      checkDirectory(directory);
      if (!idPattern.test(attempt)) throw new RangeError("not an id");
      const key = `${directory}:${attempt}`;
      drafts.set(key, new Map());
      return draftOf(key, directory, files, drafts);
    },
    async stat(directory, name) {
      const bytes = files.get(keyOf(directory, name));
      return bytes ? { size: bytes.length } : null;
    },
    async open(directory, name) {
      return readerOf(files.get(keyOf(directory, name)));
    },
    async *list() {
      yield* new Set([...files.keys()].map((key) => key.slice(0, key.lastIndexOf("/"))));
    },
    async remove(directory) {
      checkDirectory(directory);
      for (const key of files.keys()) if (key.startsWith(`${directory}/`)) files.delete(key);
    },
    async sweep(live = new Set()) {
      const stale = [...drafts.keys()].filter((key) => !live.has(key));
      for (const key of stale) drafts.delete(key);
      return stale.length;
    },
    freeBytes: async () => null,
  };
}

function draftOf(
  key: string,
  directory: string,
  files: MemoryStorage["files"],
  drafts: MemoryStorage["drafts"],
): Draft {
  const open = () => {
    const draft = drafts.get(key);
    if (!draft) throw new StorageError("STORAGE_UNAVAILABLE", "The draft is closed.");
    return draft;
  };
  const publish = (draft: ReadonlyMap<string, Buffer[]>) => {
    for (const [name, parts] of draft) files.set(`${directory}/${name}`, Buffer.concat(parts));
    drafts.delete(key);
  };
  return {
    async create(name) {
      checkName(name);
      const parts: Buffer[] = [];
      open().set(name, parts);
      return {
        async send(part) {
          open();
          parts.push(Buffer.from(part));
        },
        async finish() {
          open();
        },
      };
    },
    open: async (name) => readerOf(Buffer.concat(open().get(name) ?? [])),
    async commit() {
      const draft = open();
      if ([...files.keys()].some((file) => file.startsWith(`${directory}/`)))
        throw new StorageError("STORAGE_UNAVAILABLE", "There is such a directory already.");
      publish(draft);
    },
    async replace() {
      const draft = open();
      const replaced = [...files.keys()].filter((file) => file.startsWith(`${directory}/`));
      if (replaced.length === 0) throw new StorageError("NOT_STORED", "There is no such directory.");
      for (const file of replaced) files.delete(file);
      publish(draft);
    },
    async abort() {
      drafts.delete(key);
    },
  };
}

function readerOf(bytes: Buffer | undefined): RangeReader {
  if (!bytes) throw new StorageError("NOT_STORED", "There is no such file.");
  return {
    size: bytes.length,
    async read(position, length, signal) {
      signal?.throwIfAborted();
      if (position + length > bytes.length) throw new StorageError("NOT_STORED", "There are no such bytes.");
      return bytes.subarray(position, position + length);
    },
    close: async () => {},
  };
}

function keyOf(directory: string, name: string): string {
  checkDirectory(directory);
  checkName(name);
  return `${directory}/${name}`;
}

function checkDirectory(directory: string): void {
  if (!directory.split("/").every((part) => idPattern.test(part))) throw new RangeError("not a directory of ids");
}

function checkName(name: string): void {
  if (!namePattern.test(name)) throw new RangeError("not a file name");
}
