// Makes a tree that looks like somebody's server: a few hundred files of all sizes, links, and names that trip programs up.
import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdir, symlink, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const oddNames = [
  "täst 文件 🗄️.txt",
  "cafe\u0301 and caf\u00e9.txt",
  " leading and trailing space ",
  "-rf",
  'quo\'te "and" back\\slash',
  "line\nbreak",
  "$(touch owned) `id` %s * ?",
  `${"long-".repeat(50)}.txt`,
  ".hidden",
  "tab\tand\u007fdelete",
];

const links: readonly [path: string, target: string][] = [
  ["var/www/current", "releases/42"],
  ["var/www/releases/42/uploads", "../../uploads"],
  ["etc/localtime", "/usr/share/zoneinfo/Europe/Berlin"],
  ["home/ada/dangling", "no/such/file"],
  ["home/ada/itself", "itself"],
  ["var/up", ".."],
];

const emptyDirectories = [
  "var/spool/mail",
  "srv",
  `deep/${Array.from({ length: 30 }, (_, level) => `l${level}`).join("/")}`,
];

/** About 350 entries and 8 MB below `root`, which is made. */
export async function makeSampleTree(root: string): Promise<void> {
  for (const path of emptyDirectories) await mkdir(join(root, path), { recursive: true });
  for (const name of oddNames) await put(root, `home/ada/odd names/${name}`, name);
  for (let index = 0; index < 240; index++) {
    const path = `var/www/releases/42/src/module-${index % 12}/file-${index}.php`;
    await put(root, path, sourceText(index));
  }
  for (let index = 0; index < 24; index++)
    await put(root, `var/www/uploads/picture-${index}.jpg`, randomBytes(9_000 * index));
  await put(root, "var/lib/dump.sql", sourceText(7).repeat(900));
  await put(root, "var/lib/exactly-4-mib.bin", Buffer.alloc(4 * 1024 * 1024, "exactly "));
  await put(root, "var/log/empty.log", "");
  await put(root, "etc/shadow", "ada:$6$salt$hash\n", 0o600);
  await put(root, "usr/local/bin/backup", "#!/bin/sh\nexit 0\n", 0o755);
  await put(root, "etc/read-only", "0444\n", 0o444);
  await put(root, "var/log/of-1970.log", "before everything\n");
  await utimes(join(root, "var/log/of-1970.log"), 1, 1);
  await chmod(join(root, "srv"), 0o1777);
  for (const [path, target] of links) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await symlink(target, join(root, path));
  }
}

async function put(root: string, path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const place = join(root, path);
  await mkdir(dirname(place), { recursive: true });
  await writeFile(place, content);
  await chmod(place, mode);
}

/** A few kilobytes that compress as source code does. */
function sourceText(seed: number): string {
  const lines = Array.from({ length: 40 + (seed % 60) }, (_, line) => {
    const name = createHash("sha256").update(`${seed}/${line}`).digest("hex").slice(0, 12);
    return `  $this->${name} = compute('${name}', ${seed * line});`;
  });
  return `<?php\n// module ${seed}\n${lines.join("\n")}\n`;
}
