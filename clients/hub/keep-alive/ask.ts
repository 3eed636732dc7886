// Asks the hub one thing over HTTP. Imports nothing: the thread that runs it has its own copy of every module.
import type { HubAccess } from "./messages.ts";

export interface Answer<Data> {
  readonly status: number;
  readonly data?: Data | null;
  readonly errors?: readonly { readonly extensions?: { readonly code?: string } }[];
}

/** Null where no answer came in time. */
export async function ask<Data>(
  { baseUrl, token }: HubAccess,
  query: string,
  input: object,
  signal: AbortSignal,
): Promise<Answer<Data> | null> {
  try {
    const response = await fetch(new URL("/internal/graphql", baseUrl), {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ query, variables: { input } }),
      redirect: "error",
      signal,
    });
    return { ...((await response.json()) as Omit<Answer<Data>, "status">), status: response.status };
  } catch {
    return null;
  }
}
