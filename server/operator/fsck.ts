// Looks whether everything that xVault promises of its database and its disks holds. Changes nothing, and may run beside a hub at work.
import { setTimeout as pause } from "node:timers/promises";
import { artifactsAreWhole } from "./checks/artifacts.ts";
import { allIsOnRecord } from "./checks/audited.ts";
import { secretsAreHidden } from "./checks/canaries.ts";
import type { Check, Finding, Grounds } from "./checks/check.ts";
import { creationsAreOnRecord } from "./checks/creations.ts";
import { goodOnesAreKept } from "./checks/kept.ts";
import { leasesLive } from "./checks/leases.ts";
import { storesAreClean, tempsAreClean } from "./checks/leftovers.ts";
import { logsAreWhole } from "./checks/logs.ts";
import { oneSnapshotPerBackup } from "./checks/snapshots-of-jobs.ts";
import { statesGoForward } from "./checks/states.ts";

const checks: readonly Check[] = [
  oneSnapshotPerBackup,
  leasesLive,
  storesAreClean,
  tempsAreClean,
  logsAreWhole,
  statesGoForward,
  goodOnesAreKept,
  allIsOnRecord,
  creationsAreOnRecord,
  secretsAreHidden,
  artifactsAreWhole,
];

export type FsckOptions = Omit<Grounds, "leaseSeconds" | "graceSeconds"> & {
  /** @default 60 */
  readonly leaseSeconds?: number;
  /** @default 3600 */
  readonly graceSeconds?: number;
  /** How long what was found has to go away by itself. @default 500 */
  readonly secondLookAfterMs?: number;
};

/**
 * What does not hold. Rows and disks are not read in one moment, so whatever is found is looked for once more: what is gone by then
 * was work under way. Of a worker whose store is not given, no artifact is looked at. Throws where it cannot look.
 */
export async function fsck({ secondLookAfterMs = 500, ...options }: FsckOptions): Promise<Finding[]> {
  const grounds: Grounds = { leaseSeconds: 60, graceSeconds: 3600, ...options };
  const findings: Finding[] = [];
  for (const check of checks) {
    const first = await all(check, grounds);
    if (first.length === 0) continue;
    await pause(secondLookAfterMs, undefined, grounds.signal && { signal: grounds.signal });
    const again = new Set((await all(check, grounds)).map(({ invariant, about }) => `${invariant} ${about}`));
    findings.push(...first.filter(({ invariant, about }) => again.has(`${invariant} ${about}`)));
  }
  return findings;
}

async function all(check: Check, grounds: Grounds): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const finding of check(grounds)) findings.push(finding);
  return findings;
}
