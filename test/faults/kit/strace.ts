// Makes system calls of a running process fail: the N-th of a kind, in each of its threads, with an error or a short result.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { available } from "../../stage/available.ts";

export interface Injection {
  /** As strace names them, with commas. */
  readonly calls: string;
  /** `error=EIO`, or `retval=0` for a call that is not made and says that it was. */
  readonly fault: string;
  /** The how manieth call [1] of each thread; `3+2` is the third and every second one after it. */
  readonly when: string;
}

/** Disposing lets go of the process, which goes on. */
export interface Straced extends AsyncDisposable {
  /** How many calls were made to fail so far. */
  injected(): Promise<number>;
}

/** Why it cannot be done here; null where it can. */
export function missingStrace(): string | null {
  const missing = available("strace");
  if (missing !== null) return missing;
  try {
    execFileSync("strace", ["-o", "/dev/null", "-e", "trace=none", "true"], { stdio: "ignore", timeout: 10_000 });
    return null;
  } catch {
    return "this machine lets nobody trace a process, so its system calls cannot be made to fail";
  }
}

/** Resolves when all of its threads are watched. `log` is a file of this one's own. */
export async function inject(pid: number, { calls, fault, when }: Injection, log: string): Promise<Straced> {
  const args = ["-f", "-p", `${pid}`, "-o", log, "-e", `trace=${calls}`, "-e", `inject=${calls}:${fault}:when=${when}`];
  const strace = spawn("strace", [...args, "-e", "signal=none"], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(strace, "exit");
  const attached = new Promise<void>((resolve, reject) => {
    const heard: string[] = [];
    createInterface({ input: strace.stderr }).on("line", (line) => {
      heard.push(line);
      if (line.includes("attached")) resolve();
    });
    ended.then(() => reject(new Error(`strace ended: ${heard.join(" ")}`)), reject);
  });
  await attached;
  return {
    injected: async () => (await readFile(log, "latin1")).split("(INJECTED)").length - 1,
    async [Symbol.asyncDispose]() {
      // It lets go of all threads before it ends.
      strace.kill("SIGINT");
      await ended;
      await rm(log, { force: true });
    },
  };
}
