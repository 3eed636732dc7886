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
