// F28, in full: the rotation of the KEK is killed at every one of 200 rows, before its commit and after it, and loses none.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { registerKek } from "../../domain/keks.ts";
import { stageEarth } from "./kit/hub-process.ts";
import { kekIdOf, sealSecrets } from "./kit/sealed-secrets.ts";

const rows = 200;

describe("a rotation of the KEK of 200 secrets", () => {
  it("leaves all of them readable at every row that it is killed at", async () => {
    await using earth = await stageEarth();
    const secrets = await sealSecrets(earth, { count: rows });
    const { keks } = secrets;
    const [oldId, newId] = [kekIdOf(keks.old), kekIdOf(keks.new)];
    const both = [keks.new, keks.old] as const;
    await registerKek(secrets.hubWith(both));
    for (let done = 0; done < rows; ) {
      // Killed before the commit of the first row it comes to, and then after it: each row is died at twice.
      const lost = await secrets.rotate(both, { at: "kek.row-resealed", action: "kill" });
      assert.equal(lost.signal, "SIGKILL", lost.stderr);
      assert.equal((await secrets.assertReadable(both))[newId] ?? 0, done);
      const kept = await secrets.rotate(both, { at: "hub.committed", action: "kill" });
      assert.equal(kept.signal, "SIGKILL", kept.stderr);
      done++;
      const under = await secrets.assertReadable(both);
      assert.deepEqual([under[newId], under[oldId] ?? 0], [done, rows - done]);
    }
    const last = await secrets.rotate(both);
    assert.equal(last.exitCode, 0, last.stderr);
    assert.deepEqual(JSON.parse(last.stdout).retired, [oldId]);
    assert.deepEqual(await secrets.assertReadable([keks.new]), { [newId]: rows });
    const audited = await earth.db.auditEvent.count({ where: { verb: "rotateKek" } });
    assert.equal(audited, rows);
  });
});
