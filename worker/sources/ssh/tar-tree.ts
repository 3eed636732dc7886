// A file or directory on an SSH server, read as the stream of a `tar` that runs there.
import { posix } from "node:path";
import type { Entry, Warning } from "#artifact/node";
import { printable } from "../printable-path.ts";
import type { Selection } from "../selection.ts";
import { type Estimate, stallsToFirstByte } from "../source.ts";
import { SourceError } from "../source-error.ts";
import { type Announced, readTar, TarStreamError } from "../tar-stream/reader.ts";
import type { CommandEnd, RunningCommand } from "./command.ts";
import type { SshConnection } from "./connection.ts";
import { connectionLost, noCommands } from "./failure.ts";
import { runScript } from "./shell-script.ts";
import { type Complaint, TarComplaints } from "./tar-complaints.ts";
import { finding, operand, packScript, sampleScript, type TarProgram } from "./tar-program.ts";
import { tarSelection } from "./tar-selection.ts";

const sampleSize = 10;
/** Of which a sample is taken: some may be left out. */
const sampledFrom = 200;
const mostSampleBytes = 1024 * 1024;

type Warn = (warning: Warning) => void;

export interface TarTreeOptions {
  readonly path: string;
  readonly selection: Selection;
  readonly stallMs: number;
  /** For messages. */
  readonly username: string;
}

/** Lives as long as its connection. Methods throw `SourceError` or the reason of the connection's signal. */
export class TarTree {
  readonly method = "tar";
  readonly tool: { readonly name: string; readonly version: string };
  readonly #connection: SshConnection;
  readonly #program: TarProgram;
  readonly #options: TarTreeOptions;
  readonly #root: string;

  constructor(connection: SshConnection, program: TarProgram, options: TarTreeOptions) {
    this.#connection = connection;
    this.#program = program;
    this.#options = options;
    this.#root = options.path.replace(/(?<=.)\/+$/, "");
    this.tool = { name: program.name, version: program.version };
  }

