import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { freePort } from "../../../server/one-machine/port.ts";
import type { SourceErrorCode } from "../../../worker/sources/source-error.ts";
import { available } from "../../stage/available.ts";
import { stageFaultProxy } from "../../stage/fault-proxy.ts";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import {
  missingPostgres15,
  postgres15Bin,
  type StagedPostgres15,
  stagePostgres15,
} from "../../stage/peers/postgres-15.ts";
import { stageDatabase } from "../../stage/postgres.ts";
import { connectToPostgres, type Differences, overSsh, readDumps } from "./postgres-reading.ts";

const skip = missingPostgres15 ?? missingOpenSsh ?? false;

/** With a sentence that fits, and without a word of the programs' or the secret's. */
function failsAs(code: SourceErrorCode, sentence: RegExp) {
  return (error: Error) => {
    assert.deepEqual({ name: error.name, code: (error as { code?: unknown }).code }, { name: "SourceError", code });
    assert.match(error.message, sentence);
    assert.doesNotMatch(error.message, /pw-of-ours|FATAL|ERROR|libpq|psql: error|pg_dump: error|staged|closed-words/);
    return true;
  };
}

async function backUp(peer: Parameters<typeof connectToPostgres>[0], differences: Differences = {}) {
  await using source = await connectToPostgres(peer, differences);
  return await readDumps(source);
}

