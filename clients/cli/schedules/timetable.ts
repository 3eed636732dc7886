// How a timetable is said on the command line, and how it is shown there.
import { type Command, InvalidArgumentError, Option } from "commander";
import type { ScheduleFacts } from "../../api/schedules.ts";
import { CommandError, exitCodes } from "../failure.ts";
import { plural } from "../figures.ts";

export interface TimetableOptions {
  readonly cron?: string;
  /** Minutes. */
  readonly every?: number;
  readonly timezone?: string;
  readonly window?: { readonly from: string; readonly to: string };
}

/** Adds the options of a timetable to a command. */
export function withTimetable(command: Command): Command {
  return command
    .addOption(
      new Option("--cron <expression>", 'such as "30 2 * * *": minute, hour, day, month, weekday; or @daily').conflicts(
        "every",
      ),
    )
    .addOption(new Option("--every <minutes>", "an interval instead").argParser(wholeNumber))
    .option("--timezone <name>", "an IANA timezone, such as Europe/Berlin; UTC where not given")
    .addOption(
      new Option("--window <from-to>", "begin between these times only, such as 22:00-06:00").argParser(windowOf),
    );
}

/** What the hub is told. Throws `CommandError` where there is neither an expression nor an interval. */
export function timetableInput({ cron, every, timezone, window }: TimetableOptions) {
  if (cron === undefined && every === undefined)
    throw new CommandError("Say when, with --cron or --every.", { exitCode: exitCodes.usage });
  return {
    ...(cron !== undefined && { cron }),
    ...(every !== undefined && { intervalMinutes: every }),
    ...(timezone !== undefined && { timezone }),
    ...(window && { window }),
  };
}

/** `30 2 * * * Europe/Berlin, 22:00-06:00, spread over 30 minutes` */
export function timetableText({ cron, intervalMinutes, timezone, window, jitterMinutes }: ScheduleFacts): string {
  const when = cron === null ? `every ${plural(intervalMinutes ?? 0, "minute")}` : `${cron} ${timezone}`;
  return [
    when,
    window && `${window.from}-${window.to}${cron === null ? ` ${timezone}` : ""}`,
    jitterMinutes > 0 && `spread over ${plural(jitterMinutes, "minute")}`,
  ]
    .filter(Boolean)
    .join(", ");
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError("A whole number, please.");
  return Number(text);
}

function windowOf(text: string): { from: string; to: string } {
  const [, from, to] = /^(\d\d:\d\d)-(\d\d:\d\d)$/.exec(text) ?? [];
  if (from === undefined || to === undefined) throw new InvalidArgumentError("Two times, please, such as 22:00-06:00.");
  return { from, to };
}
