// The last word of the demo: what was done, and how to do without us.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fileNames } from "#artifact";
import { CommandError } from "../cli/failure.ts";
import { bytesText, durationText } from "../cli/figures.ts";
import type { Snapshot } from "./round-trip.ts";
import type { StackFacts } from "./stack.ts";

export interface Outcome {
  readonly snapshot: Snapshot;
  readonly storageBase: string;
  readonly elapsedMs: number;
  readonly keep: boolean;
}

/** Looks at the artifact where it lies: the line that opens it has to be true. */
export async function closingText({ snapshot, storageBase, elapsedMs, keep }: Outcome): Promise<string> {
  const { localPath, plainBytes, storedBytes } = snapshot;
  const artifact = join(storageBase, localPath, fileNames.artifact);
  const size = await stat(artifact).then(
    (stats) => stats.size,
    () => {
      throw new CommandError(`The artifact is not where it should be: ${artifact}`);
    },
  );
  const share = plainBytes > 0 ? `, ${Math.round((storedBytes / plainBytes) * 100)} % of ${bytesText(plainBytes)}` : "";
  return [
    "",
    `Done in ${durationText(elapsedMs)}: everything came back as it was.`,
    `The snapshot takes ${bytesText(storedBytes)}${share}; its artifact takes ${bytesText(size)} of that.`,
    "",
    "The artifact opens without xVault, with three standard tools:",
    "",
    `  age -d -i key.txt ${quoted(artifact)} | zstd -d | tar x`,
    "",
    "key.txt is the tenant's private age key. xVault keeps it here, encrypted; exporting it is not offered yet.",
    ...(keep ? [] : ["This artifact goes now, like all else that the demo made; --keep leaves it."]),
    "",
  ].join("\n");
}

export interface KeptDemo {
  readonly stack: StackFacts;
  readonly directory: string;
  readonly processes: readonly number[];
}

export function keptText({ stack, directory, processes }: KeptDemo): string {
  const { graphiqlUrl, graphqlUrl, healthUrl, owner, home, storageBase } = stack;
  return [
    "",
    "Everything is left running:",
    `  GraphiQL   ${graphiqlUrl}`,
    `  GraphQL    ${graphqlUrl}`,
    `  health     ${healthUrl}`,
    `  e-mail     ${owner.email}`,
    `  password   ${owner.password}`,
    `  data       ${home}`,
    `  artifacts  ${storageBase}`,
    "",
    `  npm run -s xvault -- sign-in --url ${graphqlUrl} --email ${owner.email}`,
    "",
    `To end it: kill ${processes.join(" ")}; then rm -r ${quoted(directory)}`,
    "",
  ].join("\n");
}

/** For a shell. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
