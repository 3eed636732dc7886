// I6: the log of a job has no gap, tells one end, and tells the state that the job is in; and so did whoever watched it.
import { Prisma } from "../../../prisma/client/client.ts";
import { type Finding, findingsOf, type Grounds, type Witness } from "./check.ts";

const ends = ["COMPLETED", "FAILED", "CANCELED"];

export async function* logsAreWhole(grounds: Grounds): AsyncGenerator<Finding> {
  yield* findingsOf(
    grounds,
    "I6",
    Prisma.sql`
      SELECT j.id AS about, format('Its log has %s lines, the last of them number %s, and the job counts %s.',
          COALESCE(e.lines, 0), COALESCE(e.newest, 0), j.event_seq) AS sentence
        FROM jobs j LEFT JOIN (
          SELECT job_id, count(*) AS lines, max(seq) AS newest FROM job_events GROUP BY job_id
        ) e ON e.job_id = j.id
        WHERE COALESCE(e.lines, 0) <> j.event_seq OR COALESCE(e.newest, 0) <> j.event_seq
      UNION ALL
      SELECT j.id, format('Its log says %s, and the job is %s.', COALESCE(last.status, 'nothing'), j.status)
        FROM jobs j LEFT JOIN LATERAL (
          SELECT facts->>'status' AS status FROM job_events
            WHERE job_id = j.id AND kind = 'state' ORDER BY seq DESC LIMIT 1
        ) last ON true
        WHERE last.status IS DISTINCT FROM j.status::text`,
  );
  for (const witness of grounds.witnesses ?? []) yield* heard(grounds, witness);
}

/** A subscription tells the present state first; what ended before it began is told once as well. */
async function* heard({ db }: Grounds, { jobId, states }: Witness): AsyncGenerator<Finding> {
  const finding = (sentence: string): Finding => ({ invariant: "I6", about: jobId, sentence });
  const job = await db.job.findUnique({ where: { id: jobId }, select: { status: true } });
  const ended = states.filter((state) => ends.includes(state));
  if (!job) yield finding("Somebody watched a job that there is not.");
  else if (ends.includes(job.status) && ended.length !== 1)
    yield finding(`Whoever watched it was told of ${ended.length} ends: ${states.join(", ")}.`);
  else if (ended.length > 0 && states.at(-1) !== job.status)
    yield finding(`Whoever watched it was told ${states.join(", ")}, and it is ${job.status}.`);
}
