// Runs dump programs on this machine: without a shell, in a clean environment, and no longer than they are wanted.
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { type FileHandle, mkdir, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { SourceError } from "../source-error.ts";
import { bufferBytes, type Place, type RunningTool, type ToolCommand, type ToolEnd, wordsOf } from "./place.ts";

/** Where Debian and its kin keep programs; the worker's own environment is not asked, and never handed on. */
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const keptComplaints = 65_536;
const ticksToSilence = 4;
const politeEndMs = 2_000;

export interface NearOptions {
  /** For secrets on their way: they lie there for a moment, mode 0600. */
  readonly tempBase: string;
  /** Ends every program. */
  readonly signal: AbortSignal;
  /** Folders to look for programs in, with colons between them. @default the system's usual ones */
  readonly toolPath?: string | undefined;
}

/** Where the system can do it, programs end with this process, even when it is killed. */
export function nearPlace({ tempBase, signal, toolPath = usualPath }: NearOptions): Place {
  // These are of util-linux, which all but the barest systems have. They become the program: same process, same output.
  const tied = existsSync("/usr/bin/setpriv") ? ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"] : [];
  const canLimit = existsSync("/usr/bin/prlimit");
  // Into a pipe, dump programs write four kilobytes at a time, and every piece costs a round of this process's event loop.
  const buffered = existsSync("/usr/bin/stdbuf") ? ["/usr/bin/stdbuf", `--output=${bufferBytes}`, "--"] : [];
  const limited = (bytes: number | undefined) =>
    canLimit && bytes !== undefined ? ["/usr/bin/prlimit", `--as=${bytes}`, "--"] : [];

  async function run(command: ToolCommand): Promise<RunningTool> {
    signal.throwIfAborted();
    const { program, args, env } = wordsOf(command);
    const [file = program, ...words] = [...tied, ...limited(command.maxMemoryBytes), ...buffered, program, ...args];
    const secret = command.secretFile ? await unnamedFile(tempBase, command.secretFile.text) : null;
    try {
      signal.throwIfAborted();
      const child = spawn(file, words, {
        cwd: "/",
        env: { PATH: toolPath, ...env },
        stdio: ["ignore", "pipe", "pipe", secret?.fd ?? "ignore"],
        // A group of its own, so that what it starts ends with it.
        detached: true,
      });
      const { silenceMs, firstByteMs = silenceMs } = command;
      return watch(child, { program, silenceMs, firstByteMs, signal });
    } finally {
      await secret?.close();
    }
  }
  return { isFar: false, run };
}

/** Open at its beginning, and nowhere in the file system any more. */
async function unnamedFile(directory: string, text: string): Promise<FileHandle> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, `.secret-${randomUUID()}`);
  const handle = await open(path, "wx+", 0o600);
  try {
    await unlink(path);
    await handle.write(text, 0);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

interface Watch {
  readonly program: string;
  readonly silenceMs: number | undefined;
  readonly firstByteMs: number | undefined;
  readonly signal: AbortSignal;
}

function watch(child: ChildProcess, { program, silenceMs, firstByteMs, signal }: Watch): RunningTool {
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new TypeError("the program was started without pipes");
  let complaints = Buffer.alloc(0);
  let quietTicks = 0;
  let mostTicks = ticksToSilence * Math.max(1, (firstByteMs ?? 0) / (silenceMs ?? 1));
  let failure: unknown = null;
  const ended = Promise.withResolvers<ToolEnd>();
  ended.promise.catch(() => undefined);

  function fail(reason: unknown): void {
    failure ??= reason;
    release();
    ended.reject(failure);
    kill(child, "SIGKILL");
    closePipes();
  }
  function closePipes(): void {
    stdout?.destroy();
    stderr?.destroy();
  }
  const interrupt = () => fail(signal.reason);
  const ticker = setInterval(
    () => {
      // Output that waits for its reader is not the program's silence.
      if (stdout.readableLength > 0) quietTicks = 0;
      else if (++quietTicks >= mostTicks) fail(silent(program));
    },
    (silenceMs ?? 0) / ticksToSilence,
  );
  function release(): void {
    clearInterval(ticker);
    signal.removeEventListener("abort", interrupt);
  }
  if (silenceMs === undefined) clearInterval(ticker);
  signal.addEventListener("abort", interrupt, { once: true });

  // Once the program has exited, Node throws away what nobody listens for.
  stdout.on("readable", () => undefined);
  stderr.on("data", (bytes: Buffer) => {
    quietTicks = 0;
    complaints = Buffer.concat([complaints, bytes]).subarray(-keptComplaints);
  });
  child.on("error", (error: NodeJS.ErrnoException) => {
    release();
    // As a shell would put it.
    ended.resolve({ code: error.code === "ENOENT" ? 127 : 126, signal: null, complaints: error.message });
    stdout.destroy();
  });
  child.on("close", (code, killedBy) => {
    release();
    ended.resolve({ code, signal: killedBy, complaints: complaints.toString() });
  });

  async function* output(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of stdout as AsyncIterable<Uint8Array>) {
        quietTicks = 0;
        mostTicks = ticksToSilence;
        yield chunk;
      }
    } catch (error) {
      // A program that could not be started has no output that could end.
      if (failure !== null || child.pid !== undefined) throw failure ?? error;
    }
    await ended.promise;
  }
  return {
    output: output(),
    ended: ended.promise,
    async [Symbol.asyncDispose]() {
      clearInterval(ticker);
      stdout.destroy();
      await end(child);
      closePipes();
      release();
    },
  };
}

/** Politely first: pg_dump then tells its server to stop as well. */
async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit").catch(() => undefined);
  kill(child, "SIGTERM");
  await Promise.race([exited, pause(politeEndMs, undefined, { ref: false })]);
  kill(child, "SIGKILL");
  await exited;
}

function kill({ pid }: ChildProcess, signal: "SIGTERM" | "SIGKILL"): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Nothing of it is left.
  }
}

function silent(program: string): SourceError {
  return new SourceError(
    "SOURCE_STALLED",
    `The program ${program} has got nothing from the server for too long: the server is overloaded or out of reach, or something there waits for a lock.`,
  );
}
