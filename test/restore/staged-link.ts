// One prepared download of random bytes, served through its link.
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { pino } from "pino";
import { DownloadLinks } from "../../restore/download.ts";
import { type HttpLimits, listen } from "../../restore/http.ts";
import { HubClock } from "../../restore/hub-clock.ts";
import { PreparedDownloads } from "../../restore/prepared.ts";
import { Arrivals } from "../../restore/transfer.ts";

export interface StagedLink {
  readonly url: string;
  readonly link: string;
  readonly content: Buffer;
  readonly fetched: string[];
  readonly logged: string[];
  readonly clock: HubClock;
  readonly file: string;
}

export interface Wanted {
  readonly size?: number;
  readonly fileName?: string;
  readonly limits?: Partial<HttpLimits>;
}

/** One prepared download behind one link, which expires in an hour. */
export async function stageLink(
  t: TestContext,
  { size = 300_000, fileName = "snp_1.zip", limits = {} }: Wanted = {},
): Promise<StagedLink> {
  const base = await mkdtemp(join(tmpdir(), "xvault-download-"));
  const downloads = await PreparedDownloads.open(base);
  const content = randomBytes(size);
  const token = randomBytes(32).toString("base64url");
  const restoreId = "rst_1";
  {
    await using draft = await downloads.begin(restoreId);
    await writeFile(draft.path, content);
    const sha256 = createHash("sha256").update(content).digest("hex");
    const tokenHash = createHash("sha256").update(token).digest("hex");
    const facts = { restoreId, jobId: "job_1", leaseEpoch: 1, tokenHash, fileName, size, sha256 };
    await draft.publish({ ...facts, expiresAt: null, ended: null });
  }
  await downloads.confirm(restoreId, new Date(Date.now() + 3_600_000));
  const clock = new HubClock();
  const arrivals = new Arrivals();
  const logged: string[] = [];
  const log = pino({ level: "trace" }, { write: (line) => void logged.push(line) });
  const fetched: string[] = [];
  const endings: Promise<void>[] = [];
  const onFetched = (id: string) => {
    fetched.push(id);
    const ending = downloads.end(id, { at: clock.now(), reason: "fetched", reported: false });
    endings.push(ending);
    return ending;
  };
  const links = new DownloadLinks({ downloads, arrivals, clock, log, onFetched });
  const server = await listen({
    host: "127.0.0.1",
    port: 0,
    log,
    limits: { drainMs: 300, ...limits },
    readiness: () => ({ status: "ready", reasons: [] }),
    onConnection: (socket) => arrivals.watch(socket),
    onDownload: (request, response, linkToken) => links.answer(request, response, linkToken),
  });
  t.after(async () => {
    await server[Symbol.asyncDispose]();
    // What is still being written there would come back behind the removal.
    await Promise.allSettled(endings);
    await rm(base, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${server.port}`;
  const file = join(base, "restores", restoreId, "download");
  return { url, link: `${url}/download/${token}`, content, fetched, logged, clock, file };
}
