-- CreateTable
CREATE TABLE "keks" (
    "id" TEXT NOT NULL,
    "generation" SERIAL NOT NULL,
    "added_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "retired_at" TIMESTAMPTZ(3),

    CONSTRAINT "keks_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "keks_generation_key" ON "keks"("generation");

-- What secrets are sealed with already. The oldest comes first: a later generation replaces the earlier ones.
INSERT INTO "keks" ("id", "added_at")
SELECT "kek_id", min("created_at") FROM (
  SELECT "kek_id", "created_at" FROM "credentials"
  UNION ALL SELECT "kek_id", "created_at" FROM "tenant_keys" WHERE "sealed_private_key" IS NOT NULL) sealed
GROUP BY 1 ORDER BY 2;

-- A hub that was left running with an old KEK alone would seal what no other hub can open. The lock makes a retirement wait for the
-- writers that came before it, and lets it see what they wrote. Customers' own role writes credentials, and sees no keks: so this
-- runs as its owner.
CREATE FUNCTION "guard_kek"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM FROM "keks" WHERE "id" = NEW."kek_id" AND "retired_at" IS NULL FOR SHARE;
  IF NOT FOUND AND EXISTS (SELECT FROM "keks" WHERE "id" = NEW."kek_id") THEN
    RAISE EXCEPTION 'the KEK % is retired: nothing is sealed with it any more', NEW."kek_id"
      USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'keks_retired';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER "guard_kek" BEFORE INSERT OR UPDATE OF "kek_id" ON "credentials"
  FOR EACH ROW EXECUTE FUNCTION "guard_kek"();
CREATE TRIGGER "guard_kek" BEFORE INSERT OR UPDATE OF "kek_id" ON "tenant_keys"
  FOR EACH ROW WHEN (NEW."sealed_private_key" IS NOT NULL) EXECUTE FUNCTION "guard_kek"();

-- A secret that is sealed anew is still the same: customers see when they last changed it. Transactions that seal anew say so.
DROP TRIGGER "touch_updated_at" ON "credentials";
CREATE TRIGGER "touch_updated_at" BEFORE UPDATE ON "credentials" FOR EACH ROW
  WHEN (current_setting('xvault.resealing', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION "touch_updated_at"();
