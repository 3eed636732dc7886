// A hostile MySQL server: lets everybody in, and answers queries with what a client should not fall for.
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** `infile` asks for a file of the client's machine; `endless` are rows without end. */
export type RogueAnswer = "infile" | "endless" | "silence" | readonly (readonly string[])[];

export interface RogueBehaviour {
  readonly version?: string;
  /** By the query; every query is answered with a request for a file where it is not set. */
  readonly answer?: (sql: string) => RogueAnswer;
  /** How the user is to sign in. @default mysql_native_password */
  readonly plugin?: string;
  /** What it asks to switch to. */
  readonly switchTo?: string;
}

export interface RogueMysql extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  /** All that clients sent: packets of signing in, queries, and files. */
  readonly received: () => Buffer;
  readonly queries: readonly string[];
}

const wantedFile = "/etc/passwd";

export async function stageRogueMysql(behaviour: RogueBehaviour = {}): Promise<RogueMysql> {
  const sockets = new Set<Socket>();
  const received: Buffer[] = [];
  const queries: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    serve(socket, behaviour, { received, queries }).catch(() => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    username: "someone",
    password: "password-of-ours",
    received: () => Buffer.concat(received),
    queries,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Seen {
  readonly received: Buffer[];
  readonly queries: string[];
}

async function serve(socket: Socket, behaviour: RogueBehaviour, { received, queries }: Seen): Promise<void> {
  const {
    version = "10.11.6-MariaDB",
    plugin = "mysql_native_password",
    switchTo,
    answer = () => "infile",
  } = behaviour;
  send(socket, 0, greeting(version, plugin));
  let sequence = 1;
  let signingIn = true;
  for await (const { payload, at } of packets(socket)) {
    received.push(payload);
    sequence = at + 1;
    if (signingIn) {
      const asks = switchTo !== undefined && at === 1;
      signingIn = asks;
      send(socket, sequence, asks ? Buffer.from(`\xfe${switchTo}\0`, "latin1") : ok);
    } else if (payload[0] === 3) {
      const sql = payload.toString("utf8", 1);
      queries.push(sql);
      await reply(socket, answer(sql));
    } else if (payload[0] === 1) socket.end();
    else send(socket, sequence, ok);
  }
}

async function reply(socket: Socket, answer: RogueAnswer): Promise<void> {
  if (answer === "silence") return;
  if (answer === "infile") return void send(socket, 1, Buffer.from(`\xfb${wantedFile}`, "latin1"));
  const columns = answer === "endless" ? 1 : (answer[0]?.length ?? 0);
  if (columns === 0) return void send(socket, 1, ok);
  let sequence = 1;
  send(socket, sequence++, Buffer.of(columns));
  for (let column = 0; column < columns; column++) send(socket, sequence++, columnDefinition(`c${column}`));
  send(socket, sequence++, endOfRows);
  const endless = answer === "endless";
  const closed = once(socket, "close");
  for (let index = 0; endless ? !socket.destroyed : index < answer.length; index++) {
    const row = endless ? ["endless ".repeat(1000)] : (answer[index] ?? []);
    if (!send(socket, sequence++, Buffer.concat(row.map(text)))) await drained(socket, closed);
  }
  if (!endless) send(socket, sequence, endOfRows);
}

async function drained(socket: Socket, closed: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  await Promise.race([once(socket, "drain", { signal: over.signal }), closed]).finally(() => over.abort());
}

const ok = Buffer.from([0, 0, 0, 2, 0, 0, 0]);
const endOfRows = Buffer.from([0xfe, 0, 0, 2, 0]);
/** LONG_PASSWORD, CONNECT_WITH_DB, LOCAL_FILES, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, MULTI_STATEMENTS, MULTI_RESULTS, PLUGIN_AUTH. */
const flags = 0x1 | 0x8 | 0x80 | 0x200 | 0x2000 | 0x8000 | 0x10000 | 0x20000 | 0x80000;

function greeting(version: string, plugin: string): Buffer {
  const middle = Buffer.alloc(4 + 8 + 1 + 18, "A");
  middle[12] = 0;
  middle.writeUInt16LE(flags & 0xffff, 13);
  middle[15] = 45;
  middle.writeUInt16LE(2, 16);
  middle.writeUInt16LE(flags >>> 16, 18);
  middle[20] = 21;
  middle.fill(0, 21);
  return Buffer.concat([
    Buffer.of(10),
    Buffer.from(`${version}\0`),
    middle,
    Buffer.from(`${"B".repeat(12)}\0${plugin}\0`),
  ]);
}

function columnDefinition(name: string): Buffer {
  const [catalogue, empty] = [text("def"), text("")];
  // utf8mb4, a VAR_STRING of 1024 bytes.
  const type = Buffer.from([0x0c, 45, 0, 0, 4, 0, 0, 0xfd, 0, 0, 0, 0, 0]);
  return Buffer.concat([catalogue, empty, empty, empty, text(name), text(name), type]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([
    bytes.length < 251 ? Buffer.of(bytes.length) : Buffer.of(0xfc, bytes.length & 0xff, bytes.length >>> 8),
    bytes,
  ]);
}

function send(socket: Socket, sequence: number, payload: Buffer): boolean {
  const header = Buffer.alloc(4);
  header.writeUIntLE(payload.length, 0, 3);
  header[3] = sequence & 0xff;
  return socket.write(Buffer.concat([header, payload]));
}

async function* packets(socket: Socket): AsyncGenerator<{ payload: Buffer; at: number }> {
  let buffered = Buffer.alloc(0);
  for await (const chunk of socket) {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 4 && buffered.length >= 4 + buffered.readUIntLE(0, 3)) {
      const end = 4 + buffered.readUIntLE(0, 3);
      const at = buffered[3] ?? 0;
      const payload = Buffer.from(buffered.subarray(4, end));
      buffered = buffered.subarray(end);
      yield { payload, at };
    }
  }
}
