// Installs Debian packages, without the services they would start.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, chmod, readFile, rm, writeFile } from "node:fs/promises";

const policyFile = "/usr/sbin/policy-rc.d";
const policy = "#!/bin/sh\n# put here by xVault while it installs packages: they must not start services\nexit 101\n";

/** Whether `installPackages` may be tried: root on a Debian system. */
export async function canInstallPackages(): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  return access("/etc/debian_version").then(
    () => true,
    () => false,
  );
}

/** @throws Error with what apt said last where a package cannot be installed. */
export async function installPackages(names: readonly string[], onLine: (line: string) => void): Promise<void> {
  const putPolicy = await forbidServices();
  try {
    // A stale list names files the mirror no longer has; where it cannot be renewed the old one may still do.
    await aptGet(["update"], onLine).catch((error: unknown) => onLine((error as Error).message));
    await aptGet(["install", "--yes", "--no-install-recommends", ...names], onLine);
  } finally {
    if (putPolicy) await rm(policyFile, { force: true });
  }
}

/** Debian starts what it installs unless this file says no. True where it has to be taken away again. */
async function forbidServices(): Promise<boolean> {
  const present = await readFile(policyFile, "utf8").catch(() => null);
  if (present !== null && present !== policy) return false;
  await writeFile(policyFile, policy);
  await chmod(policyFile, 0o755);
  return true;
}

async function aptGet(args: readonly string[], onLine: (line: string) => void): Promise<void> {
  const apt = spawn("apt-get", ["--quiet", "-o", "DPkg::Lock::Timeout=120", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" },
    timeout: 600_000,
  });
  let tail = "";
  for (const stream of [apt.stdout, apt.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      tail = (tail + text).slice(-2_000);
      for (const line of text.split("\n")) if (line !== "") onLine(line);
    });
  const [code] = await once(apt, "close");
  if (code !== 0) throw new Error(`apt-get ${args.join(" ")} failed:\n${tail.trim()}`);
}
