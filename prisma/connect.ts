// Opens the database for the hub: a bounded pool in which nothing waits for ever.
import { PrismaPg } from "@prisma/adapter-pg";
import type { PoolConfig } from "pg";
import { PrismaClient } from "./client/client.ts";
import { nameRepeated } from "./prepared.ts";

export type Database = PrismaClient;

export interface ConnectOptions {
  /** Connections at most [10]. Those over one hub's share of the server's `max_connections` only wait elsewhere. */
  readonly maxConnections?: number;
  /** Milliseconds to wait for a connection, a new one or one from the pool [5,000]. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds after which the server gives up on a statement [30,000]. */
  readonly statementTimeoutMs?: number;
  /** Hears of idle connections that broke; the pool has already replaced them. */
  readonly onConnectionLost?: (error: Error) => void;
}

/** Connects on first use. The caller closes it with `$disconnect()`, which waits for the connections in use. */
export function connectDatabase(url: string, options: ConnectOptions = {}): Database {
  const { connectTimeoutMs = 5_000, statementTimeoutMs = 30_000, onConnectionLost } = options;
  const adapter = new PrismaPg(poolConfig(url, options), {
    statementNameGenerator: nameRepeated(),
    ...(onConnectionLost && { onPoolError: onConnectionLost, onConnectionError: onConnectionLost }),
  });
  return new PrismaClient({ adapter, transactionOptions: { maxWait: connectTimeoutMs, timeout: statementTimeoutMs } });
}

/** How the pools of the hub are made. */
export function poolConfig(url: string, options: ConnectOptions): PoolConfig {
  const { maxConnections = 10, connectTimeoutMs = 5_000, statementTimeoutMs = 30_000 } = options;
  return {
    connectionString: url,
    application_name: "xvault",
    // Compiling a claim's search takes a server seconds, and running it milliseconds. An `options` of the URL takes its place.
    options: "-c jit=off",
    max: maxConnections,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    statement_timeout: statementTimeoutMs,
    // The server's own limit comes first; this one is for a server that stopped answering at all.
    query_timeout: statementTimeoutMs + 5_000,
    idle_in_transaction_session_timeout: statementTimeoutMs,
    // Between the pool and whoever asked for it nobody listens to a connection, and an error that nobody hears ends the process. Pool
    // and query hear of it as well, each in its own way.
    onConnect: (client) => void client.on("error", () => undefined),
  };
}
