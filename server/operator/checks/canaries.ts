// I7: secrets that were planted are found nowhere: not in the database, the stores, the temporary directories or the logs.
import { createReadStream } from "node:fs";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { Prisma } from "../../../prisma/client/client.ts";
import type { Finding, Grounds } from "./check.ts";
import { namesIn } from "./store-walk.ts";

export async function* secretsAreHidden(grounds: Grounds): AsyncGenerator<Finding> {
  const disguises = (grounds.canaries ?? []).flatMap(disguisesOf);
  if (disguises.length === 0) return;
  yield* inDatabase(grounds, disguises);
  const places = [...grounds.stores.map(({ base }) => base), ...grounds.temps, ...(grounds.canaryPlaces ?? [])];
  for (const place of places) yield* inFiles(grounds, place, disguises);
}

interface Disguise {
  readonly text: string;
  /** Which secret it is, without saying it. */
  readonly name: string;
}

function disguisesOf(secret: string, index: number): Disguise[] {
  const bytes = Buffer.from(secret);
  // In whatever a base64 text begins with it, or has before it: the characters that depend on neither neighbour.
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    return text.slice(shift === 0 ? 0 : shift + 1, text.length - 1);
  });
  const texts = [
    secret,
    ...base64,
    bytes.toString("hex"),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
  ];
  return [...new Set(texts)].filter((text) => text.length >= 8).map((text) => ({ text, name: `secret ${index + 1}` }));
}

async function* inDatabase({ db }: Grounds, disguises: readonly Disguise[]): AsyncGenerator<Finding> {
  const tables = await db.$queryRaw<{ name: string }[]>`
    SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'`;
  for (const { name: table } of tables)
    for (const { text, name } of disguises) {
      const [hit] = await db.$queryRaw<unknown[]>(
        Prisma.sql`SELECT 1 FROM ${Prisma.raw(`"${table}"`)} t WHERE strpos(t::text, ${text}) > 0 LIMIT 1`,
      );
      if (hit) yield { invariant: "I7", about: `table ${table}`, sentence: `It holds ${name}.` };
    }
}

async function* inFiles({ signal }: Grounds, path: string, disguises: readonly Disguise[]): AsyncGenerator<Finding> {
  signal?.throwIfAborted();
  const stats = await lstat(path).catch(() => null);
  if (stats?.isDirectory())
    for (const name of await namesIn(path)) yield* inFiles({ signal } as Grounds, join(path, name), disguises);
  if (!stats?.isFile()) return;
  const longest = Math.max(...disguises.map(({ text }) => text.length));
  const found = new Set<string>();
  let tail = "";
  for await (const chunk of createReadStream(path, { encoding: "latin1" })) {
    const text = tail + chunk;
    for (const disguise of disguises)
      if (text.includes(Buffer.from(disguise.text).toString("latin1"))) found.add(disguise.name);
    tail = text.slice(-longest);
  }
  for (const name of found) yield { invariant: "I7", about: path, sentence: `It holds ${name}.` };
}
