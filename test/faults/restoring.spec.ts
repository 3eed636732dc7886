// F34, a restore service that is killed: the download is prepared again, nothing opened stays behind, and one whole download comes of it.
import { describe } from "node:test";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { describeKilledRestores } from "./kit/killed-restores.ts";

describe("a restore whose service is killed", { skip: missingOpenSsh ?? false }, () => {
  describeKilledRestores(["restore.keys-opened", "restore.written", "restore.published"]);
});
