// Reads what `tar` writes to standard error: which paths it could not take as they are, and whether it gave up.
import { Buffer } from "node:buffer";
import type { EntryPath, Warning } from "#artifact/node";
import { bareName, entryPath } from "../tar-stream/entry-name.ts";

/** What tar says of one path. */
export interface Complaint extends Pick<Warning, "code" | "message"> {
  /** Empty for the root of the tree. */
  readonly path: EntryPath;
}

const longestLine = 131_072;

const gone = { code: "VANISHED", message: "It was gone by the time it was to be read." } as const;
const denied = { code: "UNREADABLE", message: "The user of this source has no right to read it." } as const;
const unreadable = { code: "UNREADABLE", message: "The server could not read it." } as const;
const damaged = {
  code: "UNREADABLE",
  message: "The server could not read it to its end: what is missing are zeros.",
} as const;
const changed = { code: "CHANGED_WHILE_READ", message: "It changed while it was read." } as const;
const shorter = {
  code: "CHANGED_WHILE_READ",
  message: "It became shorter while it was read: what is missing are zeros.",
} as const;
const special = {
  code: "SPECIAL_SKIPPED",
  message: "Left out: it is a socket or another thing that is no file.",
} as const;

type Meaning = Pick<Warning, "code" | "message">;

/** The name is what the first group matches. */
const sentences: readonly (readonly [RegExp, Meaning | null])[] = [
  [/^(.*): (?:Warning: )?Read error at byte \d+, while reading \d+ bytes?: /s, damaged],
  [/^(.*): (?:Warning: )?Cannot \w+: (.*)$/s, null],
  [/^(.*): File removed before we read it$/s, gone],
  [/^(.*): file changed as we read it$/s, changed],
  [/^(.*): File shrank by \d+ bytes?; padding with zeros$/s, shorter],
  [/^(.*): (?:socket|door) ignored$/s, special],
  [/^(.*): Unknown file type; file ignored$/s, special],
  // BusyBox:
  [/^can't (?:open|stat|read link) '(.*)': (.*)$/s, null],
  [/^(.*): unknown file type$/s, special],
  [/^(.*): (Permission denied|No such file or directory|Input\/output error|Stale file handle)$/s, null],
];
const ofNoInterest =
  /^(?:Exiting with failure status due to previous errors|error exit delayed from previous errors|[Rr]emoving leading .* from (?:member names|hard link targets))$/;
const fatal =
  /^(?:Error is not recoverable: exiting now|short read|write error: .*|-: (?:Cannot write|Wrote only) .*)$/;

export class TarComplaints {
  /** Lines that say that it gave up. */
  isFatal = false;
  /** How many paths could not be taken. */
  ofPaths = 0;
  /** How many lines were not understood. */
  unknown = 0;
  #rest = "";
  /** As GNU tar does when it is told to; BusyBox writes names as they are. */
  readonly #isEscaped: boolean;
  readonly #tell: (complaint: Complaint) => void;

  constructor({ isEscaped, tell }: { isEscaped: boolean; tell: (complaint: Complaint) => void }) {
    this.#isEscaped = isEscaped;
    this.#tell = tell;
  }

  /** Takes some of its standard error. */
  readonly add = (bytes: Uint8Array): void => {
    const lines = (this.#rest + Buffer.from(bytes).toString("latin1")).split("\n");
    this.#rest = (lines.pop() ?? "").slice(0, longestLine);
    for (const line of lines) this.#read(line);
  };

  /** There is no more of it. */
  end(): void {
    if (this.#rest !== "") this.#read(this.#rest);
    this.#rest = "";
  }

  #read(line: string): void {
    const said = /^(?:[^ ]*\/)?tar: (.*)$/s.exec(line)?.[1];
    if (said === undefined) this.unknown++;
    else if (fatal.test(said)) this.isFatal = true;
    else if (!ofNoInterest.test(said) && !this.#readSentence(said)) this.unknown++;
  }

  #readSentence(said: string): boolean {
    for (const [sentence, meaning] of sentences) {
      const [whole, name = "", reason = ""] = sentence.exec(said) ?? [];
      if (whole === undefined) continue;
      this.ofPaths++;
      this.#tell({ ...(meaning ?? meaningOf(reason)), path: pathOf(this.#isEscaped ? unescaped(name) : name) });
      return true;
    }
    return false;
  }
}

function meaningOf(reason: string): Meaning {
  if (reason === "No such file or directory") return gone;
  return reason === "Permission denied" ? denied : unreadable;
}

const escapes: Readonly<Record<string, string>> = { a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

function unescaped(name: string): string {
  return name.replace(/\\([0-7]{3}|.)/gs, (_, code: string) =>
    code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8) & 0xff) : (escapes[code] ?? code),
  );
}

/** Of a name with one character for each of its bytes. */
function pathOf(name: string): EntryPath {
  return entryPath(bareName(Buffer.from(name, "latin1")));
}
