// What a dump of MySQL's programs has to end with to be believed.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dumpTrailer } from "../../../worker/sources/mysql/dump-trailer.ts";

const placeholder = (name: string) => `\n--\n-- Temporary table structure for view \`${name}\`\n--\n\nCREATE VIEW x;\n`;
const view = (name: string) =>
  `\n--\n-- Final view structure for view \`${name}\`\n--\n\n/*!50001 SET @saved_cs_client          = @@character_set_client */;\n`;
const last = "\n-- Dump completed\n";
const rows =
  "INSERT INTO `t` VALUES ('-- Temporary table structure for view `no`'),('/*!50001 SET @saved_cs_client ');\n";

function isBelieved(dump: string, chunkLength = dump.length): boolean {
  const trailer = dumpTrailer();
  const bytes = Buffer.from(dump);
  for (let at = 0; at < bytes.length; at += chunkLength) trailer.take(bytes.subarray(at, at + chunkLength));
  return trailer.isComplete();
}

describe("a dump of MySQL's programs", () => {
  const head = `-- MariaDB dump\n${placeholder("a")}${rows}${placeholder("b")}${rows}`;

  it("is whole with its last line and every view that it began with, however it is cut into pieces", () => {
    const whole = `${head}${view("a")}${view("b")}${last}`;
    for (let length = 1; length <= whole.length; length++) assert.ok(isBelieved(whole, length), `chunks of ${length}`);
    assert.ok(isBelieved(`-- MySQL dump\n${placeholder("a").replace("table", "view")}${view("a")}${last}`));
    assert.ok(isBelieved(`-- MariaDB dump\n${rows}${last}`));
  });

  it("is none without its last line, or with a view that is named and never made", () => {
    for (const lacking of [`${head}${view("a")}${view("b")}`, `${head}${view("a")}${last}`, `${head}${last}`])
      for (const length of [1, 7, 64, lacking.length]) assert.ok(!isBelieved(lacking, length), `chunks of ${length}`);
  });
});
