// Loads Prisma's own schema engine, the WebAssembly build, so that migrations are written and checked without its native binary.
// A tool for developers and tests only: applying is `migrate.ts`'s, because the engine cuts scripts at every semicolon.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  bindMigrationAwareSqlAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
} from "@prisma/driver-adapter-utils";
import type { DiffTarget, SchemaEngine } from "@prisma/schema-engine-wasm";

/** What the engine reports in place of a panic, which would otherwise surface as an unrelated TypeError. */
const panics = {
  message: "",
  get: () => panics.message,
  set_message: (message: string) => {
    panics.message = `schema engine panicked: ${message}`;
  },
};

/** Once in a process: the glue caches views of the memory of the first instance. */
let loaded: Promise<typeof SchemaEngine> | undefined;

async function load(): Promise<typeof SchemaEngine> {
  // The package's main door imports the .wasm as a module, which Node still calls experimental on stderr; the glue does not.
  const glueUrl = import.meta.resolve("@prisma/schema-engine-wasm/schema_engine_bg");
  const glue = await import(glueUrl);
  const bytes = await readFile(fileURLToPath(new URL("schema_engine_bg.wasm", glueUrl)));
  const { instance } = await WebAssembly.instantiate(bytes, { "./schema_engine_bg.js": glue });
  glue.__wbg_set_wasm(instance.exports);
  (instance.exports as { __wbindgen_start(): void }).__wbindgen_start();
  Object.assign(globalThis, { PRISMA_WASM_PANIC_REGISTRY: panics });
  return glue.SchemaEngine;
}

/** An engine that sees databases through `adapter` alone. The caller frees it with `using` or `free()`. */
export async function openSchemaEngine(adapter: SqlMigrationAwareDriverAdapterFactory): Promise<SchemaEngine> {
  loaded ??= load();
  const Engine = await loaded;
  return Engine.new({ datamodels: undefined }, () => {}, bindMigrationAwareSqlAdapterFactory(adapter));
}

/** The SQL that leads from one schema to the other, or null where they say the same. */
export async function diffSchemas(engine: SchemaEngine, from: DiffTarget, to: DiffTarget): Promise<string | null> {
  const filters = { externalTables: [], externalEnums: [] };
  const result = await engine.diff({ from, to, script: true, exitCode: true, filters });
  return result.exitCode === 0 ? null : (result.stdout ?? "");
}

/** A schema file's text as a side of a comparison. */
export function schemaText(content: string): DiffTarget {
  return { tag: "schemaDatamodel", files: [{ path: "schema.prisma", content }] };
}

/** Stands in for a database where none is needed: it only ever answers the engine's question for the server's version. */
export const noDatabase: SqlMigrationAwareDriverAdapterFactory = (() => {
  const connection = {
    provider: "postgres" as const,
    adapterName: "no-database",
    executeRaw: async () => 0,
    executeScript: async () => {},
    dispose: async () => {},
    queryRaw: async () => ({
      columnNames: ["exists", "version", "numeric_version"],
      columnTypes: [5, 7, 0] as (0 | 5 | 7)[],
      rows: [[true, "PostgreSQL 18.4", 180004]],
    }),
    getConnectionInfo: () => ({ schemaName: "public", supportsRelationJoins: true }),
    startTransaction: async () => {
      throw new Error("there is no database behind a comparison of two schema files");
    },
  };
  return {
    provider: "postgres" as const,
    adapterName: "no-database",
    connect: async () => connection,
    connectToShadowDb: async () => connection,
  };
})();
