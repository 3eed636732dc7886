// Runs a part of the demo as a process of its own, which ends with the demo unless it is told to stay.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type * as z from "zod";
import { CommandError } from "../cli/failure.ts";

export interface BackgroundProcess<Ready> extends AsyncDisposable {
  readonly pid: number;
  /** What the process said when it was up. */
  readonly ready: Ready;
  /** Lets it go on without us. Disposing does nothing after that. */
  stay(): Promise<void>;
}

export interface BackgroundOptions<Ready> {
  readonly script: URL;
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Gets everything that it writes. */
  readonly logFile: string;
  /** Of the one message that says it is up; the other one is `{ kind: "failed", message }`. */
  readonly readySchema: z.ZodType<Ready>;
  readonly readyWithinMs: number;
  readonly signal: AbortSignal;
}

const stopWithinMs = 45_000;

/** Throws `CommandError`, with nothing left running, where it does not come up. */
export async function startBackground<Ready>(options: BackgroundOptions<Ready>): Promise<BackgroundProcess<Ready>> {
  const child = await start(options);
  try {
    const ready = options.readySchema.parse(await firstMessage(child, options));
    let stays = false;
    return {
      pid: child.pid ?? 0,
      ready,
      async stay() {
        await new Promise((resolve) => child.send({ kind: "keep" }, resolve));
        child.disconnect();
        child.unref();
        stays = true;
      },
      async [Symbol.asyncDispose]() {
        if (!stays) await stop(child);
      },
    };
  } catch (error) {
    await stop(child);
    throw error;
  }
}

async function start<Ready>({ script, args = [], env, logFile }: BackgroundOptions<Ready>): Promise<ChildProcess> {
  await using log = await open(logFile, "a", 0o600);
  return spawn(process.execPath, [fileURLToPath(script), ...args], {
    env: { ...env },
    stdio: ["ignore", log.fd, log.fd, "ipc"],
    // A Ctrl-C is for the demo, which then stops it in its own time.
    detached: true,
  });
}

async function firstMessage<Ready>(child: ChildProcess, options: BackgroundOptions<Ready>): Promise<unknown> {
  const { readyWithinMs, logFile, signal } = options;
  const answered = new AbortController();
  const deadline = AbortSignal.any([signal, answered.signal, AbortSignal.timeout(readyWithinMs)]);
  try {
    const [message] = await Promise.race([
      once(child, "message", { signal: deadline }),
      once(child, "exit", { signal: deadline }).then(async () => [
        { kind: "failed", message: await lastLine(logFile) },
      ]),
    ]);
    if (message?.kind === "failed") throw new CommandError(String(message.message));
    return message;
  } catch (error) {
    if (error instanceof CommandError || signal.aborted) throw error;
    throw new CommandError(`The demo's stack did not come up within ${readyWithinMs / 1000} seconds.`, {
      cause: error,
    });
  } finally {
    answered.abort();
  }
}

async function lastLine(logFile: string): Promise<string> {
  const lines = (await readFile(logFile, "utf8").catch(() => "")).trim().split("\n");
  return `The demo's stack ended while it was starting: ${lines.at(-1) || "it said nothing"}`;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  const waited = new AbortController();
  child.kill("SIGTERM");
  const tooLong = pause(stopWithinMs, undefined, { signal: waited.signal }).then(() => child.kill("SIGKILL"));
  tooLong.catch(() => undefined);
  await ended;
  waited.abort();
}