describe("a PostgreSQL source that fails", { skip }, () => {
  let server: StagedPostgres15;
  let sshd: StagedOpenSsh;

  before(async () => {
    [server, sshd] = await Promise.all([stagePostgres15(), stageOpenSsh()]);
    await server.query("CREATE DATABASE shop");
    await server.query(
      `CREATE TABLE goods AS SELECT i AS id, repeat(md5(i::text), 20) AS text FROM generate_series(1, 8000) i;
       CREATE ROLE reader LOGIN PASSWORD 'staged'`,
      "shop",
    );
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await sshd?.[Symbol.asyncDispose]();
  });
  const ways = (): [string, Differences][] => [
    ["straight", {}],
    ["far", overSsh(sshd, server, "far")],
    ["near", overSsh(sshd, server, "near")],
  ];

  it("does so as SOURCE_AUTH_FAILED with a wrong password, none, or an unknown user", async () => {
    for (const [, way] of ways()) {
      const secrets = (password?: string) => ({ ...way.secrets, password });
      const refused = failsAs("SOURCE_AUTH_FAILED", /did not accept the sign-in of “(postgres|nobody here)”/);
      await assert.rejects(backUp(server, { ...way, secrets: secrets("pw-of-ours") }), refused);
      await assert.rejects(backUp(server, { ...way, secrets: secrets() }), refused);
      const config = { ...way.config, username: "nobody here" };
      await assert.rejects(backUp(server, { ...way, config }), refused);
    }
    const unfit = { secrets: { password: "pw-of-ours\nlines" } };
    await assert.rejects(backUp(server, unfit), failsAs("SOURCE_AUTH_FAILED", /line break/));
  });

  it("does so as SOURCE_DISCONNECTED where nothing listens or the host is unknown", async () => {
    const port = await freePort();
    for (const [, way] of ways()) {
      const attempt = backUp(server, { ...way, config: { ...way.config, port } });
      await assert.rejects(attempt, failsAs("SOURCE_DISCONNECTED", /refused the connection|no PostgreSQL listens/));
    }
    const unknown = backUp({ ...server, host: "no-such-host.invalid" });
    await assert.rejects(unknown, failsAs("SOURCE_DISCONNECTED", /could not be found/));
  });

  it("does so as HOST_NOT_ALLOWED inside the worker's own networks, and for what is no single host", async () => {
    await assert.rejects(backUp(server, { allowedNetworks: [] }), failsAs("HOST_NOT_ALLOWED", /not a public address/));
    for (const host of ["/var/run/postgresql", "127.0.0.1,evil", "@socket", "host=evil", ""])
      for (const [, way] of ways()) {
        const attempt = backUp(server, { ...way, config: { ...way.config, host } });
        await assert.rejects(attempt, failsAs("HOST_NOT_ALLOWED", /“host” .* unfit/));
      }
  });

  it("does so as PATH_NOT_FOUND for a database that does not exist, and names it", async () => {
    for (const [, way] of ways())
      for (const databases of [["nowhere"], ["shop", "nowhere"]]) {
        const attempt = backUp(server, { ...way, config: { ...way.config, databases } });
        await assert.rejects(attempt, failsAs("PATH_NOT_FOUND", /no database “nowhere”/));
      }
  });

  it("says which rights are missing, in its test and when it fails", async () => {
    const reader = { ...server, username: "reader" };
    const config = { databases: ["shop"], username: "reader" };
    await server.query("CREATE DATABASE closed");
    await server.query("REVOKE CONNECT ON DATABASE closed FROM PUBLIC");
    await using source = await connectToPostgres(reader, { config: { username: "reader" } });
    const { remarks } = await source.identify();
    assert.match(
      remarks.join("\n"),
      /may not read 1 tables or sequences of the database “shop”, such as “public.goods”/,
    );
    assert.match(remarks.join("\n"), /may not connect to the database “closed”/);
    assert.match(remarks.join("\n"), /passwords of roles/);
    await assert.rejects(
      backUp(reader, { config }),
      failsAs("DUMP_FAILED", /“shop”: grant it the role pg_read_all_data/),
    );
    const intoClosed = backUp(reader, { config: { ...config, databases: ["closed"] } });
    await assert.rejects(intoClosed, failsAs("PATH_NOT_FOUND", /may not connect .* “closed”: grant it CONNECT/));

    await server.query("GRANT SELECT ON goods TO reader", "shop");
    const { dumps, warnings } = await backUp(reader, { config: { username: "reader" } });
    assert.deepEqual(
      warnings.map(({ code, path }) => [code, path]),
      [
        ["TOOL_WARNING", "postgres/globals.sql"],
        ["UNREADABLE", "postgres/closed.dump"],
      ],
    );
    assert.match(dumps.get("postgres/globals.sql")?.toString() ?? "", /CREATE ROLE reader/);
    assert.doesNotMatch(dumps.get("postgres/globals.sql")?.toString() ?? "", /SCRAM/);
    await server.query("REVOKE SELECT ON goods FROM reader", "shop");
    await server.query("GRANT pg_read_all_data TO reader");
    const all = await backUp(reader, { config });
    assert.deepEqual(all.warnings, []);
    assert.match(all.dumps.get("postgres/globals.sql")?.toString() ?? "", /SCRAM/);

    await server.query("ALTER TABLE goods ENABLE ROW LEVEL SECURITY", "shop");
    await assert.rejects(backUp(reader, { config }), failsAs("DUMP_FAILED", /row-level security/));
    await server.query("ALTER TABLE goods DISABLE ROW LEVEL SECURITY", "shop");
  });

  it("does so as DUMP_FAILED where a table stays locked", async () => {
    const client = new pg.Client({ connectionString: `${server.url.replace(/[^/]*$/, "shop")}` });
    await client.connect();
    try {
      await client.query("BEGIN; LOCK TABLE goods");
      const attempt = backUp(server, { config: { databases: ["shop"] }, stallMs: 400 });
      await assert.rejects(attempt, failsAs("DUMP_FAILED", /“shop” stayed locked/));
    } finally {
      await client.end();
    }
  });

  it("does so wherever the connection is cut", async () => {
    const config = { databases: ["shop"] };
    await using whole = await stageFaultProxy(server);
    await backUp({ ...server, ...hostOf(whole) }, { config });
    for (const share of [0.0001, 0.0005, 0.001, 0.003, 0.01, 0.02, 0.1, 0.5, 0.9, 0.999]) {
      const cutAtByte = Math.floor(whole.bytes() * share);
      await using proxy = await stageFaultProxy(server, { cutAtByte });
      const attempt = backUp({ ...server, ...hostOf(proxy) }, { config });
      await assert.rejects(attempt, failsAs("SOURCE_DISCONNECTED", /ended the connection/), `${cutAtByte}`);
    }
  });

  it("does so as SOURCE_STALLED wherever nothing comes any more", async () => {
    const config = { databases: ["shop"] };
    await using whole = await stageFaultProxy(server);
    await backUp({ ...server, ...hostOf(whole) }, { config });
    const stalls = [0.0001, 0.003, 0.02, 0.5, 0.999].map(async (share) => {
      const stallAtByte = Math.floor(whole.bytes() * share);
      await using proxy = await stageFaultProxy(server, { stallAtByte });
      const attempt = backUp({ ...server, ...hostOf(proxy) }, { config, stallMs: 600 });
      await assert.rejects(attempt, failsAs("SOURCE_STALLED", /for too long/), `${stallAtByte}`);
    });
    await Promise.all(stalls);
  });

  it("ends with the job, and leaves nothing running", async () => {
    for (const [, way] of ways()) {
      const stop = new AbortController();
      const reason = new Error("the lease is lost");
      await using source = await connectToPostgres(server, { ...way, signal: stop.signal });
      const reading = async () => {
        for await (const { content } of source.entries(() => undefined))
          for await (const _ of content ?? []) stop.abort(reason);
      };
      await assert.rejects(reading(), reason);
    }
  });

  it("tells where the SSH server forbids to lead connections on, and does without commands where there are none", async () => {
    const keys = await readFile(join(sshd.files, "authorized"), "utf8");
    const withKey = (dump: "near" | "far") => {
      const way = overSsh(sshd, server, dump);
      const secrets = { password: "staged", ssh: { privateKey: sshd.privateKey } };
      return { ...way, secrets, config: { ...way.config, databases: ["shop"] } };
    };
    const restrict = (options: string) =>
      writeFile(join(sshd.files, "authorized"), keys.replaceAll(/^ssh-/gm, `${options} ssh-`));
    try {
      await restrict("restrict");
      await assert.rejects(backUp(server, withKey("near")), failsAs("SOURCE_DISCONNECTED", /forbids to lead/));
      assert.equal((await backUp(server, withKey("far"))).dumps.size, 2);
      await restrict('command="echo no commands here; exit 1"');
      await using source = await connectToPostgres(server, withKey("far"));
      assert.match((await source.identify()).remarks.join(), /has no pg_dump.*through a tunnel/);
      assert.equal((await readDumps(source)).dumps.size, 2);
    } finally {
      await writeFile(join(sshd.files, "authorized"), keys);
    }
  });

  it("does so as DUMP_FAILED where the worker has no programs", async () => {
    await assert.rejects(backUp(server, { toolPath: "/nowhere" }), failsAs("DUMP_FAILED", /no pg_dump and psql/));
  });

  it("does so as DUMP_VERSION_MISMATCH for a server that is newer than pg_dump, before anything is dumped", async () => {
    await using newer = await stageDatabase({ migrated: false });
    const { hostname: host, port, username, password } = new URL(newer.url);
    const peer = { host, port: Number(port), username, password };
    for (const [name, { config, ...way }] of [
      ["straight", {} as Differences],
      ["far", overSsh(sshd, peer, "far")],
    ] as const) {
      const attempt = connectToPostgres(peer, { ...way, config: { ...config, username } });
      await assert.rejects(
        attempt,
        failsAs("DUMP_VERSION_MISMATCH", /PostgreSQL 18 .* version 15\.\d+.*install/),
        name,
      );
    }
  });

  it("does so as SOURCE_DISCONNECTED where the server dies in the middle", async () => {
    await using mortal = await stagePostgres15();
    await mortal.query("CREATE TABLE t AS SELECT repeat(md5(i::text), 20) FROM generate_series(1, 60000) i");
    for (const way of [{}, overSsh(sshd, mortal, "far")]) {
      await using source = await connectToPostgres(mortal, way);
      const reading = async () => {
        for await (const { content, path } of source.entries(() => undefined))
          for await (const _ of content ?? []) if (path === "postgres/postgres.dump") await mortal.crash();
      };
      await assert.rejects(reading(), failsAs("SOURCE_DISCONNECTED", /ended the connection/));
      if (way.config === undefined) await mortal.restart();
    }
  });
});

