// The commands of `xvault api-keys`: what programs sign in with.
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Terminal } from "../terminal.ts";
import type { CreateOptions } from "./create.ts";
import type { ApiKeysOptions } from "./list.ts";

const gathered = (value: string, before: string[] = []) => [...before, value];

/** Every command loads what it needs only when it is run. */
export function addApiKeyCommands(program: Command, terminal: Terminal): void {
  const keys = program.command("api-keys").description("list what programs sign in with; make it, or revoke it");

  keys
    .command("list", { isDefault: true })
    .description("list the API keys of a tenant, newest first")
    .option("--tenant <id>", "whose; where you have several")
    .option("--json", "as JSON")
    .action(async (options: ApiKeysOptions) => (await import("./list.ts")).apiKeys(terminal, options));

  keys
    .command("create")
    .description("make an API key; it is written to standard output, and never shown again")
    .argument("<name>", "what to call it")
    .addOption(
      new Option("--role <role>", "what it may do").choices(["viewer", "member", "admin"]).makeOptionMandatory(),
    )
    .addOption(new Option("--source <id>", "good for this source only; may be repeated").argParser(gathered))
    .addOption(new Option("--days <count>", "ends after so many days; never where not given").argParser(daysOf))
    .option("--tenant <id>", "whose; where you have several")
    .action(async (name: string, options: CreateOptions) =>
      (await import("./create.ts")).createKey(terminal, name, options),
    );

  keys
    .command("revoke")
    .description("end an API key at once and for good")
    .argument("<key>", "id of the key")
    .action(async (key: string) => (await import("./revoke.ts")).revokeKey(terminal, key));
}

function daysOf(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError("A whole number of days, please.");
  return Number(text);
}
