import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, chown, link, mkdir, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { SourceErrorCode } from "../../../worker/sources/source-error.ts";
import { missingMariadb, type StagedMariadb, stageMariadb } from "../../stage/peers/mariadb.ts";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { collect, type Differences } from "./reading.ts";
import { backUp, connectSite } from "./wordpress-site.ts";

const skip = missingOpenSsh ?? missingMariadb ?? false;

/** With a sentence that fits, and without a word of the server's, the configuration's or the secret's. */
function failsAs(code: SourceErrorCode, sentence: RegExp) {
  return (error: Error) => {
    assert.deepEqual(
      { name: error.name, code: (error as { code?: unknown }).code },
      { name: "SourceError", code },
      `${error.stack} ${error.cause}`,
    );
    assert.match(error.message, sentence);
    assert.doesNotMatch(error.message, /Stage|pw #|Access denied|ERROR|Got error|HY000|ECONN|of-ours/);
    return true;
  };
}

/** Sites that have no more than a backup looks at: a configuration, a version, a file, and tables. */
describe("a WordPress site that goes wrong", { skip }, () => {
  let mariadb: StagedMariadb;
  let sshd: StagedOpenSsh;
  const staged = new AsyncDisposableStack();
  before(async () => {
    mariadb = staged.use(await stageMariadb());
    sshd = staged.use(await stageOpenSsh());
    await mariadb.query(
      "CREATE DATABASE site; CREATE TABLE site.my_posts (id INT); INSERT INTO site.my_posts VALUES (1)",
    );
  });
  after(() => staged.disposeAsync());

  function configOf(other: Record<string, string> = {}, prefix = "my_"): string {
    const { host, port, username, password } = mariadb;
    const settings = {
      DB_NAME: "site",
      DB_USER: username,
      DB_PASSWORD: password,
      DB_HOST: `${host}:${port}`,
      ...other,
    };
    const literal = (text: string) => `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
    const lines = Object.entries(settings).map(([name, value]) => `define('${name}', ${literal(value)});`);
    return `<?php\n${lines.join("\n")}\n$table_prefix = '${prefix}';\nrequire_once ABSPATH . 'wp-settings.php';\n`;
  }

  let sites = 0;
  /** A directory of its own above the site's, which is `…/site`. */
  async function layOut(files: Record<string, string>, server = sshd): Promise<string> {
    const above = join(server.data, `site-${sites++}`);
    const site = join(above, "site");
    await write(
      site,
      { "index.php": "<?php\n", "wp-includes/version.php": "<?php\n$wp_version = '6.9';\n", ...files },
      server,
    );
    return site;
  }
  async function write(directory: string, files: Record<string, string>, { owner } = sshd): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      const place = join(directory, path);
      await mkdir(dirname(place), { recursive: true });
      await writeFile(place, content);
      await chown(place, owner.uid, owner.gid);
    }
  }
  async function read(path: string, other: Differences = {}, server = sshd) {
    await using source = await connectSite(server, path, other);
    await using backedUp = await backUp(source);
    const { remarks } = await source.identify();
    return { paths: [...backedUp.paths].sort(), remarks, warnings: backedUp.warnings };
  }
  const plain = ["database/site.sql", "files/index.php", "files/wp-includes", "files/wp-includes/version.php"];

  it("has its files, links and warnings below files/", async () => {
    const path = await layOut({ "wp-config.php": configOf(), one: "1" });
    await link(join(path, "one"), join(path, "two"));
    await symlink("../elsewhere", join(path, "loose"));
    execFileSync("mkfifo", [join(path, "pipe")]);
    execFileSync("sh", ["-c", `: > "$(printf '%s/b\\377d' "$1")"`, "sh", path]);
    await using source = await connectSite(sshd, path);
    const { described, warnings } = await collect(source);
    const first = described["files/two"]?.startsWith("same") ? "one" : "two";
    assert.equal(described[first === "one" ? "files/two" : "files/one"], `same as files/${first}`);
    assert.equal(described["files/loose"], "link to ../elsewhere");
    assert.ok(Object.keys(described).includes("files/b\\xffd"), Object.keys(described).join());
    assert.deepEqual(
      warnings.map((warning) => [warning.code, warning.path]),
      [["SPECIAL_SKIPPED", "files/pipe"]],
    );
  });

  it("is PATH_NOT_FOUND where its directory is not there, or no wp-config.php is", async () => {
    await assert.rejects(read("/nowhere/at/all"), failsAs("PATH_NOT_FOUND", /“\/nowhere\/at\/all” does not exist/));
    const path = await layOut({});
    const sentence = new RegExp(
      `no wp-config\\.php in “${path}”, nor one for it in “${dirname(path)}”: name the directory`,
    );
    await assert.rejects(read(path), failsAs("PATH_NOT_FOUND", sentence));
  });

  it("is PATH_NOT_FOUND where its wp-config.php is closed to the user", async () => {
    const path = await layOut({ "wp-config.php": configOf() });
    await chown(join(path, "wp-config.php"), 0, 0);
    await chmod(join(path, "wp-config.php"), 0o640);
    await assert.rejects(read(path), failsAs("PATH_NOT_FOUND", /no right to read the path “.*wp-config\.php”/));
  });

  it("has its wp-config.php above it, which comes along", async () => {
    const path = await layOut({});
    await write(dirname(path), { "wp-config.php": configOf() });
    const { paths, remarks } = await read(path);
    assert.deepEqual(paths, ["above/wp-config.php", ...plain]);
    assert.ok(remarks.includes("Its wp-config.php lies above the directory and is backed up as well."));
    await write(dirname(path), { "wp-settings.php": "<?php // a site of its own" });
    await assert.rejects(read(path), failsAs("PATH_NOT_FOUND", /no wp-config\.php in/));
  });

  it("may have its wp-config.php behind a link within the site or to the directory above it", async () => {
    const path = await layOut({ "private/config.php": configOf() });
    await symlink("private/config.php", join(path, "wp-config.php"));
    const within = await read(path);
    assert.deepEqual(within.paths, [
      ...plain.slice(0, 2),
      "files/private",
      "files/private/config.php",
      "files/wp-config.php",
      ...plain.slice(2),
    ]);
    await write(dirname(path), { "outside.php": configOf() });
    await rm(join(path, "wp-config.php"));
    await symlink("../outside.php", join(path, "wp-config.php"));
    assert.ok((await read(path)).paths.includes("above/wp-config.php"));
  });

  it("is PATH_NOT_FOUND where its wp-config.php is a link to another site's or to anywhere else", async () => {
    await using withoutSftp = await stageOpenSsh({ sftp: false });
    for (const server of [sshd, withoutSftp]) {
      const victim = await layOut({ "wp-config.php": configOf() }, server);
      const path = await layOut({}, server);
      const others = { "wp-settings.php": "", "wp-config.php": configOf(), "other/wp-config.php": configOf() };
      await write(dirname(path), others, server);
      const targets = [join(victim, "wp-config.php"), "../wp-config.php", "../other/wp-config.php", "/etc/passwd"];
      const leadsOut = failsAs("PATH_NOT_FOUND", /is a link to a place outside of the site/);
      for (const target of targets) {
        await symlink(target, join(path, "wp-config.php"));
        await assert.rejects(read(path, {}, server), leadsOut, target);
        await rm(join(path, "wp-config.php"));
      }
      await symlink("nowhere", join(path, "wp-config.php"));
      await assert.rejects(read(path, {}, server), failsAs("PATH_NOT_FOUND", /no wp-config\.php in/));
    }
  });

  it("is DUMP_FAILED where its wp-config.php has to be run, and nothing of it runs", async () => {
    const run = "system('touch canary'); `touch canary`; file_put_contents('canary', '');";
    const path = await layOut({
      "wp-config.php": `${configOf({ DB_HOST: "never" })}`.replace("'never'", "getenv('H')"),
    });
    await assert.rejects(read(path), failsAs("DUMP_FAILED", /DB_HOST on line 5 is not a plain text/));
    const running = await layOut({ "wp-config.php": configOf().replace("<?php", `<?php ${run}`) });
    assert.ok((await read(running)).paths.includes("database/site.sql"));
    await noCanary();
  });

  it("is SOURCE_AUTH_FAILED, and says where it comes from, with a password that the database does not take", async () => {
    for (const wrong of [{ DB_PASSWORD: "not-one-of-ours" }, { DB_PASSWORD: "" }, { DB_USER: "nobody" }]) {
      const path = await layOut({ "wp-config.php": configOf(wrong) });
      const sentence =
        /did not accept the sign-in of “(backup|nobody)” with the password that the wp-config\.php of this site has/;
      await assert.rejects(read(path), failsAs("SOURCE_AUTH_FAILED", sentence));
    }
  });

  it("is PATH_NOT_FOUND where the database or the tables that it names are not there", async () => {
    const missing = await layOut({ "wp-config.php": configOf({ DB_NAME: "missing" }) });
    await assert.rejects(read(missing), failsAs("PATH_NOT_FOUND", /“missing” does not exist/));
    const prefix = await layOut({ "wp-config.php": configOf({}, "m_") });
    await assert.rejects(read(prefix), failsAs("PATH_NOT_FOUND", /“site” has no tables that begin with “m_”/));
  });

  it("is SOURCE_DISCONNECTED where its database server cannot be reached, and DUMP_FAILED where DB_HOST is no address", async () => {
    for (const DB_HOST of ["127.0.0.1:1", "localhost:/nowhere/at/all.sock"]) {
      const path = await layOut({ "wp-config.php": configOf({ DB_HOST }) });
      await assert.rejects(read(path), failsAs("SOURCE_DISCONNECTED", /cannot be reached/));
    }
    const path = await layOut({ "wp-config.php": configOf({ DB_HOST: "127.0.0.1:99999" }) });
    await assert.rejects(
      read(path),
      failsAs("DUMP_FAILED", /DB_HOST in the wp-config\.php of this site is no address/),
    );
  });

  it("takes what its wp-config.php says literally, on every server and in every shell", async () => {
    const evil = [
      "$(touch canary)",
      "`touch canary`",
      "; touch canary #",
      "--result-file=canary",
      "-Tcanary",
      "\ntouch canary\n",
      "a'b\"c",
    ];
    for (const text of evil) {
      for (const setting of [{ DB_NAME: text }, { DB_USER: text }, { DB_PASSWORD: text }, { DB_HOST: text }]) {
        const path = await layOut({ "wp-config.php": configOf(setting) });
        await assert.rejects(read(path), { name: "SourceError" }, JSON.stringify(setting));
      }
      const path = await layOut({ [`${text}/wp-config.php`]: configOf() });
      assert.ok((await read(join(path, text))).paths.includes("files/wp-config.php"), text);
    }
    await noCanary();
  });

  it("is DUMP_TRUNCATED where the dump program claims success in the middle", async () => {
    const cut =
      'case "$*" in *--version*) exec /usr/bin/mariadb-dump --version;; esac; /usr/bin/mariadb-dump "$@" | head -c 1500; exit 0';
    await using server = await stageOpenSsh({ programs: { "mariadb-dump": cut } });
    const path = await layOut({ "wp-config.php": configOf() }, server);
    await assert.rejects(read(path, {}, server), failsAs("DUMP_TRUNCATED", /end of its dump is missing/));
  });

  it("says what to do where neither its server nor a tunnel can make the dump", async () => {
    const none = { "mariadb-dump": "exit 127", mysqldump: "exit 127" };
    await using server = await stageOpenSsh({ programs: none });
    const path = await layOut({ "wp-config.php": configOf({ DB_HOST: `localhost:${mariadb.socket}` }) }, server);
    await assert.rejects(
      read(path, {}, server),
      failsAs("DUMP_FAILED", /install mariadb-dump there, or give a host and a port/),
    );
    const near = await layOut({ "wp-config.php": configOf() }, server);
    const { paths, remarks } = await read(near, {}, server);
    assert.ok(paths.includes("database/site.sql"));
    assert.match(
      remarks.join(),
      /no dump program, so the dump is made by this installation of xVault through a tunnel/,
    );

    await using jail = await stageOpenSsh({ only: "jail" });
    await layOut({ "wp-config.php": configOf() }, jail);
    const inJail = join("/data", `site-${sites - 1}`, "site");
    await assert.rejects(
      read(inJail, {}, jail),
      failsAs("SOURCE_DISCONNECTED", /does not forward connections: have AllowTcpForwarding/),
    );
  });

  it("is told apart from the other programs in its database, and from users who live elsewhere", async () => {
    await mariadb.query("CREATE TABLE site.shared_users (id INT); CREATE TABLE site.myxother (id INT)");
    const config = configOf({
      CUSTOM_USER_TABLE: "shared_users",
      CUSTOM_USER_META_TABLE: "elsewhere.usermeta",
      WP_CONTENT_DIR: "/srv/content",
    });
    const path = await layOut({ "wp-config.php": config.replace("<?php", "<?php define('MULTISITE', true);") });
    await using source = await connectSite(sshd, path);
    const { remarks } = await source.identify();
    assert.deepEqual(
      remarks.map((remark) => remark.replace(/ on 1\S+ has/, " has")),
      [
        "This is WordPress 6.9.",
        "It is a network of sites, and all of them are backed up.",
        "Its wp-config.php sets WP_CONTENT_DIR on line 8: if that leads out of the directory, back up that place as a source of its own.",
        "The database “site” has 2 tables of this site.",
        "1 other tables there do not begin with “my_” and are left out: if the site needs them, back up the database as a source of its own.",
        "The table “elsewhere.usermeta” that the site has its users in lies elsewhere and is left out.",
      ],
    );
    await using _ = await backUp(source);
    const tables = source.facts().databases[0]?.tables.map(({ name }) => name);
    assert.deepEqual(tables, ["my_posts", "shared_users"]);
  });

  async function noCanary(): Promise<void> {
    for (const directory of [sshd.home, sshd.data, process.cwd(), "/", "/tmp"])
      assert.ok(!(await readdir(directory)).includes("canary"), directory);
  }
});
