// The first packets of a MySQL session: reading them off a stream, and the few fields that decide about encryption and passwords.
import type { Duplex } from "node:stream";

/** Packets of a sign-in are short. */
const longestPacket = 65_536;
const headerBytes = 4;
const clientSsl = 0x0800;
/** What the client says of itself before its user name; alone, it is the request for TLS. */
const sslRequestBytes = 32;

export interface Packet {
  readonly sequence: number;
  readonly payload: Buffer;
}

export interface Greeting {
  readonly version: string;
  readonly offersTls: boolean;
  /** How the server would have its users sign in; it may still ask for another way. */
  readonly plugin: string;
  /** Where the flag for TLS is. */
  readonly flagsAt: number;
}

export function framed({ sequence, payload }: Packet): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUIntLE(payload.length, 0, 3);
  header[3] = sequence & 0xff;
  return Buffer.concat([header, payload]);
}

/** Throws where the stream ends first, or where the packet is none of a sign-in. */
export async function readPacket(stream: Duplex, signal: AbortSignal): Promise<Packet> {
  return readPayload(stream, await readHeader(stream, signal), signal);
}

export function readHeader(stream: Duplex, signal: AbortSignal): Promise<Buffer> {
  return readExactly(stream, headerBytes, signal);
}

export async function readPayload(stream: Duplex, header: Buffer, signal: AbortSignal): Promise<Packet> {
  const length = header.readUIntLE(0, 3);
  if (length === 0 || length > longestPacket) throw new Error(`a packet of ${length} bytes in the middle of a sign-in`);
  return { sequence: header[3] ?? 0, payload: await readExactly(stream, length, signal) };
}

/** Leaves what comes after in the stream. */
async function readExactly(stream: Duplex, length: number, signal: AbortSignal): Promise<Buffer> {
  for (;;) {
    signal.throwIfAborted();
    const bytes: Buffer | null = stream.read(length);
    if (bytes?.length === length) return bytes;
    if (bytes !== null || stream.readableEnded || stream.destroyed) throw new Error("the stream ended in a sign-in");
    await readable(stream, signal);
  }
}

function readable(stream: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      for (const event of ["readable", "end", "close"]) stream.off(event, done);
      stream.off("error", failed);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const failed = (error: Error) => {
      done();
      reject(error);
    };
    for (const event of ["readable", "end", "close"]) stream.on(event, done);
    stream.on("error", failed);
    signal.addEventListener("abort", done, { once: true });
  });
}

/** Null for what is no greeting of protocol 10, which servers have spoken since 1998: an error in its place, most often. */
export function parseGreeting(payload: Buffer): Greeting | null {
  const versionEnd = payload.indexOf(0, 1);
  // Connection id, scramble and a filler stand between.
  const flagsAt = versionEnd + 14;
  if (payload[0] !== 10 || versionEnd < 0 || payload.length < flagsAt + 18) return null;
  const scrambleBytes = Math.max(13, (payload[flagsAt + 7] ?? 0) - 8);
  const plugin = payload.subarray(flagsAt + 18 + scrambleBytes);
  const pluginEnd = plugin.indexOf(0);
  return {
    version: payload.toString("latin1", 1, versionEnd),
    offersTls: (payload.readUInt16LE(flagsAt) & clientSsl) !== 0,
    plugin: plugin.toString("latin1", 0, pluginEnd < 0 ? plugin.length : pluginEnd),
    flagsAt,
  };
}

/** The same greeting of a server that knows nothing of TLS. */
export function withoutTls(payload: Buffer, { flagsAt }: Greeting): Buffer {
  const changed = Buffer.from(payload);
  changed.writeUInt16LE(changed.readUInt16LE(flagsAt) & ~clientSsl, flagsAt);
  return changed;
}

/** The answer of a client that wants TLS, and the request for it that goes before. */
export function askingForTls(payload: Buffer): { readonly request: Buffer; readonly answer: Buffer } {
  if (payload.length < sslRequestBytes) throw new Error("an answer to a greeting that is too short");
  const answer = Buffer.from(payload);
  answer.writeUInt16LE(answer.readUInt16LE(0) | clientSsl, 0);
  return { request: answer.subarray(0, sslRequestBytes), answer };
}
