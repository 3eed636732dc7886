// What the settings of a source must look like, per type.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { InvalidInputError } from "../../domain/errors.ts";
import { parseInput } from "../../domain/input.ts";
import { isHostAllowed } from "../../domain/rules/host-policy.ts";
import { routeOf, sourceConfig } from "../../domain/rules/source-config.ts";
import type { SourceType } from "../../prisma/client/client.ts";

const good = { host: "files.example.com", port: 2222, username: "backup", path: "/srv" };

/** The faults that a customer is told of. */
function faults(type: SourceType, config: unknown): string[] {
  try {
    parseInput<unknown>(sourceConfig[type], config);
    return [];
  } catch (error) {
    assert.ok(error instanceof InvalidInputError);
    return error.faults.map(({ path, message }) => (path ? `${path}: ${message}` : message));
  }
}

describe("the settings of an SFTP source", () => {
  it("are host, port, username and path", () => {
    assert.deepEqual(parseInput(sourceConfig.SFTP, good), good);
  });

  it("have port 22 where none is given", () => {
    const { port: _, ...rest } = good;
    assert.deepEqual(parseInput(sourceConfig.SFTP, rest), { ...good, port: 22 });
  });

  for (const host of ["10.0.0.1", "::1", "[2001:db8::1]", "files", "xn--bcher-kva.example"])
    it(`may name the host ${host}`, () => assert.deepEqual(faults("SFTP", { ...good, host }), []));

  const noHost = "host: A host is a name or an address, without a port or user.";
  const portFault = "port: A port is a number from 1 to 65535.";
  const table: [what: string, config: unknown, told: string[]][] = [
    ["nothing at all", null, ["SFTP needs { host, port, username, path } and nothing unknown."]],
    ["a list", [], ["SFTP needs { host, port, username, path } and nothing unknown."]],
    ["no host", { ...good, host: undefined }, ["host: Name the host."]],
    ["an empty host", { ...good, host: "  " }, ["host: Name the host."]],
    ["a host with a user", { ...good, host: "root@files.example.com" }, [noHost]],
    ["a host that is an address of the web", { ...good, host: "http://files.example.com/" }, [noHost]],
    ["a host with a line break", { ...good, host: "files\r\nexample" }, [noHost]],
    ["a host with a NUL", { ...good, host: "files\0" }, [noHost]],
    ["a host in letters beyond ASCII", { ...good, host: "bücher.example" }, [noHost]],
    ["a host of 254 characters", { ...good, host: "h".repeat(254) }, ["host: A host name has at most 253 characters."]],
    ["port 0", { ...good, port: 0 }, [portFault]],
    ["port 65536", { ...good, port: 65_536 }, [portFault]],
    ["half a port", { ...good, port: 22.5 }, [portFault]],
    ["a port in words", { ...good, port: "22" }, [portFault]],
    ["no user", { ...good, username: "" }, ["username: Name the user to sign in as."]],
    ["a user with a line break", { ...good, username: "a\nb" }, ["username: A user name has no control characters."]],
    ["no path", { ...good, path: undefined }, ["path: Name the file or directory to back up."]],
    ["a path with a NUL", { ...good, path: "/srv\0/x" }, ["path: A path has no NUL and no half characters."]],
    [
      "a path with half a character",
      { ...good, path: "/srv/\ud83d" },
      ["path: A path has no NUL and no half characters."],
    ],
    [
      "a user with half a character",
      { ...good, username: "\ud83d" },
      ["username: A user name has no control characters."],
    ],
    ["a path of 4097 characters", { ...good, path: "p".repeat(4097) }, ["path: A path has at most 4096 characters."]],
    [
      "a password",
      { ...good, password: "hunter2" },
      ["SFTP needs { host, port, username, path } and nothing unknown."],
    ],
    ["two faults at once", { ...good, host: "", port: 0 }, ["host: Name the host.", portFault]],
  ];
  for (const [what, config, told] of table)
    it(`are refused with ${what}`, () => assert.deepEqual(faults("SFTP", config), told));

  it("never repeat what was sent", () => {
    const canary = "hunter2-canary";
    for (const config of [
      { ...good, password: canary },
      { ...good, host: `${canary}@` },
      { ...good, port: canary },
    ])
      assert.ok(!faults("SFTP", config).join().includes(canary));
  });
});

describe("the settings of every source of files", () => {
  for (const type of ["SSH", "SFTP", "FTP", "WORDPRESS"] as const)
    it(`may include, exclude and limit: ${type}`, () => {
      const config = { ...good, include: ["*.php"], exclude: ["cache/"], maxEntries: 10, maxBytes: 20 };
      assert.deepEqual(parseInput<unknown>(sourceConfig[type], config), config);
      assert.equal(faults(type, { ...good, exclude: [""] }).length, 1);
      assert.equal(faults(type, { ...good, maxEntries: 0 }).length, 1);
    });

  it("have the port of their protocol where none is given", () => {
    const { port: _, ...rest } = good;
    const ports = (["SSH", "WORDPRESS", "FTP"] as const).map((type) => sourceConfig[type].parse(rest).port);
    assert.deepEqual(ports, [22, 22, 21]);
  });

  it("may name a jump host, where they are reached over SSH", () => {
    const jump = { host: "bastion.example.com", username: "hop" };
    assert.deepEqual(sourceConfig.SSH.parse({ ...good, jump }).jump, { ...jump, port: 22 });
    assert.deepEqual(faults("SSH", { ...good, jump: { host: "a b", username: "hop" } }), [
      "jump.host: A host is a name or an address, without a port or user.",
    ]);
    assert.equal(faults("FTP", { ...good, jump }).length, 1);
  });
});

