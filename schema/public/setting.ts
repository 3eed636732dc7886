// The settings of the whole platform, for those who operate it.
import { InvalidInputError } from "../../domain/errors.ts";
import { listSettings, resetSetting, type Setting, settings, updateSetting } from "../../domain/settings.ts";
import { builder } from "./builder.ts";

const SettingKey = builder.enumType("SettingKey", {
  description: "What can be set.",
  values: {
    DOWNLOAD_EXPIRATION_HOURS: {
      value: "download_expiration_hours",
      description: settings.download_expiration_hours.description,
    },
    MAX_DOWNLOAD_SIZE_MB: { value: "max_download_size_mb", description: settings.max_download_size_mb.description },
    SNAPSHOT_DELETION_GRACE_HOURS: {
      value: "snapshot_deletion_grace_hours",
      description: settings.snapshot_deletion_grace_hours.description,
    },
    TENANT_DELETION_GRACE_DAYS: {
      value: "tenant_deletion_grace_days",
      description: settings.tenant_deletion_grace_days.description,
    },
    BACKUP_TIME_LIMIT_MINUTES: {
      value: "backup_time_limit_minutes",
      description: settings.backup_time_limit_minutes.description,
    },
    RESTORE_TIME_LIMIT_MINUTES: {
      value: "restore_time_limit_minutes",
      description: settings.restore_time_limit_minutes.description,
    },
    SCRUB_INTERVAL_DAYS: { value: "scrub_interval_days", description: settings.scrub_interval_days.description },
    DRILL_INTERVAL_DAYS: { value: "drill_interval_days", description: settings.drill_interval_days.description },
    SCRUB_RATE_MB_PER_SECOND: {
      value: "scrub_rate_mb_per_second",
      description: settings.scrub_rate_mb_per_second.description,
    },
  } as const,
});

const SystemSetting = builder.objectRef<Setting>("SystemSetting").implement({
  description: "A setting of the whole platform.",
  fields: (t) => ({
    key: t.expose("key", { type: SettingKey, description: "What is set." }),
    value: t.exposeInt("value", { description: "The value in force." }),
    default: t.exposeInt("default", { description: "The value where none was set." }),
    minimum: t.exposeInt("minimum", { description: "The least that it can be set to." }),
    maximum: t.exposeInt("maximum", { description: "The most that it can be set to." }),
    description: t.exposeString("description", { description: "What it does, and in which unit it is." }),
  }),
});

builder.queryField("settings", (t) =>
  t.field({
    type: [SystemSetting],
    description: "All settings, for operators of the platform.",
    resolve: (_, __, { hub, actor }) => listSettings(hub, actor()),
  }),
);

builder.relayMutationField(
  "updateSetting",
  {
    description: "A new value for a setting.",
    inputFields: (t) => ({
      key: t.field({ type: SettingKey, required: true, description: "What to set." }),
      value: t.int({ required: true, description: "From its `minimum` to its `maximum`." }),
    }),
  },
  {
    description:
      "Sets it for everybody, from now on: what has begun keeps the term that it began with. For operators of the platform.",
    errors: { types: [InvalidInputError] },
    resolve: async (_, { input }, { hub, actor }) => ({ setting: await updateSetting(hub, actor(), input) }),
  },
  {
    description: "The setting that was changed.",
    outputFields: (t) => ({ setting: t.expose("setting", { type: SystemSetting, description: "It." }) }),
  },
);

builder.relayMutationField(
  "resetSetting",
  {
    description: "A setting that is to go back to its default.",
    inputFields: (t) => ({ key: t.field({ type: SettingKey, required: true, description: "Which." }) }),
  },
  {
    description: "Sets it back to its default. For operators of the platform.",
    errors: { types: [InvalidInputError] },
    resolve: async (_, { input }, { hub, actor }) => ({ setting: await resetSetting(hub, actor(), input) }),
  },
  {
    description: "The setting with its default.",
    outputFields: (t) => ({ setting: t.expose("setting", { type: SystemSetting, description: "It." }) }),
  },
);
