// `npm run bench -- CLAIM [--size MB] [--turns N] [--only PART] …`: measures one claim side by side with a peer, in one run.
import { parseArgs } from "node:util";
import { api } from "./api.ts";
import { artifact } from "./artifact.ts";
import { artifactGrowth } from "./artifact-growth.ts";
import { jobs } from "./jobs.ts";
import { largeFile } from "./large-file.ts";
import { live } from "./live.ts";
import { pipe } from "./pipe.ts";
import { sources } from "./sources.ts";

export interface BenchOptions {
  /** Of the data that is measured with, in megabytes (10^6). */
  readonly sizeMB: number;
  /** Of each side, one after the other. */
  readonly turns: number;
  /** One part of a claim that has several. */
  readonly only?: string | undefined;
  /** How many watch at the same time. */
  readonly subscriptions: number;
  /** Events a second. */
  readonly rate: number;
  /** How much is in the database: tenants, sources of each, snapshots of each source. */
  readonly tenants: number;
  readonly sources: number;
  readonly snapshots: number;
  /** Null jobs of a turn. */
  readonly jobs: number;
  /** Most that wait while claims are measured. */
  readonly queued: number;
  /** How long a turn takes, where it is not the work that ends it; each claim has its own default. */
  readonly seconds?: number | undefined;
}

const claims: Record<string, { about: string; run: (options: BenchOptions) => Promise<void> }> = {
  api: {
    about: "the public API against PostGraphile on the same database, and the cost of the second wall",
    run: api,
  },
  artifact: { about: "sealing, extracting and picking against tar, zstd and age", run: artifact },
  "artifact-growth": {
    about: "time for each gigabyte and each entry, and memory, of 1, 2, 4 and 8 times --size",
    run: artifactGrowth,
  },
  pipe: { about: "a backup over SFTP against ssh host tar -c | zstd -3 | age -r", run: pipe },
  sources: { about: "every source against ssh | tar, rclone, sftp, pg_dump and mariadb-dump", run: sources },
  "large-file": {
    about: "the worker's peak memory while it backs up one large file (--size 2150: 2 GiB)",
    run: largeFile,
  },
  jobs: {
    about: "the queue of --jobs against graphile-worker and pg-boss, and what a claim of --queued costs",
    run: jobs,
  },
  live: { about: "--subscriptions on a hub at --rate events/s for --seconds, against bare redis", run: live },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: "string", default: "1000" },
    turns: { type: "string", default: "5" },
    only: { type: "string" },
    subscriptions: { type: "string", default: "1000" },
    rate: { type: "string", default: "200" },
    tenants: { type: "string", default: "50" },
    sources: { type: "string", default: "200" },
    snapshots: { type: "string", default: "100" },
    jobs: { type: "string", default: "10000" },
    queued: { type: "string", default: "1000000" },
    seconds: { type: "string" },
  },
});
const claim = claims[positionals[0] ?? ""];
if (claim)
  await claim.run({
    sizeMB: Number(values.size),
    turns: Number(values.turns),
    only: values.only,
    subscriptions: Number(values.subscriptions),
    rate: Number(values.rate),
    tenants: Number(values.tenants),
    sources: Number(values.sources),
    snapshots: Number(values.snapshots),
    jobs: Number(values.jobs),
    queued: Number(values.queued),
    seconds: Number(values.seconds),
  });
else {
  const list = Object.entries(claims).map(([name, { about }]) => `  ${name.padEnd(17)}${about}\n`);
  process.stdout.write(
    `Usage: npm run bench -- CLAIM [--size MB] [--turns N] [--only PART]\n       npm run bench -- live [--subscriptions N] [--rate N] [--seconds N] [--turns N]\n\nClaims:\n${list.join("")}`,
  );
  process.exitCode = positionals[0] === undefined ? 0 : 2;
}
