// Sends made-up operations over HTTP, and looks at every answer.
import { signIn } from "../../stage/client.ts";
import { fuzzOperation } from "./documents.ts";
import { type Findings, type FuzzedHub, inParallel } from "./ground.ts";
import { type Random, randomOf } from "./random.ts";
import { mangle } from "./values.ts";

const width = 6;
/** A subscription may have nothing to tell. */
const quietMs = 300;

export async function sendDocuments(
  { hub, person, ground }: FuzzedHub,
  seed: number,
  count: number,
): Promise<Findings> {
  const faults: string[] = [];
  const answers: Record<string, number> = {};
  let token = person.token;
  await inParallel(count, width, async (n) => {
    // Whoever may do everything may sign themselves out too.
    if (n % 100 === 0) token = await signIn(hub.graphqlUrl, person);
    const random = randomOf(seed * 1_000_003 + n);
    const { url, init } = request(random, hub.graphqlUrl, token, fuzzOperation(random, ground));
    const { status, text } = await answerOf(url, init);
    answers[status] = (answers[status] ?? 0) + 1;
    if (status === 0 || status >= 500 || text.includes('"INTERNAL"') || /did you mean/i.test(text))
      faults.push(
        `seed ${seed}, operation ${n}: ${status} ${text.slice(0, 500)}\n  ${String(init.body ?? url).slice(0, 1_000)}`,
      );
  });
  return { faults, sent: count, answers };
}

interface Request {
  readonly url: string;
  readonly init: RequestInit;
}

function request(
  random: Random,
  url: string,
  token: string,
  { query, variables }: { query: string; variables: string },
): Request {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (random.chance(0.9)) headers.authorization = `Bearer ${token}`;
  if (random.chance(0.2))
    headers.accept = random.pick([
      "text/event-stream",
      "application/graphql-response+json",
      "multipart/mixed",
      "x",
      "*/*",
    ]);
  if (random.chance(0.05) && query.length + variables.length < 4_000) {
    const search = new URLSearchParams({ query: query.toWellFormed(), variables: variables.toWellFormed() });
    return { url: `${url}?${search}`, init: { headers } };
  }
  let body = `{"query":${JSON.stringify(query)},"variables":${variables}}`;
  if (random.chance(0.003)) body = `{"query":"{viewer{id}}","variables":{"x":"${"x".repeat(10 * 1024 * 1024)}"}}`;
  if (random.chance(0.05)) body = mangle(random, body);
  const bytes = Buffer.from(body);
  // Bytes that are no UTF-8.
  if (random.chance(0.05)) bytes[random.below(bytes.length)] = random.pick([0xff, 0xc0, 0x80, 0xed]);
  return { url, init: { method: "POST", headers, body: bytes } };
}

/** A stream is read until its first event, or for as long as one that says nothing is worth waiting for. Status 0: no answer at all. */
async function answerOf(url: string, init: RequestInit): Promise<{ status: number; text: string }> {
  const over = new AbortController();
  const patience = setTimeout(() => over.abort(), 20_000);
  try {
    const response = await fetch(url, { ...init, signal: over.signal });
    const { status } = response;
    if (!/^(text\/event-stream|multipart\/mixed)/.test(response.headers.get("content-type") ?? ""))
      return { status, text: await response.text() };
    setTimeout(() => over.abort(), quietMs);
    return { status, text: await firstEvent(response) };
  } catch (error) {
    // A body that is too large is refused while it is still being sent.
    const { cause } = error as Error;
    if (((init.body as Buffer | undefined)?.byteLength ?? 0) > 256 * 1024) return { status: 413, text: "" };
    return { status: 0, text: `${error} ${cause}` };
  } finally {
    clearTimeout(patience);
    over.abort();
  }
}

async function firstEvent({ body }: Response): Promise<string> {
  let text = "";
  try {
    for await (const chunk of body ?? []) {
      text += Buffer.from(chunk).toString();
      if (/event:[\s\S]*\n\n|\}\r?\n---/.test(text)) break;
    }
  } catch {
    // It had nothing more to say.
  }
  return text;
}
