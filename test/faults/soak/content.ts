// Files of a source that change all the time, and the memory of all they ever held: the oracle of what a snapshot may contain.
import { createHash } from "node:crypto";
import { chown, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { DescribedTree } from "../../../server/operator/checks/check.ts";
import type { Random } from "../../edge/fuzz/random.ts";
import { seededBytes } from "../../stage/tree.ts";

interface Version {
  readonly what: string;
  readonly from: number;
  /** When the next one took its place. */
  until: number;
}

export interface ChangingContent extends AsyncDisposable {
  /** What is wrong with a tree that was read between two moments [ms]; null: each file is as it was at some time in between. */
  judge(tree: DescribedTree, from: number, until: number): string | null;
  readonly changes: number;
}

const filesEach = 12;
/** The clock that the oracle goes by and that of Postgres are the same one, read at different moments. */
const slackMs = 1_000;

/** Each file changes as a whole, by a rename, and never its length: whoever reads it gets one version of it. */
export async function changeContent(
  base: string,
  { owner, random, seed }: { owner: { uid: number; gid: number }; random: Random; seed: number },
): Promise<ChangingContent> {
  const versions = new Map<string, Version[]>();
  const stopping = new AbortController();
  let changes = 0;
  await mkdir(join(base, "d"), { recursive: true });
  await chown(join(base, "d"), owner.uid, owner.gid);

  async function write(name: string, bytes: number): Promise<void> {
    const content = seededBytes(bytes, `${seed} ${base} ${name} ${changes++}`);
    const place = join(base, name);
    // Beside the tree that is backed up.
    const fresh = `${base}.new`;
    await writeFile(fresh, content);
    await chown(fresh, owner.uid, owner.gid);
    const history = versions.get(name) ?? [];
    const from = Date.now();
    await rename(fresh, place);
    const last = history.at(-1);
    if (last) last.until = Date.now();
    const what = `file of ${bytes} bytes, sha256 ${createHash("sha256").update(content).digest("hex")}`;
    versions.set(name, [...history, { what, from, until: Number.POSITIVE_INFINITY }]);
  }

  const names = Array.from({ length: filesEach }, (_, n) => ({
    name: n % 2 === 0 ? `f${n}` : `d/f${n}`,
    bytes: n === 0 ? 3_000_000 : 200 + n * 1_700,
  }));
  for (const { name, bytes } of names) await write(name, bytes);
  const changing = (async () => {
    while (!stopping.signal.aborted) {
      const { name, bytes } = random.pick(names);
      await write(name, bytes);
      await pause(100 + random.below(400), undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();

  return {
    get changes() {
      return changes;
    },
    judge(tree, from, until) {
      for (const [name, history] of versions) {
        const found = tree.get(name);
        const possible = history.filter((each) => each.from <= until + slackMs && each.until >= from - slackMs);
        if (!possible.some(({ what }) => what === found))
          return `${name} is ${found ?? "missing"}, as it never was then.`;
      }
      const strange = [...tree.keys()].find((name) => !versions.has(name) && name !== "d");
      return strange === undefined ? null : `${strange} was never there.`;
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await changing;
    },
  };
}
