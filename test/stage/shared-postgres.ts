// A process of its own that keeps one throw-away Postgres for a test run, with a migrated template to copy databases from.
// It ends, and leaves nothing behind, when whoever started it disconnects: by finishing, by ^C or by kill -9.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import pg from "pg";
import { migrate } from "../../prisma/migrate.ts";
import { startPostgres } from "../../server/one-machine/postgres.ts";
import { serviceAccount, serviceFolder } from "../../server/one-machine/service-account.ts";

export const templateDatabase = "stage_template";

export type SharedPostgresMessage = { readonly url: string } | { readonly failure: string };

/** Of a server that is measured: every commit is on disk before it is answered. */
const durable = { max_connections: "400", shared_buffers: "512MB", max_wal_size: "4GB" };
/** Nothing here outlives the run, so nothing waits for a disk. */
const hasty = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  wal_level: "minimal",
  max_wal_senders: "0",
  max_connections: "400",
};

async function serveUntilDisconnected(): Promise<void> {
  const disconnected = new Promise<void>((resolve) => process.once("disconnect", resolve));
  const home = await mkdtemp(join(tmpdir(), "xvault-stage-"));
  const account = await serviceAccount();
  const folder = await serviceFolder(home, "postgres", account);
  try {
    await using server = await startPostgres({
      folder,
      account,
      password: randomBytes(16).toString("hex"),
      settings: process.argv[2] === "durable" ? durable : hasty,
      onLine: () => {},
    });
    await makeTemplate(server.url);
    process.send?.({ url: server.url } satisfies SharedPostgresMessage);
    await disconnected;
  } finally {
    await rm(dirname(folder), { recursive: true, force: true });
    await rm(home, { recursive: true, force: true });
  }
}

async function makeTemplate(serverUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${templateDatabase}`);
    await migrate(serverUrl.replace(/[^/]*$/, templateDatabase));
    // Whoever is connected to a template keeps others from copying it.
    await client.query(`ALTER DATABASE ${templateDatabase} ALLOW_CONNECTIONS false`);
  } finally {
    await client.end();
  }
}

if (process.send) {
  await serveUntilDisconnected().catch((error: Error) => {
    process.send?.({ failure: error.message } satisfies SharedPostgresMessage, () => process.disconnect());
  });
}
