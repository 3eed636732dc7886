// Breaks a hub's database under it, asks, and prints the answer and the log: a process of its own, so that its environment can say
// that this is development.

import { stagePerson } from "../public/people.ts";
import { stageHub } from "../stage/hub.ts";

await using hub = await stageHub();
const person = await stagePerson(hub);
await hub.running.hub.db.$executeRaw`ALTER TABLE restores RENAME TO restores_away`;
const { errors } = await person.ask(`{ restore(id: "rst_00000000000000000000000000000000") { id } }`);
process.stdout.write(JSON.stringify({ error: errors?.[0], lines: hub.lines }));
