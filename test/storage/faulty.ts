// A storage that fails on command: any call of any operation, before or after it took effect, late, short or with wrong bytes.
import { setTimeout as pause } from "node:timers/promises";
import { type RangeReader, type Storage, StorageError, type Upload } from "#artifact/node";
import type { RetryingOptions } from "../../artifact/storage/retrying.ts";

const operations = [
  "begin",
  "create",
  "send",
  "finish",
  "commit",
  "replace",
  "abort",
  "open",
  "read",
  "close",
  "stat",
  "list",
  "remove",
  "sweep",
  "freeBytes",
] as const;

export type Operation = (typeof operations)[number];

/**
 * `before`: fails and does nothing. `after`: takes effect, and the answer is lost. `full`: no room left. `slow`: comes late.
 * `short`: a read that ends too early. `wrong`: a read with one byte changed.
 */
export type Fault = "before" | "after" | "full" | "slow" | "short" | "wrong";

/** What befalls the call, of which this is the `nth` of its operation, counted from 1. */
export type Plan = (operation: Operation, nth: number) => Fault | null;

export interface FaultyStorage extends Storage {
  /** How often each operation was called. */
  readonly calls: Readonly<Record<Operation, number>>;
}

/**
 * What took effect although it failed is found by the next call, as the contract demands: the part is in its place already, the file
 * is there and still empty.
 */
export function faulty(storage: Storage, plan: Plan): FaultyStorage {
  const calls = Object.fromEntries(operations.map((operation) => [operation, 0])) as Record<Operation, number>;
  const strike = async (operation: Operation): Promise<Fault | null> => {
    calls[operation] += 1;
    const fault = plan(operation, calls[operation]);
    if (fault === "full") throw new StorageError("DISK_FULL", `${operation} finds no room left`);
    if (fault === "before") throw lost(operation);
    if (fault === "slow") await pause(20);
    return fault;
  };
  const act = async <T>(
    operation: Operation,
    call: () => Promise<T>,
    undo?: (made: T) => Promise<void>,
  ): Promise<T> => {
    const fault = await strike(operation);
    const made = await call();
    if (fault !== "after") return made;
    await undo?.(made);
    throw lost(operation);
  };
  const reader = (file: RangeReader): RangeReader => ({
    size: file.size,
    async read(position, length, signal) {
      const fault = await strike("read");
      const bytes = Buffer.from(await file.read(position, length, signal));
      if (fault === "after") throw lost("read");
      if (fault === "wrong") bytes[length - 1] = (bytes[length - 1] ?? 0) ^ 1;
      return fault === "short" ? bytes.subarray(0, -1) : bytes;
    },
    close: () => act("close", () => file.close()),
  });
  const upload = (file: Upload): Upload => {
    const once = { send: remembering(file.send), finish: remembering(file.finish) };
    return {
      send: (part) => act("send", () => once.send(part), once.send.lose),
      finish: () => act("finish", once.finish, once.finish.lose),
    };
  };
  return {
    calls,
    begin: (directory, attempt) =>
      act("begin", async () => {
        const draft = await storage.begin(directory, attempt);
        const create = remembering(draft.create);
        return {
          create: async (name) => upload(await act("create", () => create(name), create.lose)),
          open: async (name) => reader(await act("open", () => draft.open(name), closeIt)),
          commit: () => act("commit", () => draft.commit()),
          replace: () => act("replace", () => draft.replace()),
          abort: () => act("abort", () => draft.abort()),
        };
      }),
    stat: (directory, name) => act("stat", () => storage.stat(directory, name)),
    open: async (directory, name) => reader(await act("open", () => storage.open(directory, name), closeIt)),
    async *list() {
      await act("list", async () => {});
      yield* storage.list();
    },
    remove: (directory) => act("remove", () => storage.remove(directory)),
    sweep: (live) => act("sweep", () => storage.sweep(live)),
    freeBytes: () => act("freeBytes", () => storage.freeBytes()),
  };
}

/** The fault at this call alone. */
export function once(fault: Fault, operation: Operation, nth: number): Plan {
  return (called, count) => (called === operation && count === nth ? fault : null);
}

/** The fault at this call and every later one of the operation. */
export function since(fault: Fault, operation: Operation, nth: number): Plan {
  return (called, count) => (called === operation && count >= nth ? fault : null);
}

interface Remembering<A extends readonly unknown[], R> {
  (...call: A): Promise<R>;
  /** The call that took effect last is not made again: its next repetition gets the same answer. */
  lose(): Promise<void>;
}

/** Insists that what is repeated is the same in every byte. */
function remembering<A extends readonly unknown[], R>(call: (...args: A) => Promise<R>): Remembering<A, R> {
  let last: { readonly told: string; readonly answer: R } | null = null;
  let lostAnswer = false;
  const calling = async (...args: A): Promise<R> => {
    const told = args.map((arg) => (arg instanceof Uint8Array ? Buffer.from(arg).toString("base64") : arg)).join();
    if (lostAnswer && last) {
      lostAnswer = false;
      if (last.told !== told) throw new Error("another call than the one that failed");
      return last.answer;
    }
    last = { told, answer: await call(...args) };
    return last.answer;
  };
  const lose = async () => {
    lostAnswer = true;
  };
  return Object.assign(calling, { lose });
}

function closeIt(file: RangeReader): Promise<void> {
  return file.close();
}

function lost(operation: Operation): StorageError {
  return new StorageError("STORAGE_UNAVAILABLE", `${operation} failed on command`);
}

/** Patience for tests. */
export const quick: RetryingOptions = { retryForMs: 1000, firstDelayMs: 1, longestDelayMs: 4 };

/** For `assert.rejects`. */
export function isTransient(error: unknown): boolean {
  return error instanceof StorageError && error.code === "STORAGE_UNAVAILABLE";
}
