// Runs a hub as a process of its own, with Postgres and Redis elsewhere.
import { readHubConfig } from "./config.ts";
import { startHub } from "./hub.ts";
import { createLog } from "./log.ts";

try {
  const config = readHubConfig(process.env);
  const log = createLog(config.logLevel);
  const running = await startHub(config, log);
  if (running.firstOwner)
    process.stderr.write(
      `First start: sign in as ${running.firstOwner.email} with the password ${running.firstOwner.password} (shown only now).\n`,
    );
  const stop = Promise.withResolvers<string>();
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, stop.resolve);
  const signal = await stop.promise;
  log.info({ signal }, "hub is going down");
  await running[Symbol.asyncDispose]();
} catch (error) {
  process.stderr.write(`The hub cannot start.\n${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
