// The two doors that an artifact is opened through: the same suites run through both.
import * as portable from "#artifact";
import * as node from "#artifact/node";
import { directory, identity, type Sealed } from "./sealing.ts";

export interface Door {
  readonly name: string;
  readonly openArtifact: typeof node.openArtifact;
  readonly verify: typeof node.verify;
}

export const doors: readonly Door[] = [
  { name: "#artifact/node", openArtifact: node.openArtifact, verify: node.verify },
  { name: "#artifact", openArtifact: portable.openArtifact, verify: portable.verify },
];

/** Opens what `sealTree` sealed, through this door. */
export function openThrough(
  door: Door,
  { storage }: Sealed,
  changes: { identities?: string[]; manifestSha256?: string } = {},
): Promise<node.OpenedArtifact> {
  return door.openArtifact({ storage, directory, identities: [identity], ...changes });
}
