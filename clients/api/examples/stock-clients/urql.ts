// Asks, follows a job and cancels it with urql, whose subscriptions go through graphql-ws:
//   node clients/api/examples/stock-clients/urql.ts http://127.0.0.1:8080/graphql JOB < file-with-the-token
import { text } from "node:stream/consumers";
import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";

const [url = "", jobId = ""] = process.argv.slice(2);
const authorization = `Bearer ${(await text(process.stdin)).trim()}`;
const sockets = createClient({ url: url.replace(/^http/, "ws"), connectionParams: { authorization } });
const client = new Client({
  url,
  preferGetMethod: false,
  fetchOptions: { headers: { authorization } },
  exchanges: [
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query = "", variables }) => ({
        subscribe: (sink) => ({
          unsubscribe: sockets.subscribe(
            { query, variables: { ...variables } },
            {
              ...sink,
              next: ({ data = null, errors }) => sink.next(errors ? { data, errors: [...errors] } : { data }),
            },
          ),
        }),
      }),
    }),
  ],
});

const who = await client.query("{ viewer { email } }", {}).toPromise();
if (who.error) throw who.error;
process.stdout.write(`${who.data.viewer.email}\n`);

const cancel =
  "mutation ($jobId: ID!) { cancelJob(input: { jobId: $jobId }) { __typename ... on Failure { message } } }";
const ended = Promise.withResolvers<void>();
const watching = client
  .subscription("subscription ($jobId: ID!) { jobProgressed(jobId: $jobId) { job { status } } }", { jobId })
  .subscribe(({ data, error }) => {
    if (error) return ended.reject(error);
    const { status } = data.jobProgressed.job;
    process.stdout.write(`${status}\n`);
    if (status === "QUEUED") client.mutation(cancel, { jobId }).toPromise().catch(ended.reject);
    if (status === "CANCELED" || status === "COMPLETED" || status === "FAILED") ended.resolve();
  });
await ended.promise;
watching.unsubscribe();
await sockets.dispose();
