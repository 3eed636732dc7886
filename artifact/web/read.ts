// Opens and verifies artifacts by the browser's engine, and gives their bytes out as Web Streams.
import type { CatalogueEntry } from "../catalogue.ts";
import { webEngine } from "../engine/web-engine.ts";
import { type OpenedArtifact, type OpenOptions, openWith } from "../open.ts";
import type { OpenedEntry } from "../opened-entry.ts";
import { type Verification, type VerifyOptions, verifyWith } from "../verify.ts";
import { streamOf } from "./byte-stream.ts";

export interface StreamedEntry extends OpenedEntry {
  readonly content: ReadableStream<Uint8Array>;
}

/** An opened artifact whose bytes come as Web Streams. What is listed comes as async iterables. */
export interface StreamedArtifact extends OpenedArtifact {
  tar(): ReadableStream<Uint8Array>;
  entries(): AsyncIterable<StreamedEntry>;
  pick(entry: CatalogueEntry): ReadableStream<Uint8Array>;
  pickAll(entries: AsyncIterable<CatalogueEntry> | Iterable<CatalogueEntry>): AsyncIterable<StreamedEntry>;
}

/** As `openWith` says. */
export async function openArtifact(options: OpenOptions): Promise<StreamedArtifact> {
  const artifact = await openWith(webEngine, options);
  return {
    ...artifact,
    tar: () => streamOf(artifact.tar()),
    entries: () => streamed(artifact.entries()),
    pick: (entry) => streamOf(artifact.pick(entry)),
    pickAll: (entries) => streamed(artifact.pickAll(entries)),
  };
}

/** As `verifyWith` says. */
export function verify(options: VerifyOptions): Promise<Verification> {
  return verifyWith(webEngine, options);
}

async function* streamed(entries: AsyncIterable<OpenedEntry>): AsyncGenerator<StreamedEntry> {
  for await (const entry of entries) yield { ...entry, content: streamOf(entry.content) };
}
