// A hub in a process of its own, so that its memory is its own; it makes the people and the jobs that are watched.
import { randomBytes } from "node:crypto";
import { newId } from "../../domain/ids.ts";
import { createUser } from "../../domain/users.ts";
import { readHubConfig } from "../../server/config.ts";
import { startHub } from "../../server/hub.ts";
import { createLog } from "../../server/log.ts";

export interface HubOrder {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly people: number;
}

export interface HubReady {
  readonly graphqlUrl: string;
  readonly tenantId: string;
  readonly accounts: readonly { email: string; password: string }[];
}

process.once("message", async ({ databaseUrl, redisUrl, people }: HubOrder) => {
  const { hub, publicPort } = await startHub(
    readHubConfig({
      DATABASE_URL: databaseUrl,
      REDIS_URL: redisUrl,
      HUB_PORT: "0",
      HUB_INTERNAL_PORT: "0",
      HUB_JWT_SECRET: randomBytes(32).toString("base64url"),
      HUB_ENCRYPTION_KEK: randomBytes(32).toString("base64"),
      HUB_AUTO_MIGRATE: "false",
      HUB_ACCESS_TOKEN_MINUTES: "600",
      // All of the watchers sign in from one address.
      HUB_PASSWORD_TRIES: "100000",
      HUB_OPERATIONS_PER_MINUTE: "1000000",
      HUB_ANONYMOUS_OPERATIONS_PER_MINUTE: "1000000",
    }),
    createLog("warn"),
  );
  const tenantId = newId("tenant", new Date());
  await hub.platform.tenant.create({ data: { id: tenantId, name: "Watched" } });
  const accounts: { email: string; password: string }[] = [];
  for (let n = 0; n < people; n++) {
    const account = { email: `${n}@example.com`, password: randomBytes(16).toString("hex") };
    const { id: userId } = await createUser(hub, { ...account, name: "Watcher", platformAdmin: false });
    await hub.platform.membership.create({ data: { tenantId, userId, role: "VIEWER" } });
    accounts.push(account);
  }
  process.send?.({ graphqlUrl: `http://127.0.0.1:${publicPort}/graphql`, tenantId, accounts } satisfies HubReady);
});
process.once("disconnect", () => process.exit());
