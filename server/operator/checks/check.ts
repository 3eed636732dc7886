// What a check of `xvault fsck` is: it looks at the grounds it is given and says what does not hold there.
import type { Prisma, Snapshot } from "../../../prisma/client/client.ts";
import type { Database } from "../../../prisma/connect.ts";

/** What always holds, in the words of docs/guarantees.md. */
export const invariants = {
  I1: "Every completed snapshot has an artifact that is whole, is the one the hub knows, and opens.",
  I2: "Every completed backup made one snapshot, and no other job made any.",
  I3: "No job is at work without a lease that lives.",
  I4: "Nothing unfinished lies around.",
  I5: "No artifact is without its snapshot.",
  I6: "Every job's log is whole, in order, and ends with the state the job is in.",
  I7: "No secret lies anywhere in clear.",
  I8: "Jobs and snapshots only ever go forward, and no job has more attempts than it may.",
  I9: "Every live source that ever had a good snapshot has one, unless somebody asked for its deletion.",
  I10: "Everything that was done is on record, once.",
} as const;

export type Invariant = keyof typeof invariants;

export interface Finding {
  readonly invariant: Invariant;
  /** The row's id, or the path, that it is about. */
  readonly about: string;
  readonly sentence: string;
}

/** A worker's directory of artifacts. */
export interface Store {
  readonly workerId: string;
  readonly base: string;
}

/** Printable path to what is there: `directory`, `link to <target>`, or `file of <n> bytes, sha256 <hex>`. */
export type DescribedTree = ReadonlyMap<string, string>;

/** What somebody saw who watched a job: its states, as they were told, the first one being the state at the beginning. */
export interface Witness {
  readonly jobId: string;
  readonly states: readonly string[];
}

export interface Grounds {
  readonly db: Database;
  readonly stores: readonly Store[];
  /** `WORKER_TEMP_BASE` of workers and of restore services. */
  readonly temps: readonly string[];
  /** `HUB_LEASE_SECONDS`. */
  readonly leaseSeconds: number;
  /** How long what is unfinished, or nobody's, may lie around before it is told. */
  readonly graceSeconds: number;
  /** The private key that opens what was sealed to it, or null. Without it artifacts are looked at from outside alone. */
  readonly identityOf?: (tenantId: string, keyFingerprint: string) => Promise<string | null>;
  /** Unpacks every artifact with age, zstd and tar as well, into a throw-away directory. Takes `identityOf`. */
  readonly withStockTools?: boolean;
  /** What is wrong with what came out of a snapshot; null: it is what the source held. Takes `identityOf`. */
  readonly oracle?: (snapshot: Snapshot, tree: DescribedTree) => string | null;
  readonly witnesses?: readonly Witness[];
  /** Secrets that must be nowhere, and files and directories to look for them in besides the database, stores and temps. */
  readonly canaries?: readonly string[];
  readonly canaryPlaces?: readonly string[];
  readonly signal?: AbortSignal;
}

export type Check = (grounds: Grounds) => AsyncIterable<Finding>;

/** More than this of one kind say nothing new. */
const mostOfAKind = 1000;

/** Runs a statement that answers `about` and `sentence` for each thing that is wrong. */
export async function* findingsOf(
  { db }: Grounds,
  invariant: Invariant,
  statement: Prisma.Sql,
): AsyncGenerator<Finding> {
  const rows = await db.$queryRaw<{ about: string; sentence: string }[]>(statement);
  for (const { about, sentence } of rows.slice(0, mostOfAKind)) yield { invariant, about, sentence };
}
