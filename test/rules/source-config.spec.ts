// What the settings of a source must look like, per type.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { InvalidInputError } from "../../domain/errors.ts";
import { parseInput } from "../../domain/input.ts";
import { sourceConfig, typesWithHostKey } from "../../domain/rules/source-config.ts";
import { SourceType } from "../../prisma/client/client.ts";

const good = { host: "files.example.com", port: 2222, username: "backup", path: "/srv" };

/** The faults that a customer is told of. */
function faults(type: SourceType, config: unknown): string[] {
  try {
    parseInput(sourceConfig[type], config);
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
    ["nothing at all", null, ["SFTP needs { host, port, username, path } and nothing else."]],
    ["a list", [], ["SFTP needs { host, port, username, path } and nothing else."]],
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
    ["a password", { ...good, password: "hunter2" }, ["SFTP needs { host, port, username, path } and nothing else."]],
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

describe("a source of another type", () => {
  for (const type of Object.values(SourceType))
    if (type !== "SFTP")
      it(`cannot be made yet: ${type}`, () =>
        assert.deepEqual(faults(type, good), ["Sources of this type cannot be made yet; use SFTP."]));
});

describe("the types with a host key", () => {
  it("are those that talk SSH", () => assert.deepEqual([...typesWithHostKey].sort(), ["SFTP", "SSH", "WORDPRESS"]));
});
