// A real WordPress site on a staged MariaDB: installed, filled and read by PHP, without a web server.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "../../../server/one-machine/port.ts";
import { missingMariadb, type StagedMariadb } from "./mariadb.ts";
import { wordpressPackages } from "./wordpress-packages.ts";

const run = promisify(execFile);
const packages = await wordpressPackages();

/** Why it cannot be staged here; null where it can. */
export const missingWordpress: string | null = missingMariadb ?? ("missing" in packages ? packages.missing : null);

export interface WordpressOptions {
  /** Made where it is missing, and the site's own. */
  readonly directory: string;
  /** Whom every file is given to. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** How PHP gets to the database. @default "tcp" */
  readonly by?: "tcp" | "socket";
}

/** Its files stay where they are, and its database in its server. */
export interface StagedWordpress {
  /** Also what its wp-config.php says. */
  readonly database: { readonly name: string; readonly user: string; readonly password: string };
  readonly tablePrefix: string;
  readonly version: string;
  /** Posts that can be read, and what is in them. */
  readonly posts: number;
}

const database = { name: "täst; `site`", user: "wp", password: `pa$$w"o'rd \\ #;=é{$x}` };
const quotedName = `\`${database.name.replaceAll("`", "``")}\``;
/** With an underscore, which is a wildcard to SQL's patterns. */
const tablePrefix = "my_";
const posts = 50;
const hostName = "site.example";

/** Makes the database, the files and the content. Beside its tables are some of another program. */
export async function stageWordpress(mariadb: StagedMariadb, options: WordpressOptions): Promise<StagedWordpress> {
  const { directory, owner, by = "tcp" } = options;
  const { site, php } = present();
  await mkdir(directory, { recursive: true });
  await cp(site, directory, { recursive: true });
  await makeDatabase(mariadb);
  await writeConfig(directory, mariadb, by);
  const { stdout } = await run("php", [...php, "-r", installation, directory]);
  await run("chown", ["-R", `${owner.uid}:${owner.gid}`, directory]);
  return { database, tablePrefix, version: stdout.trim(), posts };
}

async function makeDatabase(mariadb: StagedMariadb): Promise<void> {
  await mariadb.query(`
    CREATE DATABASE ${quotedName} CHARACTER SET utf8mb4;
    CREATE TABLE ${quotedName}.other_program (id INT); INSERT INTO ${quotedName}.other_program VALUES (1);
    CREATE TABLE ${quotedName}.myxposts (id INT); INSERT INTO ${quotedName}.myxposts VALUES (1)`);
  await makeUser(mariadb);
}

/** Whom the site signs in as. */
export async function makeUser(mariadb: StagedMariadb): Promise<void> {
  const password = `'${database.password.replaceAll(/['\\]/g, "\\$&")}'`;
  await mariadb.query(`
    CREATE USER '${database.user}'@'%' IDENTIFIED BY ${password};
    GRANT ALL ON ${quotedName.replaceAll("_", "\\_")}.* TO '${database.user}'@'%'`);
}

/** Has a site that was put back use the database of another server, as its owner would: by editing its wp-config.php. */
export async function useDatabaseOf(mariadb: StagedMariadb, directory: string): Promise<void> {
  const path = join(directory, "wp-config.php");
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace(/(define\('DB_HOST', ).*\)/, `$1${literal(`${mariadb.host}:${mariadb.port}`)})`));
}

/** What a visitor sees: the path of each page to its content. */
export async function readPages(directory: string): Promise<Record<string, string>> {
  const port = await freePort();
  const server = spawn(
    "setpriv",
    ["--pdeathsig", "KILL", "--", "php", ...present().php, "-S", `127.0.0.1:${port}`, "-t", directory],
    {
      cwd: "/",
      stdio: "ignore",
    },
  );
  try {
    const paths = ["/", "/?paged=2", "/?p=4", "/?p=20", "/?feed=rss2", "/?s=post+7", "/?author=1", "/?p=99999", upload];
    const pages: Record<string, string> = {};
    for (const path of paths) pages[path] = await read(port, path, server);
    return pages;
  } finally {
    const end = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGKILL");
    await end;
  }
}

