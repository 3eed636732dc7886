// What people and keys may do in a tenant.
import { Role as roles } from "../../prisma/client/client.ts";
import { builder } from "./builder.ts";

export const Role = builder.enumType("Role", {
  description: "What a person may do in a tenant; each role may do all that the ones before it may.",
  values: {
    VIEWER: { value: roles.VIEWER, description: "May look." },
    MEMBER: { value: roles.MEMBER, description: "May back up and restore." },
    ADMIN: {
      value: roles.ADMIN,
      description:
        "May set up sources, credentials and schedules, and let others in: people up to their own role, and programs.",
    },
    OWNER: { value: roles.OWNER, description: "May do everything." },
  },
});
