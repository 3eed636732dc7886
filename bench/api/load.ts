// Asks a server as fast as it answers, by so many at once, over connections that stay open.
import { Agent, request } from "node:http";

export interface Question {
  readonly token: string;
  /** JSON, as it is sent. */
  readonly body: string;
}

export interface Load {
  readonly url: string;
  /** Asked one after the other, over and over. */
  readonly questions: readonly Question[];
  readonly concurrency: number;
  readonly seconds: number;
}

export interface Answered {
  readonly perSecond: number;
  /** Of every request, in milliseconds, shortest first. */
  readonly latencies: readonly number[];
}

/** Throws at the first answer that is none. */
export async function load({ url, questions, concurrency, seconds }: Load): Promise<Answered> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const latencies: number[] = [];
  const begun = performance.now();
  const until = begun + seconds * 1000;
  let next = 0;
  const askOn = async () => {
    for (let start = performance.now(); start < until; start = performance.now()) {
      const question = questions[next++ % questions.length];
      if (!question) return;
      const answer = await ask(url, question, agent);
      latencies.push(performance.now() - start);
      if (!answer.startsWith('{"data":{') || answer.includes('"errors":['))
        throw new Error(`${url} answered ${answer.slice(0, 500)}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, askOn));
  } finally {
    agent.destroy();
  }
  const perSecond = latencies.length / ((performance.now() - begun) / 1000);
  return { perSecond, latencies: latencies.toSorted((a, b) => a - b) };
}

/** The body of one answer. */
export function ask(url: string, { token, body }: Question, agent?: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = {
      "content-type": "application/json",
      accept: "application/json",
      authorization: `Bearer ${token}`,
      "content-length": Buffer.byteLength(body),
    };
    const asked = request(url, { method: "POST", headers, timeout: 60_000, ...(agent && { agent }) }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve(Buffer.concat(chunks).toString()));
      response.on("error", reject);
    });
    asked.on("timeout", () => asked.destroy(new Error(`${url} did not answer within a minute`)));
    asked.on("error", reject);
    asked.end(body);
  });
}

/** The value below which `share` of the sorted values lie. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
