// Prints both surfaces as SDL files, which are committed: `--check` fails where they no longer say what the code says.
import { readFileSync, writeFileSync } from "node:fs";
import { type GraphQLSchema, printSchema } from "graphql";
import { privateSchema } from "./private/schema.ts";
import { publicSchema } from "./public/schema.ts";

const check = process.argv.includes("--check");
let stale = 0;

function print(name: string, schema: GraphQLSchema): void {
  const file = new URL(`${name}.graphql`, import.meta.url);
  const sdl = `${printSchema(schema)}\n`;
  if (!check) {
    writeFileSync(file, sdl);
    return;
  }
  if (readFileSync(file, "utf8") === sdl) return;
  stale++;
  process.stderr.write(`schema/${name}.graphql is out of date: run npm run generate and look at the difference.\n`);
}

print("public", publicSchema);
print("private", privateSchema);
process.exitCode = stale === 0 ? 0 : 1;
