// Watches how much memory processes use, all of a family together.
import { readdir, readFile } from "node:fs/promises";

/** Oftener would take time from those who are watched, and most from the one who uses all processors. */
const intervalMs = 100;

/** Starts sampling the process and its descendants every 100 ms; `stop` answers the highest sum of resident memory seen, in MB. */
export function watchMemory(pid: number): { stop(): number } {
  let peak = 0;
  const sample = async () => {
    let sum = 0;
    for (const member of await family(pid)) sum += await residentMB(member);
    peak = Math.max(peak, sum);
  };
  const timer = setInterval(() => void sample().catch(() => undefined), intervalMs);
  return {
    stop() {
      clearInterval(timer);
      return peak;
    },
  };
}

async function family(pid: number): Promise<number[]> {
  const members = [pid];
  for (const task of await readdir(`/proc/${pid}/task`).catch(() => [])) {
    const children = await readFile(`/proc/${pid}/task/${task}/children`, "utf8").catch(() => "");
    for (const child of children.split(" ").filter(Boolean)) members.push(...(await family(Number(child))));
  }
  return members;
}

async function residentMB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}
