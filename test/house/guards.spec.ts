// The rules that the database itself keeps, tried against it as a bug in the code above would.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { type StagedDatabase, stageDatabase } from "../stage/postgres.ts";

const id = (prefix: string, n: number) => `${prefix}_${n.toString(16).padStart(32, "0")}`;
const tenant = id("ten", 1);
const source = id("src", 1);

let database: StagedDatabase;
let client: pg.Client;

before(async () => {
  database = await stageDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(`INSERT INTO tenants (id, name) VALUES ('${tenant}', 'Ann')`);
  await client.query(
    `INSERT INTO sources (id, tenant_id, type, name, config) VALUES ('${source}', '${tenant}', 'SSH', 's', '{}')`,
  );
});

after(async () => {
  await client.end();
  await database[Symbol.asyncDispose]();
});

/** The name of the rule that refuses the statement, or null where the database takes it. */
async function refusal(sql: string): Promise<string | null> {
  try {
    await client.query(sql);
    return null;
  } catch (error) {
    const { code, constraint, message } = error as pg.DatabaseError;
    assert.equal(code, "23514", message);
    return constraint ?? "";
  }
}

let count = 0;

async function job(status: string, attempt = 1): Promise<string> {
  const jobId = id("job", ++count);
  await client.query(
    `INSERT INTO jobs (id, tenant_id, type, status, attempt, lease_epoch, event_seq)
     VALUES ('${jobId}', '${tenant}', 'BACKUP', '${status}', ${attempt}, 2, 5)`,
  );
  return jobId;
}

async function snapshot(status: string): Promise<string> {
  const snapshotId = id("snp", ++count);
  await client.query(
    `INSERT INTO snapshots (id, tenant_id, source_id, job_id, status, manifest, manifest_sha256, artifact_sha256, key_fingerprint)
     VALUES ('${snapshotId}', '${tenant}', '${source}', '${await job("COMPLETED")}', '${status}', '{}', '', '', '')`,
  );
  return snapshotId;
}

describe("a job", () => {
  const states = ["QUEUED", "RUNNING", "FINALIZING", "COMPLETED", "FAILED", "CANCELED"];
  const moves: Record<string, readonly string[]> = {
    QUEUED: ["RUNNING", "FAILED", "CANCELED"],
    RUNNING: ["QUEUED", "FINALIZING", "COMPLETED", "FAILED", "CANCELED"],
    FINALIZING: ["QUEUED", "COMPLETED", "FAILED", "CANCELED"],
    COMPLETED: [],
    FAILED: [],
    CANCELED: [],
  };
  for (const from of states) {
    it(`goes from ${from} to ${moves[from]?.join(", ") || "nowhere"}`, async () => {
      const open: string[] = [];
      for (const to of states) {
        const rule = await refusal(`UPDATE jobs SET status = '${to}' WHERE id = '${await job(from)}'`);
        if (rule === null && to !== from) open.push(to);
        else if (rule !== null) assert.equal(rule, "jobs_status_forward");
      }
      assert.deepEqual(open.sort(), [...(moves[from] ?? [])].sort());
    });
  }

  it("is not queued again when it has no attempt left", async () => {
    const last = await job("RUNNING", 3);
    assert.equal(await refusal(`UPDATE jobs SET status = 'QUEUED' WHERE id = '${last}'`), "jobs_attempt_left");
    assert.equal(await refusal(`UPDATE jobs SET status = 'QUEUED', attempt = 2 WHERE id = '${last}'`), null);
  });

  it("never has more attempts than it may", async () => {
    const last = await job("RUNNING", 3);
    assert.equal(await refusal(`UPDATE jobs SET attempt = 4 WHERE id = '${last}'`), "jobs_attempts");
  });

  it("never goes back in lease epoch or event sequence", async () => {
    const running = await job("RUNNING");
    for (const change of ["lease_epoch = 1", "event_seq = 4"])
      assert.equal(await refusal(`UPDATE jobs SET ${change} WHERE id = '${running}'`), "jobs_counters_forward");
    assert.equal(await refusal(`UPDATE jobs SET lease_epoch = 3, event_seq = 6 WHERE id = '${running}'`), null);
  });
});

describe("a snapshot", () => {
  const states = ["COMPLETED", "FAILED", "DELETING", "DELETED", "MISSING", "CORRUPT"];
  const moves: Record<string, readonly string[]> = {
    COMPLETED: ["DELETING", "MISSING", "CORRUPT"],
    FAILED: ["DELETING"],
    DELETING: ["DELETED"],
    DELETED: [],
    MISSING: ["COMPLETED", "DELETING", "CORRUPT"],
    CORRUPT: ["COMPLETED", "DELETING", "MISSING"],
  };
  for (const from of states) {
    it(`goes from ${from} to ${moves[from]?.join(", ") || "nowhere"}`, async () => {
      const open: string[] = [];
      for (const to of states) {
        const rule = await refusal(`UPDATE snapshots SET status = '${to}' WHERE id = '${await snapshot(from)}'`);
        if (rule === null && to !== from) open.push(to);
        else if (rule !== null) assert.equal(rule, "snapshots_status_forward");
      }
      assert.deepEqual(open.sort(), [...(moves[from] ?? [])].sort());
    });
  }

  it("keeps the time it was made", async () => {
    const made = await snapshot("COMPLETED");
    assert.equal(
      await refusal(`UPDATE snapshots SET created_at = now() - interval '1 day' WHERE id = '${made}'`),
      "snapshots_created_once",
    );
  });
});

