// Reads the settings of a source, and says which of them is at fault where they are unfit.
import type { z } from "zod";
import { SourceError, type SourceErrorCode } from "./source-error.ts";

/** By the setting that is unfit; any other is about the host. */
const codes: Readonly<Record<string, SourceErrorCode>> = { path: "PATH_NOT_FOUND", username: "SOURCE_AUTH_FAILED" };

/** Throws `SourceError`: the hub has checked the settings when they were made, so this is about old ones. */
export function parseConfig<Schema extends z.ZodType>(schema: Schema, config: unknown): z.output<Schema> {
  const parsed = schema.safeParse(config);
  if (parsed.success) return parsed.data;
  const setting = String(parsed.error.issues[0]?.path[0] ?? "host");
  throw new SourceError(
    codes[setting] ?? "HOST_NOT_ALLOWED",
    `The setting “${setting}” of this source is missing or unfit: edit the source and save it again.`,
    { cause: parsed.error },
  );
}
