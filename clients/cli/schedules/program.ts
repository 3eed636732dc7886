// The commands of `xvault schedules`: when sources are due.
import { type Command, Option } from "commander";
import type { Terminal } from "../terminal.ts";
import type { CreateOptions } from "./create.ts";
import type { SchedulesOptions } from "./list.ts";
import type { PreviewOptions } from "./preview.ts";
import { wholeNumber, withTimetable } from "./timetable.ts";

/** Every command loads what it needs only when it is run. */
export function addScheduleCommands(program: Command, terminal: Terminal): void {
  const schedules = program
    .command("schedules")
    .description("list when sources are due; make a schedule, pause it, or end it");

  schedules
    .command("list", { isDefault: true })
    .description("list when sources are due, and what was skipped")
    .option("--source <id>", "of one source only")
    .option("--json", "as JSON")
    .action(async (options: SchedulesOptions) => (await import("./list.ts")).schedules(terminal, options));

  const create = withTimetable(
    schedules
      .command("create")
      .description("let a source be backed up by itself")
      .argument("<source>", "id of the source, see xvault sources"),
  )
    .addOption(
      new Option("--jitter <minutes>", "spread the beginnings of runs over so many minutes").argParser(wholeNumber),
    )
    .option("--skip-missed", "do not make up for runs that were missed");
  for (const period of ["last", "hourly", "daily", "weekly", "monthly", "yearly"])
    create.addOption(
      new Option(
        `--keep-${period} <count>`,
        period === "last" ? "keep so many of the newest snapshots" : `keep so many ${period} ones`,
      ).argParser(wholeNumber),
    );
  create.action(async (source: string, options: CreateOptions) =>
    (await import("./create.ts")).create(terminal, source, options),
  );

  withTimetable(
    schedules
      .command("preview")
      .description("list the next runs of a schedule, or of a timetable that is not made yet, in UTC")
      .argument("[schedule]", "id of the schedule; none where a timetable is given"),
  )
    .addOption(new Option("--count <count>", "how many, up to 50").default(5).argParser(wholeNumber))
    .action(async (schedule: string | undefined, options: PreviewOptions) =>
      (await import("./preview.ts")).preview(terminal, schedule, options),
    );

  schedules
    .command("pause")
    .description("let nothing come due until it is resumed")
    .argument("<schedule>", "id of the schedule")
    .action(async (schedule: string) => (await import("./change.ts")).pause(terminal, schedule));

  schedules
    .command("resume")
    .description("go on with the next run from now")
    .argument("<schedule>", "id of the schedule")
    .action(async (schedule: string) => (await import("./change.ts")).resume(terminal, schedule));

  schedules
    .command("delete")
    .description("end a schedule; what came of it stays")
    .argument("<schedule>", "id of the schedule")
    .action(async (schedule: string) => (await import("./change.ts")).remove(terminal, schedule));
}
