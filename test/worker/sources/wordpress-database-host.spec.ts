import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import * as fc from "fast-check";
import { type DatabaseAddress, parseDatabaseHost } from "../../../worker/sources/wordpress/database-host.ts";
import { wordpressPackages } from "../../stage/peers/wordpress-packages.ts";

const run = promisify(execFile);
const packages = await wordpressPackages();

describe("a DB_HOST", () => {
  const usual: DatabaseAddress = { kind: "socket", path: null };
  const tcp = (host: string, port = 3306): DatabaseAddress => ({ kind: "tcp", host, port });
  const forms: Record<string, DatabaseAddress | null> = {
    localhost: usual,
    LOCALHOST: usual,
    "": usual,
    "localhost:3307": usual,
    "localhost:/run/mysqld/mysqld.sock": { kind: "socket", path: "/run/mysqld/mysqld.sock" },
    ":/run/my sock": { kind: "socket", path: "/run/my sock" },
    "localhost:3306:/run/my.sock": { kind: "socket", path: "/run/my.sock" },
    "db.example.com": tcp("db.example.com"),
    "db.example.com:3307": tcp("db.example.com", 3307),
    "db.example.com:/run/my.sock": tcp("db.example.com"),
    "127.0.0.1": tcp("127.0.0.1"),
    "[::1]:3307": tcp("::1", 3307),
    "::1": tcp("::1"),
    "[2001:db8::5]": tcp("2001:db8::5"),
    "x:y:z": null,
    "127.0.0.1:70000": null,
  };
  for (const [text, address] of Object.entries(forms))
    it(`that is “${text}” leads to ${JSON.stringify(address)}`, () =>
      assert.deepEqual(parseDatabaseHost(text), address));

  it("leads where WordPress itself would go", { skip: "missing" in packages && packages.missing }, async () => {
    assert.ok("site" in packages);
    const piece = fc.constantFrom(
      "localhost",
      "db",
      ":",
      "/",
      "[",
      "]",
      "::1",
      ":33",
      "0",
      "f",
      ":/s",
      "",
      "1.2.3.4",
      "x",
      "99999",
    );
    const fuzzed = fc
      .sample(fc.array(piece, { maxLength: 6 }), { numRuns: 3000, seed: 3 })
      .map((pieces) => pieces.join(""));
    const hosts = [...Object.keys(forms), ...fuzzed];
    const script = `define('ABSPATH', $argv[1] . '/'); define('WPINC', 'wp-includes');
      function absint($n) { return abs((int) $n); }
      require ABSPATH . 'wp-includes/class-wpdb.php';
      $db = (new ReflectionClass('wpdb'))->newInstanceWithoutConstructor();
      echo json_encode(array_map([$db, 'parse_db_host'], json_decode($argv[2])));`;
    const words = [...packages.php, "-r", script, "--", packages.site, JSON.stringify(hosts)];
    const { stdout } = await run("php", words, { maxBuffer: 1 << 26 });
    const answers: (readonly [string, number | null, string | null, boolean] | false)[] = JSON.parse(stdout);
    for (const [index, text] of hosts.entries()) {
      const answer = answers[index];
      if (answer === undefined) throw new Error("an answer is missing");
      assert.deepEqual(parseDatabaseHost(text), answer === false ? null : connectedTo(answer), `“${text}”`);
    }
  });

  /** What PHP's driver makes of that. */
  function connectedTo([host, port, socket]: readonly [string, number | null, string | null, boolean]) {
    if (host === "" || host.toLowerCase() === "localhost") return { kind: "socket", path: socket };
    return (port ?? 0) > 65_535 ? null : tcp(host, port || 3306);
  }
});
