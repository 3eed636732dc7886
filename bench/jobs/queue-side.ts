// What each queue has to do in its process: take jobs in, and see all of them through.

/** Disposing closes its connections. */
export interface QueueSide extends AsyncDisposable {
  /** Puts so many jobs in, in batches of `batchSize` from `concurrency` callers at once. */
  enqueue(count: number): Promise<void>;
  /** Claims and completes so many; resolves when the end of the last one is committed. */
  drain(count: number): Promise<void>;
  /** Jobs that are not done yet. */
  left(): Promise<number>;
}

/** Of what is put in, on every side. */
export const batchSize = 500;
/** Callers at once, on the sides that leave that to the caller. */
export const concurrency = 4;

/** Calls `act` for batches that add up to `count`, `concurrency` at a time. */
export async function inBatches(count: number, act: (size: number) => Promise<unknown>): Promise<void> {
  let rest = count;
  await atOnce(async () => {
    while (rest > 0) {
      const size = Math.min(batchSize, rest);
      rest -= size;
      await act(size);
    }
  });
}

/** Several callers, each until it returns. */
export async function atOnce(act: (nth: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: concurrency }, (_, nth) => act(nth)));
}

/** As much as a source test carries. */
export const payload = {
  type: "SFTP",
  config: { host: "files.example.com", username: "backup", path: "/srv" },
  credentialId: null,
};