describe("the settings of an SSH source", () => {
  it("may name commands to run before and after", () => {
    const hooks = { before: { command: "systemctl stop app", timeoutSeconds: 60 }, onFailure: "warn" };
    assert.deepEqual(parseInput<unknown>(sourceConfig.SSH, { ...good, hooks }), { ...good, hooks });
    assert.equal(faults("SFTP", { ...good, hooks }).length, 1);
    assert.deepEqual(faults("SSH", { ...good, hooks: { before: { command: "" } } }), [
      "hooks.before.command: A hook has a command.",
    ]);
  });
});

describe("the settings of an FTP source", () => {
  it("may turn TLS off, or say which certificate is the right one", () => {
    const fingerprint = `SHA256:${"a".repeat(43)}`;
    for (const other of [{ tls: "off" }, { certificate: { fingerprint } }])
      assert.deepEqual(faults("FTP", { ...good, ...other }), []);
    assert.deepEqual(faults("FTP", { ...good, tls: "maybe" }), ["tls: TLS is required or off."]);
    assert.deepEqual(faults("FTP", { ...good, certificate: { fingerprint: "aa:bb" } }), [
      "certificate.fingerprint: A fingerprint looks like SHA256:….",
    ]);
  });
});

describe("the settings of a database", () => {
  const { path: _, ...server } = good;

  for (const type of ["MYSQL", "POSTGRES"] as const)
    it(`are a server, and what of it is taken, and the way to it: ${type}`, () => {
      const ssh = { host: "web.example.com", port: 22, username: "web", dump: "near" };
      const config = { ...server, databases: ["shop"], excludeTables: ["shop.log"], tls: "verified", ssh };
      assert.deepEqual(parseInput<unknown>(sourceConfig[type], config), config);
      assert.deepEqual(faults(type, { ...server, databases: [] }), [
        "databases: Leave the list out, or name at least one.",
      ]);
      assert.equal(faults(type, { ...server, password: "hunter2" }).length, 1);
      assert.equal(faults(type, { ...server, databases: ["a\0b"] }).length, 1);
    });
});

describe("the route to a source", () => {
  const jump = { host: "bastion", port: 22, username: "hop" };
  const { path: _, ...server } = good;
  const first = (type: SourceType, config: unknown) => routeOf(type, config)?.first.host;

  it("begins at the jump host, where there is one, and otherwise at the server", () => {
    assert.equal(first("SFTP", good), good.host);
    assert.equal(first("SFTP", { ...good, jump }), "bastion");
    assert.equal(first("FTP", good), good.host);
    assert.equal(first("POSTGRES", server), good.host);
    assert.equal(first("POSTGRES", { ...server, ssh: { ...good, host: "web" } }), "web");
    assert.equal(first("POSTGRES", { ...server, ssh: { ...good, host: "web", jump } }), "bastion");
  });

  it("has host keys to know wherever it goes over SSH", () => {
    const known = (type: SourceType, config: unknown) => {
      const { ssh, jump } = routeOf(type, config) ?? {};
      return [ssh?.host ?? null, jump?.host ?? null];
    };
    assert.deepEqual(known("WORDPRESS", good), [good.host, null]);
    assert.deepEqual(known("SSH", { ...good, jump }), [good.host, "bastion"]);
    assert.deepEqual(known("FTP", good), [null, null]);
    assert.deepEqual(known("MYSQL", server), [null, null]);
    assert.deepEqual(known("MYSQL", { ...server, ssh: { ...good, host: "web" } }), ["web", null]);
  });
});

describe("a host that is saved", () => {
  const refused = [
    ...[
      "127.0.0.1",
      "localhost",
      "db.localhost",
      "0.0.0.0",
      "[::1]",
      "::1",
      "::ffff:127.0.0.1",
      "2130706433",
      "0x7f.1",
    ],
    ...["169.254.169.254", "fd00:ec2::254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fe80::1"],
    ...["metadata.google.internal", "0177.0.0.1", "64:ff9b::7f00:1", "224.0.0.1", "255.255.255.255"],
  ];
  for (const host of refused) it(`is refused: ${host}`, () => assert.equal(isHostAllowed(host, []), false));

  for (const host of ["files.example.com", "8.8.8.8", "2606:4700:4700::1111", "localhost.example.com"])
    it(`is taken: ${host}`, () => assert.equal(isHostAllowed(host, []), true));

  it("is taken where the operator allows its network", () => {
    assert.equal(isHostAllowed("10.1.2.3", ["10.0.0.0/8"]), true);
    assert.equal(isHostAllowed("10.1.2.3", ["192.168.0.0/16", "fd00::/8"]), false);
    assert.equal(isHostAllowed("localhost", ["127.0.0.0/8"]), true);
    assert.equal(isHostAllowed("::ffff:10.1.2.3", ["10.0.0.0/8"]), true);
  });
});
