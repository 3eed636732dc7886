// The commands of `xvault sources`: what is backed up, made and tested.
import type { Command } from "commander";
import type { Terminal } from "../terminal.ts";
import type { AddOptions } from "./add.ts";

/** Every command loads what it needs only when it is run. */
export function addSourceCommands(program: Command, terminal: Terminal): void {
  const sources = program
    .command("sources")
    .description("list what is backed up; add to it, and test it")
    .option("--json", "as JSON")
    .action(async (options: { json?: boolean }) => (await import("./list.ts")).sources(terminal, options));

  sources
    .command("add")
    .description("add a source: asks what is needed, tests it, and saves it")
    .option("--tenant <id>", "whose it is; asked for where you have several")
    .option(
      "--from <file>",
      "take { type, name, config, secret } from a JSON file and ask nothing; - reads standard input",
    )
    .option("--accept-host-key", "with --from: take the host key that the test finds for the right one")
    .option("--max-rate <rate>", "read it no faster than this, such as 500K or 20M (bytes a second)")
    .action(async (options: AddOptions) => (await import("./add.ts")).addSource(terminal, options));

  sources
    .command("limit")
    .description("read a source no faster than this from its next backup on")
    .argument("<source>", "id of the source, see xvault sources")
    .argument("<rate>", "bytes a second, such as 500K or 20M; none lifts the limit")
    .action(async (source: string, rate: string) => (await import("./rate.ts")).limit(terminal, source, rate));

  sources
    .command("test")
    .description("connect to a source and say what is found there")
    .argument("<source>", "id of the source, see xvault sources")
    .action(async (source: string) => (await import("./test.ts")).testSource(terminal, source));
}
