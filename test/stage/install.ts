// First half of `npm test`: installs what the tests need and this machine lacks, where it may, and says what will be left out.
import { canInstallPackages, installPackages } from "../../server/one-machine/apt.ts";
import { available, type Command, requirements } from "./available.ts";

const commands = Object.keys(requirements) as Command[];
const missing = () => commands.filter((command) => available(command) !== null);
const say = (line: string) => process.stdout.write(`${line}\n`);

if (missing().length > 0 && (await canInstallPackages())) {
  const packages = missing().map((command) => requirements[command].package);
  say(`Installing what the tests need: ${packages.join(" ")}`);
  await installPackages(packages, () => {}).catch((error: Error) => say(error.message));
}
for (const command of missing()) say(`Left out: ${available(command)}.`);
