import type { Document, Schema } from "./schema.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** What of an operation of the document a page is made from. */
export interface Operation {
  id: string;
  method: Method;
  path: string;
  summary: string;
  /** The columns of a table of its items; absent where it answers no list. */
  columns: string[] | undefined;
  /** The name of its body's schema; absent where it takes none. */
  body: string | undefined;
  /** Whether it answers pages. */
  pages: boolean;
}

/** What can be done at a place of the API: read one, change it, remove it, what it has beneath it, what can be asked of it. */
export interface Place {
  read: Operation | undefined;
  create: Operation | undefined;
  update: Operation | undefined;
  remove: Operation | undefined;
  /** Lists one step below: `…/{feed}/rounds`. */
  lists: Operation[];
  /** Verbs one step below: `…/{feed}/refresh`. */
  verbs: Operation[];
}

const METHODS: Method[] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/** Every operation of the document. */
export function operationsOf(document: Document): Operation[] {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const found = item[method.toLowerCase()];
      if (!found) return [];
      const parameters = found.parameters ?? [];
      return {
        id: found.operationId,
        method,
        path,
        summary: found.summary ?? found.operationId,
        columns: found["x-columns"],
        body: bodyOf(found.requestBody?.content?.["application/json"]?.schema),
        pages: parameters.some((parameter) => parameter.$ref === "#/components/parameters/cursor"),
      };
    }),
  );
}

/** What can be done at a path. */
export function placeOf(operations: Operation[], path: string): Place {
  const here = (method: Method) => operations.find((one) => one.path === path && one.method === method);
  const below = operations.filter((one) => {
    const rest = one.path.startsWith(`${path}/`) ? one.path.slice(path.length + 1) : "";
    return rest !== "" && !rest.includes("/") && !rest.startsWith("{");
  });
  return {
    read: here("GET"),
    create: here("POST"),
    update: here("PATCH") ?? here("PUT"),
    remove: here("DELETE"),
    lists: below.filter((one) => one.method === "GET" && one.columns !== undefined),
    verbs: below.filter((one) => one.method === "POST"),
  };
}

/** The path of one thing of a collection (`…/pricefeeds/{feed}`), where there is one. */
export function itemPath(operations: Operation[], collection: string): string | undefined {
  const found = operations.find(({ path }) => {
    const rest = path.startsWith(`${collection}/`) ? path.slice(collection.length + 1) : "";
    return rest.startsWith("{") && rest.endsWith("}") && !rest.includes("/");
  });
  return found?.path;
}

/** The name of the last parameter of a path, without its braces. */
export function parameterOf(path: string): string {
  return /\{([^}]+)\}$/.exec(path)?.[1] ?? "";
}

/** The last word of an operation's id, for a button: `pricefeeds.refresh` is `refresh`. */
export function verbOf(operation: Operation): string {
  const words = operation.path.split("/");
  return (words[words.length - 1] ?? operation.id).replaceAll("-", " ").replaceAll("_", " ");
}

/** A heading as people write it: `created_at` is `Created at`. */
export function heading(name: string): string {
  const words = name.replaceAll("_", " ").replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function bodyOf(schema: Schema | undefined): string | undefined {
  const parts = schema?.oneOf ?? schema?.anyOf ?? (schema ? [schema] : []);
  return parts.find((part) => part.$ref)?.$ref?.split("/").pop();
}
