import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { captured } from "../../../worker/sources/dump/captured.ts";
import { nearPlace } from "../../../worker/sources/dump/near-place.ts";
import { available } from "../../stage/available.ts";
import { missingPostgres15, postgres15Bin, stagePostgres15 } from "../../stage/peers/postgres-15.ts";
import { connectToPostgres, readDumps } from "./postgres-reading.ts";

/** Lets anybody in, and answers the first question with `answer`, and with `more` again and again where there is any. */
async function stageRogue(answer: Buffer, more: Buffer | null = null) {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      socket.write(Buffer.concat([message("R", Buffer.alloc(4)), message("Z", Buffer.from("I"))]));
      socket.once("data", () => {
        const goOn = () => {
          while (more && !socket.destroyed && socket.write(more));
        };
        socket.on("drain", goOn);
        socket.write(answer);
        goOn();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    host: "127.0.0.1",
    port: typeof address === "object" && address ? address.port : 0,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5, type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** One column of text. */
const description = message("T", Buffer.from("0001610000000000000000000019ffffffffffff0000", "hex"));

function row(text: string): Buffer {
  const head = Buffer.alloc(6);
  head.writeInt16BE(1);
  head.writeInt32BE(Buffer.byteLength(text), 2);
  return message("D", Buffer.concat([head, Buffer.from(text)]));
}

function whole(text: string): Buffer {
  return Buffer.concat([
    description,
    row(text),
    message("C", Buffer.from("SELECT 1\0")),
    message("Z", Buffer.from("I")),
  ]);
}

describe("a rogue PostgreSQL server", { skip: available("pg_dump") ?? false }, () => {
  it("cannot fill the memory with an answer that never ends", async () => {
    await using rogue = await stageRogue(Buffer.alloc(0), row("x".repeat(1_000_000)));
    await using described = await stageRogue(description, row("x".repeat(1_000_000)));
    // Rows of nothing are passed over, and so are described ones once there is no room for them: until the time is up.
    const endless = [rogue, described].map((peer) =>
      assert.rejects(connectToPostgres(peer, { stallMs: 1_500 }), { name: "SourceError", code: "SOURCE_STALLED" }),
    );
    await Promise.all(endless);
  });

  it("is not believed where its answer is none", async () => {
    const survey = {
      versionNumber: 150_000,
      version: "15",
      readsPasswords: true,
      databases: [{ name: "a", isTemplate: false, bytes: 1 }],
    };
    await using honest = await stageRogue(whole(JSON.stringify(survey)));
    await using source = await connectToPostgres(honest);
    assert.deepEqual(await source.estimate(), { files: 2, bytes: 1 });
    const odd = [
      "",
      "no JSON",
      "[]",
      JSON.stringify({ ...survey, databases: "many" }),
      JSON.stringify({ ...survey, versionNumber: "x" }),
    ];
    for (const answer of odd) {
      await using rogue = await stageRogue(whole(answer));
      await assert.rejects(connectToPostgres(rogue), { name: "SourceError", code: "DUMP_FAILED" }, answer);
    }
  });
});

describe("the programs of a PostgreSQL source", { skip: missingPostgres15 ?? false }, () => {
  it("are told the address that was checked and the name for its certificate, and how much memory there is", async () => {
    await using server = await stagePostgres15();
    const folder = await mkdtemp(join(tmpdir(), "xvault-env-"));
    try {
      for (const program of ["psql", "pg_dump", "pg_dumpall"]) {
        const path = join(folder, program);
        await writeFile(
          path,
          `#!/bin/sh\n{ env; echo "limit $(ulimit -v)"; } >>${folder}/seen\nexec ${postgres15Bin}/${program} "$@"\n`,
        );
        await chmod(path, 0o755);
      }
      const toolPath = `${folder}:/usr/bin:/bin`;
      await using source = await connectToPostgres({ ...server, host: "localhost" }, { toolPath });
      await readDumps(source);
      const seen = await readFile(join(folder, "seen"), "utf8");
      // Asking for versions needs no host.
      const told = [...seen.matchAll(/^PGHOST(ADDR)?=.*$/gm)].map(([line]) => line);
      assert.equal(told.length, 6);
      assert.deepEqual([...new Set(told)].sort(), ["PGHOST=localhost", "PGHOSTADDR=127.0.0.1"]);
      // Kibibytes, of psql and of pg_dump and pg_dumpall.
      const limits = [...seen.matchAll(/^limit (\d+)$/gm)].map(([, limit]) => limit);
      assert.deepEqual(limits, ["524288", "4194304", "4194304"]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("fail rather than take more memory than they may", async () => {
    const place = nearPlace({ tempBase: tmpdir(), signal: new AbortController().signal });
    const takes = (bytes: number) => ({
      program: "dd",
      args: ["if=/dev/zero", "of=/dev/null", `bs=${bytes}`, "count=1"],
      silenceMs: 20_000,
    });
    const maxMemoryBytes = 100 * 1_048_576;
    assert.equal((await captured(place, { ...takes(10_000_000), maxMemoryBytes })).code, 0);
    assert.equal((await captured(place, { ...takes(200_000_000) })).code, 0);
    assert.equal((await captured(place, { ...takes(200_000_000), maxMemoryBytes })).code, 1);
  });
});
