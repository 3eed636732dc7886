// The hub as it is run, in a process of its own; asked for it, without the second wall, so that its cost can be seen.
import { randomBytes } from "node:crypto";
import { asPlatform, transact } from "../../domain/hub.ts";
import { beginSession } from "../../domain/sessions.ts";
import { createAuthentication } from "../../server/authenticate.ts";
import { readHubConfig } from "../../server/config.ts";
import { startHub } from "../../server/hub.ts";
import { createLog } from "../../server/log.ts";

const config = readHubConfig({
  ...process.env,
  HUB_PORT: "0",
  HUB_INTERNAL_PORT: "0",
  HUB_JWT_SECRET: randomBytes(32).toString("base64url"),
  HUB_ENCRYPTION_KEK: randomBytes(32).toString("base64"),
  // Sweeps are the same for both sides of a comparison, but not in the same turns.
  HUB_SWEEP_SECONDS: "3600",
  // Longer than any bench: nobody refreshes.
  HUB_ACCESS_TOKEN_MINUTES: "240",
  HUB_OPERATIONS_PER_MINUTE: "100000000",
  HUB_ANONYMOUS_OPERATIONS_PER_MINUTE: "100000000",
  LOG_LEVEL: "warn",
});
const { hub, publicPort, ...running } = await startHub(config, createLog(config.logLevel));
if (process.env.BENCH_WALL === "off") Object.assign(hub.wall, { seenBy: () => hub.platform });
const { issue } = createAuthentication(hub, config);
const tokens: Record<string, string> = {};
for (const user of await hub.platform.user.findMany()) {
  const session = await transact(asPlatform(hub), (tx) => beginSession(hub, tx, user));
  tokens[user.id] = (await issue(session)).accessToken;
}
process.once("disconnect", () => void running[Symbol.asyncDispose]().then(() => process.exit()));
process.send?.({ port: publicPort, tokens });
