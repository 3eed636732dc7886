// The commands of `xvault`: what they are called, what they take, and how they end.
import { Command, Option } from "commander";
import { addApiKeyCommands } from "./api-keys/program.ts";
import { addArtifactCommands } from "./artifact-commands/program.ts";
import { readConfig } from "./config.ts";
import { exitCodes, failureOf } from "./failure.ts";
import { addJobCommands } from "./jobs/program.ts";
import { addKeyCommands } from "./keys/program.ts";
import { addMemberCommands } from "./members/program.ts";
import type { RestoreOptions } from "./restore.ts";
import type { SignInOptions } from "./sign-in.ts";
import { addSnapshotCommands } from "./snapshots/program.ts";
import { addSourceCommands } from "./sources/program.ts";
import type { Terminal } from "./terminal.ts";

const closingHelp = `
Exit codes: 0 fine, 1 refused or failed, 2 wrong usage, 3 not signed in, 4 no key fits, 5 damaged, 130 interrupted.`;

/** Runs one command, which loads what it needs only now, and resolves with its exit code. Never rejects. */
export async function runProgram(args: readonly string[]): Promise<number> {
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  const { signal } = interrupted;
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, interrupt);
  const { stdin, stdout, stderr } = process;
  // Whoever read the output has read enough, as in "xvault snapshots | head".
  stdout.on("error", () => process.exit(exitCodes.fine));
  const terminal: Terminal = { stdin, stdout, stderr, ...readConfig(), signal };
  try {
    return await run(terminal, args);
  } catch (error) {
    const { sentence, exitCode } = failureOf(error, signal);
    if (sentence) stderr.write(`${sentence}\n`);
    return exitCode;
  } finally {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.off(name, interrupt);
  }
}

async function run(terminal: Terminal, args: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.fine;
  const program = new Command("xvault")
    .description("Backs up servers with nothing installed on them, and brings them back.")
    .addHelpText("after", closingHelp)
    .exitOverride();

  program
    .command("sign-in")
    .description("sign in to a hub; the password, or the API key, is asked for or read from standard input")
    .requiredOption("--url <url>", "address of the hub, such as https://vault.example.com/graphql")
    .option("--email <address>", "your e-mail address")
    .option("--password-file <file>", "read the password from the first line of a file")
    .addOption(
      new Option("--api-key", "with an API key instead; XVAULT_API_KEY and XVAULT_URL do without a sign-in").conflicts([
        "email",
        "passwordFile",
      ]),
    )
    .action(async (options: SignInOptions) => (await import("./sign-in.ts")).signIn(terminal, options));

  program
    .command("sign-out")
    .description("end the session, and forget it on this machine")
    .action(async () => (await import("./sign-out.ts")).signOut(terminal));

  addSourceCommands(program, terminal);

  program
    .command("backup")
    .description("back up")
    .command("start")
    .description("start a backup of a source now")
    .argument("<source>", "id of the source, see xvault sources")
    .option("--watch", "watch it to its end")
    .action(async (source: string, options: { watch?: boolean }) =>
      (await import("./backup.ts")).startBackup(terminal, source, options),
    );

  addSnapshotCommands(program, terminal);
  addJobCommands(program, terminal);

  program
    .command("restore")
    .description("fetch a snapshot, or some paths of it, into a file")
    .argument("<snapshot>", "id of the snapshot, see xvault snapshots")
    .argument("[paths...]", "paths to take, each with everything beneath it; all where none is given")
    .requiredOption("--out <file>", "where to write it")
    .addOption(
      new Option("--form <form>", "form of the file, sealed: as it is stored; by its name where not given").choices([
        "zip",
        "tar",
        "sealed",
      ]),
    )
    .action(async (snapshot: string, paths: string[], options: Omit<RestoreOptions, "paths">) =>
      (await import("./restore.ts")).restore(terminal, snapshot, { ...options, paths }),
    );

  addMemberCommands(program, terminal);
  addApiKeyCommands(program, terminal);
  const handOver = async (to: "migrate" | "operator", given: readonly string[]) => {
    exitCode = await (await import("./hand-over.ts")).handOver(to, given, terminal.signal);
  };
  addKeyCommands(program, terminal, (given) => handOver("operator", given));
  addArtifactCommands(program, terminal);

  program
    .command("migrate")
    .description("bring the hub's database (DATABASE_URL) up to date; for operators")
    .option("--status", "say what would be done, and exit with 1 where there is something")
    .action(({ status }: { status?: boolean }) => handOver("migrate", status ? ["--status"] : []));

  program
    .command("fsck")
    .description("look whether database and stores keep every promise; for operators, with the hub's environment")
    .argument("[options...]", "see xvault fsck --help")
    .allowUnknownOption()
    .helpOption(false)
    .action((given: string[]) => handOver("operator", ["fsck", ...given]));

  await program.parseAsync(args, { from: "user" });
  return exitCode;
}