  /** A few names, of the uppermost level alone. Throws PATH_NOT_FOUND where there is nothing to read. */
  async sample(): Promise<string[]> {
    await using looked = await this.#look(sampleScript(sampledFrom));
    if (looked.kind === "file") return [this.#rootName];
    const { selection } = this.#options;
    let listed = Buffer.alloc(0);
    for await (const chunk of looked.output) {
      listed = Buffer.concat([listed, chunk]);
      if (listed.length > mostSampleBytes) break;
    }
    const names = splitAtNul(listed)
      .map((name) => ({ kind: name[0] === 0x64 ? "directory" : "file", name: printable(name.subarray(1)) }))
      .filter(({ kind, name }) => selection.has(name, kind) || (kind === "directory" && selection.mayHold(name)));
    return names.slice(0, sampleSize).map(({ name }) => name);
  }

  /** Null for a directory. Throws as `sample` does. */
  async estimate(): Promise<Estimate | null> {
    await using looked = await this.#look(packScript(this.#program, tarSelection(this.#program.kind, null)));
    if (looked.kind !== "file") return null;
    const explain = (error: unknown) => this.#explain(error, looked);
    const entries = readTar(looked.output, { admit: () => true, warn: () => undefined, explain });
    try {
      const { value } = await entries.next();
      return { files: 1, bytes: value?.size ?? 0 };
    } catch (error) {
      throw await explain(error);
    } finally {
      await entries.return(undefined);
    }
  }

  async *entries(warn: Warn): AsyncGenerator<Entry> {
    const program = this.#program;
    const applied = tarSelection(program.kind, this.#options.selection);
    let taken = 0;
    let rootComplaint: Complaint | null = null;
    const complaints = new TarComplaints({
      isEscaped: program.kind === "gnu",
      tell: (complaint) => {
        if (complaint.path.length === 0 && complaint.code === "UNREADABLE") rootComplaint = complaint;
        else this.#passOn(complaint, warn);
      },
    });
    await using looked = await this.#look(packScript(program, applied), complaints.add);
    if (looked.kind === "nothing") return;
    const isFile = looked.kind === "file";
    const admit = (entry: Announced) => this.#admit(entry, { isFile, isExact: applied.isExact }, warn);
    const explain = (error: unknown) => this.#explain(error, looked);
    try {
      for await (const entry of readTar(looked.output, { admit, warn, explain })) {
        taken++;
        yield isFile ? { ...entry, path: this.#rootName } : entry;
      }
    } catch (error) {
      throw await explain(error);
    }
    const end = await looked.ended;
    complaints.end();
    if (rootComplaint && taken === 0) throw this.#noRight();
    if (!isSound(end, program, complaints)) throw this.#failed(end);
    if (complaints.unknown === 0) return;
    const message = `The program tar on the server said something that is not understood here (${complaints.unknown} lines).`;
    warn({ code: "TOOL_WARNING", path: printable(this.#root), message });
  }

  get #rootName(): string {
    return posix.basename(this.#root);
  }

  /** Starts a script and reads what it has found at the path. */
  async #look(script: string, onComplaint?: (bytes: Uint8Array) => void) {
    const { stallMs } = this.#options;
    const patience = { silenceMs: stallMs, firstByteMs: stallsToFirstByte * stallMs };
    const options = onComplaint ? { ...patience, onComplaint } : patience;
    const command = await runScript(this.#connection, script, [operand(this.#root)], options);
    try {
      const { letter, output } = await takeLetter(command.output);
      const kind = this.#kindOf(letter);
      return { kind, output, ended: command.ended, [Symbol.asyncDispose]: () => command[Symbol.asyncDispose]() };
    } catch (error) {
      await command[Symbol.asyncDispose]();
      throw error;
    }
  }

  #admit({ kind, name, size, target }: Announced, how: { isFile: boolean; isExact: boolean }, warn: Warn): boolean {
    const { selection } = this.#options;
    const { isFile, isExact } = how;
    if (isFile) {
      selection.count(size);
      return true;
    }
    selection.look(1);
    if (!isExact && !selection.has(name, kind)) return false;
    if (!isExact && target !== null && kind === "hardlink" && !selection.has(target, "file")) {
      const message =
        "Left out: its content comes with another name of the same file, which is not part of this source.";
      warn({ code: "UNREADABLE", path: name, message });
      return false;
    }
    selection.count(size);
    return true;
  }

  /** Of a path that is left out anyway, nobody needs to know. */
  #passOn({ code, message, path }: Complaint, warn: Warn): void {
    const name = path.length === 0 ? "." : printable(path);
    const { selection } = this.#options;
    if (path.length === 0 || selection.has(name, "file") || selection.has(name, "directory"))
      warn({ code, path: name, message });
  }

  #kindOf(letter: number | null): "directory" | "file" | "nothing" {
    const root = printable(this.#root);
    switch (letter) {
      case finding.directory:
        return "directory";
      case finding.file:
        return "file";
      case finding.nothing:
        return "nothing";
      case finding.unreadable:
        throw this.#noRight();
      case finding.special:
        throw new SourceError("PATH_NOT_FOUND", `The path “${root}” is neither a file nor a directory.`);
      case finding.missing:
        throw new SourceError("PATH_NOT_FOUND", `The path “${root}” does not exist on the server.`);
      default:
        throw noCommands(this.#connection.host);
    }
  }

  #noRight(): SourceError {
    const { username } = this.#options;
    return new SourceError(
      "PATH_NOT_FOUND",
      `The user “${username}” has no right to read the path “${printable(this.#root)}”.`,
    );
  }

  /** How the command ended, as far as that can be known soon. */
  async #endOf({ ended }: Pick<RunningCommand, "ended">): Promise<CommandEnd | null> {
    const late = Promise.withResolvers<null>();
    const timer = setTimeout(late.resolve, this.#options.stallMs, null);
    try {
      return await Promise.race([ended, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** What to throw in place of a fault of the stream. */
  async #explain(error: unknown, command: Pick<RunningCommand, "ended">): Promise<unknown> {
    if (!(error instanceof TarStreamError)) return error;
    const { host } = this.#connection;
    if (error.fault === "garbled")
      return new SourceError(
        "DUMP_FAILED",
        `What the program tar on the server “${host}” sent is not a tar: see what “tar” is there, or back up over SFTP.`,
        { cause: error },
      );
    const end = await this.#endOf(command);
    if (!end || (end.code === null && end.signal === null)) return connectionLost(host, error);
    return new SourceError(
      "DUMP_TRUNCATED",
      `The program tar on the server “${host}” ended before it had sent everything: it was killed, or a file became shorter while it was read.`,
      { cause: new Error(`exit ${end.code}, signal ${end.signal}: ${end.complaints}`, { cause: error }) },
    );
  }

  #failed(end: CommandEnd): SourceError {
    return new SourceError(
      "DUMP_FAILED",
      `The program tar on the server “${this.#connection.host}” failed, and did not say which file it was about: run it there by hand to see why.`,
      { cause: new Error(`exit ${end.code}, signal ${end.signal}: ${end.complaints}`) },
    );
  }
}

/** Files that could not be read make it fail as well: those were warned of. */
function isSound({ code }: CommandEnd, { kind }: TarProgram, { isFatal, ofPaths }: TarComplaints): boolean {
  if (code === 0) return true;
  if (code === null || isFatal) return false;
  return ofPaths > 0 || (kind === "gnu" && code === 1);
}

async function takeLetter(output: AsyncIterable<Uint8Array>) {
  const chunks = output[Symbol.asyncIterator]();
  const { done, value } = await chunks.next();
  async function* rest(): AsyncGenerator<Uint8Array> {
    if (value && value.length > 1) yield value.subarray(1);
    yield* { [Symbol.asyncIterator]: () => chunks };
  }
  return { letter: done ? null : (value[0] ?? null), output: rest() };
}

function splitAtNul(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = bytes.indexOf(0, at);
    if (end === -1) return parts;
    parts.push(bytes.subarray(at, end));
    at = end + 1;
  }
}
