import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import type { Warning } from "#artifact/node";
import { freePort } from "../../../server/one-machine/port.ts";
import type { SourceErrorCode } from "../../../worker/sources/source-error.ts";
import { stageFaultProxy } from "../../stage/fault-proxy.ts";
import { missingMariadb, type StagedMariadb, stageMariadb } from "../../stage/peers/mariadb.ts";
import { fillShop } from "../../stage/peers/mariadb-shop.ts";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { connectDirectly, connectOverSsh, type Differences, readDumps } from "./mysql-reading.ts";

const skip = missingMariadb ?? missingOpenSsh ?? false;

/** With a sentence that fits, and without a word of the server's, the program's or the secret's. */
function failsAs(code: SourceErrorCode, sentence: RegExp) {
  return (error: Error) => {
    assert.deepEqual(
      { name: error.name, code: (error as { code?: unknown }).code },
      { name: "SourceError", code },
      `${error.stack} ${error.cause}`,
    );
    assert.match(error.message, sentence);
    assert.doesNotMatch(error.message, /Stage|Access denied|ERROR|Got error|HY000|ECONN/);
    return true;
  };
}

type Read = Awaited<ReturnType<typeof readDumps>>;

function textsOf({ dumps }: Read): Record<string, string> {
  return Object.fromEntries([...dumps].map(([path, content]) => [path, content.toString("latin1")]));
}

/** A failure with one of these codes, or the same dump as without the fault. */
async function failsOrIsWhole(reading: Promise<Read>, codes: readonly string[], whole: object, about: string) {
  const outcome = await reading.then(textsOf, (error: Error) => error);
  if (!(outcome instanceof Error)) return assert.ok(isDeepStrictEqual(outcome, whole), `${about}: another dump`);
  const { code } = outcome as { code?: SourceErrorCode };
  assert.ok(code && codes.includes(code), `${about}: ${outcome.stack}`);
  failsAs(code, /./)(outcome);
}

