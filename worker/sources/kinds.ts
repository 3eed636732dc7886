// Every type of source that is served here, by the name the hub has for it; each is loaded when it is first asked for.
import type { ConnectSource } from "./source.ts";

export interface Kind {
  readonly connect: ConnectSource;
  /** Whether it is always reached over SSH; any other is where its settings have `ssh`. */
  readonly overSsh: boolean;
}

export const sourceKinds = {
  SSH: { connect: async (options) => (await import("./ssh.ts")).connectSshFiles(options), overSsh: true },
  SFTP: { connect: async (options) => (await import("./sftp.ts")).connectSftp(options), overSsh: true },
  FTP: { connect: async (options) => (await import("./ftp.ts")).connectFtp(options), overSsh: false },
  MYSQL: { connect: async (options) => (await import("./mysql.ts")).connectMysql(options), overSsh: false },
  POSTGRES: { connect: async (options) => (await import("./postgres.ts")).connectPostgres(options), overSsh: false },
  WORDPRESS: { connect: async (options) => (await import("./wordpress.ts")).connectWordpress(options), overSsh: true },
} as const satisfies Record<string, Kind>;

export type SourceType = keyof typeof sourceKinds;

export const servedSourceTypes = Object.keys(sourceKinds) as SourceType[];
