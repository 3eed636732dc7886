-- CreateIndex
CREATE INDEX "credentials_tenant_id_name_id_idx" ON "credentials"("tenant_id", "name", "id");
