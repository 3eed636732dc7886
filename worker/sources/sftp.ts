// A directory or file on an SFTP server as a source.
import type { Entry, Warning } from "#artifact/node";
import { parseConfig } from "./parse-config.ts";
import { Selection, selectionSettings } from "./selection.ts";
import { SftpSession } from "./sftp/session.ts";
import { SftpTree } from "./sftp/tree.ts";
import { type ConnectOptions, defaultStallMs, type Identity, type Source, type SourceFacts } from "./source.ts";
import { connectSsh, type SshConnection } from "./ssh/connection.ts";
import { remotePath, routeTo, sshRoute } from "./ssh/settings.ts";

const sftpConfig = sshRoute.extend({ path: remotePath, ...selectionSettings });

export async function connectSftp(options: ConnectOptions): Promise<Source> {
  const { stallMs = defaultStallMs } = options;
  const { path, include, exclude, maxEntries, maxBytes, ...config } = parseConfig(sftpConfig, options.config);
  const route = routeTo(config, options.secrets, options);
  const selection = new Selection({ include, exclude, maxEntries, maxBytes });
  const connection = await connectSsh(route);
  try {
    const session = await SftpSession.open(connection, stallMs);
    return new SftpSource(connection, new SftpTree(session, { path, selection, username: route.target.username }));
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}

class SftpSource implements Source {
  readonly #connection: SshConnection;
  readonly #tree: SftpTree;

  constructor(connection: SshConnection, tree: SftpTree) {
    this.#connection = connection;
    this.#tree = tree;
  }

  async identify(): Promise<Identity> {
    const { hostKey, jumpHostKey, serverVersion } = this.#connection;
    return { hostKey, jumpHostKey, serverVersion, sampleEntries: await this.#tree.sample(), tools: {}, remarks: [] };
  }

  estimate() {
    return this.#tree.estimate();
  }

  entries(warn: (warning: Warning) => void): AsyncGenerator<Entry> {
    return this.#tree.entries(warn);
  }

  facts(): SourceFacts {
    return { tools: {}, databases: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }
}
