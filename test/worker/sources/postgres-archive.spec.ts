import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { Archive } from "../../../worker/sources/postgres/archive.ts";
import { missingPostgres15, stagePostgres15 } from "../../stage/peers/postgres-15.ts";
import { connectToPostgres, readDumps } from "./postgres-reading.ts";

function readThrough(bytes: Uint8Array, step = bytes.length + 1, maxTables = 1_000): Archive {
  const archive = new Archive({ maxTables });
  const buffer = Buffer.alloc(step);
  for (let at = 0; at < bytes.length; at += step) {
    const piece = bytes.subarray(at, at + step);
    buffer.set(piece);
    archive.take(buffer.subarray(0, piece.length));
  }
  return archive;
}

async function isUnderstood(bytes: Buffer, tables: readonly { schema: string; name: string; rows: number }[]) {
  for (const step of [1, 2, 5, 13, 1_000, bytes.length]) {
    const archive = readThrough(bytes, step);
    assert.ok(archive.isComplete(), `in pieces of ${step} bytes`);
    assert.ok(archive.isVerifiable);
    assert.deepEqual(archive.tables(), tables);
  }
  assert.equal(readThrough(bytes, 100, 1).tables().length, 1);
  // Cut anywhere, or with a byte too many.
  const growing = new Archive({ maxTables: 1_000 });
  for (let at = 0; at < bytes.length; at++) {
    assert.ok(!growing.isComplete(), `cut at ${at} of ${bytes.length}`);
    growing.take(bytes.subarray(at, at + 1));
  }
  assert.ok(!readThrough(Buffer.concat([bytes, Buffer.of(0)])).isComplete());
}

describe("an archive of pg_dump", () => {
  it("of version 15 is told from a cut one, and its rows are counted", {
    skip: missingPostgres15 ?? false,
  }, async () => {
    await using server = await stagePostgres15();
    await server.query(
      `CREATE TABLE lines AS SELECT i, repeat(E'a\\n\\\\.\\n', i) AS text FROM generate_series(1, 30) i;
       CREATE TABLE nothing (n int); CREATE TABLE bare (); CREATE SCHEMA s; CREATE TABLE s."a.b" AS SELECT '\\x0a0a0a'::bytea AS x;
       CREATE TABLE long AS SELECT repeat('x', 70000) AS x; SELECT lo_from_bytea(1, '\\x2e0a0a0a'), lo_from_bytea(2, '')`,
    );
    await using source = await connectToPostgres(server, { config: { globals: false } });
    const { dumps } = await readDumps(source);
    await isUnderstood(dumps.get("postgres/postgres.dump") ?? Buffer.alloc(0), [
      { schema: "public", name: "bare", rows: 0 },
      { schema: "public", name: "lines", rows: 30 },
      { schema: "public", name: "long", rows: 1 },
      { schema: "public", name: "nothing", rows: 0 },
      { schema: "s", name: "a.b", rows: 1 },
    ]);
  });

  it("of version 18 is as well", async () => {
    await isUnderstood(await readFile(new URL("vectors/pg-dump-18.dump", import.meta.url)), [
      { schema: "public", name: "a", rows: 12 },
      { schema: "public", name: "b c", rows: 2 },
      { schema: "public", name: "e", rows: 0 },
    ]);
  });

  it("of a version to come is taken at its program's word, which can be told", () => {
    const archive = readThrough(Buffer.concat([Buffer.from("PGDMP"), Buffer.of(1, 17, 0, 4, 8, 1), Buffer.alloc(99)]));
    assert.deepEqual([archive.isComplete(), archive.isVerifiable], [true, false]);
  });

  it("is not what only looks like one", async () => {
    const real = await readFile(new URL("vectors/pg-dump-18.dump", import.meta.url));
    const changed = (at: number, byte: number) => Buffer.from(real).fill(byte, at, at + 1);
    // Its magic, its version, the size of its numbers, its format.
    for (const bytes of [
      changed(0, 0x51),
      changed(6, 3),
      changed(8, 9),
      changed(10, 2),
      Buffer.alloc(0),
      Buffer.alloc(5_000, 0xff),
    ])
      assert.ok(!readThrough(bytes).isComplete());
  });
});
