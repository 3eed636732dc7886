// Runs the customer's own commands on the server, before and after a backup, and passes what they say on to the job's log.
import { stripVTControlCharacters } from "node:util";
import * as z from "zod";
import type { Warning } from "#artifact/node";
import type { LogLine } from "./source.ts";
import { SourceError } from "./source-error.ts";
import type { CommandEnd } from "./ssh/command.ts";
import type { SshConnection } from "./ssh/connection.ts";

const hook = z.object({
  command: z.string().min(1).max(8192),
  timeoutSeconds: z.int().min(1).max(86_400).default(600),
});

/** Part of the settings of sources whose server runs commands. */
export const hookSettings = z
  .object({
    before: hook.optional(),
    after: hook.optional(),
    /** What becomes of a backup whose hook fails: it fails too, or has a warning. */
    onFailure: z.enum(["fail", "warn"]).default("fail"),
  })
  .default({ onFailure: "fail" });

type HookSettings = z.infer<typeof hookSettings>;
type Hook = z.infer<typeof hook>;
type Step = "before" | "after";

const mostLines = 200;
const longestLine = 1000;

/** After a backup that failed or was canceled nobody waits longer for a command. */
const longestFarewellMs = 120_000;

export interface HooksOptions {
  readonly log: (line: LogLine) => void;
  /** The connection of the source, which may be over by then; and a new one, for a command that has to run all the same. */
  readonly connection: SshConnection;
  readonly connectAgain: (signal: AbortSignal) => Promise<SshConnection>;
}

/** Around one reading. Disposing runs `after` where it is still due, because the backup failed or was canceled. */
export class Hooks implements AsyncDisposable {
  readonly #settings: HookSettings;
  readonly #options: HooksOptions;
  #isAfterDue = false;

  constructor(settings: HookSettings, options: HooksOptions) {
    this.#settings = settings;
    this.#options = options;
  }

  /** Throws `SourceError` where the command fails, unless the settings make that a warning. */
  async runBefore(warn: (warning: Warning) => void): Promise<void> {
    const { before } = this.#settings;
    this.#isAfterDue = this.#settings.after !== undefined;
    if (before) await this.#run("before", before, warn);
  }

  /** As `runBefore`, once everything was read. */
  async runAfter(warn: (warning: Warning) => void): Promise<void> {
    const { after } = this.#settings;
    this.#isAfterDue = false;
    if (after) await this.#run("after", after, warn);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { after } = this.#settings;
    const { connection, connectAgain, log } = this.#options;
    if (!after || !this.#isAfterDue) return;
    this.#isAfterDue = false;
    const timeoutSeconds = Math.min(after.timeoutSeconds, longestFarewellMs / 1000);
    const hook = { ...after, timeoutSeconds };
    try {
      await using again = connection.over.aborted ? await connectAgain(AbortSignal.timeout(longestFarewellMs)) : null;
      const failure = await runHook(again ?? connection, "after", hook, log);
      if (failure) log({ kind: "hook", step: "after", text: failure.message });
    } catch (error) {
      const why = error instanceof SourceError ? error.message : "It was given up.";
      log({ kind: "hook", step: "after", text: `The command after the backup could not be run to its end. ${why}` });
    }
  }

  async #run(step: Step, hook: Hook, warn: (warning: Warning) => void): Promise<void> {
    const { connection, log } = this.#options;
    const failure = await runHook(connection, step, hook, log);
    if (!failure) return;
    if (this.#settings.onFailure === "fail") throw failure;
    warn({ code: "HOOK_FAILED", path: "", message: failure.message });
  }
}

/** The failure, in words for the customer; null where it went well. Rejects where the connection is lost. */
async function runHook(
  connection: SshConnection,
  step: Step,
  { command, timeoutSeconds }: Hook,
  log: (line: LogLine) => void,
): Promise<SourceError | null> {
  const lines = new HookLines((text) => log({ kind: "hook", step, text }));
  const started = await start(connection, command, lines);
  if (started instanceof SourceError) return started;
  await using running = started;
  const timeout = Promise.withResolvers<"timeout">();
  const timer = setTimeout(timeout.resolve, timeoutSeconds * 1000, "timeout");
  try {
    const reading = (async () => {
      for await (const chunk of running.output) lines.add(chunk);
      return running.ended;
    })();
    reading.catch(() => undefined);
    const end = await Promise.race([reading, timeout.promise]);
    return end === "timeout" ? tookTooLong(step, timeoutSeconds) : end.code === 0 ? null : failedWith(step, end);
  } finally {
    clearTimeout(timer);
    lines.end();
  }
}

/** The failure, where the server runs no commands. */
async function start(connection: SshConnection, command: string, lines: HookLines) {
  try {
    return await connection.run(command, { onComplaint: lines.add });
  } catch (error) {
    connection.over.throwIfAborted();
    if (error instanceof SourceError) return error;
    throw error;
  }
}

function tookTooLong(step: Step, seconds: number): SourceError {
  return new SourceError(
    "TIMEOUT",
    `The command ${step} the backup had not ended after ${seconds} seconds: make it faster or give it more time.`,
  );
}

function failedWith(step: Step, { code, signal }: CommandEnd): SourceError {
  const how = code === null ? "was killed" : `failed with exit code ${code}`;
  return new SourceError("DUMP_FAILED", `The command ${step} the backup ${how}: see what it wrote in the job's log.`, {
    cause: new Error(`exit ${code}, signal ${signal}`),
  });
}

/** Cuts what a command writes into printable lines, a bounded number of them. */
class HookLines {
  readonly #put: (text: string) => void;
  readonly #decoder = new TextDecoder();
  #rest = "";
  #lines = 0;

  constructor(put: (text: string) => void) {
    this.#put = put;
  }

  readonly add = (bytes: Uint8Array): void => {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    // What is behind the longest line is never shown: it need not be kept.
    this.#rest = (lines.pop() ?? "").slice(0, 4 * longestLine);
    for (const line of lines) this.#line(line);
  };

  end(): void {
    if (this.#rest !== "") this.#line(this.#rest);
    this.#rest = "";
    const left = this.#lines - mostLines;
    if (left > 0) this.#put(`… and ${left.toLocaleString("en")} more lines.`);
  }

  #line(line: string): void {
    if (++this.#lines > mostLines) return;
    const text = stripVTControlCharacters(line)
      .replace(/\p{Cc}/gu, " ")
      .trimEnd();
    this.#put(text.length > longestLine ? `${text.slice(0, longestLine)}…` : text);
  }
}
