// How deep a check of a snapshot looks.
import { Depth as depths } from "../../prisma/client/client.ts";
import { builder } from "./builder.ts";

export const VerifyDepth = builder.enumType("VerifyDepth", {
  description: "How deep a check of a snapshot looks.",
  values: {
    BYTES: { value: depths.BYTES, description: "What is stored is what was sealed, byte for byte. Takes no key." },
    CONTENT: {
      value: depths.CONTENT,
      description:
        "And it opens: everything is decrypted, decompressed and compared with the catalogue. For snapshots whose key the platform holds.",
    },
  },
});
