// What of a selection `tar` itself can apply, so that what is left out is not transferred: only what means exactly the same to it.
import type { Selection } from "../selection.ts";
import { quote } from "./quote.ts";

export interface TarSelection {
  /** Words of a command line. */
  readonly options: string;
  /** Shell commands that set `$@`, possibly to nothing; they run in the root of the tree. */
  readonly operands: string;
  /** Whether all that comes is wanted; otherwise the stream has to be filtered. */
  readonly isExact: boolean;
}

/** What servers take in one command line, with room to spare. */
const mostCharacters = 60_000;
const everything = { options: "", operands: "set -- .", isExact: true } as const;

/** BusyBox may have been built without a way to exclude. */
export function tarSelection(kind: "gnu" | "busybox", selection: Selection | null): TarSelection {
  if (!selection || selection.isEverything) return everything;
  const { include, exclude, places } = selection;
  const operands = places ? operandsOf(places) : everything.operands;
  const fits = operands.length < mostCharacters;
  const isExactInclude = include.length === 0 || (fits && places !== null && include.every(isPlace));
  const excluded = kind === "gnu" ? excludesOf(exclude, mostCharacters) : [];
  const isExact =
    isExactInclude && excluded.length === exclude.length && !excluded.some(({ leavesName }) => leavesName);
  // The content of a hard link comes with the first of its names, which may be one that is filtered out.
  const copying = kind === "gnu" && !isExact ? ["--hard-dereference"] : [];
  return {
    options: [...copying, ...excluded.map(({ option }) => option)].join(" "),
    operands: fits ? operands : everything.operands,
    isExact,
  };
}

/** Places that exist and are not behind a link, which would be followed. */
function operandsOf(places: readonly string[]): string {
  const add = places.map((place) => {
    const parts = place.split("/");
    const parents = parts.slice(1).map((_, index) => `./${parts.slice(0, index + 1).join("/")}`);
    const name = quote(`./${place}`);
    const isThere = `{ [ -e ${name} ] || [ -h ${name} ]; }`;
    return `${parents.map((parent) => `[ ! -h ${quote(parent)} ] && `).join("")}${isThere} && set -- "$@" ${name}`;
  });
  return `set --; ${add.join("; ")}; :`;
}

function isPlace(glob: string): boolean {
  return /^[^*?[\]\\!]*[^*?[\]\\!/]$/.test(glob);
}

interface Excluded {
  readonly option: string;
  /** Of a directory that is excluded as one, only what is in it: a file of that name is not meant. */
  readonly leavesName: boolean;
}

/** None where a later pattern may bring something back. */
function excludesOf(globs: readonly string[], most: number): Excluded[] {
  if (globs.some((glob) => glob.startsWith("!"))) return [];
  const all: Excluded[] = [];
  let characters = 0;
  for (const glob of globs) {
    const excluded = excludedBy(glob);
    characters += excluded?.option.length ?? 0;
    if (excluded && characters < most) all.push(excluded);
  }
  return all;
}

function excludedBy(glob: string): Excluded | null {
  // Brackets, question marks and escapes mean other things here and there, or count bytes here and characters there.
  if (!/^[^#!?[\]\\\p{Cc}]*$/u.test(glob) || glob.includes("**") || glob.trim() !== glob) return null;
  const leavesName = glob.endsWith("/");
  const plain = leavesName ? glob.slice(0, -1) : glob;
  const isBound = plain.includes("/");
  const name = plain.replace(/^\//, "");
  if (/(^|\/)(\.{0,2}|\*+)(\/|$)/.test(name)) return null;
  const pattern = `${isBound ? "./" : ""}${name}${leavesName ? "/*" : ""}`;
  const matching = `${isBound ? "--anchored" : "--no-anchored"} --wildcards --no-wildcards-match-slash`;
  return { option: `${matching} ${quote(`--exclude=${pattern}`)}`, leavesName };
}
