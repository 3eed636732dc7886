// A command that runs on an SSH server: its output as a stream, its complaints apart, and how it ended.
import type { ClientChannel } from "ssh2";
import { ChannelOutput } from "./channel-output.ts";
import type { SshConnection } from "./connection.ts";
import { noCommands, silent } from "./failure.ts";

/** Of what a command complains, the end matters most. */
const keptComplaints = 65_536;
const ticksToSilence = 4;
/** What a script of ours and the shell around it say ahead of the output proper. */
const mostGreetingBytes = 512;

export interface CommandOptions {
  /** Written to its standard input, which is closed then: secrets go this way. @default nothing */
  readonly input?: string | Uint8Array;
  /** How long it may say nothing at all; the connection itself is watched besides. @default as long as it likes */
  readonly silenceMs?: number;
  /** The same before its output begins. @default silenceMs */
  readonly firstByteMs?: number;
  /** Takes what it writes to standard error, as it comes. */
  readonly onComplaint?: (bytes: Uint8Array) => void;
}

export interface CommandEnd {
  /** Null where a signal ended it, or where the server did not say. */
  readonly code: number | null;
  /** Such as `SIGKILL`. */
  readonly signal: string | null;
  /** The last 64 KiB of its standard error. For our eyes: never to be shown as it is. */
  readonly complaints: string;
}

/** Disposing ends it as far as SSH allows: it is sent SIGTERM, and its channel is closed, of which most die at the next byte they write. */
export interface RunningCommand extends AsyncDisposable {
  /** Standard output, to be read to its end or ended with `return()`. Throws where the connection ends or the command falls silent. */
  readonly output: AsyncIterableIterator<Uint8Array>;
  /** Once it has ended and its output was read. Rejects where the connection ends first. */
  readonly ended: Promise<CommandEnd>;
}

type Ask = (done: (error: Error | undefined, channel: ClientChannel) => void) => void;

export async function startCommand(
  connection: SshConnection,
  ask: Ask,
  asked: (ask: Ask) => Promise<ClientChannel>,
  { input, silenceMs, firstByteMs = silenceMs, onComplaint }: CommandOptions = {},
): Promise<RunningCommand> {
  const { host, over } = connection;
  const channel = await asked(ask).catch((error: Error) => {
    over.throwIfAborted();
    throw noCommands(host, error);
  });
  let complaints = Buffer.alloc(0);
  let quietTicks = 0;
  let arrivedBytes = 0;
  let isOver = false;
  const ended = Promise.withResolvers<CommandEnd>();
  ended.promise.catch(() => undefined);
  const output = new ChannelOutput(channel);

  /** At once, and whether or not the server ever closes the channel: its reader must not wait for that. */
  function fail(reason: unknown): void {
    clearInterval(ticker);
    over.removeEventListener("abort", lost);
    ended.reject(reason);
    output.breakWith(ended.promise);
    // Also where the connection is over: one that was interrupted still carries this, and what waits for a lock writes no next byte.
    if (!isOver) terminate(channel);
    channel.destroy();
  }
  const lost = () => fail(over.reason);
  const ticksToFirstByte = ticksToSilence * Math.max(1, (firstByteMs ?? 0) / (silenceMs ?? 1));
  const mostTicks = () => (arrivedBytes > mostGreetingBytes ? ticksToSilence : ticksToFirstByte);
  const ticker = setInterval(
    () => {
      // Output that waits for its reader is not the command's silence.
      if (output.isWaiting) quietTicks = 0;
      else if (++quietTicks >= mostTicks()) fail(silent(host));
    },
    (silenceMs ?? 0) / ticksToSilence,
  );
  if (silenceMs === undefined) clearInterval(ticker);
  over.addEventListener("abort", lost, { once: true });

  channel.on("data", ({ length }: Buffer) => {
    quietTicks = 0;
    arrivedBytes += length;
  });
  channel.stderr.on("data", (bytes: Buffer) => {
    quietTicks = 0;
    complaints = Buffer.concat([complaints, bytes]).subarray(-keptComplaints);
    onComplaint?.(bytes);
  });
  channel.on("error", () => undefined);
  // Told together with the end: by itself it may come in the same moment as the channel, before anybody listens.
  channel.on("close", (code?: number | null, signal?: string) => {
    const exit = { code: code ?? null, signal: signal ?? null };
    isOver = true;
    clearInterval(ticker);
    over.removeEventListener("abort", lost);
    const end = { ...exit, complaints: complaints.toString() };
    output.endWith(ended.promise);
    if (exit.code !== null || exit.signal !== null) ended.resolve(end);
    // A connection that breaks closes its channels first and says so afterwards.
    else setImmediate(() => (over.aborted ? ended.reject(over.reason) : ended.resolve(end)));
  });
  channel.end(input ?? "");

  return {
    output,
    ended: ended.promise,
    async [Symbol.asyncDispose]() {
      clearInterval(ticker);
      over.removeEventListener("abort", lost);
      if (!isOver && !over.aborted) terminate(channel);
      await output.return();
    },
  };
}

/** What of a channel ssh2 leaves out of its types. */
interface ChannelWithin {
  readonly outgoing?: { readonly id: number; readonly state: string };
  readonly _client?: { readonly _protocol?: { signal?(channel: number, name: string): void } };
}

/** ssh2 itself sends no signal any more once the standard input has been closed. */
function terminate(channel: ClientChannel): void {
  const { outgoing, _client } = channel as ChannelWithin;
  if (outgoing?.state === "open" || outgoing?.state === "eof") _client?._protocol?.signal?.(outgoing.id, "TERM");
}
