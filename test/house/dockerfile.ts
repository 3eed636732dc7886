// Reads as much of a Dockerfile and of .dockerignore as says which files of the repository end up in which image.
export interface Stage {
  readonly name: string;
  /** An image, or an earlier stage. */
  readonly from: string;
  readonly copies: readonly Copy[];
  /** By instruction, the last one that this stage itself gives. */
  readonly last: Readonly<Record<string, string>>;
}

export interface Copy {
  /** An earlier stage; null: the repository. */
  readonly from: string | null;
  /** Relative to the repository. */
  readonly sources: readonly string[];
}

const home = "/xvault/";

export function readDockerfile(text: string): ReadonlyMap<string, Stage> {
  const stages = new Map<string, Stage & { copies: Copy[]; last: Record<string, string> }>();
  let stage: (Stage & { copies: Copy[]; last: Record<string, string> }) | undefined;
  for (const line of text.split("\n")) {
    const [, instruction = "", rest = ""] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    if (instruction === "FROM") {
      const [from = "", , name = ""] = rest.split(" ");
      stage = { name, from, copies: [], last: {} };
      stages.set(name, stage);
    } else if (instruction === "COPY") {
      const words = rest.split(" ");
      const from = words[0]?.startsWith("--from=") ? (words.shift() ?? "").slice("--from=".length) : null;
      const sources = words.slice(0, -1).map((source) => source.replace(home, "").replace(/\/$/, ""));
      stage?.copies.push({ from, sources });
    } else if (instruction && stage) stage.last[instruction] = rest;
  }
  return stages;
}

/** The stage, and those that it builds on. */
export function lineage(stages: ReadonlyMap<string, Stage>, name: string): Stage[] {
  const stage = stages.get(name);
  return stage ? [stage, ...lineage(stages, stage.from)] : [];
}

/** Whether .dockerignore lets a file of the repository reach the builder: the last pattern that fits decides. */
export function reachesBuilder(dockerignore: string, file: string): boolean {
  const parts = file.split("/");
  const ancestors = parts.map((_, index) => parts.slice(0, index + 1).join("/"));
  let reaches = true;
  for (const line of dockerignore.split("\n")) {
    if (!line || line.startsWith("#")) continue;
    const pattern = patternOf(line.replace(/^!/, "").replace(/\/$/, ""));
    if (ancestors.some((path) => pattern.test(path))) reaches = line.startsWith("!");
  }
  return reaches;
}

/** As Docker reads it: `*` takes dots as well, `**` any number of directories. */
function patternOf(glob: string): RegExp {
  const escaped = glob.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("**/", "\0").replaceAll("*", "[^/]*").replaceAll("\0", "(?:.*/)?")}$`);
}
