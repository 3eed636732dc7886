// A plugin of the builder: a row that brings a field's columns answers from them, without asking how it was loaded.
//
// Types with `select` load the columns that an operation asks for and no others. Without this, each field of each row would
// first look up which query its row came from (a fifth of the time of a long list), and a row that a verb or a feed hands
// over whole would be loaded a second time, maybe as something that it had not been yet.
import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from "@pothos/core";
import type { GraphQLFieldResolver } from "graphql";

export const loadedColumns = "loadedColumns";

declare global {
  export namespace PothosSchemaTypes {
    export interface Plugins<Types extends SchemaTypes> {
      loadedColumns: LoadedColumnsPlugin<Types>;
    }
  }
}

type Resolver = GraphQLFieldResolver<unknown, object>;

class LoadedColumnsPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override wrapResolve(loading: Resolver, field: PothosOutputFieldConfig<Types>): Resolver {
    const columns = columnsOf(field.extensions?.pothosPrismaSelect);
    const { resolve } = field;
    if (field.kind !== "PrismaObject" || !columns || !resolve) return loading;
    const answer = resolve as Resolver;
    return (row, args, context, info) =>
      columns.every((column) => column in (row as object))
        ? answer(row, args, context, info)
        : loading(row, args, context, info);
  }
}

/** Null for what takes more than columns of the row itself. */
function columnsOf(select: unknown): readonly string[] | null {
  if (typeof select !== "object" || select === null) return null;
  return Object.values(select).every((part) => part === true) ? Object.keys(select) : null;
}

SchemaBuilder.registerPlugin(loadedColumns, LoadedColumnsPlugin);
