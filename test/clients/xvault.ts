// Runs the `xvault` command the way a person does: a process, its arguments, its input, and what it leaves behind.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { token } from "./small-hub.ts";

export const program = fileURLToPath(new URL("../../clients/cli/main.ts", import.meta.url));

const compileCache = fileURLToPath(new URL("../../node_modules/.cache", import.meta.url));

export interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Home extends AsyncDisposable {
  readonly directory: string;
  readonly sessionFile: string;
  /** Signed in already, unless the test says otherwise. */
  keepSession(url: string, changes?: Readonly<Record<string, string>>): Promise<void>;
  xvault(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  /** Names in the directory, without the session's. */
  files(): Promise<string[]>;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Instead of the program itself. */
  readonly command?: readonly [string, ...string[]];
  /** The input is held back until this was written to standard output. */
  readonly inputAfter?: string;
  /** Ctrl-C once this was written to standard error. */
  readonly interruptAfter?: string;
}

const terms = { expiresAt: "2999-01-01T00:00:00.000Z", refreshTokenExpiresAt: "2999-01-01T00:00:00.000Z" };

export async function makeHome(): Promise<Home> {
  const directory = await mkdtemp(join(tmpdir(), "xvault-cli-"));
  const sessionFile = join(directory, "config", "xvault", "session.json");
  return {
    directory,
    sessionFile,
    async keepSession(url, changes = {}) {
      await mkdir(join(directory, "config", "xvault"), { recursive: true });
      const session = {
        url,
        email: "ada@example.com",
        accessToken: token,
        refreshToken: "xvr_1",
        ...terms,
        ...changes,
      };
      await writeFile(sessionFile, JSON.stringify(session));
    },
    async xvault(args, { input = "", env = {}, inputAfter, interruptAfter, ...options } = {}) {
      const [file, ...first] = options.command ?? [process.execPath, program];
      const child = spawn(file, [...first, ...args], {
        cwd: directory,
        env: {
          PATH: "/usr/bin:/bin",
          HOME: directory,
          XDG_CONFIG_HOME: join(directory, "config"),
          // One for all homes: what Node compiled for one test is compiled for the next.
          XDG_CACHE_HOME: compileCache,
          ...env,
        },
        signal: AbortSignal.timeout(60_000),
      });
      if (inputAfter === undefined) child.stdin.end(input);
      else child.stdout.on("data", (chunk) => String(chunk).includes(inputAfter) && child.stdin.write(input));
      if (interruptAfter !== undefined)
        child.stderr.on("data", (chunk) => String(chunk).includes(interruptAfter) && child.kill("SIGINT"));
      const [[exitCode], stdout, stderr] = await Promise.all([
        once(child, "close"),
        text(child.stdout),
        text(child.stderr),
      ]);
      return { exitCode, stdout, stderr };
    },
    files: async () => (await readdir(directory)).filter((name) => name !== "config"),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}
