import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Source } from "../../../worker/sources/source.ts";
import { stageFaultProxy } from "../../stage/fault-proxy.ts";
import { type StagedMariadb, stageMariadb } from "../../stage/peers/mariadb.ts";
import { missingOpenSsh, type OpenSshOptions, stageOpenSsh } from "../../stage/peers/openssh.ts";
import {
  makeUser,
  missingWordpress,
  readPages,
  type StagedWordpress,
  stageWordpress,
  useDatabaseOf,
} from "../../stage/peers/wordpress.ts";
import { describeFile, sha256 } from "../../stage/tree.ts";
import { backUp, checksums, connectSite } from "./wordpress-site.ts";

const skip = missingOpenSsh ?? missingWordpress ?? false;

/** What the programs of a server need that is to run almost none. */
const barest = Object.fromEntries(["sh", "env", "cat", "rm", "mktemp"].map((name) => [name, `/usr/bin/${name}`]));

/** Writes down what everybody on its server can see of a program and of all that started it, and becomes that program. */
function telling(program: string): string {
  const seen = 'cat /proc/$p/cmdline /proc/$p/environ >>"$(dirname "$0")/../data/processes" 2>/dev/null';
  return `p=$$; while [ "$p" -gt 1 ]; do ${seen}; p=$(cut -d" " -f4 /proc/$p/stat); done; exec /usr/bin/${program} "$@"`;
}

interface Way {
  readonly by: "tcp" | "socket";
  readonly server?: OpenSshOptions;
  /** What takes part, besides MariaDB's own client. */
  readonly tools: readonly string[];
}

const ways: Record<string, Way> = {
  "by the programs of its server": { by: "tcp", tools: ["mariadb-dump", "GNU tar"] },
  "through a socket of its server": { by: "socket", tools: ["mariadb-dump", "GNU tar"] },
  "from a server without PHP, tar, dump program or much else": {
    by: "tcp",
    server: { programs: barest, ordinaryPrograms: false },
    tools: ["mariadb-dump"],
  },
  "from a server that offers no SFTP": { by: "tcp", server: { sftp: false }, tools: ["mariadb-dump", "GNU tar"] },
};

describe("a WordPress site", { skip }, () => {
  for (const [way, { by, server, tools }] of Object.entries(ways)) {
    it(`is backed up ${way} and, put back elsewhere, shows the same pages`, { timeout: 120_000 }, async () => {
      await using mariadb = await stageMariadb();
      await using sshd = await stageOpenSsh(server);
      const path = join(sshd.data, "it's $(touch canary) a site");
      const site = await stageWordpress(mariadb, { directory: path, owner: sshd.owner, by });
      const pages = await readPages(path);
      await using source = await connectSite(sshd, path);
      await using backedUp = await backUp(source);
      assert.deepEqual(backedUp.warnings, []);
      assert.equal(backedUp.paths[0], "database/täst; `site`.sql");

      await using elsewhere = await stageMariadb();
      await elsewhere.query(await readFile(join(backedUp.directory, "database/täst; `site`.sql")));
      await makeUser(elsewhere);
      const { name } = site.database;
      assert.equal(
        await checksums(elsewhere, name, site.tablePrefix),
        await checksums(mariadb, name, site.tablePrefix),
      );
      assert.doesNotMatch(
        await elsewhere.query("SELECT table_name FROM information_schema.tables"),
        /other_program|myxposts/,
      );

      const restored = join(backedUp.directory, "files");
      assert.deepEqual(await contents(restored), await contents(path));
      await useDatabaseOf(elsewhere, restored);
      assert.deepEqual(digests(await readPages(restored)), digests(pages));
      assert.ok(pages["/"]?.startsWith("200") && pages["/"].includes("Post 27 🙂"), "the pages are those of the site");
      assert.ok(
        Object.values(pages).every((page) => !/Warning|Fatal error/.test(page)),
        "PHP complains of nothing",
      );

      const facts = source.facts();
      assert.deepEqual(
        Object.keys(facts.tools).filter((tool) => tool !== "mariadb"),
        tools,
      );
      assert.deepEqual(
        facts.databases.map((each) => each.path),
        ["database/täst; `site`.sql"],
      );
      assert.equal(facts.databases[0]?.tables.length, 12);
      assert.ok((await readdir(sshd.home)).every((file) => file !== "canary"));
    });
  }
});

