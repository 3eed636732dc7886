// Knows whose stores can be read here: every store says in a small file which worker it belongs to.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";

const markerName = ".xvault-store.json";
const markerSchema = z.object({ workerId: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/) });

export class Stores {
  readonly #bases: readonly string[];
  #baseOf = new Map<string, string>();

  constructor(bases: readonly string[]) {
    this.#bases = bases;
  }

  /** Looks anew: a worker writes the marker of its store when it starts for the first time, which may be after us. */
  async look(): Promise<string[]> {
    const found = await Promise.all(this.#bases.map(async (base) => [await ownerOf(base), base] as const));
    this.#baseOf = new Map(found.flatMap(([workerId, base]) => (workerId === null ? [] : [[workerId, base] as const])));
    return [...this.#baseOf.keys()].sort();
  }

  /** How many were found at the last look. */
  get known(): number {
    return this.#baseOf.size;
  }

  baseOf(workerId: string): string | undefined {
    return this.#baseOf.get(workerId);
  }
}

async function ownerOf(base: string): Promise<string | null> {
  const text = await readFile(join(base, markerName), "utf8").catch(() => "null");
  try {
    return markerSchema.parse(JSON.parse(text)).workerId;
  } catch {
    return null;
  }
}
