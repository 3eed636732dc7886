// The guard in front of those who wrote programs for the last release of the public surface.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { buildSchema } from "graphql";
import { changesSince } from "../../schema/released.ts";

const root = join(import.meta.dirname, "../..");
const release = `
  type Query { job(id: ID!): Job tenant(id: ID): String! }
  type Job { id: ID! status: Status! }
  enum Status { QUEUED ENDED }
  union Answer = Job
  input StartInput { id: ID! note: String }
  type Mutation { start(input: StartInput!): Answer }`;
const changed = (from: string, to: string) => changesSince(release, buildSchema(release.replace(from, to)));

describe("a change since the last release", () => {
  const breaking: [what: string, from: string, to: string][] = [
    ["takes a field away", "status: Status!", ""],
    ["makes an answer nullable", "status: Status!", "status: Status"],
    ["makes an argument necessary", "tenant(id: ID)", "tenant(id: ID!)"],
    ["adds an argument that is necessary", "tenant(id: ID)", "tenant(id: ID, of: ID!)"],
    ["takes a value of an enum away", "QUEUED ENDED", "QUEUED"],
    ["adds an input that is necessary", "note: String", "note: String more: String!"],
    ["takes an input away", "note: String", ""],
  ];
  for (const [what, from, to] of breaking)
    it(`breaks programs where it ${what}`, () => assert.equal(changed(from, to).breaking.length, 1));

  const harmless: [what: string, from: string, to: string, dangerous: number][] = [
    ["adds a field", "status: Status!", "status: Status! more: Int", 0],
    ["adds an argument that may be left out", "tenant(id: ID)", "tenant(id: ID, of: ID)", 1],
    ["adds a value to an enum", "QUEUED ENDED", "QUEUED ENDED LOST", 1],
    ["deprecates a field", "status: Status!", `status: Status! @deprecated(reason: "Ask for state.")`, 0],
  ];
  for (const [what, from, to, dangerous] of harmless)
    it(`breaks nothing where it ${what}`, () => {
      const changes = changed(from, to);
      assert.deepEqual([changes.breaking.length, changes.dangerous.length], [0, dangerous]);
    });
});

describe("npm run check", () => {
  it("fails where the public surface no longer has what was released, and says what it is", async () => {
    const copy = await mkdtemp(join(tmpdir(), "xvault-released-"));
    try {
      for (const part of ["schema", "domain", "prisma", "artifact/fault-point.ts", "package.json"])
        await cp(join(root, part), join(copy, part), { recursive: true });
      await symlink(join(root, "node_modules"), join(copy, "node_modules"));
      const check = () => promisify(execFile)(process.execPath, ["schema/print.ts", "--check"], { cwd: copy });
      await check();
      const released = join(copy, "schema/released/public.graphql");
      const sdl = await readFile(released, "utf8");
      await writeFile(
        released,
        sdl.replace("type Snapshot implements Node {", "type Snapshot implements Node { colour: String!"),
      );
      await assert.rejects(check(), ({ code, stderr }) => {
        assert.equal(code, 1);
        assert.match(stderr, /breaks programs: .*Snapshot\.colour/);
        return true;
      });
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  });
});
