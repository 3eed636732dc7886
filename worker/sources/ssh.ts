// A directory or file on an SSH server as a source: read by the server's own `tar`, or over SFTP where no command runs there.
import type { Entry, Warning } from "#artifact/node";
import { Hooks, hookSettings } from "./hooks.ts";
import { parseConfig } from "./parse-config.ts";
import { openRemoteTree, type RemoteTree } from "./remote-tree.ts";
import { Selection, selectionSettings } from "./selection.ts";
import { type ConnectOptions, defaultStallMs, type Identity, type Source, type SourceFacts } from "./source.ts";
import { connectSsh, type SshConnection } from "./ssh/connection.ts";
import { remotePath, routeTo, sshRoute } from "./ssh/settings.ts";

const sshConfig = sshRoute.extend({ path: remotePath, ...selectionSettings, hooks: hookSettings });

export async function connectSshFiles(options: ConnectOptions): Promise<Source> {
  const { stallMs = defaultStallMs, log } = options;
  const { path, include, exclude, maxEntries, maxBytes, hooks, ...config } = parseConfig(sshConfig, options.config);
  const route = routeTo(config, options.secrets, options);
  const selection = new Selection({ include, exclude, maxEntries, maxBytes });
  const connection = await connectSsh(route);
  try {
    const tree = await openRemoteTree(connection, { path, selection, stallMs, username: route.target.username });
    const connectAgain = (signal: AbortSignal) => connectSsh({ ...route, signal });
    return new SshFiles({ connection, tree, hooks: new Hooks(hooks, { log, connection, connectAgain }) });
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}

interface SshFilesParts {
  readonly connection: SshConnection;
  readonly tree: RemoteTree;
  readonly hooks: Hooks;
}

class SshFiles implements Source {
  readonly #parts: SshFilesParts;

  constructor(parts: SshFilesParts) {
    this.#parts = parts;
  }

  async identify(): Promise<Identity> {
    const { connection, tree } = this.#parts;
    const { hostKey, jumpHostKey, serverVersion } = connection;
    const sampleEntries = await tree.sample();
    const remarks = tree.method === "tar" ? [] : [remarkOfSftp];
    return { hostKey, jumpHostKey, serverVersion, sampleEntries, tools: this.#tools(), remarks };
  }

  estimate() {
    return this.#parts.tree.estimate();
  }

  async *entries(warn: (warning: Warning) => void): AsyncGenerator<Entry> {
    const { tree, hooks } = this.#parts;
    await hooks.runBefore(warn);
    yield* tree.entries(warn);
    await hooks.runAfter(warn);
  }

  facts(): SourceFacts {
    return { tools: this.#tools(), databases: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { hooks, connection } = this.#parts;
    await hooks[Symbol.asyncDispose]();
    await connection[Symbol.asyncDispose]();
  }

  #tools(): Record<string, string> {
    const { tool } = this.#parts.tree;
    return tool ? { [tool.name]: tool.version } : {};
  }
}

const remarkOfSftp =
  "This server runs no commands that are of use here, so files are read over SFTP: names that are not UTF-8 are left out, and hard links become files of their own.";
