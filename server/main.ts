// Runs a hub as a process of its own, with Postgres and Redis elsewhere.
import { stopSignal } from "../clients/hub/stop-signal.ts";
import { readHubConfig } from "./config.ts";
import { startHub } from "./hub.ts";
import { createLog } from "./log.ts";

try {
  const config = readHubConfig(process.env);
  const log = createLog(config.logLevel);
  const stopped = stopSignal();
  const running = await startHub(config, log);
  if (running.firstOwner)
    process.stderr.write(
      `First start: sign in as ${running.firstOwner.email} with the password ${running.firstOwner.password} (shown only now).\n`,
    );
  log.info({ signal: await stopped }, "hub is going down");
  await running[Symbol.asyncDispose]();
} catch (error) {
  process.stderr.write(`The hub cannot start.\n${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
