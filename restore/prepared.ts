// Keeps the prepared downloads on disk: private, published whole or not at all, found by their token, and wiped when they end.
import { createHash, timingSafeEqual } from "node:crypto";
import { chmod, lstat, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { faultPoint } from "#fault-point";
import { Delivery } from "./delivery.ts";

const id = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
const digest = z.string().regex(/^[0-9a-f]{64}$/);

const recordSchema = z.object({
  restoreId: id,
  jobId: id,
  leaseEpoch: z.int(),
  /** sha256 of the token, hexadecimal; the token itself is nowhere. */
  tokenHash: digest,
  fileName: z.string(),
  size: z.int(),
  sha256: digest,
  /** Null: the hub has not yet confirmed that the job is completed. */
  expiresAt: z.iso.datetime().nullable(),
  /** Bytes of it may have gone out. */
  begun: z.boolean().default(false),
  /** Set once the file is gone; the rest stays for a while, so that the link can say so. */
  ended: z
    .object({ at: z.iso.datetime(), reason: z.enum(["fetched", "expired", "withdrawn"]), reported: z.boolean() })
    .nullable(),
});

export type PreparedRecord = z.infer<typeof recordSchema>;
type NewRecord = z.input<typeof recordSchema>;
export type EndReason = NonNullable<PreparedRecord["ended"]>["reason"];

export interface Prepared {
  readonly record: PreparedRecord;
  readonly path: string;
  readonly delivery: Delivery;
}

/** A download in the making. Disposal removes it unless it was published. */
export interface Draft extends AsyncDisposable {
  /** Where the plaintext goes; nothing is there yet, and nobody is served from there. */
  readonly path: string;
  /** Makes what was written, durably, known under its token. Called after the last byte has been proven. */
  publish(record: NewRecord): Promise<void>;
}

export class PreparedDownloads {
  readonly #directory: string;
  readonly #prepared = new Map<string, Prepared>();
  readonly #drafts = new Map<string, Promise<void>>();
  #writing: Promise<void> = Promise.resolve();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Takes up what an earlier process left under `base`, and removes what it left unfinished. One process at a time. */
  static async open(base: string): Promise<PreparedDownloads> {
    const directory = join(base, "restores");
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const found = await lstat(directory);
    if (!found.isDirectory() || found.uid !== process.getuid?.())
      throw new Error(`${directory} belongs to somebody else: choose another WORKER_TEMP_BASE`);
    await chmod(directory, 0o700);
    const downloads = new PreparedDownloads(directory);
    for (const name of await readdir(directory)) await downloads.#takeUp(name);
    return downloads;
  }

  /** Starts afresh, also where an earlier attempt at the same restore is still being cleared away. */
  async begin(restoreId: string): Promise<Draft> {
    const directory = this.#directoryOf(restoreId);
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    const before = this.#drafts.get(restoreId);
    this.#drafts.set(restoreId, over);
    await before;
    await this.#writing;
    await this.forget(restoreId);
    await mkdir(directory, { mode: 0o700 });
    const path = join(directory, "download.partial");
    let published = false;
    return {
      path,
      publish: async (record) => {
        await rename(path, join(directory, "download"));
        faultPoint("restore.renamed");
        await this.#write({ ...record, begun: record.begun ?? false });
        published = true;
      },
      [Symbol.asyncDispose]: async () => {
        try {
          if (!published) await this.forget(restoreId);
        } finally {
          if (this.#drafts.get(restoreId) === over) this.#drafts.delete(restoreId);
          end();
        }
      },
    };
  }

  find(token: string): Prepared | undefined {
    const wanted = createHash("sha256").update(token).digest();
    return this.all().find(({ record }) => timingSafeEqual(Buffer.from(record.tokenHash, "hex"), wanted));
  }

  get(restoreId: string): Prepared | undefined {
    return this.#prepared.get(restoreId);
  }

  all(): Prepared[] {
    return [...this.#prepared.values()];
  }

  async confirm(restoreId: string, expiresAt: Date): Promise<void> {
    const found = this.#prepared.get(restoreId);
    if (found) await this.#write({ ...found.record, expiresAt: expiresAt.toISOString() });
  }

  /** The first transfer of it begins: a later process has to know that a client may hold a part. */
  async noteBegun(restoreId: string): Promise<void> {
    const found = this.#prepared.get(restoreId);
    if (found && !found.record.begun) await this.#write({ ...found.record, begun: true });
  }

  /** Ends a link and wipes its file. Transfers under way go on: they hold the file open. May be called again. */
  async end(restoreId: string, ended: { at: Date; reason: EndReason; reported: boolean }): Promise<void> {
    const found = this.#prepared.get(restoreId);
    if (!found) return;
    try {
      await this.#write({ ...found.record, ended: { ...ended, at: ended.at.toISOString() } });
    } finally {
      await rm(found.path, { force: true });
    }
  }

  /** Removes every trace. */
  async forget(restoreId: string): Promise<void> {
    this.#prepared.delete(restoreId);
    await rm(this.#directoryOf(restoreId), { recursive: true, force: true });
  }

  async #takeUp(name: string): Promise<void> {
    const directory = join(this.#directory, name);
    const text = await readFile(join(directory, "restore.json"), "utf8").catch(() => "null");
    const record = recordSchema.safeParse(parseJson(text)).data;
    const file = await lstat(join(directory, "download")).catch(() => null);
    if (record?.restoreId !== name || (!record.ended && file?.size !== record.size))
      return rm(directory, { recursive: true, force: true });
    this.#keep(record);
    if (record.begun) this.#prepared.get(name)?.delivery.resumeAnywhere();
    if (record.ended) await rm(join(directory, "download"), { force: true });
  }

  /** In memory at once: a link that has ended is refused even where the disk is full. On disk one after another, the newest last. */
  #write(record: PreparedRecord): Promise<void> {
    this.#keep(record);
    const written = this.#writing.then(() => this.#writeDown(record));
    this.#writing = written.catch(() => undefined);
    return written;
  }

  async #writeDown(record: PreparedRecord): Promise<void> {
    const directory = this.#directoryOf(record.restoreId);
    const partial = join(directory, "restore.json.partial");
    {
      await using file = await open(partial, "w", 0o600);
      await file.writeFile(JSON.stringify(record));
      await file.sync();
    }
    await rename(partial, join(directory, "restore.json"));
    await using parent = await open(directory, "r");
    await parent.sync();
  }

  #keep(record: PreparedRecord): void {
    const path = join(this.#directoryOf(record.restoreId), "download");
    const delivery = this.#prepared.get(record.restoreId)?.delivery ?? new Delivery(record.size);
    this.#prepared.set(record.restoreId, { record, path, delivery });
  }

  #directoryOf(restoreId: string): string {
    return join(this.#directory, id.parse(restoreId));
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
