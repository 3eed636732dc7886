// GraphiQL as a person meets it: a page in a browser without the internet, a sign-in, and the examples.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { parse, validate } from "graphql";
import { publicSchema } from "../../schema/public/schema.ts";
import { examples } from "../../server/http/graphiql-examples.ts";
import { type Person, stagePerson } from "../public/people.ts";
import { available } from "../stage/available.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { openPage, type Page } from "./browser.ts";

describe("the page /graphiql", () => {
  it("is not there where the operator switched it off", async () => {
    await using hub = await stageHub({ edge: { graphiql: false } });
    const { origin } = new URL(hub.graphqlUrl);
    for (const path of ["/graphiql", "/"]) assert.equal((await fetch(origin + path)).status, 404);
  });

  it("offers examples that are valid", () => {
    for (const { query } of examples) assert.deepEqual(validate(publicSchema, parse(query)), []);
    assert.deepEqual(
      examples.map(({ query }) => /^(query|mutation|subscription)/m.exec(query)?.[0]),
      ["query", "mutation", "subscription"],
    );
  });
});

describe("GraphiQL in Chromium", { skip: available("chromium") ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let person: Person;
  let page: Page;
  const lastAnswer = `[...document.querySelectorAll(".graphiql-response .view-lines")].map((e) => e.innerText).join("")`;
  const play = `document.querySelector(".graphiql-execute-button").click()`;
  const show = (tab: number) => `document.querySelectorAll(".graphiql-tab-button")[${tab}].click()`;

  before(async () => {
    hub = stack.use(await stageHub());
    acme = await stageTenant(hub);
    person = await stagePerson(hub, { tenantId: acme.tenantId, role: "MEMBER" });
    page = stack.use(await openPage());
    await page.goTo(hub.graphqlUrl.replace("/graphql", "/graphiql"));
    await page.until(`document.querySelector(".graphiql-execute-button")`);
  });
  after(() => stack.disposeAsync());

  const signIn = (email: string, password: string) =>
    page.evaluate(`(() => {
      document.getElementById("session-email").value = ${JSON.stringify(email)};
      document.getElementById("session-password").value = ${JSON.stringify(password)};
      document.getElementById("session").requestSubmit();
    })()`);

  it("tells whoever cannot sign in, and keeps no password", async () => {
    await signIn(person.email, "a wrong password indeed");
    await page.until(`document.getElementById("session-notice").textContent.includes("wrong")`);
    assert.equal(await page.evaluate(`document.getElementById("session-password").value`), "");
    assert.equal(await page.evaluate(`sessionStorage.getItem("xvault.session")`), null);
  });

  it("signs in, and answers the first example with what is theirs", async () => {
    await signIn(person.email, person.password);
    await page.until(`document.getElementById("session-who").textContent.includes(${JSON.stringify(person.email)})`);
    await page.until(`document.querySelectorAll(".graphiql-tab-button").length === 3`);
    await page.until(`(${play}, true)`);
    await page.until(`${lastAnswer}.includes(${JSON.stringify(person.email)})`);
    await page.until(`${lastAnswer}.includes("MEMBER")`);
  });

  it("streams the third example until the job has ended", async () => {
    const source = await acme.createSftpSource(
      { host: "127.0.0.1", port: 22, username: "x", path: "/srv" },
      await acme.createCredential({ password: "x" }),
    );
    const jobId = await startJob(acme.ask, "testSource", source);
    await page.evaluate(show(2));
    await page.until(`document.querySelectorAll(".view-lines")[1].innerText.includes("jobId")`);
    await setVariables(page, { jobId });
    await page.evaluate(play);
    await page.until(`${lastAnswer}.includes("QUEUED")`);
    await acme.ask(`mutation ($id: ID!) { cancelJob(input: { jobId: $id }) { __typename } }`, { id: jobId });
    await page.until(`${lastAnswer}.includes("CANCELED")`);
  });

  it("asked nobody but the hub, and complained of nothing", () => {
    const { origin } = new URL(hub.graphqlUrl);
    const elsewhere = page.asked.filter((url) => !new RegExp(`^(${origin}/|blob:${origin}/|data:|about:)`).test(url));
    assert.deepEqual(elsewhere, []);
    assert.deepEqual(
      page.complaints.filter((text) => !text.includes("status of 401")),
      [],
    );
  });

  it("forgets the session at the end of it", async () => {
    await page.evaluate(`document.getElementById("session").requestSubmit()`);
    await page.until(`document.getElementById("session-button").textContent === "Sign in"`);
    assert.equal(await page.evaluate(`sessionStorage.getItem("xvault.session")`), null);
    assert.equal(await page.evaluate(`JSON.stringify(localStorage).includes("eyJ")`), false);
  });
});

/** Types over what stands in the editor of the variables, until that is it: whether it closes what is opened depends on what it has loaded. */
async function setVariables(page: Page, variables: object): Promise<void> {
  const wanted = JSON.stringify(variables);
  const typed = `document.querySelectorAll(".view-lines")[1].innerText.replace(/\\s/g, "") === ${JSON.stringify(wanted)}`;
  for (const text of [wanted.slice(0, -2), wanted, wanted.slice(0, -2), wanted]) {
    await page.evaluate(`document.querySelectorAll(".graphiql-editor textarea")[1].focus()`);
    await page.type(text);
    const isTyped = await page.until(typed, 2_000).then(
      () => true,
      () => false,
    );
    if (isTyped) return;
  }
  throw new Error("the variables cannot be typed");
}
