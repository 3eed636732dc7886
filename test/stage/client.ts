// Speaks GraphQL the way any customer's program would: a document, variables, an answer.

export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever the document they sent asks for
  readonly data: any;
  readonly errors?: readonly { message: string; extensions?: Record<string, unknown> }[];
}

export type Ask = (document: string, variables?: Record<string, unknown>) => Promise<Answer>;

/** Sends documents to `url`, with `token` as bearer where there is one. */
export function client(url: string, token?: string): Ask {
  return async (query, variables = {}) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(30_000),
    });
    return (await response.json()) as Answer;
  };
}

/** Signs in whenever that is needed: for hubs whose access tokens do not last as long as a test takes to set up. */
export function renewingClient(url: string, person: { email: string; password: string }): Ask {
  let ask: Ask | null = null;
  return async (query, variables) => {
    for (let tries = 1; ; tries++) {
      ask ??= client(url, await signIn(url, person));
      const answer = await ask(query, variables);
      if (tries === 3 || !answer.errors?.some(({ extensions }) => extensions?.code === "UNAUTHENTICATED"))
        return answer;
      ask = null;
    }
  };
}

/** Signs in and returns the token; throws where it is refused. */
export async function signIn(url: string, { email, password }: { email: string; password: string }): Promise<string> {
  const { data } = await client(url)(
    `mutation ($email: String!, $password: String!) {
      signIn(input: { email: $email, password: $password }) { ... on SignInPayload { accessToken } ... on Failure { message } }
    }`,
    { email, password },
  );
  if (!data.signIn.accessToken) throw new Error(data.signIn.message);
  return data.signIn.accessToken;
}
