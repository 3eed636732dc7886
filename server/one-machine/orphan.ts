// Ends a server that outlived the stack which started it (kill -9): its data can be opened again only when it is gone.
import { execFile } from "node:child_process";
import { readFile, readlink, realpath } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

export interface Orphan {
  /** File whose first line is the process id. */
  readonly pidFile: string;
  /** Folder the server works in. A process that works elsewhere merely got the same number and is left alone. */
  readonly directory: string;
  readonly stopSignal: NodeJS.Signals;
  /** For one that does not listen [SIGKILL]. */
  readonly forceSignal?: NodeJS.Signals;
}

const graceMs = 30_000;

/** Waits for its end; false where there was none. The caller holds the home's lock: a server of a living stack is no orphan. */
export async function stopOrphan({ pidFile, directory, stopSignal, forceSignal }: Orphan): Promise<boolean> {
  const pid = Number.parseInt(await readFile(pidFile, "utf8").catch(() => ""), 10);
  if (!(pid > 1) || !(await worksIn(pid, directory))) return false;
  for (const signal of [stopSignal, forceSignal ?? "SIGKILL"]) {
    process.kill(pid, signal);
    const deadline = performance.now() + graceMs;
    while (performance.now() < deadline) {
      if (!(await worksIn(pid, directory))) return true;
      await sleep(50);
    }
  }
  throw new Error(
    `Process ${pid} of an earlier start still works in ${directory} and does not end. End it and start again.`,
  );
}

/** A zombie works nowhere: where nobody reaps, its number alone would look alive for ever. */
async function worksIn(pid: number, directory: string): Promise<boolean> {
  try {
    return (await workingDirectory(pid)) === (await realpath(directory));
  } catch {
    return false;
  }
}

async function workingDirectory(pid: number): Promise<string> {
  if (process.platform === "linux") return readlink(`/proc/${pid}/cwd`);
  const { stdout } = await promisify(execFile)("lsof", ["-a", "-p", String(pid), "-d", "cwd", "-Fn"]);
  return /^n(.*)$/m.exec(stdout)?.[1] ?? "";
}