const upload = "/wp-content/uploads/2024/02/h%C3%A9llo%20%F0%9F%99%82.txt";

/** Runs once, in PHP: the installation, posts in every script, a comment, an upload. */
const installation = String.raw`
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = '${hostName}';
require $argv[1] . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
add_filter('pre_wp_mail', '__return_true');
wp_install('Ein “Täst” 🙂', 'owner', 'owner@site.example', true, '', 'A login, not a secret');
switch_theme('twentytwentyone');
update_option('odd', ['a' => "line\nbreak", 'b' => ['🦊', null, 1.5]]);
for ($i = 1; $i <= ${posts}; $i++) {
  $at = sprintf('2024-02-%02d 12:00:00', $i % 28 + 1);
  $text = "post $i: 🙂🦊 文件 ß \\' \" \\\\ \\0 <b>bold</b>\n\n" . str_repeat("word$i ", 200);
  wp_insert_post(['post_title' => "Post $i 🙂", 'post_content' => $text, 'post_status' => 'publish', 'post_author' => 1,
    'post_date' => $at, 'post_date_gmt' => $at]);
}
wp_insert_comment(['comment_post_ID' => 4, 'comment_author' => 'Zoë',
  'comment_author_email' => 'zoe@site.example', 'comment_content' => 'First! 🎉', 'comment_date' => '2024-02-29 12:00:00']);
$uploads = wp_upload_dir('2024/02');
file_put_contents($uploads['path'] . '/héllo 🙂.txt', 'uploaded');
file_put_contents($uploads['path'] . '/bytes.bin', str_repeat(implode('', array_map('chr', range(0, 255))), 4096));
echo $GLOBALS['wp_version'];`;

async function writeConfig(directory: string, { host, port, socket }: StagedMariadb, by: "tcp" | "socket") {
  const settings = {
    DB_NAME: database.name,
    DB_USER: database.user,
    DB_PASSWORD: database.password,
    DB_HOST: by === "tcp" ? `${host}:${port}` : `localhost:${socket}`,
    DB_CHARSET: "utf8mb4",
    DB_COLLATE: "",
  };
  const lines = Object.entries(settings).map(([name, value]) => `define('${name}', ${literal(value)});`);
  const text = `<?php
/** The base configuration: define('DB_NAME', 'in a comment'); */
${lines.join("\n")}
define('WP_HOME', 'http://${hostName}');
define('WP_SITEURL', 'http://${hostName}');
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
$table_prefix = '${tablePrefix}';
if ( ! defined( 'ABSPATH' ) ) {
  define( 'ABSPATH', __DIR__ . '/' );
}
require_once ABSPATH . 'wp-settings.php';
`;
  await writeFile(join(directory, "wp-config.php"), text, { mode: 0o640 });
}

async function read(port: number, path: string, server: ChildProcess): Promise<string> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    try {
      return await get(port, path);
    } catch (error) {
      if (server.exitCode !== null || performance.now() > deadline) throw error;
      await pause(50);
    }
  }
}

/** By Node's own client, because `fetch` lets nobody name another host than it connects to. */
function get(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: "127.0.0.1", port, path, headers: { host: hostName }, agent: false, timeout: 20_000 },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("error", reject);
        answer.on("end", () =>
          resolve(`${answer.statusCode} ${answer.headers.location ?? ""}\n${Buffer.concat(chunks)}`),
        );
      },
    );
    asked.on("error", reject);
    asked.on("timeout", () => asked.destroy(new Error(`no answer for ${path}`)));
    asked.end();
  });
}

function literal(text: string): string {
  return `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
}

function present() {
  if ("missing" in packages) throw new Error(packages.missing);
  return packages;
}
