// The age keys that a tenant's snapshots are sealed to: never a private half.

import { disableTenantKey, rotateTenantKey, setTenantRecipients } from "../../domain/custody.ts";
import { InvalidInputError, LastKeyError, NotFoundError, TenantSuspendedError } from "../../domain/errors.ts";
import { countOpenedBy } from "../../domain/keys.ts";
import {
  KeyCustody as custodies,
  type TenantKey as KeyRow,
  KeyStatus as statuses,
} from "../../prisma/client/client.ts";
import { gathered } from "./batch.ts";
import { builder } from "./builder.ts";
import { byAge, listing, ordersOf, relatedList } from "./listing.ts";
import { Node } from "./node.ts";
import { Tenant } from "./tenant.ts";

const KeyCustody = builder.enumType("KeyCustody", {
  description: "Who holds the private half of a key.",
  values: {
    PLATFORM: { value: custodies.PLATFORM, description: "The platform: it can restore what is sealed to the key." },
    CUSTOMER: { value: custodies.CUSTOMER, description: "The customer alone: the platform can open nothing of it." },
  },
});

const KeyStatus = builder.enumType("KeyStatus", {
  description: "What a key is still good for.",
  values: {
    ACTIVE: { value: statuses.ACTIVE, description: "New snapshots are sealed to it." },
    ROTATED: { value: statuses.ROTATED, description: "It still opens what was sealed to it; nothing new is." },
    DISABLED: { value: statuses.DISABLED, description: "Nothing is sealed to it, nor opened with it here, any more." },
  },
});

type Counted = Pick<KeyRow, "id" | "tenantId" | "fingerprint" | "custody">;

const openedByIt = gathered<Counted, number>(async ({ hub }, keys) => {
  const counts = await countOpenedBy(hub.db, keys);
  return new Map(keys.map((key) => [key, counts.get(key.id) ?? 0]));
});

const TenantKey = builder.prismaObject("TenantKey", {
  description: "A key that a tenant's snapshots are sealed to. Its private half is shown to nobody.",
  interfaces: [Node],
  fields: (t) => ({
    id: t.exposeID("id", { description: "`key_…`" }),
    algorithm: t.exposeString("algorithm", { description: "Such as `age-x25519`." }),
    publicKey: t.exposeString("publicKey", { description: "The age recipient, `age1…`." }),
    fingerprint: t.exposeString("fingerprint", { description: "`sha256:…` of the recipient, as in manifests." }),
    custody: t.expose("custody", { type: KeyCustody, description: "Who holds its private half." }),
    status: t.expose("status", { type: KeyStatus, description: "What it is still good for." }),
    snapshotsOnlyOpenedByIt: t.int({
      description:
        "How many snapshots the platform restores with this key and with no other: disable it, and the platform can restore none of them any more. 0 for a customer's key.",
      select: { id: true, tenantId: true, fingerprint: true, custody: true },
      resolve: async (key, _, context) => (await openedByIt(context, key)) ?? 0,
    }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was made or given." }),
    rotatedAt: t.expose("rotatedAt", {
      type: "DateTime",
      nullable: true,
      description: "Since when nothing new is sealed to it.",
    }),
  }),
});

const TenantKeyConnection = builder.connectionObject(
  { type: TenantKey, name: "TenantKeyConnection", description: "A page of keys: 20 by default, 100 at most." },
  { name: "TenantKeyEdge", description: "A key on its page." },
);

const TenantKeyFilterInput = builder.inputType("TenantKeyFilterInput", {
  description: "Which keys: those that everything said here is true of.",
  fields: (t) => ({ statuses: t.field({ type: [KeyStatus], description: "In one of these states." }) }),
});

const tenantKeyList = listing({
  model: "TenantKey",
  connection: TenantKeyConnection,
  filter: TenantKeyFilterInput,
  orders: ordersOf("TenantKey", byAge),
  where: ({ statuses: inStates }) => ({ ...(inStates && { status: { in: inStates } }) }),
});

builder.prismaObjectField(Tenant, "keys", (t) =>
  relatedList(t, "keys", tenantKeyList, { description: "What their snapshots are sealed to, newest first." }),
);

builder.relayMutationField(
  "rotateTenantKey",
  {
    description: "A tenant whose snapshots are to be sealed to a new key.",
    inputFields: (t) => ({ tenantId: t.id({ required: true, description: "Which." }) }),
  },
  {
    description:
      "Makes a new key in the platform's custody; also the way back from recipients of one's own. Earlier keys open what was sealed to them.",
    errors: { types: [NotFoundError, TenantSuspendedError] },
    resolve: async (_, { input }, { hub, actor }) => ({ key: await rotateTenantKey(hub, actor(), input) }),
  },
  {
    description: "The new key.",
    outputFields: (t) => ({
      key: t.expose("key", { type: TenantKey, description: "New snapshots are sealed to it." }),
    }),
  },
);

builder.relayMutationField(
  "disableTenantKey",
  {
    description: "A key to close.",
    inputFields: (t) => ({ keyId: t.id({ required: true, description: "Which." }) }),
  },
  {
    description:
      "Closes a key: the platform restores nothing with it any more. Look at its `snapshotsOnlyOpenedByIt` first: this is how many are lost to it.",
    errors: { types: [NotFoundError, LastKeyError, TenantSuspendedError] },
    resolve: async (_, { input }, { hub, actor }) => disableTenantKey(hub, actor(), input),
  },
  {
    description: "The closed key, and what that means.",
    outputFields: (t) => ({
      key: t.expose("key", { type: TenantKey, description: "It." }),
      snapshotsLost: t.exposeInt("snapshotsLost", {
        description: "Snapshots that the platform can no longer restore.",
      }),
    }),
  },
);

builder.relayMutationField(
  "setTenantRecipients",
  {
    description: "The keys of a customer who holds the private halves alone.",
    inputFields: (t) => ({
      tenantId: t.id({ required: true, description: "Whose." }),
      recipients: t.stringList({
        required: true,
        description: "age recipients, `age1…`, up to 8. Each opens everything by itself. Never a private key.",
      }),
    }),
  },
  {
    description:
      "Takes the keys into the customer's own custody: new snapshots are sealed to these recipients alone, and the platform can restore none of them. Earlier snapshots stay as they are.",
    errors: { types: [NotFoundError, InvalidInputError, TenantSuspendedError] },
    resolve: async (_, { input }, { hub, actor }) => ({ keys: await setTenantRecipients(hub, actor(), input) }),
  },
  {
    description: "The keys in force, and what that means.",
    outputFields: (t) => ({
      keys: t.field({
        type: [TenantKey],
        description: "What new snapshots are sealed to.",
        resolve: ({ keys }) => keys,
      }),
      platformCanRestore: t.boolean({
        description: "Whether the platform can restore the snapshots that are made from now on.",
        resolve: ({ keys }) => keys.some(({ custody }) => custody === "PLATFORM"),
      }),
      consequence: t.string({
        description: "The same in a sentence.",
        resolve: () =>
          "Snapshots made from now on open with your private keys alone: keep more than one copy of them, for the platform can neither restore, browse nor recover these snapshots. Earlier ones are sealed as they were.",
      }),
    }),
  },
);
