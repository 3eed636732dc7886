// Prisma's schema engine on a real database, with scratch databases of its own to replay migrations in.
import { PrismaPg } from "@prisma/adapter-pg";
import {
  ColumnTypeEnum,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
  type SqlQuery,
} from "@prisma/driver-adapter-utils";
import type { SchemaEngine } from "@prisma/schema-engine-wasm";
import type pg from "pg";
import { openSchemaEngine } from "../../prisma/schema-engine.ts";
import { stageDatabase } from "./postgres.ts";

/** The caller frees it with `using`. */
export function stageSchemaEngine(url: string): Promise<SchemaEngine> {
  const factory: SqlMigrationAwareDriverAdapterFactory = {
    provider: "postgres",
    adapterName: "stage",
    connect: () => adapt(url, async () => {}),
    // The adapter's own would replay the migrations in the main database, or leak the one it made.
    connectToShadowDb: async () => {
      const scratch = await stageDatabase({ migrated: false });
      return adapt(scratch.url, () => scratch[Symbol.asyncDispose]());
    },
  };
  return openSchemaEngine(factory);
}

async function adapt(url: string, afterwards: () => PromiseLike<void>): Promise<SqlDriverAdapter> {
  const { hostname, port, username, password, pathname } = new URL(url);
  const database = pathname.slice(1);
  const adapter = await new PrismaPg({
    host: hostname,
    port: Number(port),
    user: username,
    password,
    database,
  }).connect();
  const pool = adapter.underlyingDriver();
  return {
    provider: adapter.provider,
    adapterName: adapter.adapterName,
    getConnectionInfo: () => ({ schemaName: "public", supportsRelationJoins: true }),
    startTransaction: (isolation) => adapter.startTransaction(isolation),
    executeRaw: (query) => adapter.executeRaw(query),
    queryRaw: (query) => queryWithChars(adapter, query),
    executeScript: (script) => runWhole(pool, script),
    dispose: async () => {
      await adapter.dispose();
      await afterwards();
    },
  };
}

/** The adapter cuts scripts at every semicolon, also in functions; Postgres itself takes them whole. */
async function runWhole(pool: pg.Pool, script: string): Promise<void> {
  await pool.query(script);
}

/** The adapter does not know Postgres's one-byte "char", which the catalogue of constraints uses. */
async function queryWithChars(adapter: SqlDriverAdapter, query: SqlQuery) {
  const sql = query.sql.replaceAll(/(\w+\.)?\b(contype|confdeltype|confupdtype)\b/g, "$&::text");
  const { columnNames, columnTypes, rows } = await adapter.queryRaw({ ...query, sql });
  const isChar = (name = "") => ["constraint_type", "confdeltype", "confupdtype"].includes(name);
  return {
    columnNames,
    columnTypes: columnTypes.map((type, index) => (isChar(columnNames[index]) ? ColumnTypeEnum.Character : type)),
    rows,
  };
}
