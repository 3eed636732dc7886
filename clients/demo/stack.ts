// Starts the whole of xVault in a throw-away directory, as a process of its own.
import { join } from "node:path";
import * as z from "zod";
import { type BackgroundProcess, startBackground } from "./background-process.ts";
import { stackEnvironment } from "./config.ts";

const ready = z.object({
  kind: z.literal("ready"),
  graphqlUrl: z.url(),
  graphiqlUrl: z.url(),
  healthUrl: z.url(),
  restoreUrl: z.url(),
  owner: z.object({ email: z.string(), password: z.string() }),
  storageBase: z.string(),
  home: z.string(),
});

export type StackFacts = z.infer<typeof ready>;

/** The first start makes a database, which takes its time on a slow machine. */
const readyWithinMs = 180_000;

/** `directory` gets the stack's home and its log. */
export function startStack(directory: string, signal: AbortSignal): Promise<BackgroundProcess<StackFacts>> {
  return startBackground({
    script: new URL("../../server/one-machine/main.ts", import.meta.url),
    env: stackEnvironment(join(directory, "home")),
    logFile: join(directory, "stack.log"),
    readySchema: ready,
    readyWithinMs,
    signal,
  });
}
