// Prints both surfaces as SDL files, which are committed. `--check` fails where they no longer say what the code says, and where the
// public one would break programs that were written for the last release; `--release` makes what stands now that release.
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { type GraphQLSchema, printSchema } from "graphql";
import { privateSchema } from "./private/schema.ts";
import { publicSchema } from "./public/schema.ts";
import { changesSince } from "./released.ts";

const released = new URL("released/public.graphql", import.meta.url);
const faults: string[] = [];

function file(name: string): URL {
  return new URL(`${name}.graphql`, import.meta.url);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function isStale(name: string, schema: GraphQLSchema): boolean {
  return readFileSync(file(name), "utf8") !== `${printSchema(schema)}\n`;
}

function check(): void {
  for (const [name, schema] of Object.entries({ public: publicSchema, private: privateSchema }))
    if (isStale(name, schema))
      faults.push(`schema/${name}.graphql is out of date: run npm run generate and look at the difference.`);
  const { breaking, dangerous } = changesSince(readFileSync(released, "utf8"), publicSchema);
  for (const change of dangerous) say(`Since the last release, programs may meet what they do not know: ${change}`);
  for (const change of breaking) faults.push(`Since the last release, this breaks programs: ${change}`);
  if (breaking.length > 0)
    faults.push(
      "Deprecate instead of removing. Where it has to be, run npm run release-schema, and say so in CHANGELOG.md and DECISIONS.md.",
    );
}

function print(): void {
  writeFileSync(file("public"), `${printSchema(publicSchema)}\n`);
  writeFileSync(file("private"), `${printSchema(privateSchema)}\n`);
}

if (process.argv.includes("--check")) check();
else print();
if (process.argv.includes("--release")) copyFileSync(file("public"), released);
for (const fault of faults) say(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
