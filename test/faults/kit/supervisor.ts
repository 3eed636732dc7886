// Starts a process again whenever it ends, as systemd or an orchestrator would.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

/** Disposing ends it for good. */
export interface Supervised extends AsyncDisposable {
  readonly name: string;
  /** How often it was started. */
  readonly starts: number;
  /** The newest lines that it wrote, of all its lives. */
  readonly lines: readonly string[];
  /** Sends a signal to the process that runs at present, if one does. */
  send(signal: NodeJS.Signals): void;
}

const restartAfterMs = 250;
const keptLines = 400;

/** `logFile`: gets every line that it writes. */
export function supervise(
  name: string,
  start: () => Promise<ChildProcess>,
  { logFile }: { logFile?: string } = {},
): Supervised {
  const lines: string[] = [];
  let child: ChildProcess | null = null;
  let starts = 0;
  let isOver = false;

  async function run(): Promise<void> {
    while (!isOver) {
      const started = await start();
      starts++;
      child = started;
      for (const stream of [started.stdout, started.stderr])
        if (stream)
          createInterface({ input: stream }).on("line", (line) => {
            lines.push(line);
            if (logFile !== undefined) appendFileSync(logFile, `${line}\n`);
            if (lines.length > keptLines) lines.shift();
          });
      if (isOver) started.kill("SIGKILL");
      if (started.exitCode === null && started.signalCode === null) await once(started, "exit");
      child = null;
      if (!isOver) await pause(restartAfterMs);
    }
  }

  const running = run();
  return {
    name,
    lines,
    get starts() {
      return starts;
    },
    send(signal) {
      child?.kill(signal);
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      child?.kill("SIGCONT");
      child?.kill("SIGTERM");
      const force = setTimeout(() => child?.kill("SIGKILL"), 40_000);
      await running;
      clearTimeout(force);
    },
  };
}
