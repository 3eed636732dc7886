// pg-boss: batches in, batches out, batches done.
import { PgBoss } from "pg-boss";
import { atOnce, batchSize, inBatches, payload, type QueueSide } from "./queue-side.ts";

const queue = "null";

export async function startPgBoss(connectionString: string): Promise<QueueSide> {
  const boss = new PgBoss({ connectionString, max: 10 });
  boss.on("error", (error) => {
    throw error;
  });
  await boss.start();
  await boss.createQueue(queue);
  return {
    enqueue: (count) =>
      inBatches(count, (size) =>
        boss.insert(
          queue,
          Array.from({ length: size }, () => ({ data: payload })),
        ),
      ),
    async drain(count) {
      let done = 0;
      await atOnce(async () => {
        while (done < count) {
          const jobs = await boss.fetch(queue, { batchSize });
          if (jobs.length === 0) continue;
          await boss.complete(
            queue,
            jobs.map(({ id }) => id),
          );
          done += jobs.length;
        }
      });
    },
    async left() {
      const { rows } = await boss
        .getDb()
        .executeSql("SELECT count(*)::int AS left FROM pgboss.job WHERE name = $1 AND state < 'completed'", [queue]);
      return rows[0].left;
    },
    [Symbol.asyncDispose]: () => boss.stop({ graceful: false }),
  };
}
