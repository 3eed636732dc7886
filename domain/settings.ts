// The settings of the whole platform, each with its default and its bounds.
import * as z from "zod";
import type { Transaction } from "./hub.ts";

const settings = {
  /** How long a prepared download stays, in hours. */
  download_expiration_hours: z.number().int().min(1).max(168).default(1),
  /** Largest download that is prepared, in MiB; 0: no limit. */
  max_download_size_mb: z.number().int().min(0).default(0),
} as const;

export type SettingKey = keyof typeof settings;

/** The value in force: the stored one, or the default where none is stored or the stored one is out of bounds. */
export async function readSetting(db: Transaction, key: SettingKey): Promise<number> {
  const row = await db.systemSetting.findUnique({ where: { key } });
  const parsed = settings[key].safeParse(row?.value ?? undefined);
  return parsed.success ? parsed.data : settings[key].parse(undefined);
}
