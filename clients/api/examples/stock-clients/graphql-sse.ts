// Follows a job over server-sent events with the stock graphql-sse client, in its “distinct connections” mode:
//   node clients/api/examples/stock-clients/graphql-sse.ts http://127.0.0.1:8080/graphql JOB < file-with-the-token
import { text } from "node:stream/consumers";
import { createClient } from "graphql-sse";

const [url = "", jobId = ""] = process.argv.slice(2);
const authorization = `Bearer ${(await text(process.stdin)).trim()}`;
const client = createClient({ url, headers: { authorization } });
const query = "subscription ($jobId: ID!) { jobProgressed(jobId: $jobId) { cursor job { status } } }";
for await (const { data, errors } of client.iterate<{ jobProgressed: { job: { status: string } } }>({
  query,
  variables: { jobId },
})) {
  if (errors?.[0]) throw new Error(errors[0].message);
  process.stdout.write(`${data?.jobProgressed.job.status}\n`);
}
client.dispose();
