// The lanes of the queue: what a claimer has to be able to do for a job, in one word. The database says the same in `lane_of`.

export interface Lane {
  readonly lane: string;
  /** Of the jobs in it. */
  readonly type: string;
}

export interface Served {
  readonly jobTypes: readonly string[];
  readonly sourceTypes: readonly string[];
  /** Ids of the workers whose stores are at hand. */
  readonly stores: readonly string[];
}

/** `DELETE_SNAPSHOT@wrk_…` for what lies in one worker's store, `BACKUP/SFTP` for what reads a source of this type. */
function laneOf(type: string, sourceType: string | null, workerId: string | null): string {
  return `${type}${sourceType === null ? "" : `/${sourceType}`}${workerId === null ? "" : `@${workerId}`}`;
}

/** All lanes that a claimer may take jobs from. */
export function lanesFor({ jobTypes, sourceTypes, stores }: Served): Lane[] {
  return jobTypes.flatMap((type) =>
    [null, ...sourceTypes].flatMap((sourceType) =>
      [null, ...stores].map((workerId) => ({ type, lane: laneOf(type, sourceType, workerId) })),
    ),
  );
}
