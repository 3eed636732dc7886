// What everybody on this machine can see of our processes: the arguments and environments of all that this one started.
import { readdirSync, readFileSync } from "node:fs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

export interface WatchedProcesses {
  /** All that was seen, each once; parts are separated as the system does it, by NUL. */
  stop(): Promise<string>;
}

/**
 * Looks every few milliseconds until it is stopped. In a thread of its own, so that a program is seen that lives no longer than
 * this process takes for something else. Other specs run at the same time, with secrets that are the same as ours: theirs are
 * not looked at.
 */
export async function watchProcesses(): Promise<WatchedProcesses> {
  const stopping = new Int32Array(new SharedArrayBuffer(4));
  const watcher = new Worker(new URL(import.meta.url), { workerData: { root: process.pid, stopping } });
  const ended = Promise.withResolvers<string>();
  watcher.on("error", ended.reject);
  await new Promise<void>((resolve) => {
    watcher.on("message", (text: string | null) => (text === null ? resolve() : ended.resolve(text)));
  });
  return {
    stop() {
      Atomics.store(stopping, 0, 1);
      return ended.promise;
    },
  };
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function parentOf(pid: string): string {
  const stat = contentOf(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? "";
}

interface Known {
  readonly isOurs: boolean;
  /** How often it was looked at. */
  looks: number;
}

/** A process becomes another program soon after it began, and after that hardly ever. */
const earlyLooks = 50;
const laterLooks = 100;

function look(root: string, known: Map<string, Known>, seen: Set<string>): void {
  const pids = new Set(readdirSync("/proc").filter((name) => /^\d+$/.test(name)));
  for (const pid of known.keys()) if (!pids.has(pid)) known.delete(pid);
  const isOurs = (pid: string): boolean => {
    if (!pids.has(pid)) return false;
    const before = known.get(pid);
    if (before) return before.isOurs;
    const parent = parentOf(pid);
    const ours = parent === root || isOurs(parent);
    known.set(pid, { isOurs: ours, looks: 0 });
    return ours;
  };
  for (const pid of pids) {
    if (!isOurs(pid)) continue;
    const process = known.get(pid);
    if (!process || (++process.looks > earlyLooks && process.looks % laterLooks !== 0)) continue;
    for (const file of ["cmdline", "environ"]) seen.add(contentOf(`/proc/${pid}/${file}`));
  }
}

if (!isMainThread && workerData?.stopping) {
  const { root, stopping } = workerData as { root: number; stopping: Int32Array };
  const seen = new Set<string>();
  const known = new Map<string, Known>();
  parentPort?.postMessage(null);
  while (Atomics.load(stopping, 0) === 0) {
    look(`${root}`, known, seen);
    Atomics.wait(stopping, 0, 0, 2);
  }
  parentPort?.postMessage([...seen].join("\n"));
}
