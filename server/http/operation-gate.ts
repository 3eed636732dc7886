// What every operation passes before it is executed, over HTTP and over sockets alike: its size, its cost, its caller's rate, and
// whether its caller may ask what there is.
import type { IncomingMessage } from "node:http";
import { type DocumentNode, GraphQLError, validate, visit } from "graphql";
import type { Plugin } from "graphql-yoga";
import type { Rates } from "../../domain/hub.ts";
import type { PublicContext } from "../../schema/public/context.ts";
import { isTooLarge, parseWithinLimits, tooLarge } from "../limits/document-limits.ts";
import { type Operation, refuseCostly } from "../limits/operation-cost.ts";
import type { Places } from "../limits/places.ts";
import { unsuggesting } from "./masking.ts";
import { principalOf } from "./principal.ts";
import type { SocketContext } from "./sockets.ts";

export interface OperationGateOptions {
  readonly rates: Rates;
  readonly mask: (error: unknown) => GraphQLError;
  /** Operations a minute, for a person or API key, and for everybody of one address who is neither. */
  readonly perMinute: { readonly known: number; readonly anonymous: number };
  /** Of subscriptions over HTTP; those over sockets are counted by their sockets. */
  readonly streams: Places;
  /** Proxies of the operator's own in front. */
  readonly proxies: number;
  /** Hears of every operation that is not executed, by a code. */
  readonly onRefused: (code: string) => void;
}

type OperationContext = PublicContext & SocketContext & { readonly req: IncomingMessage };
const minute = 60;
/** Told to whoever is beyond their rate; where the window stands is not. */
const retryAfterSeconds = String(minute);

export function gateOperations({ rates, mask, perMinute, streams, proxies, onRefused }: OperationGateOptions): Plugin {
  async function refuse(operation: Operation & { contextValue?: unknown }): Promise<GraphQLError | null> {
    const context = operation.contextValue as OperationContext;
    const { key, known } = principalOf(context, proxies);
    const count = known ? perMinute.known : perMinute.anonymous;
    if (!(await rates.take(`operations:${key}`, { count, seconds: minute }))) return tooOften();
    if (!known && asksForSchema(operation.document)) return refusal("UNAUTHENTICATED", "Sign in first.");
    const costly = refuseCostly(operation);
    return costly && mask(costly);
  }
  return {
    onParse: ({ setParseFn }) => setParseFn(parseWithinLimits),
    onValidate({ params, setValidationFn, setResult }) {
      if (isTooLarge(params.documentAST)) setResult([tooLarge()]);
      else
        setValidationFn((schema, document, rules) =>
          validate(schema, document, rules, { maxErrors: 10, hideSuggestions: true }).map(unsuggesting),
        );
      // Counted once, however much is wrong with it.
      return ({ valid }) => {
        if (!valid) onRefused("BAD_USER_INPUT");
      };
    },
    // Pages of answers are nobody else's business, and streams must not be held back by whoever is in between.
    onResponse({ response }) {
      response.headers.set("cache-control", "no-store");
      response.headers.set("x-accel-buffering", "no");
      // Which origin may read it is part of the answer.
      response.headers.append("vary", "origin");
    },
    async onExecute({ args, setResultAndStopExecution }) {
      const error = await refuse(args);
      if (!error) return;
      onRefused(String(error.extensions.code));
      setResultAndStopExecution({ errors: [error] });
    },
    async onSubscribe({ args, setResultAndStopExecution }) {
      const error = await refuse(args);
      if (error) {
        onRefused(String(error.extensions.code));
        return setResultAndStopExecution({ errors: [error] });
      }
      const context = args.contextValue as unknown as OperationContext;
      if (context.connectionParams) return;
      const giveBack = streams.take(principalOf(context, proxies).key);
      if (!giveBack) {
        onRefused("RATE_LIMITED");
        return setResultAndStopExecution({ errors: [tooOften()] });
      }
      return {
        onSubscribeResult({ result, setResult }) {
          if (Symbol.asyncIterator in result) setResult(untilEnded(result, giveBack));
          else giveBack();
        },
        onSubscribeError: giveBack,
      };
    },
  };
}

/** Whether the caller asks what types there are; what the type of a value is, is no secret. */
function asksForSchema(document: DocumentNode): boolean {
  let asks = false;
  visit(document, {
    Field: ({ name }) => {
      if (name.value === "__schema" || name.value === "__type") asks = true;
    },
  });
  return asks;
}

function tooOften(): GraphQLError {
  const http = { status: 429, headers: { "retry-after": retryAfterSeconds } };
  return refusal("RATE_LIMITED", "Too many requests in a short time: wait a minute.", http);
}

function refusal(code: string, message: string, http: object = { spec: true, status: 401 }): GraphQLError {
  return new GraphQLError(message, { extensions: { code, http } });
}

/** The same stream, and `ended` once it is over, whichever side ends it. */
function untilEnded<T>(stream: AsyncIterable<T>, ended: () => void): AsyncIterableIterator<T> {
  const steps = stream[Symbol.asyncIterator]();
  const over = <R>(step: R) => {
    ended();
    return step;
  };
  return {
    next: () =>
      steps.next().then(
        (step) => (step.done ? over(step) : step),
        (error: unknown) => {
          ended();
          throw error;
        },
      ),
    return: async () => over((await steps.return?.()) ?? { done: true, value: undefined }),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
