// The columns of a job under the names that the rest of the domain knows, for statements that Prisma has no words for.
import { Prisma } from "../prisma/client/client.ts";

/** What follows `SELECT` or `RETURNING`; the rows are of type `Job`. */
export const jobColumns = Prisma.raw(
  Object.values(Prisma.JobScalarFieldEnum)
    .map((name) => `"${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}" AS "${name}"`)
    .join(", "),
);
