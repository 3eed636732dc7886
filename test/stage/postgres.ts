// Fresh, migrated databases on a real Postgres that the spec files of a run share.
import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { type SharedPostgresMessage, templateDatabase } from "./shared-postgres.ts";

/** Disposing drops the database, and ends the sessions still on it. */
export interface StagedDatabase extends AsyncDisposable {
  readonly url: string;
}

export interface StagedServer {
  readonly url: string;
  /** Stops the server and waits until nothing of it is left. It stops by itself when this process ends, however it ends. */
  stop(): Promise<void>;
}

/** Where `global.ts` tells the spec files of its run which server to use. */
export const serverVariable = "XVAULT_STAGE_POSTGRES";

let ownServer: Promise<StagedServer> | undefined;

/** A database of the caller's own; with `migrated: false` an empty one. Takes some 30 ms. */
export async function stageDatabase({ migrated = true } = {}): Promise<StagedDatabase> {
  const server = process.env[serverVariable] ?? (await ownServerUrl());
  const name = `stage_${randomUUID().replaceAll("-", "")}`;
  await onServer(server, `CREATE DATABASE ${name} TEMPLATE ${migrated ? templateDatabase : "template0"}`);
  return {
    url: server.replace(/[^/]*$/, name),
    [Symbol.asyncDispose]: () => onServer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

async function ownServerUrl(): Promise<string> {
  ownServer ??= startStagedServer();
  return (await ownServer).url;
}

async function onServer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 30_000 });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** For a run (`global.ts`), or for a spec file that is run by hand. A durable one waits for the disk as in production. */
export async function startStagedServer({ durable = false } = {}): Promise<StagedServer> {
  const keeper = fork(fileURLToPath(new URL("shared-postgres.ts", import.meta.url)), durable ? ["durable"] : [], {
    detached: true,
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    execArgv: [],
  });
  const url = await urlFrom(keeper);
  // From here on it lives as long as this process, but does not keep it alive.
  keeper.unref();
  keeper.channel?.unref();
  return {
    url,
    stop: async () => {
      keeper.ref();
      const end = once(keeper, "exit");
      if (keeper.connected) keeper.disconnect();
      await end;
    },
  };
}

async function urlFrom(keeper: ChildProcess): Promise<string> {
  const [message] = (await Promise.race([once(keeper, "message"), once(keeper, "exit")])) as [SharedPostgresMessage];
  if (typeof message === "object" && message && "url" in message) return message.url;
  throw new Error(`no Postgres to test with: ${(message as { failure?: string })?.failure ?? "its keeper ended"}`);
}
