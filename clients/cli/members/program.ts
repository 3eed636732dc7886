// The commands of `xvault members`: who has a part in a tenant.
import type { Command } from "commander";
import type { Terminal } from "../terminal.ts";
import type { MembersOptions } from "./list.ts";

/** Every command loads what it needs only when it is run. */
export function addMemberCommands(program: Command, terminal: Terminal): void {
  program
    .command("members")
    .description("list who has a part in a tenant")
    .command("list", { isDefault: true })
    .description("list who has a part in a tenant, and what they may do")
    .option("--tenant <id>", "in which; where you have several")
    .option("--json", "as JSON")
    .action(async (options: MembersOptions) => (await import("./list.ts")).members(terminal, options));
}
