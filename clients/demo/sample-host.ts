// Starts the demo's SFTP server over a directory, as a process of its own.
import { join } from "node:path";
import * as z from "zod";
import { type BackgroundProcess, startBackground } from "./background-process.ts";
import { childEnvironment } from "./config.ts";

const ready = z.object({
  kind: z.literal("ready"),
  host: z.string(),
  port: z.int(),
  username: z.string(),
  password: z.string(),
  fingerprint: z.string(),
});

export type SampleHost = z.infer<typeof ready>;

/** Serves `served`; its log lies in `directory`. */
export function startSampleHost(
  served: string,
  directory: string,
  signal: AbortSignal,
): Promise<BackgroundProcess<SampleHost>> {
  return startBackground({
    script: new URL("./sftp-host-process.ts", import.meta.url),
    args: [served],
    env: childEnvironment(),
    logFile: join(directory, "sftp.log"),
    readySchema: ready,
    readyWithinMs: 30_000,
    signal,
  });
}
