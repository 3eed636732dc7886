// The commands of `xvault jobs`: what was and is being done.
import type { Command } from "commander";
import type { Terminal } from "../terminal.ts";
import type { JobsOptions } from "./list.ts";

/** Every command loads what it needs only when it is run. */
export function addJobCommands(program: Command, terminal: Terminal): void {
  const jobs = program.command("jobs").description("list what was and is being done; stop it, or do it again");

  jobs
    .command("list", { isDefault: true })
    .description("list what was and is being done, newest first")
    .option("--source <id>", "about one source only")
    .option("--open", "only what has not ended")
    .option("--json", "as JSON")
    .action(async (options: JobsOptions) => (await import("./list.ts")).jobs(terminal, options));

  jobs
    .command("log")
    .description("show what happened to a job, line by line")
    .argument("<job>", "id of the job")
    .option("--follow", "and what happens, to its end")
    .option("--json", "as JSON")
    .action(async (job: string, options: { follow?: boolean; json?: boolean }) =>
      (await import("./log.ts")).log(terminal, job, options),
    );

  jobs
    .command("cancel")
    .description("stop a job")
    .argument("<job>", "id of the job")
    .action(async (job: string) => (await import("./change.ts")).cancel(terminal, job));

  jobs
    .command("retry")
    .description("do again, as a new job, what failed or was canceled")
    .argument("<job>", "id of the job")
    .option("--watch", "watch it to its end")
    .action(async (job: string, options: { watch?: boolean }) =>
      (await import("./change.ts")).retry(terminal, job, options),
    );
}
