// Runs the reading process and measures it as one side of a contest.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { leanProcess } from "../../server/one-machine/lean-process.ts";
import { watchMemory } from "../resident-memory.ts";
import type { Measured } from "../turns.ts";
import type { Pull, Pulled } from "./pull-process.ts";

/** Where `seal` is given, into a directory that is gone again afterwards. The start of the process does not count: a worker runs already. */
export async function pull(
  what: Omit<Pull, "sealed">,
  { recipient, files }: { readonly recipient: string | null; readonly files?: number },
): Promise<Measured> {
  const directory = await mkdtemp("/var/tmp/xvault-bench-");
  try {
    const sealed = recipient === null ? null : { directory, recipient };
    const child = spawn(process.execPath, [new URL("pull-process.ts", import.meta.url).pathname], {
      env: { ...leanProcess, PATH: "/usr/bin:/bin" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    const memory = watchMemory(child.pid ?? 0);
    child.stdin.end(JSON.stringify({ ...what, sealed } satisfies Pull));
    const [[code], output] = await Promise.all([once(child, "exit"), text(child.stdout)]);
    const peakMB = memory.stop();
    if (code !== 0) throw new Error(`reading the source ended with ${code}`);
    const pulled = JSON.parse(output) as Pulled;
    if (files !== undefined && pulled.files !== files)
      throw new Error(`${pulled.files} files were read, and there are ${files}`);
    return { seconds: pulled.seconds, peakMB };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
