// Keys that programs sign in with.
import { isAuthorized } from "../../domain/actor.ts";
import { countApiKeys, createApiKey, listApiKeys, revokeApiKey } from "../../domain/api-keys.ts";
import { InvalidInputError, NotFoundError, TenantSuspendedError } from "../../domain/errors.ts";
import { builder } from "./builder.ts";
import { byAge, gatedList, listing, ordersOf } from "./listing.ts";
import { Node } from "./node.ts";
import { Role } from "./role.ts";
import { Tenant } from "./tenant.ts";

const ApiKey = builder.prismaObject("ApiKey", {
  description: "A key that a program signs in with. What it opens with is shown when it is made, and never again.",
  interfaces: [Node],
  fields: (t) => ({
    id: t.exposeID("id", { description: "`apk_…`" }),
    name: t.exposeString("name", { description: "What it is called." }),
    prefix: t.exposeString("prefix", { description: "What its token begins with, to tell it from others." }),
    role: t.expose("role", {
      type: Role,
      description: "What it may do; never anything with people, keys or the tenant.",
    }),
    sourceIds: t.exposeIDList("sourceIds", { description: "The sources that it is good for; empty: all of them." }),
    createdBy: t.exposeID("createdBy", { nullable: true, description: "The user who made it." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was made." }),
    expiresAt: t.expose("expiresAt", { type: "DateTime", nullable: true, description: "When it ends; null: never." }),
    lastUsedAt: t.expose("lastUsedAt", {
      type: "DateTime",
      nullable: true,
      description: "When it was last used, to the minute.",
    }),
    revokedAt: t.expose("revokedAt", { type: "DateTime", nullable: true, description: "When it was revoked." }),
  }),
});

const ApiKeyConnection = builder.connectionObject(
  { type: ApiKey, name: "ApiKeyConnection", description: "A page of API keys: 20 by default, 100 at most." },
  { name: "ApiKeyEdge", description: "An API key on its page." },
);

const apiKeyList = listing({ model: "ApiKey", connection: ApiKeyConnection, orders: ordersOf("ApiKey", byAge) });

builder.prismaObjectFields(Tenant, (t) => ({
  apiKeys: gatedList(t, apiKeyList, {
    description: "The keys of its programs, newest first. For admins and owners.",
    rows: (query, { hub, actor }, { id }) => listApiKeys(hub, actor(), id, query),
    count: (_, { hub, actor }, { id }) => countApiKeys(hub, actor(), id),
  }),
  viewerCanManageApiKeys: t.boolean({
    description: "Whether the signed-in may make API keys and revoke them.",
    resolve: ({ id }, _, { actor }) => isAuthorized(actor(), id, "createApiKey"),
  }),
}));

builder.relayMutationField(
  "createApiKey",
  {
    description: "A program that is to sign in.",
    inputFields: (t) => ({
      tenantId: t.id({ required: true, description: "Whose it is." }),
      name: t.string({ required: true, description: "What it is called." }),
      role: t.field({
        type: Role,
        required: true,
        description: "What it may do: up to one's own role, and never OWNER.",
      }),
      expiresAt: t.field({ type: "DateTime", description: "When it ends; never where this is left out." }),
      sourceIds: t.idList({ description: "The sources that it is good for, at most 100; all where this is left out." }),
    }),
  },
  {
    description:
      "Makes an API key. Use its token as `Authorization: Bearer xva_…`, or in `connectionParams`. It stays when its maker leaves.",
    errors: { types: [NotFoundError, InvalidInputError, TenantSuspendedError] },
    resolve: (_, { input }, { hub, actor }) => createApiKey(hub, actor(), input),
  },
  {
    description: "The key that was made.",
    outputFields: (t) => ({
      apiKey: t.expose("apiKey", { type: ApiKey, description: "It." }),
      token: t.exposeString("token", { description: "What the program signs in with. Shown here and never again." }),
    }),
  },
);

builder.relayMutationField(
  "revokeApiKey",
  {
    description: "A key that is not to work any more.",
    inputFields: (t) => ({ apiKeyId: t.id({ required: true, description: "Which." }) }),
  },
  {
    description: "Ends an API key for good, within seconds also on connections that are open.",
    errors: { types: [NotFoundError] },
    resolve: async (_, { input }, { hub, actor }) => ({ apiKey: await revokeApiKey(hub, actor(), input) }),
  },
  {
    description: "The key as it is now.",
    outputFields: (t) => ({ apiKey: t.expose("apiKey", { type: ApiKey, description: "It." }) }),
  },
);
