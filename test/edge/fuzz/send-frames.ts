// Sends bytes that are nearly HTTP, and messages that are nearly graphql-ws, and looks at every answer.
import { once } from "node:events";
import { WebSocket } from "ws";
import { sendRaw, statusOf } from "../raw.ts";
import { fuzzOperation } from "./documents.ts";
import { type Findings, type FuzzedHub, inParallel } from "./ground.ts";
import { type Random, randomOf } from "./random.ts";
import { mangle, oddValue } from "./values.ts";

const width = 16;
/** How long an answer is listened for: a request that is cut short never gets one. */
const patienceMs = 150;

export async function sendFrames(fuzzed: FuzzedHub, seed: number, count: number): Promise<Findings> {
  const faults: string[] = [];
  const answers: Record<string, number> = {};
  await inParallel(count, width, async (n) => {
    const random = randomOf(seed * 1_000_003 + n);
    const sent = n % 2 === 0 ? await sendHttp(random, fuzzed) : await sendSocket(random, fuzzed);
    answers[sent.answer] = (answers[sent.answer] ?? 0) + 1;
    if (sent.fault) faults.push(`seed ${seed}, frame ${n}: ${sent.answer} ${sent.fault.slice(0, 500)}`);
  });
  return { faults, sent: count, answers };
}

interface Sent {
  readonly answer: string;
  readonly fault?: string;
}

async function sendHttp(random: Random, { hub, person, ground }: FuzzedHub): Promise<Sent> {
  const { host } = new URL(hub.graphqlUrl);
  const { query } = fuzzOperation(random, ground);
  const body = JSON.stringify({ query: query.slice(0, 2_000) });
  const target = random.pick([
    "/graphql",
    "/graphql",
    "/graphql?query={__typename}",
    "/health",
    "*",
    "//",
    "http://x/",
    "/%2e%2e/",
    "/graphiql",
  ]);
  const head = [
    `${random.pick(["POST", "POST", "GET", "OPTIONS", "TRACE", "CONNECT", "post", "PRI"])} ${target} HTTP/1.1`,
    `Host: ${host}`,
    "Content-Type: application/json",
    `Authorization: Bearer ${person.token}`,
    `Content-Length: ${Buffer.byteLength(body) + random.pick([0, 0, 0, 1, -1])}`,
    ...(random.chance(0.2)
      ? [
          random.pick([
            "Transfer-Encoding: chunked",
            "Expect: 100-continue",
            "Upgrade: h2c",
            "Connection: Upgrade",
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 99\r\nSec-WebSocket-Key: x",
            `X: ${"y".repeat(20_000)}`,
          ]),
        ]
      : []),
  ].join("\r\n");
  const text = `${head}\r\n\r\n${body}`;
  const answer = await sendRaw(
    hub.graphqlUrl,
    [Buffer.from(random.chance(0.7) ? mangle(random, text) : text, "latin1")],
    {
      withinMs: patienceMs,
    },
  );
  const status = statusOf(answer);
  // What HTTP itself answers to a method, an expectation or an extension that it does not know.
  const fault =
    status >= 500 && status !== 501 && status !== 505 ? answer.text : answer.text.includes('"INTERNAL"') && answer.text;
  return { answer: `HTTP ${status}`, ...(fault && { fault: `${fault}\n  ${text}` }) };
}

async function sendSocket(random: Random, { hub, person, ground }: FuzzedHub): Promise<Sent> {
  const socket = new WebSocket(hub.graphqlUrl.replace("http:", "ws:"), "graphql-transport-ws");
  let heard = "";
  socket.on("error", () => undefined);
  socket.on("message", (text) => {
    heard += String(text);
  });
  const closed = once(socket, "close");
  await Promise.race([once(socket, "open"), closed]);
  const said: string[] = [];
  const say = (text: string) => {
    said.push(text);
    if (socket.readyState === WebSocket.OPEN) socket.send(text, { binary: random.chance(0.1) });
  };
  const init = `{"type":"connection_init","payload":{"authorization":"Bearer ${person.token}"}}`;
  say(random.chance(0.2) ? mangle(random, init) : init);
  for (let times = random.below(5); times >= 0; times--) say(message(random, ground));
  // Bytes that are no frame at all.
  if (random.chance(0.2))
    (socket as unknown as { _socket: NodeJS.WritableStream })._socket?.write(Buffer.from(oddValue(random)));
  const quiet = new Promise<null>((resolve) => setTimeout(resolve, patienceMs, null));
  const end = (await Promise.race([closed, quiet])) as [number] | null;
  socket.terminate();
  const code = end?.[0] ?? 0;
  const bad = code === 4500 || code === 1011 || heard.includes('"INTERNAL"');
  return { answer: `socket ${code}`, ...(bad && { fault: `${heard}\n  ${said.join("\n  ")}` }) };
}

function message(random: Random, ground: FuzzedHub["ground"]): string {
  const { query, variables } = fuzzOperation(random, ground);
  const type = random.pick([
    "subscribe",
    "subscribe",
    "subscribe",
    "complete",
    "ping",
    "pong",
    "connection_init",
    "next",
    "stop",
  ]);
  const id = random.pick([`"1"`, `"2"`, `""`, "1", "null", `"__proto__"`, `"toString"`]);
  const operation = `{"query":${JSON.stringify(query)},"variables":${variables}}`;
  const payload = random.chance(0.8) ? operation : oddValue(random);
  const text = `{"id":${id},"type":"${type}","payload":${payload}}`;
  return random.chance(0.3) ? mangle(random, text) : text;
}
