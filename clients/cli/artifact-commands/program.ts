// The commands of `xvault artifact`: for whoever holds an artifact in their hands, with no hub at all.
import { type Command, Option } from "commander";
import type { Terminal } from "../terminal.ts";
import type { ExtractOptions } from "./extract.ts";
import type { RekeyOptions } from "./rekey.ts";
import type { SealOptions } from "./seal.ts";

const closingHelp = `
DIRECTORY is where the four files of an artifact lie. A key file is what age-keygen writes.
Exit codes: 0 fine, 1 refused or failed, 2 wrong usage, 4 no key fits, 5 damaged, 130 interrupted.`;

interface Keyed {
  readonly key: string;
}
interface Json {
  readonly json?: boolean;
}

const gathered = (value: string, before: string[] = []) => [...before, value];
const recipients = () =>
  new Option("--recipient <age1…>", "a public key to seal to; may be repeated")
    .makeOptionMandatory()
    .argParser(gathered);

/** Every command loads what it needs only when it is run. */
export function addArtifactCommands(program: Command, terminal: Terminal): void {
  const artifact = program
    .command("artifact")
    .description("seal, look at and open artifacts on this machine, without a hub")
    .addHelpText("afterAll", closingHelp);

  artifact
    .command("seal")
    .description("seal a directory or file into an artifact")
    .argument("<path>", "what to seal")
    .addOption(recipients())
    .requiredOption("--out <directory>", "where to write the artifact; must not be there yet")
    .option("--json", "say what came of it as JSON")
    .action(async (path: string, options: SealOptions) => (await import("./seal.ts")).seal(terminal, path, options));

  artifact
    .command("inspect")
    .description("say what anybody may know of an artifact")
    .argument("<directory>")
    .option("--json", "as JSON: its manifest")
    .action(async (directory: string, options: Json) =>
      (await import("./inspect.ts")).inspect(terminal, directory, options),
    );

  artifact
    .command("verify")
    .description("prove that every stored byte is the one that was sealed, and with a key every entry too")
    .argument("<directory>")
    .option("--key <file>", "a key file")
    .option("--json", "as JSON")
    .action(async (directory: string, options: Partial<Keyed> & Json) =>
      (await import("./verify.ts")).verify(terminal, directory, options),
    );

  artifact
    .command("list")
    .description("list the entries")
    .argument("<directory>")
    .requiredOption("--key <file>", "a key file")
    .option("--json", "as JSON")
    .action(async (directory: string, options: Keyed & Json) =>
      (await import("./list.ts")).list(terminal, directory, options),
    );

  artifact
    .command("extract")
    .description("unpack everything, or some paths each with everything beneath it")
    .argument("<directory>")
    .argument("[paths...]")
    .requiredOption("--key <file>", "a key file")
    .option("--out <path>", "an empty or new directory; with --tar or --zip a file, or standard output where not given")
    .addOption(new Option("--tar", "as one tar file").conflicts("zip"))
    .option("--zip", "as one ZIP file")
    .option("--json", "say what came of it as JSON")
    .action(async (directory: string, paths: string[], options: Omit<ExtractOptions, "paths">) =>
      (await import("./extract.ts")).extract(terminal, directory, { ...options, paths }),
    );

  artifact
    .command("rekey")
    .description("let further keys open an artifact; its contents stay as they are")
    .argument("<directory>")
    .requiredOption("--key <file>", "a key file that opens it now")
    .addOption(recipients())
    .option("--replace", "take it away from the keys that open it now")
    .option("--json", "say what came of it as JSON")
    .action(async (directory: string, options: RekeyOptions) =>
      (await import("./rekey.ts")).rekey(terminal, directory, options),
    );
}
