// Claims: a dump of PostgreSQL or MariaDB in at most 1.1 of the time of the shell pipe around the same dump program.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stageMariadb } from "../../test/stage/peers/mariadb.ts";
import { stagePostgres15 } from "../../test/stage/peers/postgres-15.ts";
import type { BenchOptions } from "../main.ts";
import { measureShell, takeTurns } from "../turns.ts";
import { pull } from "./pull.ts";
import type { Pull } from "./pull-process.ts";
import { benchRecipient } from "./recipient.ts";

/** Bytes of a row as a dump writes it, roughly. */
const rowBytes = 150;
const database = "bench";

export async function postgresDump(options: BenchOptions): Promise<void> {
  await using server = await stagePostgres15();
  const { host, port, username, password } = server;
  await server.query(`CREATE DATABASE ${database}`);
  await server.query(
    `CREATE TABLE orders AS SELECT n AS id, md5(n::text) || md5((n * 7)::text) AS reference, repeat(md5((n % 1000)::text), 2) AS note,
       now() AS at FROM generate_series(1, ${rowsFor(options)}) AS n; ALTER TABLE orders ADD PRIMARY KEY (id)`,
    database,
  );
  await contest(options, {
    source: {
      type: "POSTGRES",
      config: { host, port, username, tls: "off", databases: [database], globals: false },
      secrets: { password },
      hostKey: null,
    },
    // The same choice as ours: zstd compresses, the dump program does not.
    dump: `PGPASSWORD=${password} PGSSLMODE=disable pg_dump -Fc -Z0 -h ${host} -p ${port} -U ${username} ${database}`,
    name: "pg_dump | zstd -3 | age -r",
  });
}

export async function mysqlDump(options: BenchOptions): Promise<void> {
  await using server = await stageMariadb({ tls: false });
  const { host, port, username, password } = server;
  await server.query(
    `CREATE DATABASE ${database}; USE ${database}; CREATE TABLE orders (id INT PRIMARY KEY, reference VARCHAR(64), note VARCHAR(64), at DATETIME);
     INSERT INTO orders SELECT seq, CONCAT(MD5(seq), MD5(seq * 7)), REPEAT(MD5(seq % 1000), 2), NOW() FROM seq_1_to_${rowsFor(options)}`,
  );
  const scratch = await mkdtemp("/var/tmp/xvault-bench-");
  try {
    const optionFile = join(scratch, "options");
    await writeFile(optionFile, `[client]\npassword="${password.replaceAll(/["\\]/g, "\\$&")}"\n`, { mode: 0o600 });
    await contest(options, {
      source: {
        type: "MYSQL",
        config: { host, port, username, tls: "off", databases: [database] },
        secrets: { password },
        hostKey: null,
      },
      dump: `mariadb-dump --defaults-file=${optionFile} -h ${host} -P ${port} -u ${username} --single-transaction --quick --routines --triggers --events --hex-blob ${database}`,
      name: "mariadb-dump | zstd -3 | age -r",
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

interface Sides {
  readonly source: Omit<Pull, "sealed">;
  readonly dump: string;
  readonly name: string;
}

async function contest({ turns, ...options }: BenchOptions, { source, dump, name }: Sides): Promise<void> {
  process.stdout.write(`${rowsFor({ turns, ...options })} rows, ${turns} turns of each side\n`);
  const recipient = await benchRecipient();
  const target = `/var/tmp/xvault-bench-${process.pid}.age`;
  const line = `${dump} | zstd -q -3 | age -r ${recipient} > ${target} && sync ${target} && rm ${target}`;
  await takeTurns({
    ours: { name: `xVault, ${source.type.toLowerCase()} source, sealed`, run: () => pull(source, { recipient }) },
    theirs: { name, run: () => measureShell(line) },
    turns,
    goal: 1.1,
  });
}

/** A dump of a quarter of `--size`. */
function rowsFor({ sizeMB }: BenchOptions): number {
  return Math.round((sizeMB * 1e6) / 4 / rowBytes);
}
