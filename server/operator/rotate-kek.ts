// `xvault keys rotate-kek`: seals every secret anew with the KEK in use, and says when the one before may go.
import type { Command } from "commander";
import { type Rotation, rotateKek } from "../../domain/kek-rotation.ts";
import { openVault } from "../../domain/vault.ts";
import { connectDatabase } from "../../prisma/connect.ts";
import { readVaultConfig } from "./config.ts";
import type { OperatorSetting } from "./setting.ts";

/** Between two lines of progress. */
const sayEveryMs = 2_000;

export function addRotateKekCommand(program: Command, setting: OperatorSetting): void {
  program
    .command("rotate-kek")
    .description("seal every secret in the database anew with HUB_ENCRYPTION_KEK; may be run again at any time")
    .option("--json", "the outcome as JSON")
    .action((options: { json?: boolean }) => runRotation(setting, options));
}

async function runRotation(setting: OperatorSetting, { json = false }: { json?: boolean }): Promise<void> {
  const { env, say, complain, signal, endWith } = setting;
  const { databaseUrl, kek, previousKeks } = readVaultConfig(env);
  const db = connectDatabase(databaseUrl, { maxConnections: 2, onConnectionLost: () => {} });
  let saidAt = performance.now();
  try {
    const rotation = await rotateKek(
      { db, announce: nobodyIsTold, vault: openVault(kek, previousKeks) },
      {
        signal,
        onProgress: ({ resealed, left }) => {
          if (performance.now() - saidAt < sayEveryMs) return;
          saidAt = performance.now();
          complain(`${resealed} sealed anew, ${left} to go`);
        },
      },
    );
    if (json) say(JSON.stringify(rotation));
    else for (const line of linesOf(rotation)) say(line);
    endWith(rotation.left > 0 ? 1 : 0);
  } finally {
    await db.$disconnect();
  }
}

function linesOf({ kekId, resealed, retired, unopenable, left }: Rotation): string[] {
  return [
    `${resealed} ${resealed === 1 ? "secret was" : "secrets were"} sealed anew with the KEK ${kekId}.`,
    ...retired.map(
      (id) =>
        `0 are left under ${id}: take it out of HUB_ENCRYPTION_PREVIOUS_KEKS, and keep it with the dumps of the database that are older than this.`,
    ),
    ...unopenable.map((id) => `${id} cannot be opened with any KEK at hand: it was left as it is.`),
    left > 0
      ? `${left} ${left === 1 ? "is" : "are"} still sealed with an earlier KEK, which has to stay in HUB_ENCRYPTION_PREVIOUS_KEKS.`
      : `Everything is sealed with the KEK ${kekId}.`,
  ];
}

const nobodyIsTold = { jobChanged() {}, snapshotsChanged() {}, workersChanged() {}, jobDue() {} };
