// Hands a command for operators over to the program that runs it beside the hub, with its exit code: it reads the environment itself.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { exitCodes } from "./failure.ts";

const programs = { migrate: "../../prisma/migrate-command.ts", operator: "../../server/operator/main.ts" } as const;

/** It writes straight to this command's output. An interruption is passed on, and waited for. */
export async function handOver(
  program: keyof typeof programs,
  args: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const file = fileURLToPath(new URL(programs[program], import.meta.url));
  const child = spawn(process.execPath, [file, ...args], { stdio: "inherit" });
  const stop = () => child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  const [code] = (await once(child, "exit")) as [number | null];
  signal.removeEventListener("abort", stop);
  return code ?? exitCodes.failed;
}
