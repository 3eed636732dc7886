// Makes packets to an address of this machine vanish, as to one whose cable was pulled: no answer, no reset, no good-bye.
import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Blackhole extends AsyncDisposable {
  /** Of the loopback network: to be connected from. */
  readonly address: string;
  /** From now on nothing reaches it. */
  open(): Promise<void>;
}

/** An address of the caller's own; null where this process may not change routes (it is not root, or there is no `ip`). */
export async function stageBlackhole(): Promise<Blackhole | null> {
  const address = `127.${randomInt(2, 255)}.${randomInt(1, 255)}.${randomInt(1, 255)}`;
  const route = (verb: "add" | "del") => run("ip", ["route", verb, "blackhole", `${address}/32`, "table", "local"]);
  try {
    await route("add");
    await route("del");
  } catch {
    return null;
  }
  let isOpen = false;
  return {
    address,
    async open() {
      await route("add");
      isOpen = true;
    },
    async [Symbol.asyncDispose]() {
      if (isOpen) await route("del");
    },
  };
}
