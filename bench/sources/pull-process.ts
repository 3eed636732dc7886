// A process that reads one source the way a worker does, and says how long it took: told what to do by one line of JSON on its input.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { localStorage, seal } from "#artifact/node";
import { parseNetwork } from "../../worker/network-policy.ts";
import { type SourceType, sourceKinds } from "../../worker/sources/kinds.ts";
import type { Secrets, Source } from "../../worker/sources/source.ts";

export interface Pull {
  readonly type: SourceType;
  readonly config: object;
  readonly secrets: Secrets;
  readonly hostKey: string | null;
  /** Where to seal it to, and for whom. Null: read and discarded. */
  readonly sealed: { readonly directory: string; readonly recipient: string } | null;
}

export interface Pulled {
  /** From connecting to the committed artifact, or to the last byte. */
  readonly seconds: number;
  readonly files: number;
  readonly bytes: number;
}

async function pull({ type, config, secrets, hostKey, sealed }: Pull): Promise<Pulled> {
  const tempBase = await mkdtemp(join(tmpdir(), "xvault-bench-"));
  const options = {
    ...{ config, secrets, pinned: { hostKey, jumpHostKey: null }, tempBase },
    allowedNetworks: [parseNetwork("127.0.0.0/8")],
    log: () => undefined,
  };
  const { connect } = sourceKinds[type];
  // A worker has loaded the code of its sources since its first job: connecting without a chance loads it here.
  await connect({ ...options, signal: AbortSignal.abort() }).catch(() => undefined);
  try {
    const start = performance.now();
    await using source = await connect({ ...options, signal: AbortSignal.timeout(900_000) });
    const read = sealed ? await sealInto(source, sealed, tempBase) : await discard(source);
    return { seconds: (performance.now() - start) / 1000, ...read };
  } finally {
    await rm(tempBase, { recursive: true, force: true });
  }
}

async function sealInto(source: Source, { directory, recipient }: NonNullable<Pull["sealed"]>, spoolDirectory: string) {
  const { fileCount, plainBytes } = await seal({
    entries: source.entries(() => undefined),
    recipients: [recipient],
    ids: { tenantId: "ten_1", sourceId: "src_1", snapshotId: "snp_1", jobId: "job_1", workerId: "wrk_1" },
    storage: localStorage(directory),
    attempt: "1",
    signal: AbortSignal.timeout(900_000),
    createdAt: new Date(),
    spoolDirectory,
  });
  return { files: fileCount, bytes: plainBytes };
}

async function discard(source: Source) {
  let files = 0;
  let bytes = 0;
  for await (const entry of source.entries(() => undefined)) {
    if (entry.kind === "file") files++;
    bytes += entry.bytes?.length ?? 0;
    if (entry.bytes) continue;
    for await (const chunk of entry.content ?? []) bytes += chunk.length;
  }
  return { files, bytes };
}

if (import.meta.main) {
  const pulled = await pull(JSON.parse(await text(process.stdin)) as Pull);
  process.stdout.write(`${JSON.stringify(pulled)}\n`);
}
