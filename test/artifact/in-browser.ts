// What the page in browser.spec.ts does: opens an artifact through the portable door, from a server and from memory, and reports.
import {
  blobReader,
  type EntryPath,
  httpReader,
  looseArtifact,
  openArtifact,
  type RangeReader,
  type StreamedArtifact,
  verify,
} from "#artifact";

export interface Report {
  readonly depth: string;
  readonly listed: readonly string[];
  readonly extracted: readonly { readonly path: string; readonly kind: string; readonly sha256?: string }[];
  readonly picked: string | null;
  readonly tarBytes: number;
  readonly wrongKey: string;
}

/** Answers one report for each way of reading. */
async function run(vector: string, identity: string, stranger: string): Promise<Report[]> {
  const address = (name: string) => new URL(`/vectors/${vector}/${name}.bin`, location.href);
  const overHttp = (name: string) => httpReader(address(name));
  const fromBlob = async (name: string) => blobReader(await (await fetch(address(name))).blob());
  return [await report(overHttp, identity, stranger), await report(fromBlob, identity, stranger)];
}

async function report(
  open: (name: string) => Promise<RangeReader>,
  identity: string,
  stranger: string,
): Promise<Report> {
  const place = { ...(await looseArtifact(open)), identities: [identity] };
  const { depth } = await verify(place);
  await using artifact = await openArtifact(place);
  const listed: string[] = [];
  for await (const { path } of artifact.catalogue()) listed.push(nameOf(path));
  const extracted: Report["extracted"][number][] = [];
  for await (const { path, kind, content } of artifact.entries()) {
    const sha256 = await digest(content);
    extracted.push({ path: nameOf(path), kind, ...(kind === "file" ? { sha256 } : {}) });
  }
  const wrongKey = await openArtifact({ ...place, identities: [stranger] }).then(
    () => "opened",
    (error) => error.code,
  );
  const tarBytes = (await new Response(artifact.tar()).arrayBuffer()).byteLength;
  return { depth, listed, extracted, picked: await pickLast(artifact), tarBytes, wrongKey };
}

/** The hash of the last file's content, taken by its place in the catalogue. */
async function pickLast(artifact: StreamedArtifact): Promise<string | null> {
  let last = null;
  for await (const entry of artifact.find(["."])) if (entry.kind === "file") last = entry;
  return last && digest(artifact.pick(last));
}

async function digest(content: ReadableStream<Uint8Array>): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", await new Response(content).arrayBuffer());
  return hex(new Uint8Array(hash));
}

function nameOf(path: EntryPath): string {
  return typeof path === "string" ? path : `hex:${hex(path)}`;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const asked = new URLSearchParams(location.search);
const outcome = await run(asked.get("vector") ?? "", asked.get("identity") ?? "", asked.get("stranger") ?? "").catch(
  (error) => ({ failed: String(error?.stack ?? error) }),
);
await fetch("/report", { method: "POST", body: JSON.stringify(outcome) });
