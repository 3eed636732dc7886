// The commands of `xvault keys`: what a tenant's snapshots are sealed to.
import type { Command } from "commander";
import type { TenantChoice } from "../tenants.ts";
import type { Terminal } from "../terminal.ts";
import type { KeysOptions } from "./list.ts";

/** Every command loads what it needs only when it is run. `operate` runs one that is for operators, beside the hub. */
export function addKeyCommands(
  program: Command,
  terminal: Terminal,
  operate: (args: readonly string[]) => Promise<void>,
): void {
  const keys = program.command("keys").description("list the keys that snapshots are sealed to; make a new one");

  keys
    .command("list", { isDefault: true })
    .description("list the keys that a tenant's snapshots are sealed to, newest first")
    .option("--tenant <id>", "whose; where you have several")
    .option("--json", "as JSON")
    .action(async (options: KeysOptions) => (await import("./list.ts")).keys(terminal, options));

  keys
    .command("rotate")
    .description("seal new snapshots to a new key of the platform; earlier keys still open what was sealed to them")
    .option("--tenant <id>", "whose; where you have several")
    .action(async (options: TenantChoice) => (await import("./rotate.ts")).rotate(terminal, options));

  keys
    .command("rotate-kek")
    .description("seal the hub's secrets anew with a new HUB_ENCRYPTION_KEK; for operators, with the hub's environment")
    .option("--json", "the outcome as JSON")
    .action(({ json }: { json?: boolean }) => operate(["rotate-kek", ...(json ? ["--json"] : [])]));
}
