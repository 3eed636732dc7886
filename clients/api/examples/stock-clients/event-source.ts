// Follows a job with the EventSource of browsers, as the package eventsource brings it to Node; its own `fetch` sets the header:
//   node clients/api/examples/stock-clients/event-source.ts http://127.0.0.1:8080/graphql JOB < file-with-the-token
import { text } from "node:stream/consumers";
import { EventSource } from "eventsource";

const [url = "", jobId = ""] = process.argv.slice(2);
const authorization = `Bearer ${(await text(process.stdin)).trim()}`;
const address = new URL(url);
address.searchParams.set("query", "subscription ($jobId: ID!) { jobProgressed(jobId: $jobId) { job { status } } }");
address.searchParams.set("variables", JSON.stringify({ jobId }));
const source = new EventSource(address, {
  fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, authorization } }),
});
source.addEventListener("next", ({ data }) => {
  const answer = JSON.parse(data);
  if (answer.errors) throw new Error(answer.errors[0].message);
  process.stdout.write(`${answer.data.jobProgressed.job.status}\n`);
});
// Without this, it would come back and begin anew.
source.addEventListener("complete", () => source.close());
