// Turns what a walk has found into entries: small files whole and several at once, large ones while they are read.
import type { Entry, Warning } from "#artifact/node";
import { entryPath } from "../entry-name.ts";
import { runAhead } from "../run-ahead.ts";
import { connectionLost } from "../ssh/failure.ts";
import { FtpRefusal, isPassing, unavailable } from "./failure.ts";
import { FileContent } from "./file-content.ts";
import { modifiedMs } from "./listing.ts";
import type { FtpSession } from "./session.ts";
import type { FtpSessions } from "./sessions.ts";
import type { Found } from "./walk.ts";

export interface FilesOptions {
  readonly sessions: FtpSessions;
  /** As the customer wrote it. */
  readonly host: string;
  readonly warn: (warning: Warning) => void;
}

/** Up to this size a file is fetched before its turn, and once more from its beginning where that was cut. */
const smallBytes = 4 * 1024 * 1024;
const entriesAhead = 32;
const bytesAhead = 4 * smallBytes;
/** What a small file may have grown by before that is no small matter. */
const growthBytes = 65_536;

/** In the order of `found`. What cannot be had any more is left out, and told to `warn`. */
export async function* entriesOf(found: AsyncIterable<Found>, options: FilesOptions): AsyncGenerator<Entry> {
  const ready = runAhead(found, {
    start: async (each) => ({ each, entry: isLarge(each) ? null : await tellingWarnings(each, options, prepareSmall) }),
    cost: ({ kind, size }) => (kind === "file" && size <= smallBytes ? size : 0),
    maxItems: entriesAhead,
    maxCost: bytesAhead,
  });
  for await (const { each, entry: prepared } of ready) {
    // A large one holds a session until its reader is done with it, so it begins only now.
    const entry = isLarge(each) ? await tellingWarnings(each, options, prepareLarge) : prepared;
    if (entry) yield entry;
  }
}

function isLarge({ kind, size }: Found): boolean {
  return kind === "file" && size > smallBytes;
}

type Prepare = (file: Found, options: FilesOptions) => Promise<Entry>;

/** Null where the server refuses it. */
async function tellingWarnings(file: Found, options: FilesOptions, prepare: Prepare): Promise<Entry | null> {
  try {
    return await prepare(file, options);
  } catch (error) {
    if (!(error instanceof FtpRefusal)) throw error;
    const gone = error.code === unavailable && !(await options.sessions.run((session) => isThere(session, file)));
    options.warn({
      code: gone ? "VANISHED" : "UNREADABLE",
      path: file.printable,
      message: gone
        ? "It was gone by the time it was to be read."
        : "The server would not send it to the user of this source.",
    });
    return null;
  }
}

/** The code of the refusal is the same for what is gone and for what is closed. */
async function isThere(session: FtpSession, { remotePath }: Found): Promise<boolean> {
  try {
    await session.stateOf(remotePath);
    return true;
  } catch (error) {
    if (error instanceof FtpRefusal && !isPassing(error)) return false;
    throw error;
  }
}

async function prepareSmall(found: Found, { sessions, host, warn }: FilesOptions): Promise<Entry> {
  const entry = entryOf(found);
  if (found.kind !== "file") return entry;
  const bytes = await sessions.run((session) => fetchWhole(session, found, host));
  if (bytes.length !== found.size)
    warn({
      code: "CHANGED_WHILE_READ",
      path: found.printable,
      message:
        bytes.length > found.size + growthBytes
          ? "It grew while it was read: what came after its announced size is left out."
          : "It changed after it was listed: what is stored is what the server sent then.",
    });
  const kept = bytes.length > found.size + growthBytes ? bytes.subarray(0, found.size) : bytes;
  return { ...entry, size: kept.length, bytes: kept };
}

/** More than may be kept where the file goes on for too long. */
async function fetchWhole(session: FtpSession, { remotePath, size }: Found, host: string): Promise<Buffer> {
  const transfer = await session.retrieve(remotePath);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (let chunk = await transfer.next(); chunk; chunk = await transfer.next()) {
    chunks.push(chunk);
    length += chunk.length;
    if (length <= size + growthBytes) continue;
    await transfer.abandon();
    return Buffer.concat(chunks, length);
  }
  // A connection that was ended by somebody else looks the same; the file itself tells the difference.
  if (length < size && (await session.stateOf(remotePath))?.size === size) throw connectionLost(host);
  return Buffer.concat(chunks, length);
}

async function prepareLarge(found: Found, { sessions, host, warn }: FilesOptions): Promise<Entry> {
  const content = await FileContent.open({ sessions, host, file: found, warn });
  const mtimeMs = modifiedMs(content.state?.modified ?? "") ?? found.mtimeMs;
  return { ...entryOf(found), mtimeMs, size: content.size, content };
}

const usualModes = { file: 0o644, directory: 0o755, symlink: 0o777 } as const;

function entryOf({ path, kind, size, mode, mtimeMs, uid, gid, target }: Found): Entry {
  return {
    path,
    kind,
    size,
    mode: mode ?? usualModes[kind],
    mtimeMs,
    ...(uid !== null && { uid }),
    ...(gid !== null && { gid }),
    ...(kind === "symlink" && target !== null && { linkTarget: entryPath(target) }),
  };
}
