// `xvault artifact extract`: unpacks an artifact, or some of it, into a directory, a tar or a ZIP.
import { lstat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import {
  extractTree,
  isEverything,
  type OpenedArtifact,
  openArtifact,
  selectEntries,
  tar,
  writeTree,
  zip,
} from "#artifact/node";
import { CommandError, exitCodes } from "../failure.ts";
import { bytesText, plural } from "../figures.ts";
import { openProgressDisplay } from "../progress-display.ts";
import { saveFile } from "../save-file.ts";
import type { Terminal } from "../terminal.ts";
import { workTeller } from "../work-step.ts";
import { explained } from "./failure.ts";
import { readKeys } from "./keys.ts";
import { placeOf } from "./place.ts";

export interface ExtractOptions {
  readonly key: string;
  readonly out?: string;
  readonly tar?: boolean;
  readonly zip?: boolean;
  /** Everything where none is named. */
  readonly paths: readonly string[];
  readonly json?: boolean;
}

export async function extract(terminal: Terminal, directory: string, options: ExtractOptions): Promise<void> {
  const { stdout, stderr, signal } = terminal;
  const { out, paths } = options;
  await refuse(terminal, options);
  const identities = await readKeys(options.key);
  const done = await explained(directory, async () => {
    await using artifact = await openArtifact({ ...(await placeOf(directory)), identities, signal });
    using display = openProgressDisplay(stderr, { ...terminal, title: `Extraction of ${directory}` });
    const selection = await select(artifact, paths);
    const tell = workTeller(display);
    const onProgress = (bytesDone: number, filesDone?: number) => {
      const files = filesDone === undefined ? {} : { filesDone, filesTotal: selection.files };
      tell({ phase: "EXTRACTING", bytesDone, bytesTotal: selection.bytes, ...files });
    };
    if (options.tar || options.zip) await writeArchive(terminal, artifact, selection, { ...options, onProgress });
    else await unpack(artifact, selection, { ...options, signal, onProgress });
    return { files: selection.files, bytes: selection.bytes };
  });
  if (out === undefined && (options.tar || options.zip)) return;
  if (options.json) stdout.write(`${JSON.stringify({ out: out ?? ".", ...done })}\n`);
  else stdout.write(`${out ?? "."}  ${plural(done.files, "file")}, ${bytesText(done.bytes)}\n`);
}

interface Selection {
  readonly files: number;
  readonly bytes: number;
  readonly everything: boolean;
  entries(): ReturnType<OpenedArtifact["entries"]>;
}

async function select(artifact: OpenedArtifact, paths: readonly string[]): Promise<Selection> {
  if (!isEverything(paths)) return { ...(await selectEntries(artifact, paths)), everything: false };
  const { counts, plainBytes } = artifact.manifest;
  return { files: counts.files, bytes: plainBytes, everything: true, entries: () => artifact.entries() };
}

interface ArchiveOptions extends ExtractOptions {
  readonly onProgress: (bytes: number, files?: number) => void;
}

async function writeArchive(
  { stdout, signal }: Terminal,
  artifact: OpenedArtifact,
  selection: Selection,
  { out, zip: asZip, onProgress }: ArchiveOptions,
): Promise<void> {
  const archive = () => {
    if (asZip) return zip(selection.entries(), "xvault-notes.txt");
    return selection.everything ? artifact.tar() : tar(selection.entries());
  };
  async function* counted() {
    let bytes = 0;
    for await (const chunk of archive()) {
      bytes += chunk.length;
      onProgress(Math.min(bytes, selection.bytes));
      yield chunk;
    }
  }
  if (out !== undefined) await saveFile(out, counted(), signal);
  else await pipeline(counted(), stdout, { signal, end: false });
}

async function unpack(
  artifact: OpenedArtifact,
  selection: Selection,
  { out = ".", signal, onProgress }: ArchiveOptions & { readonly signal: AbortSignal },
): Promise<void> {
  const options = {
    signal,
    onProgress: ({ bytes, files }: { bytes: number; files: number }) => onProgress(bytes, files),
  };
  if (selection.everything) await extractTree(artifact, out, options);
  else await writeTree(selection.entries(), out, options);
}

/** Before anything is opened: what cannot be written, or would spoil a terminal. */
async function refuse({ stdout }: Terminal, { out, tar: asTar, zip: asZip }: ExtractOptions): Promise<void> {
  const archive = asTar || asZip;
  if (archive && out === undefined && stdout.isTTY)
    throw new CommandError("An archive does not go to a terminal: name a file with --out.", {
      exitCode: exitCodes.usage,
    });
  if (archive && out !== undefined && (await lstat(out).catch(() => null)))
    throw new CommandError(`${out} is there already: name another file.`, { exitCode: exitCodes.usage });
}