describe("a pg_dump that lies", { skip: missingPostgres15 ?? false }, () => {
  let server: StagedPostgres15;
  before(async () => {
    server = await stagePostgres15();
    await server.query("CREATE TABLE t AS SELECT repeat(md5(i::text), 20) AS text FROM generate_series(1, 1000) i");
  });
  after(() => server?.[Symbol.asyncDispose]());

  async function dumpedBy(script: string) {
    const folder = await mkdtemp(join(tmpdir(), "xvault-fake-"));
    try {
      const fake = join(folder, "pg_dump");
      await writeFile(
        fake,
        `#!/bin/sh\n[ "$1" = --version ] && { echo 'pg_dump (PostgreSQL) 15.99'; exit; }\nreal=${postgres15Bin}/pg_dump\n${script}\n`,
      );
      await chmod(fake, 0o755);
      return await backUp(server, { toolPath: `${folder}:/usr/bin:/bin` });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  it("is DUMP_TRUNCATED where its archive is cut and it claims success", async () => {
    for (const kept of [0, 4, 1_000, 30_000, 400_000])
      await assert.rejects(
        dumpedBy(`$real "$@" | head -c ${kept}; exit 0`),
        failsAs("DUMP_TRUNCATED", /claimed success/),
      );
    await assert.rejects(dumpedBy("echo something else"), failsAs("DUMP_TRUNCATED", /claimed success/));
  });

  it("is DUMP_FAILED where the archive is whole and it fails, or is killed", async () => {
    await assert.rejects(dumpedBy(`$real "$@"; echo closed-words >&2; exit 1`), failsAs("DUMP_FAILED", /exit code 1/));
    await assert.rejects(dumpedBy(`$real "$@"; kill -9 $$`), failsAs("DUMP_FAILED", /the signal SIGKILL/));
  });

  it("is believed with a warning where it only complains", async () => {
    const { dumps, warnings } = await dumpedBy(`echo closed-words >&2; exec $real "$@"`);
    assert.equal(dumps.get("postgres/postgres.dump")?.subarray(0, 5).toString(), "PGDMP");
    assert.deepEqual(
      warnings.map(({ code, path }) => [code, path]),
      [["TOOL_WARNING", "postgres/postgres.dump"]],
    );
    assert.doesNotMatch(warnings[0]?.message ?? "", /closed-words/);
  });
});

describe("a PostgreSQL server with TLS", { skip: missingPostgres15 ?? available("openssl") ?? false }, () => {
  it("is known by its certificate where that is asked for", async () => {
    await using server = await stagePostgres15({ tls: true, settings: { log_connections: "on" } });
    const local = { ...server, host: "localhost" };
    const { authority } = server;
    assert.ok((await backUp(local, { config: { tls: "verified", authority } })).dumps.size > 0);
    assert.ok((await backUp(server, { config: { tls: undefined } })).dumps.size > 0, "required by default");
    const unknown = failsAs("SOURCE_DISCONNECTED", /certificate .* could not be verified/);
    await assert.rejects(backUp(local, { config: { tls: "verified" } }), unknown);
    await assert.rejects(backUp(server, { config: { tls: "verified", authority } }), unknown);
  });

  it("is not spoken to in clear where it offers none", async () => {
    await using server = await stagePostgres15();
    for (const tls of ["required", "verified"])
      await assert.rejects(backUp(server, { config: { tls } }), failsAs("SOURCE_DISCONNECTED", /offers no TLS/));
  });
});

function hostOf({ host, port }: { readonly host: string; readonly port: number }) {
  return { host, port };
}
