// A command that runs on an SSH server: its output as a stream, its complaints apart, and how it ended.
import type { ClientChannel } from "ssh2";
import type { SshConnection } from "./connection.ts";
import { noCommands, silent } from "./failure.ts";

/** Of what a command complains, the end matters most. */
const keptComplaints = 65_536;
const ticksToSilence = 4;

export interface CommandOptions {
  /** Written to its standard input, which is closed then: secrets go this way. @default nothing */
  readonly input?: string | Uint8Array;
  /** How long it may say nothing at all; the connection itself is watched besides. @default as long as it likes */
  readonly silenceMs?: number;
  /** Takes what it writes to standard error, as it comes. */
  readonly onComplaint?: (bytes: Uint8Array) => void;
}

export interface CommandEnd {
  /** Null where a signal ended it, or where the server did not say. */
  readonly code: number | null;
  /** Such as `KILL`. */
  readonly signal: string | null;
  /** The last 64 KiB of its standard error. For our eyes: never to be shown as it is. */
  readonly complaints: string;
}

/** Disposing ends it as far as SSH allows: its channel is closed, and most commands die of the next byte they write. */
export interface RunningCommand extends AsyncDisposable {
  /** Standard output, to be read to its end or ended with `return()`. Throws where the connection ends or the command falls silent. */
  readonly output: AsyncIterable<Uint8Array>;
  /** Once it has ended and its output was read. Rejects where the connection ends first. */
  readonly ended: Promise<CommandEnd>;
}

type Ask = (done: (error: Error | undefined, channel: ClientChannel) => void) => void;

export async function startCommand(
  connection: SshConnection,
  ask: Ask,
  asked: (ask: Ask) => Promise<ClientChannel>,
  { input, silenceMs, onComplaint }: CommandOptions = {},
): Promise<RunningCommand> {
  const { host, over } = connection;
  const channel = await asked(ask).catch((error: Error) => {
    over.throwIfAborted();
    throw noCommands(host, error);
  });
  let complaints = Buffer.alloc(0);
  let quietTicks = 0;
  let failure: unknown = null;
  const ended = Promise.withResolvers<CommandEnd>();
  ended.promise.catch(() => undefined);

  function fail(reason: unknown): void {
    clearInterval(ticker);
    failure = reason;
    ended.reject(reason);
    channel.destroy();
  }
  const lost = () => fail(over.reason);
  const ticker = setInterval(
    () => {
      // Output that waits for its reader is not the command's silence.
      if (channel.readableLength > 0) quietTicks = 0;
      else if (++quietTicks >= ticksToSilence) fail(silent(host));
    },
    (silenceMs ?? 0) / ticksToSilence,
  );
  if (silenceMs === undefined) clearInterval(ticker);
  over.addEventListener("abort", lost, { once: true });

  channel.stderr.on("data", (bytes: Buffer) => {
    quietTicks = 0;
    complaints = Buffer.concat([complaints, bytes]).subarray(-keptComplaints);
    onComplaint?.(bytes);
  });
  channel.on("error", () => undefined);
  let exit: { code: number | null; signal: string | null } = { code: null, signal: null };
  channel.on("exit", (code: number | null, signal?: string) => {
    exit = { code, signal: signal ?? null };
  });
  channel.on("close", () => {
    clearInterval(ticker);
    over.removeEventListener("abort", lost);
    const end = { ...exit, complaints: complaints.toString() };
    if (exit.code !== null || exit.signal !== null) ended.resolve(end);
    // A connection that breaks closes its channels first and says so afterwards.
    else setImmediate(() => (over.aborted ? ended.reject(over.reason) : ended.resolve(end)));
  });
  channel.end(input ?? "");

  async function* output(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of channel) {
        quietTicks = 0;
        yield chunk;
      }
    } catch (error) {
      throw failure ?? error;
    }
    await ended.promise;
  }
  return {
    output: output(),
    ended: ended.promise,
    async [Symbol.asyncDispose]() {
      clearInterval(ticker);
      over.removeEventListener("abort", lost);
      channel.destroy();
    },
  };
}
