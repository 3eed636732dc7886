// Generates the Prisma client and the Pothos types from schema.prisma, offline. Says nothing where all went well.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(fileURLToPath(import.meta.url), "../..");
const prisma = join(dirname(createRequire(import.meta.url).resolve("prisma/package.json")), "build/index.js");

/** Why the generated files are not there, or null where they are. */
function generate(): string | null {
  const run = spawnSync(process.execPath, [prisma, "generate"], {
    cwd: root,
    encoding: "utf8",
    timeout: 120_000,
    env: {
      ...process.env,
      // Prisma would download its migration engine before doing anything; generating never calls it, so any command will do.
      PRISMA_SCHEMA_ENGINE_BINARY: ["/bin/true", "/usr/bin/true"].find((path) => existsSync(path)) ?? process.execPath,
      CHECKPOINT_DISABLE: "1",
      PRISMA_HIDE_UPDATE_MESSAGE: "1",
      // Prisma starts the generators by name.
      PATH: [join(root, "node_modules/.bin"), process.env.PATH].join(delimiter),
    },
  });
  if (run.status !== 0) return `${run.stdout ?? ""}${run.stderr ?? ""}${run.error?.message ?? ""}`;
  const missing = ["prisma/client/client.ts", "prisma/pothos.ts"].find((path) => !existsSync(join(root, path)));
  if (missing) return `${missing} was not written.\n${run.stdout}`;
  return leaveTimeToPostgres() ? null : "The client holds no schema in which now() could be left to Postgres.";
}

/**
 * For `@default(now())` the client would fill in the clock of the hub's machine, and a job would wait for that machine's idea of now.
 * In the client's own copy of the schema it is the database's business, so that the column's default counts. Not in schema.prisma:
 * there it says the same, and reads better.
 */
function leaveTimeToPostgres(): boolean {
  const file = join(root, "prisma/client/internal/class.ts");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replaceAll("@default(now())", "@default(dbgenerated())"));
  return text.includes("@default(now())");
}

const failure = generate();
if (failure !== null) {
  process.stderr.write(`The Prisma client could not be generated.\n${failure}\n`);
  process.exitCode = 1;
}
