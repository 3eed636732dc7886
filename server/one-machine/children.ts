// Keeps child processes running: starts them, starts them again when they die, hands on what they say, and ends them.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { eachLine } from "./lines.ts";

export interface ChildOptions {
  readonly name: string;
  /** Starts the process: called at once and after every unexpected end. Detached, or a terminal's ^C ends it before its time. */
  readonly start: () => ChildProcess;
  /** Every line it writes, on either stream, cut at 16 Ki characters. */
  readonly onLine: (line: string) => void;
  /** Hears of every end that was not asked for; a restart follows. */
  readonly onDeath?: (message: string) => void;
  /** Asks it to end [SIGTERM]. */
  readonly stopSignal?: NodeJS.Signals;
  /** Ends it when it has not ended by itself [SIGKILL]. */
  readonly forceSignal?: NodeJS.Signals;
  /** Milliseconds between the two [30,000]. */
  readonly graceMs?: number;
  /** Milliseconds before the first restart [500]; doubled with each further one up to 30 s, until it lived for a minute. */
  readonly restartDelayMs?: number;
}

const longestDelayMs = 30_000;
const linesKept = 20;

/** A process that is kept running until `stop()`. */
export class Child implements AsyncDisposable {
  readonly #options: ChildOptions;
  readonly #recent: string[] = [];
  readonly #stopping = new AbortController();
  #process: ChildProcess;
  #keeping: Promise<void> | null = null;

  constructor(options: ChildOptions) {
    this.#options = options;
    this.#process = this.#start();
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /**
   * Waits until `probe` answers true, asking every 50 ms; from then on the process is kept running.
   * @throws Error with its last lines where it ends before that, or is not ready in time: it is not running then.
   */
  async ready(probe: () => Promise<boolean>, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    try {
      while (!(await probe())) {
        signal?.throwIfAborted();
        if (hasEnded(this.#process)) throw new Error(await this.#lastWords("ended while it was starting"));
        if (performance.now() > deadline) throw new Error(await this.#lastWords(`was not ready in ${timeoutMs} ms`));
        await sleep(50, undefined, signal && { signal });
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.keep();
  }

  /** Restarts it from now on whenever it ends. */
  keep(): void {
    this.#keeping ??= this.#keep();
  }

  /** Ends it and waits for the end: at most the grace period and ten seconds. May be called again. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const { stopSignal = "SIGTERM", forceSignal = "SIGKILL", graceMs = 30_000 } = this.#options;
    for (const [signal, waitMs] of [
      [stopSignal, graceMs],
      [forceSignal, 5_000],
      ["SIGKILL", 5_000],
    ] as const) {
      if (hasEnded(this.#process)) break;
      this.#process.kill(signal);
      await ended(this.#process, waitMs);
    }
    await this.#keeping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #start(): ChildProcess {
    const started = this.#options.start();
    // Without a listener a command that cannot be run at all would end this process as well.
    started.on("error", (error) => this.#line(error.message));
    for (const stream of [started.stdout, started.stderr]) if (stream) eachLine(stream, (line) => this.#line(line));
    return started;
  }

  #line(line: string): void {
    this.#recent.push(line);
    if (this.#recent.length > linesKept) this.#recent.shift();
    this.#options.onLine(line);
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stopping;
    const { restartDelayMs = 500, onDeath } = this.#options;
    let delayMs = restartDelayMs;
    while (!signal.aborted) {
      const since = performance.now();
      await ended(this.#process);
      if (signal.aborted) return;
      if (performance.now() - since > 60_000) delayMs = restartDelayMs;
      onDeath?.(await this.#lastWords(`ended and starts again in ${delayMs} ms`));
      await sleep(delayMs, undefined, { signal }).catch(() => {});
      delayMs = Math.min(delayMs * 2, longestDelayMs);
      if (!signal.aborted) this.#process = this.#start();
    }
  }

  async #lastWords(what: string): Promise<string> {
    const { exitCode, signalCode } = this.#process;
    // The last lines may come after the end; a grandchild that holds the stream open must not be waited for.
    if (hasEnded(this.#process)) await sleep(50);
    const how = exitCode !== null ? ` (exit code ${exitCode})` : signalCode !== null ? ` (${signalCode})` : "";
    return [`${this.#options.name} ${what}${how}.`, ...this.#recent].join("\n");
  }
}

/** A Node process of ours, which also ends by itself (SIGTERM first) when this process is gone. `env` is all it gets. */
export function nodeChild(
  script: URL,
  env: Readonly<Record<string, string>>,
  options: Omit<ChildOptions, "start">,
): Child {
  const dieWithParent = new URL("die-with-parent.ts", import.meta.url).href;
  const child = new Child({
    ...options,
    start: () =>
      spawn(process.execPath, ["--import", dieWithParent, fileURLToPath(script)], {
        env: { ...env },
        stdio: ["ignore", "pipe", "pipe", "ipc"],
        detached: true,
      }),
  });
  child.keep();
  return child;
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

async function ended(child: ChildProcess, withinMs?: number): Promise<void> {
  if (hasEnded(child)) return;
  const exit = once(child, "exit");
  if (withinMs === undefined) await exit;
  else {
    const given = new AbortController();
    await Promise.race([exit, sleep(withinMs, undefined, { signal: given.signal }).catch(() => {})]);
    given.abort();
  }
}
