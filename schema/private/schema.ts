// The private surface, put together.
import "./downloads.ts";
import "./inventory.ts";
import "./jobs.ts";
import "./upkeep.ts";
import { builder } from "./builder.ts";

export const privateSchema = builder.toSchema();
