// `npm start`: brings the whole stack up on this machine, says where it is, and takes it down again.
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createLog } from "../log.ts";
import { readOneMachineConfig } from "./config.ts";
import { type Stack, startStack } from "./stack.ts";

/** Heard by whoever started this process with an IPC channel: that it is up, or why not. */
function tell(message: object): void {
  if (process.connected) process.send?.(message);
}

function welcome({ graphqlUrl, graphiqlUrl, healthUrl, owner, home }: Stack, logFile: string): string {
  const signIn = owner
    ? [
        "",
        "First start. Sign in with",
        `  e-mail    ${owner.email}`,
        `  password  ${owner.password}`,
        "The password is shown only now.",
      ]
    : [];
  return [
    "xVault is up.",
    `  GraphiQL  ${graphiqlUrl}`,
    `  GraphQL   ${graphqlUrl}`,
    `  health    ${healthUrl}`,
    `  data      ${home}`,
    `  log       ${logFile}`,
    ...signIn,
    "",
    "Ctrl-C stops it.",
    "",
  ].join("\n");
}

try {
  const stop = Promise.withResolvers<void>();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => stop.resolve());
  let kept = false;
  process.on("message", (message) => {
    kept ||= (message as { kind?: unknown })?.kind === "keep";
  });
  // Whoever started this by IPC and is gone without asking to keep it will not come back for it.
  process.once("disconnect", () => kept || stop.resolve());

  const config = readOneMachineConfig(process.env);
  await mkdir(join(config.home, "logs"), { recursive: true, mode: 0o700 });
  const logFile = join(config.home, "logs", "xvault.log");
  const lines = createWriteStream(logFile, { flags: "a", mode: 0o600 });
  const log = createLog(process.env.LOG_LEVEL || "info", lines);
  {
    await using stack = await startStack({
      config,
      env: process.env,
      log,
      onLine: (service, line) =>
        lines.write(line.startsWith("{") ? `${line}\n` : `${JSON.stringify({ service, msg: line })}\n`),
    });
    const { graphqlUrl, graphiqlUrl, healthUrl, restoreUrl, storageBase, home, owner } = stack;
    process.stdout.write(welcome(stack, logFile));
    tell({ kind: "ready", graphqlUrl, graphiqlUrl, healthUrl, restoreUrl, storageBase, home, owner });
    await stop.promise;
    process.stdout.write("\nStopping…\n");
  }
  lines.end();
  process.stdout.write("Stopped.\n");
  process.exitCode = 0;
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  tell({ kind: "failed", message });
  process.stderr.write(`xVault cannot start.\n${message}\n`);
  process.exitCode = 1;
} finally {
  if (process.connected) process.disconnect();
}
