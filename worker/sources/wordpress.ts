// A WordPress site on an SSH server as a source: its database and its directory, found by what its wp-config.php says.
import type { Entry, EntryPath, Warning } from "#artifact/node";
import type { DatabaseFacts } from "./mysql/server.ts";
import { parseConfig } from "./parse-config.ts";
import { openRemoteTree, type RemoteTree } from "./remote-tree.ts";
import { Selection, selectionSettings } from "./selection.ts";
import { type ConnectOptions, defaultStallMs, type Identity, type Source, type SourceFacts } from "./source.ts";
import { connectSsh, type SshConnection } from "./ssh/connection.ts";
import { remotePath, routeTo, sshRoute } from "./ssh/settings.ts";
import { openSiteDatabase, type SiteDatabase } from "./wordpress/database.ts";
import { findSite, type Site, type SiteOptions, singleFile } from "./wordpress/site.ts";

/** In a manifest. */
const tablesTold = 1000;

const wordpressConfig = sshRoute.extend({
  /** Of the site's directory, where WordPress and mostly its wp-config.php lie. */
  path: remotePath,
  /**
   * For the files; paths begin in the site's directory. Nothing is left out by itself. What plugins can make again is often in
   * `/wp-content/cache/`, `/wp-content/upgrade/` and `/wp-content/wflogs/`, and backups that plugins made in `/wp-content/updraft/`,
   * `/wp-content/ai1wm-backups/` and `/wp-content/backups-*`.
   */
  ...selectionSettings,
});

/**
 * Entries are `database/<name>.sql`, everything of the site's directory as `files/…`, and `above/wp-config.php` where that file lies
 * beside the directory. No PHP runs, neither here nor there.
 */
export async function connectWordpress(options: ConnectOptions): Promise<Source> {
  const { stallMs = defaultStallMs, tempBase, signal } = options;
  const { path, include, exclude, maxEntries, maxBytes, ...config } = parseConfig(wordpressConfig, options.config);
  const route = routeTo(config, options.secrets, options);
  const selection = new Selection({ include, exclude, maxEntries, maxBytes });
  await using stack = new AsyncDisposableStack();
  const connection = stack.use(await connectSsh(route));
  const siteOptions = { path, stallMs, username: route.target.username };
  const site = await findSite(connection, siteOptions);
  const database = stack.use(await openSiteDatabase(connection, site.config, { tempBase, signal, stallMs }));
  const tree = await openRemoteTree(connection, { ...siteOptions, selection });
  return new WordpressSource({ connection, site, siteOptions, database, tree, stack: stack.move() });
}

interface WordpressParts {
  readonly connection: SshConnection;
  readonly site: Site;
  readonly siteOptions: SiteOptions;
  readonly database: SiteDatabase;
  readonly tree: RemoteTree;
  /** What disposing closes. */
  readonly stack: AsyncDisposableStack;
}

class WordpressSource implements Source {
  readonly #parts: WordpressParts;
  readonly #databases: DatabaseFacts[] = [];

  constructor(parts: WordpressParts) {
    this.#parts = parts;
  }

  async identify(): Promise<Identity> {
    const { connection, site, database, tree } = this.#parts;
    const { hostKey, jumpHostKey, serverVersion } = connection;
    const sample = await tree.sample();
    return {
      hostKey,
      jumpHostKey,
      serverVersion,
      sampleEntries: [database.path, ...sample.map((name) => `files/${name}`)],
      tools: this.#tools(),
      remarks: [...remarksOn(site), ...(await database.remarks())],
    };
  }

  async estimate() {
    return null;
  }

  /**
   * The database comes first. Files are added to a site far more often than taken away, and nothing in the database misses a file that
   * was added after the dump; the other way round, it would have pictures whose files came too late. WordPress also brings an older
   * database up to newer files by itself, and not newer ones down.
   */
  async *entries(warn: (warning: Warning) => void): AsyncGenerator<Entry> {
    const { connection, site, siteOptions, database, tree } = this.#parts;
    const { entry, facts } = await database.prepareDump(warn);
    yield entry;
    this.#databases.push({ ...facts, tables: facts.tables.slice(0, tablesTold) });
    if (site.configAbove !== null)
      for await (const config of singleFile(connection, { ...siteOptions, path: site.configAbove }))
        yield { ...config, path: "above/wp-config.php" };
    const inFiles = (warning: Warning) =>
      warn(warning.path.startsWith("/") ? warning : { ...warning, path: `files/${warning.path}` });
    for await (const each of tree.entries(inFiles)) yield belowFiles(each);
  }

  facts(): SourceFacts {
    return { tools: this.#tools(), databases: this.#databases };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.stack.disposeAsync();
  }

  #tools(): Record<string, string> {
    const { tool } = this.#parts.tree;
    return { ...this.#parts.database.tools, ...(tool && { [tool.name]: tool.version }) };
  }
}

function remarksOn({ config, configAbove, version }: Site): string[] {
  return [
    ...(version === null
      ? ["This directory does not say its version of WordPress."]
      : [`This is WordPress ${version}.`]),
    ...(config.isMultisite ? ["It is a network of sites, and all of them are backed up."] : []),
    ...(configAbove === null ? [] : ["Its wp-config.php lies above the directory and is backed up as well."]),
    ...config.movedDirectories.map(
      ({ constant, line }) =>
        `Its wp-config.php sets ${constant} on line ${line}: if that leads out of the directory, back up that place as a source of its own.`,
    ),
  ];
}

/** Where a symlink points is the site's own affair; where a hard link does, the artifact's. */
function belowFiles(entry: Entry): Entry {
  const path = below(entry.path);
  if (entry.kind !== "hardlink" || entry.linkTarget === undefined) return { ...entry, path };
  return { ...entry, path, linkTarget: below(entry.linkTarget) };
}

function below(path: EntryPath): EntryPath {
  return typeof path === "string" ? `files/${path}` : Buffer.concat([Buffer.from("files/"), path]);
}
