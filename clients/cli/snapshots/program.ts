// The commands of `xvault snapshots`: what is kept, and what is to be kept or not.
import type { Command } from "commander";
import type { Terminal } from "../terminal.ts";
import type { SnapshotsOptions } from "./list.ts";
import type { VerifyOptions } from "./verify.ts";

/** Every command loads what it needs only when it is run. */
export function addSnapshotCommands(program: Command, terminal: Terminal): void {
  const snapshots = program.command("snapshots").description("list what is kept; check it, pin it, or delete it");

  snapshots
    .command("list", { isDefault: true })
    .description("list what is kept, newest first")
    .option("--source <id>", "of one source only")
    .option("--json", "as JSON")
    .action(async (options: SnapshotsOptions) => (await import("./list.ts")).snapshots(terminal, options));

  snapshots
    .command("pin")
    .description("keep a snapshot whatever the retention says, and from being deleted")
    .argument("<snapshot>", "id of the snapshot")
    .requiredOption("--reason <text>", "why, for whoever looks at it later")
    .action(async (snapshot: string, { reason }: { reason: string }) =>
      (await import("./change.ts")).pin(terminal, snapshot, reason),
    );

  snapshots
    .command("unpin")
    .description("leave a snapshot to the retention again")
    .argument("<snapshot>", "id of the snapshot")
    .action(async (snapshot: string) => (await import("./change.ts")).unpin(terminal, snapshot));

  snapshots
    .command("verify")
    .description("check whether a snapshot is whole, and wait for the answer")
    .argument("<snapshot>", "id of the snapshot")
    .option("--content", "open it as well, and compare everything in it with its catalogue")
    .option("--no-watch", "do not wait for the answer")
    .action(async (snapshot: string, options: VerifyOptions) =>
      (await import("./verify.ts")).verify(terminal, snapshot, options),
    );

  snapshots
    .command("delete")
    .description("delete a snapshot, after a grace in which it can be taken back")
    .argument("<snapshot>", "id of the snapshot")
    .action(async (snapshot: string) => (await import("./change.ts")).remove(terminal, snapshot));

  snapshots
    .command("undelete")
    .description("take the deletion of a snapshot back, within its grace")
    .argument("<snapshot>", "id of the snapshot")
    .action(async (snapshot: string) => (await import("./change.ts")).undelete(terminal, snapshot));
}
