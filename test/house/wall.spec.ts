// The second wall between tenants, in the database itself: a query without a `where` finds nothing of a neighbour's.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Database } from "../../prisma/connect.ts";
import { playWorker } from "../private/played-worker.ts";
import { type Ids, stageEverything } from "../public/everything-of.ts";
import { stagePerson } from "../public/people.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { stageTenant } from "../stage/tenant.ts";

// biome-ignore lint/suspicious/noExplicitAny: every model is asked the same way
type AnyDelegate = any;

/** Every table that has rows of tenants. */
const walled = [
  "tenant",
  "membership",
  "user",
  "tenantKey",
  "credential",
  "source",
  "schedule",
  "job",
  "jobEvent",
  "snapshot",
  "restore",
  "auditEvent",
  "outbox",
  "apiKey",
  "invitation",
] as const;
/** What no customer has any business with. */
const closed = ["refreshToken", "passwordReset", "worker", "workerEnrolment", "kek"] as const;

describe("behind the wall of the database", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let own: Ids;
  let theirs: Ids;
  before(async () => {
    hub = stack.use(await stageHub({ sweepSeconds: 3600 }));
    const worker = await playWorker(hub);
    const { db } = hub.running.hub;
    const stage = async (name: string) => {
      const tenant = await stageTenant(hub, name);
      const owner = await stagePerson(hub, { tenantId: tenant.tenantId, role: "OWNER" });
      const tenantId = tenant.tenantId;
      await db.apiKey.create({
        data: { id: `apk_${name}`, tenantId, name, prefix: name, tokenHash: name, role: "VIEWER" },
      });
      await db.invitation.create({
        data: { id: `inv_${name}`, tenantId, email: "x@y", role: "VIEWER", tokenHash: name, expiresAt: new Date() },
      });
      return stageEverything(hub, { tenant, owner, worker });
    };
    own = await stage("own");
    theirs = await stage("theirs");
  });
  after(() => stack.disposeAsync());

  const seenBy = (tenantIds: string[], sourceIds: string[] | null = null): Database =>
    hub.running.hub.wall.seenBy({ userId: null, tenantIds, sourceIds });
  const rowsOf = async (db: Database, model: string): Promise<Record<string, unknown>[]> =>
    (db as AnyDelegate)[model].findMany();

  it("nobody sees anything", async () => {
    for (const model of walled) assert.deepEqual(await rowsOf(seenBy([]), model), [], model);
  });

  for (const model of walled)
    it(`a tenant sees its own rows alone: ${model}`, async () => {
      const rows = await rowsOf(seenBy([own.tenant]), model);
      assert.ok(rows.length > 0, "there are rows");
      const all = await rowsOf(hub.running.hub.platform, model);
      assert.ok(all.length > rows.length, "there are others");
      const text = JSON.stringify(rows, (_, value) => (typeof value === "bigint" ? `${value}` : value));
      for (const id of Object.values(theirs)) if (id !== own.worker) assert.ok(!text.includes(id), id);
    });

  it("nothing of a neighbour's is changed by a statement without a where", async () => {
    const db = seenBy([own.tenant]);
    await db.source.updateMany({ data: { name: "taken over" } });
    await db.schedule.deleteMany();
    const theirSource = await hub.running.hub.platform.source.findUniqueOrThrow({ where: { id: theirs.source } });
    assert.notEqual(theirSource.name, "taken over");
    assert.equal(await hub.running.hub.platform.schedule.count({ where: { tenantId: theirs.tenant } }), 1);
  });

  it("nothing can be put among a neighbour's rows", async () => {
    const db = seenBy([own.tenant]);
    await assert.rejects(
      db.credential.create({
        data: { id: "crd_x", tenantId: theirs.tenant, name: "x", ciphertext: new Uint8Array(1), kekId: "x" },
      }),
      /row-level security/,
    );
  });

  it("a key for some sources sees those, and what belongs to them", async () => {
    const other = seenBy([own.tenant], ["src_other"]);
    for (const model of ["source", "schedule", "job", "jobEvent", "snapshot", "restore", "credential", "user"])
      assert.deepEqual(await rowsOf(other, model), [], model);
    const right = seenBy([own.tenant], [own.source]);
    for (const model of ["source", "job", "jobEvent", "snapshot", "restore"])
      assert.ok((await rowsOf(right, model)).length > 0, model);
    assert.deepEqual(await rowsOf(right, "credential"), []);
    assert.deepEqual(await rowsOf(seenBy([own.tenant], []), "source"), [], "no sources are not all of them");
  });

  for (const model of closed)
    it(`is closed altogether: ${model}`, async () => {
      await assert.rejects(rowsOf(seenBy([own.tenant]), model), /permission denied/);
    });

  it("hashes and secrets cannot be read at all, not even one's own", async () => {
    const db = seenBy([own.tenant]);
    for (const [table, column] of [
      ["users", "password_hash"],
      ["api_keys", "token_hash"],
      ["invitations", "token_hash"],
      ["restores", "token_hash"],
      ["credentials", "ciphertext"],
      ["tenant_keys", "sealed_private_key"],
    ])
      await assert.rejects(db.$queryRawUnsafe(`SELECT ${column} FROM ${table}`), /permission denied/, column);
  });

  it("many at once are not mistaken for one another", async () => {
    const read = async (ids: Ids) => {
      const [one, all] = await Promise.all([
        seenBy([ids.tenant]).source.findUnique({ where: { id: ids.source } }),
        seenBy([ids.tenant]).source.findMany(),
      ]);
      assert.equal(one?.id, ids.source);
      assert.deepEqual(
        all.map((row) => row.tenantId),
        [ids.tenant],
      );
    };
    await Promise.all(Array.from({ length: 200 }, (_, i) => read(i % 2 ? own : theirs)));
  });

  it("every table of the database is either walled, closed, or holds nothing of tenants", async () => {
    const rows = await hub.running.hub.platform.$queryRaw<{ name: string; secured: boolean; open: boolean }[]>`
      SELECT relname AS name, relrowsecurity AS secured, has_any_column_privilege('xvault_tenant', oid, 'SELECT') AS open
        FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY 1`;
    const open = rows.filter((row) => row.open && !row.secured).map((row) => row.name);
    assert.deepEqual(open, ["system_settings"]);
    assert.equal(rows.filter((row) => row.secured).length, walled.length);
  });
});
