// Signs in once, for all programs that are told the same file:
//   node clients/api/examples/sign-in.ts https://vault.example.com/graphql ada@example.com session.json < file-with-the-password
import { text } from "node:stream/consumers";
import { connectApi } from "../connect.ts";
import { beginSession } from "../session.ts";
import { sessionFile } from "../session-file.ts";
import { getViewer } from "../sessions.ts";

const [url = "", email = "", file = ""] = process.argv.slice(2);
const password = (await text(process.stdin)).trim();
const session = await beginSession({ url, email, password }, { store: sessionFile(file) });
const { viewer } = await connectApi({ url, session }).query(getViewer, {});
process.stdout.write(`signed in as ${viewer?.email}\n`);
