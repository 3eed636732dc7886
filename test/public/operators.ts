// Operators of the platform, and mutations with everything that comes of them.
import type { Ask } from "../stage/client.ts";
import type { StagedHub } from "../stage/hub.ts";
import { type Person, stagePerson } from "./people.ts";

/** A person who operates the platform, with a part in no tenant. */
export async function stageOperator(hub: StagedHub): Promise<Person> {
  const operator = await stagePerson(hub);
  await hub.running.hub.db.user.update({ where: { id: operator.userId }, data: { platformAdmin: true } });
  return operator;
}

/**
 * Runs a mutation and answers its payload's `selection`, the refusal's `code`, `message` and `__typename`, or the code of an error at
 * the top as `error`.
 */
export async function run(ask: Ask, name: string, input: object, selection = "__typename") {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const { data, errors } = await ask(
    `mutation ($input: ${type}Input!) {
      ${name}(input: $input) { __typename ... on ${type}Payload { ${selection} } ... on Failure { code message } }
    }`,
    { input },
  );
  return errors ? { error: errors[0]?.extensions?.code } : data[name];
}