describe("a MySQL source that goes wrong", { skip }, () => {
  let server: StagedMariadb;
  let sshd: StagedOpenSsh;
  const staged = new AsyncDisposableStack();
  before(async () => {
    server = staged.use(await stageMariadb());
    sshd = staged.use(await stageOpenSsh());
    await fillShop(server);
  });
  after(() => staged.disposeAsync());

  const ways: readonly [
    string,
    (peer: typeof server, difference?: Differences) => ReturnType<typeof connectDirectly>,
  ][] = [
    ["directly", (peer, difference) => connectDirectly(peer, difference)],
    ["through a tunnel", (peer, difference) => connectOverSsh(sshd, peer, "near", difference)],
    ["by its own server", (peer, difference) => connectOverSsh(sshd, peer, "far", difference)],
  ];

  async function readOnly(connecting: ReturnType<typeof connectDirectly>) {
    await using source = await connecting;
    return await readDumps(source);
  }

  for (const [way, connect] of ways) {
    it(`is SOURCE_AUTH_FAILED with a wrong password or user, ${way}`, async () => {
      for (const wrong of [{ password: "wrong" }, { username: "nobody" }, { password: "" }])
        await assert.rejects(
          connect({ ...server, ...wrong }),
          failsAs("SOURCE_AUTH_FAILED", /did not accept the sign-in/),
        );
    });

    it(`is SOURCE_DISCONNECTED where nothing listens, ${way}`, async () => {
      await assert.rejects(
        connect({ ...server, port: await freePort() }),
        failsAs("SOURCE_DISCONNECTED", /nothing listens|cannot (be reached|reach)/),
      );
    });

    it(`is PATH_NOT_FOUND for a database that is not there, ${way}`, async () => {
      await using source = await connect(server, { config: { databases: ["shop", "missing; id"] } });
      await assert.rejects(readDumps(source), failsAs("PATH_NOT_FOUND", /“missing; id” does not exist/));
      await assert.rejects(source.identify(), failsAs("PATH_NOT_FOUND", /“missing; id” does not exist/));
    });

    it(`is SOURCE_DISCONNECTED or SOURCE_STALLED, never a dump, where the connection breaks at any byte, ${way}`, async () => {
      const config = { databases: ["shop"] };
      await using counting = await stageFaultProxy(server);
      const whole = textsOf(await readOnly(connect({ ...server, port: counting.port }, { config })));
      const total = counting.bytes();
      // The last connections close behind a dump that has arrived: then it is the same dump.
      for (let turn = 0; turn < 6; turn++) {
        const at = randomInt(1, total);
        const isCut = turn % 2 === 0;
        await using proxy = await stageFaultProxy(server, isCut ? { cutAtByte: at } : { stallAtByte: at });
        const reading = readOnly(connect({ ...server, port: proxy.port }, { config, stallMs: 2000 }));
        const codes = isCut ? ["SOURCE_DISCONNECTED", "DUMP_TRUNCATED"] : ["SOURCE_STALLED"];
        await failsOrIsWhole(reading, codes, whole, `${isCut ? "cut" : "stalled"} at byte ${at} of ${total}`);
      }
    });

    it(`is never a dump without its last views, where the connection breaks while they are written, ${way}`, async () => {
      const config = { databases: ["shop"] };
      await using counting = await stageFaultProxy(server);
      const whole = textsOf(await readOnly(connect({ ...server, port: counting.port }, { config })));
      const total = counting.bytes();
      for (let back = 400; back <= 8_000; back += 400) {
        await using proxy = await stageFaultProxy(server, { cutAtByte: total - back });
        const reading = readOnly(connect({ ...server, port: proxy.port }, { config, stallMs: 2000 }));
        const codes = ["SOURCE_DISCONNECTED", "DUMP_TRUNCATED"];
        await failsOrIsWhole(reading, codes, whole, `cut ${back} bytes before the end`);
      }
    });

    it(`is SOURCE_DISCONNECTED where the server dies in the middle of a dump, ${way}`, async () => {
      await using dying = await stageMariadb();
      await dying.query(
        "CREATE DATABASE big; USE big; CREATE TABLE filled (id INT PRIMARY KEY, filler LONGTEXT); INSERT INTO filled SELECT seq, REPEAT(MD5(seq), 3000) FROM seq_1_to_400",
      );
      await using source = await connect(dying);
      const reading = async () => {
        for await (const { content } of source.entries(() => undefined))
          for await (const _ of content ?? []) await dying.kill();
      };
      await assert.rejects(reading(), failsAs("SOURCE_DISCONNECTED", /ended the connection|cannot be reached/));
    });

    it(`ends with the job, ${way}`, async () => {
      const stop = new AbortController();
      await using source = await connect(server, { signal: stop.signal });
      const reason = new Error("the lease is lost");
      const reading = async () => {
        for await (const { content } of source.entries(() => undefined))
          for await (const _ of content ?? []) stop.abort(reason);
      };
      await assert.rejects(reading(), reason);
      await assert.rejects(connect(server, { signal: stop.signal }), reason);
    });
  }

  it("is SOURCE_DISCONNECTED where the SSH connection breaks in the middle of a dump", async () => {
    for (const dump of ["near", "far"] as const) {
      await using source = await connectOverSsh(sshd, server, dump, { config: { databases: ["shop"] } });
      const reading = async () => {
        for await (const { content } of source.entries(() => undefined))
          for await (const _ of content ?? []) await sshd.dropConnections();
      };
      await assert.rejects(reading(), failsAs("SOURCE_DISCONNECTED", /ended the connection/));
    }
  });

  it("is HOST_NOT_ALLOWED inside the worker's own networks", async () => {
    await assert.rejects(
      connectDirectly(server, { allowedNetworks: [] }),
      failsAs("HOST_NOT_ALLOWED", /not a public address/),
    );
  });

  it("is SOURCE_DISCONNECTED where the SSH server cannot reach it", async () => {
    await assert.rejects(
      connectOverSsh(sshd, { ...server, host: "no-such-host.invalid" }, "near"),
      failsAs("SOURCE_DISCONNECTED", /cannot reach the database server/),
    );
  });

  it("is DUMP_FAILED, with what to grant, where views, events or routines may not be dumped", async () => {
    const cases = {
      "SHOW VIEW": "SELECT, TRIGGER, EVENT, LOCK TABLES ON *.*",
      EVENT: "SELECT, SHOW VIEW, TRIGGER, LOCK TABLES ON *.*",
      routines: "SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON shop.*",
    };
    for (const [missing, grants] of Object.entries(cases)) {
      await using limited = await limitedUser(grants);
      await using source = await connectDirectly({ ...server, ...limited }, { config: { databases: ["shop"] } });
      await assert.rejects(
        readDumps(source),
        failsAs("DUMP_FAILED", /too few privileges to dump “shop”: grant it SELECT/),
        missing,
      );
    }
  });

  it("warns where triggers and routines cannot even be seen", async () => {
    await using limited = await limitedUser("SELECT, SHOW VIEW, EVENT ON `sho_`.*");
    await using source = await connectDirectly({ ...server, ...limited });
    const { warnings } = await readDumps(source);
    assert.deepEqual(
      warnings.map(({ code, path }) => `${code} ${path}`),
      ["TOOL_WARNING mysql/shop.sql"],
    );
    assert.match(warnings[0]?.message ?? "", /lacks privileges \(TRIGGER, SELECT on mysql\.proc/);
    assert.match(
      (await source.identify()).remarks.join("\n"),
      /“shop”, grant this user: TRIGGER, SELECT on mysql\.proc/,
    );
  });

  it("is DUMP_FAILED where a view refers to what is gone, and not where that view is excluded", async () => {
    await server.query(
      "CREATE DATABASE ruin; CREATE TABLE ruin.t (id INT); CREATE VIEW ruin.v AS SELECT * FROM ruin.t; DROP TABLE ruin.t",
    );
    try {
      const config = { databases: ["ruin"] };
      await assert.rejects(
        readOnly(connectDirectly(server, { config })),
        failsAs("DUMP_FAILED", /A view in “ruin” refers to/),
      );
      const { dumps } = await readOnly(connectDirectly(server, { config: { ...config, excludeTables: ["ruin.v"] } }));
      assert.equal(dumps.size, 1);
    } finally {
      await server.query("DROP DATABASE ruin");
    }
  });

  it("goes on without a database that was dropped in the meantime", async () => {
    await server.query("CREATE DATABASE zz_passing");
    await using source = await connectDirectly(server);
    const warnings: Warning[] = [];
    const paths: unknown[] = [];
    for await (const { path, content } of source.entries((warning) => warnings.push(warning))) {
      for await (const _ of content ?? []);
      if (paths.push(path) === 1) await server.query("DROP DATABASE zz_passing");
    }
    assert.deepEqual(paths, ["mysql/nothing_in_it.sql", "mysql/other.sql", "mysql/shop.sql"]);
    assert.deepEqual(
      warnings.map(({ code, path }) => `${code} ${path}`),
      ["VANISHED mysql/zz_passing.sql"],
    );
  });

  it("is HOST_KEY_CHANGED before the database's password is sent anywhere", async () => {
    const other = { ...sshd, hostKey: "SHA256:another" };
    for (const dump of ["near", "far"] as const)
      await assert.rejects(connectOverSsh(other, server, dump), failsAs("HOST_KEY_CHANGED", /no password was sent/));
  });

  it("warns of tables that are not of one moment", async () => {
    await server.query(
      "CREATE DATABASE old; CREATE TABLE old.torn (id INT) ENGINE=MyISAM; CREATE TABLE old.whole (id INT)",
    );
    try {
      const { warnings } = await readOnly(connectDirectly(server, { config: { databases: ["old"] } }));
      const expected: Warning = {
        code: "TOOL_WARNING",
        path: "mysql/old.sql",
        message:
          "These tables know no transactions (MyISAM), so a change during the dump may be in it by half: “torn”.",
      };
      assert.deepEqual(warnings, [expected]);
    } finally {
      await server.query("DROP DATABASE old");
    }
  });

  async function limitedUser(grants: string) {
    await server.query(`CREATE USER limited@'%' IDENTIFIED BY 'limited'; GRANT ${grants} TO limited@'%'`);
    return {
      username: "limited",
      password: "limited",
      [Symbol.asyncDispose]: async () => void (await server.query("DROP USER limited@'%'")),
    };
  }
});
