// Real FTP servers without installing them: Debian's packages exclude one another and start daemons, so they are only unpacked.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Of Debian 12: the two servers, TLS for proftpd, and the libraries that a small system lacks. */
const packages = [
  ["vsftpd", "libwrap0", "libnsl2", "libtirpc3"],
  ["proftpd-core", "proftpd-mod-crypto", "libhiredis0.14", "libmemcached11", "libmemcachedutil2", "libhashkit2"],
  ["libpcre2-posix3", "libsodium23"],
].flat();
const cache = join(import.meta.dirname, "../../../node_modules/.cache/xvault-ftp-servers");

/** Where the packages lie unpacked, or why they do not. */
export type FtpPackages = { readonly root: string } | { readonly missing: string };

let unpacked: Promise<FtpPackages> | undefined;

export function ftpPackages(): Promise<FtpPackages> {
  unpacked ??= unpack();
  return unpacked;
}

/** For whom a staged server looks for its libraries. */
export async function libraryPath(root: string): Promise<string> {
  const folders: string[] = [];
  for (const folder of ["usr/lib", "lib"])
    for (const name of await readdir(join(root, folder)).catch(() => []))
      if (name.includes("-linux-")) folders.push(join(root, folder, name));
  return folders.join(":");
}

async function unpack(): Promise<FtpPackages> {
  if (process.getuid?.() !== 0) return { missing: "staged FTP servers that check passwords must be started by root" };
  if (existsSync(join(cache, "usr/sbin/vsftpd"))) return { root: cache };
  if (!existsSync("/usr/bin/apt-get"))
    return { missing: "FTP servers are taken from Debian's packages, and there is no apt-get" };
  await mkdir(join(cache, ".."), { recursive: true });
  const draft = await mkdtemp(`${cache}-`);
  try {
    // A new system has no lists of packages, and an old list names files that the mirror no longer has.
    await download(draft).catch(async () => {
      await run("apt-get", ["--quiet", "update"]);
      await download(draft);
    });
    for (const name of await readdir(draft))
      if (name.endsWith(".deb")) await run("dpkg", ["-x", join(draft, name), join(draft, "root")]);
    // Another spec file may have been faster.
    await rename(join(draft, "root"), cache).catch((error: unknown) => {
      if (!existsSync(cache)) throw error;
    });
    return { root: cache };
  } catch (error) {
    return { missing: `Debian's packages of vsftpd and proftpd cannot be had: ${String(error).split("\n")[0]}` };
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function download(into: string): Promise<void> {
  await run("apt-get", ["--quiet", "-o", "APT::Sandbox::User=root", "download", ...packages], { cwd: into });
}
