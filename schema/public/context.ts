// What a public operation knows: the hub, who is asking, and the live feed.
import type { Actor } from "../../domain/actor.ts";
import type { Hub } from "../../domain/hub.ts";
import type { Session } from "../../domain/sessions.ts";
import type { Job, JobEvent, Snapshot, Worker } from "../../prisma/client/client.ts";

export interface PublicContext {
  readonly hub: Hub;
  /** Who is asking, as of now. Throws `UnauthenticatedError` for the anonymous: what asks for an actor is closed to them. */
  actor(): Actor;
  /** The same person with the roles they have by now; null once they may not be answered any more. At most seconds old. */
  currentActor(): Promise<Actor | null>;
  readonly live: Live;
  readonly sessions: Sessions;
  /** Where they come from, such as `198.51.100.7`; null where that is not known. */
  readonly address: string | null;
}

/** Makes the tokens that people show with every request. */
export interface Sessions {
  /** One for a session that has just begun or gone on. */
  issue(session: Session): Promise<{ accessToken: string; expiresAt: Date }>;
}

/** What a worker says of its work between two states. */
export interface JobProgressFacts {
  readonly leaseEpoch: number;
  readonly phase: string;
  readonly filesDone: number;
  readonly filesTotal: number | null;
  readonly bytesDone: number;
  readonly bytesTotal: number | null;
  readonly storedBytes: number;
  readonly currentPath?: string | undefined;
}

export type JobUpdate =
  | { readonly kind: "state"; readonly seq: number; readonly job: Job; readonly event: JobEvent | null }
  | { readonly kind: "progress"; readonly seq: number; readonly job: Job; readonly progress: JobProgressFacts };

/** What can be watched. Whoever may see it is for the caller to say. */
export interface Live {
  readonly job: LiveJob;
  readonly jobs: LiveRows<Job>;
  readonly snapshots: LiveRows<Snapshot>;
  readonly workers: LiveRows<Worker>;
}

export interface RowUpdate<Row> {
  readonly cursor: string;
  /** As it is now. Null once: all that was there before is told. */
  readonly row: Row | null;
}

export interface LiveRows<Row> {
  isCursor(text: string): boolean;
  /** What is there, or with `after` what changed since; then every row that changes. Of workers the tenant is empty. */
  watch(
    tenantId: string,
    options: { after?: string; sourceIds: readonly string[] | null; signal: AbortSignal },
  ): AsyncIterableIterator<RowUpdate<Row>>;
}

export interface LiveJob {
  /**
   * The present state, then every event once and in order, and the newest progress in between; ends after the final state.
   * With `after`: every event past that sequence number first.
   */
  watch(jobId: string, options: { after?: number; signal: AbortSignal }): AsyncIterableIterator<JobUpdate>;
}
