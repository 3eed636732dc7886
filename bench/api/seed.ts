// Fills an empty, migrated database with tenants that have been backing up for months: as many rows as asked for, in minutes.
import pg from "pg";

export interface ApiSize {
  readonly tenants: number;
  /** Of each tenant. */
  readonly sources: number;
  /** Of each source. */
  readonly snapshots: number;
}

/** A million backups take a few minutes. Leaves the tables vacuumed and analysed. */
export async function seed(url: string, size: ApiSize): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    // Every reference is right by construction, so nobody looks each of them up; and indexes are made once, not row by row.
    await client.query(
      "SET session_replication_role = replica; SET maintenance_work_mem = '512MB'; SET work_mem = '256MB'",
    );
    const { rows: indexes } = await client.query<{ name: string; definition: string }>(secondaryIndexes);
    for (const { name } of indexes) await client.query(`DROP INDEX "${name}"`);
    for (const statement of statements(size)) await client.query(statement);
    for (const { definition } of indexes) await client.query(definition);
    await client.query("VACUUM (ANALYZE)");
    await client.query("CHECKPOINT");
  } finally {
    await client.end();
  }
}

/** Those of the large tables that no constraint stands on. */
const secondaryIndexes = `
  SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
   WHERE indrelid IN ('jobs'::regclass, 'snapshots'::regclass, 'job_events'::regclass) AND NOT indisunique`;

/** Ids as the hub makes them: they sort by time, and end in what looks like chance. */
const id = (prefix: string, second: string, seed: string) =>
  `'${prefix}_' || lpad(to_hex(1760000000000 + (${second})::bigint * 1000), 12, '0') || '7' || substr(md5(${seed}), 1, 19)`;
const at = (second: string) => `timestamptz 'epoch' + make_interval(secs => 1760000000 + ${second})`;

const tenantId = id("ten", "t", "'t' || t");
const sourceId = id("src", "t * 1000 + s", "'s' || t || '.' || s");
const credentialId = id("crd", "t * 1000 + s", "'c' || t || '.' || s");
// Backups of all sources interleave, hour by hour, as they do in life: rows of one source lie far from each other.
const hour = "100000 + n * 3600 + (t * 7 + s) % 3600";
const jobId = id("job", hour, "'j' || t || '.' || s || '.' || n");
const snapshotId = id("snp", hour, "'p' || t || '.' || s || '.' || n");

/** What a worker's manifest.json holds, in kind and size. */
const manifest = `jsonb_build_object('format', 1, 'snapshotId', md5('p' || n), 'createdAt', '2026-01-01T00:00:00.000Z',
  'counts', jsonb_build_object('files', 1200, 'directories', 80, 'symlinks', 3, 'hardlinks', 0),
  'artifact', jsonb_build_object('plainBytes', 73400320, 'sealedBytes', 20971520, 'sha256', md5('a' || n) || md5('b' || n)),
  'catalogue', jsonb_build_object('bytes', 48213, 'sha256', md5('c' || n) || md5('d' || n)),
  'recipients', jsonb_build_array('age1' || md5('r' || t) || md5('q' || t)), 'warnings', '{}'::jsonb)`;

function statements({ tenants, sources, snapshots }: ApiSize): string[] {
  const everyTenant = `generate_series(1, ${tenants}) t`;
  const everySource = `${everyTenant}, generate_series(1, ${sources}) s`;
  const everyBackup = `generate_series(1, ${snapshots}) n, ${everySource}`;
  return [
    `INSERT INTO tenants (id, name, created_at, updated_at) SELECT ${tenantId}, 'Tenant ' || t, ${at("t")}, ${at("t")} FROM ${everyTenant}`,
    `INSERT INTO users (id, email, name, password_hash)
       SELECT ${id("usr", "t", "'u' || t")}, 'member' || t || '@example.com', 'Member ' || t, '-' FROM ${everyTenant}`,
    `INSERT INTO memberships (tenant_id, user_id, role) SELECT ${tenantId}, ${id("usr", "t", "'u' || t")}, 'MEMBER' FROM ${everyTenant}`,
    `INSERT INTO workers (id, name, token_hash, status) VALUES ('wrk_${"0".repeat(32)}', 'worker', 'none', 'OFFLINE')`,
    `INSERT INTO credentials (id, tenant_id, name, fields, ciphertext, kek_id, created_at)
       SELECT ${credentialId}, ${tenantId}, 'Key ' || s, '{privateKey}', decode(repeat(md5(s::text), 10), 'hex'), 'kek', ${at("t * 1000 + s")} FROM ${everySource}`,
    `INSERT INTO sources (id, tenant_id, type, name, config, credential_id, host_key, created_at)
       SELECT ${sourceId}, ${tenantId}, 'SFTP', 'Site ' || s,
         jsonb_build_object('host', 'site-' || s || '.example.com', 'port', 22, 'username', 'backup', 'path', '/var/www'),
         ${credentialId}, 'SHA256:' || md5('h' || s), ${at("t * 1000 + s")} FROM ${everySource}`,
    `INSERT INTO jobs (id, tenant_id, type, status, source_id, worker_id, lease_epoch, attempt, event_seq, changed_in, created_at, started_at, ended_at)
       SELECT ${jobId}, ${tenantId}, 'BACKUP', CASE WHEN n % 20 = 0 THEN 'FAILED' ELSE 'COMPLETED' END::job_status, ${sourceId},
         'wrk_${"0".repeat(32)}', 1, 1, 3, n, ${at(hour)}, ${at(hour)}, ${at(hour)} + interval '1 minute' FROM ${everyBackup}`,
    `INSERT INTO job_events (job_id, seq, tenant_id, kind, facts, at)
       SELECT ${jobId}, seq, ${tenantId}, 'state', jsonb_build_object('status', 'RUNNING', 'attempt', seq), ${at(hour)}
         FROM ${everyBackup}, generate_series(1, 2) seq`,
    `INSERT INTO snapshots (id, tenant_id, source_id, job_id, status, plain_bytes, stored_bytes, file_count, duration_ms, manifest,
         manifest_sha256, artifact_sha256, key_fingerprint, worker_id, local_path, changed_in, created_at)
       SELECT ${snapshotId}, ${tenantId}, ${sourceId}, ${jobId}, 'COMPLETED', 73400320 + n, 20971520 + n, 1200, 61000, ${manifest},
         md5('m' || n), md5('a' || n) || md5('b' || n), 'sha256:' || md5('k' || t), 'wrk_${"0".repeat(32)}',
         'tenants/' || ${tenantId} || '/sources/' || ${sourceId}, n, ${at(hour)} + interval '1 minute' FROM ${everyBackup}`,
  ];
}
