// WordPress and PHP's way to MySQL, unpacked from Debian's packages: installing them would bring a web server along.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { available } from "../available.ts";

const run = promisify(execFile);

/** With one theme, because a site without one has empty pages. */
const packages = ["wordpress", "wordpress-theme-twentytwentyone", "php8.2-mysql"];
const cache = join(import.meta.dirname, "../../../node_modules/.cache/xvault-wordpress");

export interface WordpressPackages {
  /** What belongs into a site's directory, without a wp-config.php. */
  readonly site: string;
  /** Arguments of `php` for what is to run it. */
  readonly php: readonly string[];
}

let unpacked: Promise<WordpressPackages | { readonly missing: string }> | undefined;

/** Or why they are not to be had. */
export function wordpressPackages(): Promise<WordpressPackages | { readonly missing: string }> {
  unpacked ??= unpack();
  return unpacked;
}

async function unpack(): Promise<WordpressPackages | { readonly missing: string }> {
  const missing = available("php");
  if (missing) return { missing };
  if (!existsSync("/usr/bin/apt-get"))
    return { missing: "WordPress is taken from Debian's packages, and there is no apt-get" };
  try {
    if (!existsSync(cache)) await download();
    return { site: join(cache, "site"), php: await phpArguments() };
  } catch (error) {
    return { missing: `Debian's packages of WordPress cannot be had: ${String(error).split("\n")[0]}` };
  }
}

async function download(): Promise<void> {
  await mkdir(join(cache, ".."), { recursive: true });
  const draft = await mkdtemp(`${cache}-`);
  try {
    const fetch = ["--quiet", "-o", "APT::Sandbox::User=root", "download", ...packages];
    // A new system has no lists of packages, and an old list names files that the mirror no longer has.
    await run("apt-get", fetch, { cwd: draft }).catch(async () => {
      await run("apt-get", ["--quiet", "update"]);
      await run("apt-get", fetch, { cwd: draft });
    });
    const root = join(draft, "root");
    for (const name of await readdir(draft))
      if (name.endsWith(".deb")) await run("dpkg", ["-x", join(draft, name), root]);
    await layOutSite(root, join(draft, "ready/site"));
    await cp(join(root, "usr/lib/php"), join(draft, "ready/php"), { recursive: true });
    // Another spec file may have been faster.
    await rename(join(draft, "ready"), cache).catch((error: unknown) => {
      if (!existsSync(cache)) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** As WordPress itself is handed out: Debian links to other packages for some libraries that no page of ours needs. */
async function layOutSite(root: string, site: string): Promise<void> {
  await mkdir(site, { recursive: true });
  await cp(join(root, "usr/share/wordpress"), site, { recursive: true, verbatimSymlinks: true });
  await rm(join(site, "wp-config.php"));
  await run("find", [site, "-type", "l", "-delete"]);
  // A third of all bytes, for browsers alone.
  for (const scripts of ["dist", "tinymce"]) await rm(join(site, "wp-includes/js", scripts), { recursive: true });
}

async function phpArguments(): Promise<string[]> {
  const quiet = ["-d", "display_errors=stderr", "-d", "opcache.enable=0", "-d", "mail.add_x_header=0"];
  if (/^mysqli$/m.test((await run("php", ["-m"])).stdout)) return quiet;
  const [api = ""] = await readdir(join(cache, "php"));
  return [
    ...quiet,
    ...["mysqlnd", "mysqli"].flatMap((name) => ["-d", `extension=${join(cache, "php", api, name)}.so`]),
  ];
}
