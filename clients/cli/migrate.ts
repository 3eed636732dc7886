// `xvault migrate`: hands over to the program that brings the hub's database up to date, with its exit code.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { exitCodes } from "./failure.ts";

const program = fileURLToPath(new URL("../../prisma/migrate-command.ts", import.meta.url));

/** It reads DATABASE_URL itself, and writes straight to this command's output. */
export async function migrate({ status }: { readonly status?: boolean }, signal: AbortSignal): Promise<number> {
  const child = spawn(process.execPath, [program, ...(status ? ["--status"] : [])], { stdio: "inherit" });
  const stop = () => child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  const [code] = (await once(child, "exit")) as [number | null];
  signal.removeEventListener("abort", stop);
  return code ?? exitCodes.failed;
}