describe("one WordPress site", { skip }, () => {
  const staged = new AsyncDisposableStack();
  let mariadb: StagedMariadb;
  let sshd: Awaited<ReturnType<typeof stageOpenSsh>>;
  let site: StagedWordpress;
  let path: string;
  before(async () => {
    mariadb = staged.use(await stageMariadb());
    sshd = staged.use(
      await stageOpenSsh({ programs: { mariadb: telling("mariadb"), "mariadb-dump": telling("mariadb-dump") } }),
    );
    path = join(sshd.data, "site");
    site = await stageWordpress(mariadb, { directory: path, owner: sshd.owner });
  });
  after(() => staged.disposeAsync());

  it("says what it is when it is tested", async () => {
    await using source = await connectSite(sshd, path, { pinned: { hostKey: null, jumpHostKey: null } });
    const { hostKey, serverVersion, sampleEntries, tools, remarks } = await source.identify();
    assert.equal(hostKey, sshd.hostKey);
    assert.match(serverVersion ?? "", /^OpenSSH_/);
    assert.equal(sampleEntries[0], "database/täst; `site`.sql");
    assert.ok(sampleEntries.includes("files/wp-config.php") || sampleEntries.includes("files/index.php"));
    assert.match(tools["mariadb-dump"] ?? "", /^\d+\.\d+/);
    assert.match(tools["GNU tar"] ?? "", /^1\./);
    assert.equal(remarks[0], `This is WordPress ${site.version}.`);
    assert.match(remarks[1] ?? "", /^The database “täst; `site`” on 1\S+MariaDB\S* has 12 tables of this site\.$/);
    assert.match(remarks[2] ?? "", /^2 other tables there do not begin with “my_” and are left out/);
    assert.equal(remarks.length, 3);
    assert.equal(await source.estimate(), null);
  });

  it("leaves out the files that are excluded, and nothing else", async () => {
    await using source = await connectSite(sshd, path, {
      settings: { exclude: ["/wp-admin/", "/wp-includes/", "*.bin"] },
    });
    await using backedUp = await backUp(source);
    const { paths } = backedUp;
    assert.ok(paths.includes("files/wp-content/uploads/2024/02/héllo 🙂.txt"));
    assert.ok(paths.includes("files/wp-config.php"));
    assert.ok(!paths.some((each) => /^files\/wp-(admin|includes)|bytes\.bin/.test(each)));
  });

  it("never shows its database's password: not to who lists processes, and in nothing that is kept", async () => {
    const { password } = site.database;
    const shown: string[] = [];
    // What of it stays the same in every kind of quotes.
    const secret = password.slice(0, 5);
    await using source = await connectSite(sshd, path, { log: (line) => shown.push(JSON.stringify(line)) });
    shown.push(JSON.stringify(await source.identify()));
    await using backedUp = await backUp(source);
    shown.push(JSON.stringify([source.facts(), backedUp.warnings, await sshd.log()]));
    shown.push(await readFile(join(backedUp.directory, "database/täst; `site`.sql"), "utf8"));
    const processes = await readFile(join(sshd.data, "processes"), "latin1");
    assert.match(processes, /mariadb-dump\0--defaults-file=/);
    assert.match(processes, /mariadb\0--defaults-file=/);
    assert.match(processes, /LC_ALL=C/);
    shown.push(processes);
    assert.ok(!shown.join("").includes(secret));
  });

  it("never comes to its end when the connection is cut, wherever that is", { timeout: 240_000 }, async () => {
    await using whole = await stageFaultProxy(sshd);
    await read(whole);
    const bytes = whole.bytes();
    // The dump is in the first hundredth.
    const early = Array.from({ length: 4 }, () => randomInt(Math.floor(bytes * 0.01)));
    const late = Array.from({ length: 6 }, () => randomInt(Math.floor(bytes * 0.99)));
    for (const cutAtByte of [...early, ...late]) {
      await using proxy = await stageFaultProxy(sshd, { cutAtByte });
      await assert.rejects(read(proxy), { name: "SourceError", code: "SOURCE_DISCONNECTED" }, `at ${cutAtByte}`);
    }
  });

  it("is SOURCE_STALLED when the server falls silent", async () => {
    for (const stallAtByte of [60_000, 5_000_000]) {
      await using proxy = await stageFaultProxy(sshd, { stallAtByte });
      await assert.rejects(read(proxy, 1000), { name: "SourceError", code: "SOURCE_STALLED" });
    }
  });

  it("is let go of when the job is aborted", async () => {
    const stop = new AbortController();
    await using source = await connectSite(sshd, path, { signal: stop.signal });
    const reason = new Error("the lease is lost");
    const reading = backUp(source);
    setTimeout(() => stop.abort(reason), 100);
    await assert.rejects(reading, reason);
  });

  async function read(peer: { host: string; port: number }, stallMs = 30_000): Promise<void> {
    await using source: Source = await connectSite({ ...sshd, ...peer }, path, { stallMs });
    await using _ = await backUp(source);
  }
});

/** Pages are too long for the sentence of a failing test. */
function digests(pages: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(pages).map(([path, page]) => [path, describeFile(page.length, sha256(Buffer.from(page)))]),
  );
}

async function contents(directory: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const place = join(entry.parentPath, entry.name);
    found[place.slice(directory.length)] = entry.isFile() ? (await readFile(place)).toString("base64") : "directory";
  }
  return found;
}
