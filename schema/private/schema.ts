// The private surface, put together.
import "./downloads.ts";
import "./jobs.ts";
import "./upkeep.ts";
import { builder } from "./builder.ts";

export const privateSchema = builder.toSchema();
