// First half of `npm install`'s postinstall: builds ssh2's native crypto for the Node that will run it. npm may itself run under
// another Node, whose headers give an addon that this one refuses to load. Never fails an installation: JavaScript works too.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { abortingHook, abortsWhenCollected, addonFile } from "./native-crypto-check.ts";

const addons = ["ssh2", "cpu-features"];
const root = resolve(fileURLToPath(import.meta.url), "../..");

/** Asked of a fresh process: one that failed to load the addon does not try again. */
function isAvailable(): boolean {
  const check = new URL("native-crypto-check.ts", import.meta.url).href;
  const script = `import { nativeCryptoAvailable } from ${JSON.stringify(check)}; process.exit(nativeCryptoAvailable() ? 0 : 1)`;
  return spawnSync(process.execPath, ["--input-type=module", "--eval", script], { cwd: root }).status === 0;
}

function isSound(): boolean {
  return isAvailable() && !abortsWhenCollected();
}

/** The folder that holds usable `include/node`: beside this Node's binary, or in the npm package `node` of the same ABI. */
function headersFolder(): string | null {
  const folders = [dirname(dirname(process.execPath))];
  const platformPackage = `node-${process.platform}-${process.arch}/package.json`;
  for (const from of ["node/package.json", "package.json"]) {
    try {
      const base = from === "package.json" ? join(root, from) : createRequire(join(root, "package.json")).resolve(from);
      folders.push(dirname(createRequire(base).resolve(platformPackage)));
    } catch {
      // installed without it, as in a container whose own Node is the right one
    }
  }
  return folders.find((folder) => isOfThisAbi(folder) && !wouldAbort(folder)) ?? null;
}

function isOfThisAbi(folder: string): boolean {
  const file = join(folder, "include/node/node_version.h");
  return (
    existsSync(file) && readFileSync(file, "utf8").includes(`#define NODE_MODULE_VERSION ${process.versions.modules}\n`)
  );
}

function wouldAbort(folder: string): boolean {
  return readFileSync(join(folder, "include/node/node_object_wrap.h"), "utf8").includes(abortingHook);
}

/** What the build stumbled over, or null where it went through. */
function rebuild(headers: string): string | null {
  // Set through env(1), so that everything else in npm's environment is passed on as it is.
  const run = spawnSync("env", [`npm_config_nodedir=${headers}`, "npm", "rebuild", ...addons], {
    cwd: root,
    encoding: "utf8",
    timeout: 600_000,
  });
  if (run.status === 0) return null;
  const said = `${run.stdout ?? ""}${run.stderr ?? ""}`.trim();
  return /(?<=Error: ).*/.exec(said)?.[0] ?? (said.split("\n")[0] || "npm rebuild did not end");
}

function build(): string | null {
  const headers = headersFolder();
  if (headers === null) return `no headers for Node ${process.version} are installed that an addon can be built with`;
  return rebuild(headers) ?? (isSound() ? null : "it was built and cannot be used");
}

if (!isSound()) {
  const reason = build();
  if (reason !== null) {
    if (abortsWhenCollected()) rmSync(addonFile);
    process.stdout.write(
      `ssh2's native crypto could not be built (${reason}). SSH and SFTP sources work without it, about three times slower; a C++ compiler, make and python3 are what it takes.\n`,
    );
  }
}