describe("a log", () => {
  it("of a job is appended to, never changed", async () => {
    const logged = await job("RUNNING");
    await client.query(
      `INSERT INTO job_events (job_id, seq, tenant_id, kind) VALUES ('${logged}', 1, '${tenant}', 'a')`,
    );
    assert.equal(
      await refusal(`UPDATE job_events SET kind = 'b' WHERE job_id = '${logged}'`),
      "job_events_append_only",
    );
    assert.equal(await refusal(`DELETE FROM jobs WHERE id = '${logged}'`), null);
  });

  it("of the audit is neither changed, nor shortened, nor emptied", async () => {
    await client.query("INSERT INTO audit_events (id, actor_kind, verb) VALUES ('aud_1', 'user', 'createTenant')");
    for (const change of ["UPDATE audit_events SET verb = 'x'", "DELETE FROM audit_events", "TRUNCATE audit_events"])
      assert.equal(await refusal(change), "audit_events_append_only");
  });
});

describe("a row", () => {
  const schedule = (cron: string, interval: string) =>
    `INSERT INTO schedules (id, tenant_id, source_id, cron, interval_minutes)
     VALUES ('${id("sch", ++count)}', '${tenant}', '${source}', ${cron}, ${interval})`;
  const key = (custody: string, sealed: string, kek: string) =>
    `INSERT INTO tenant_keys (id, tenant_id, public_key, fingerprint, custody, sealed_private_key, kek_id)
     VALUES ('${id("key", ++count)}', '${tenant}', 'age1', '${count}', '${custody}', ${sealed}, ${kek})`;

  for (const [what, sql, rule] of [
    ["of a schedule with cron", schedule("'0 3 * * *'", "NULL"), null],
    ["of a schedule with an interval", schedule("NULL", "60"), null],
    ["of a schedule with both", schedule("'0 3 * * *'", "60"), "schedules_rhythm"],
    ["of a schedule with neither", schedule("NULL", "NULL"), "schedules_rhythm"],
    ["of a schedule with an interval of nothing", schedule("NULL", "0"), "schedules_interval"],
    ["of a customer's key", key("CUSTOMER", "NULL", "NULL"), null],
    ["of a customer's key with its private half", key("CUSTOMER", "'\\x00'", "'k1'"), "tenant_keys_custody"],
    ["of a platform key", key("PLATFORM", "'\\x00'", "'k1'"), null],
    ["of a platform key sealed by nobody knows what", key("PLATFORM", "'\\x00'", "NULL"), "tenant_keys_sealing"],
    ["with an id that climbs", "INSERT INTO tenants (id, name) VALUES ('../../etc', '')", "tenants_id_format"],
    ["of a tenant below nothing", `UPDATE tenants SET max_bytes = -1 WHERE id = '${tenant}'`, "tenants_quotas"],
    [
      "of a user in capitals",
      `INSERT INTO users (id, email, password_hash) VALUES ('usr_1', 'Ann@example.com', '')`,
      "users_email_lower",
    ],
  ] as const) {
    it(`${what} is ${rule === null ? "taken" : `refused by ${rule}`}`, async () =>
      assert.equal(await refusal(sql), rule));
  }

  it("of a snapshot has no size below nothing", async () => {
    const made = await snapshot("COMPLETED");
    assert.equal(await refusal(`UPDATE snapshots SET stored_bytes = -1 WHERE id = '${made}'`), "snapshots_sizes");
  });
});

describe("the queue", () => {
  it("is claimed from through the index of what is queued, and rung from the index of what is unrung", async () => {
    await client.query("SET enable_seqscan = off");
    const plan = async (sql: string) => JSON.stringify((await client.query(`EXPLAIN (FORMAT JSON) ${sql}`)).rows);
    const first = `SELECT id FROM jobs WHERE status = 'QUEUED' AND lane = 'VERIFY' AND priority = 0 AND tenant_id = '${tenant}'
      AND not_before <= now() ORDER BY not_before, id LIMIT 1`;
    assert.match(await plan(first), /jobs_lane_idx/);
    assert.match(await plan("SELECT id FROM outbox WHERE rung_at IS NULL ORDER BY id LIMIT 100"), /outbox_unrung_idx/);
  });
});
