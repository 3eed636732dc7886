// Finds out what `tar` a server has, and writes its command lines.
import type { SshConnection } from "./connection.ts";
import { runScript } from "./shell-script.ts";
import type { TarSelection } from "./tar-selection.ts";

export interface TarProgram {
  readonly kind: "gnu" | "busybox";
  /** As words of a shell: BusyBox is not always linked to the names of its applets. */
  readonly command: "tar" | "busybox tar";
  readonly name: string;
  readonly version: string;
}

/** Far longer than any program says its version. */
const mostAnswer = 65_536;
const versions = [
  { kind: "gnu", name: "GNU tar", pattern: /^tar \(GNU tar\) (\d[\w.]{0,20})/m },
  { kind: "busybox", name: "BusyBox tar", pattern: /^(?:BusyBox v|tar \(busybox\) )(\d[\w.]{0,20})/m },
] as const;
const isThere = (program: string) => `command -v ${program} >/dev/null 2>&1`;
/** Of BusyBox there are builds that only unpack. */
const describeTar = (tar: string) => `echo ${tar}; ${tar} --version; ${tar} -c -f - /dev/null >/dev/null && echo able`;
const findTar = `if ${isThere("tar")}; then ${describeTar("tar")}; elif ${isThere("busybox")}; then ${describeTar("busybox tar")}; fi 2>&1 </dev/null`;

/** Null where there is none, or none that is known here. Throws where the server runs no commands. */
export async function findTarProgram(connection: SshConnection, stallMs: number): Promise<TarProgram | null> {
  await using command = await runScript(connection, findTar, [], { silenceMs: stallMs });
  let answer = "";
  for await (const chunk of command.output) {
    answer += Buffer.from(chunk).toString("latin1");
    if (answer.length > mostAnswer) return null;
  }
  if (!answer.endsWith("able\n")) return null;
  for (const { kind, name, pattern } of versions) {
    const version = pattern.exec(answer)?.[1];
    if (version) return { kind, name, version, command: answer.startsWith("busybox tar\n") ? "busybox tar" : "tar" };
  }
  return null;
}

/** Names in complaints as one line each; no user names, which nobody needs and a directory service may take long to find. */
const gnuOptions = "--format=gnu --quoting-style=escape --no-unquote --numeric-owner --blocking-factor=128";

/** What the scripts below say of the path, in the first byte of their output. `nothing` is a directory without what is wanted of it. */
export const finding = {
  directory: 0x64,
  file: 0x66,
  unreadable: 0x75,
  special: 0x73,
  missing: 0x6d,
  nothing: 0x6e,
} as const;

const say = (what: keyof typeof finding) => `printf ${String.fromCharCode(finding[what])}`;

interface Steps {
  /** In the directory, before anything is said of it. */
  readonly prepare?: string;
  readonly ofDirectory: string;
  readonly ofFile: string;
}

/** Looks at `$1`, following links. */
function looking({ prepare = ":", ofDirectory, ofFile }: Steps): string {
  const inDirectory = `${prepare}; ${say("directory")}; ${ofDirectory}`;
  return [
    `if [ -d "$1" ]; then if cd -P -- "$1" 2>/dev/null && [ -r . ]; then ${inDirectory}; else ${say("unreadable")}; fi`,
    `elif [ -f "$1" ]; then if [ -r "$1" ]; then ${say("file")}; ${ofFile}; else ${say("unreadable")}; fi`,
    `elif [ -e "$1" ]; then ${say("special")}`,
    `else ${say("missing")}; fi`,
  ].join("; ");
}

/** Writes a tar of the file or directory `$1` behind its finding. */
export function packScript({ kind, command }: TarProgram, { options, operands }: TarSelection): string {
  const tar = `${command} -c -f - ${kind === "gnu" ? gnuOptions : ""}`;
  const look = looking({
    prepare: `${operands}; [ $# -gt 0 ] || { ${say("nothing")}; exit; }`,
    ofDirectory: `exec ${tar} ${options} "$@" </dev/null`,
    ofFile: `exec ${tar} -h "$1" </dev/null`,
  });
  return `unset TAR_OPTIONS TAPE POSIXLY_CORRECT; ${look}`;
}

/** Writes a few names of the directory `$1` behind its finding, each behind `d` or `f` and before a NUL. */
export function sampleScript(most: number): string {
  const kind = 'if [ -d "$name" ] && [ ! -h "$name" ]; then kind=d; else kind=f; fi';
  const write = `${kind}; printf "$kind%s\\0" "$name"; count=$((count+1)); [ $count -lt ${most} ] || exit 0`;
  const isThere = '[ -e "$name" ] || [ -h "$name" ] || continue';
  const loop = `count=0; for name in * .[!.]* ..?*; do ${isThere}; ${write}; done`;
  return looking({ ofDirectory: loop, ofFile: ":" });
}

/** As a word that no program takes for an option. */
export function operand(path: string): string {
  return path.startsWith("/") ? path : `./${path}`;
}
