/** What of an OpenAPI 3.1 document a form is made from. */
export interface Document {
  paths?: Record<string, Record<string, DocumentedOperation>>;
  components?: { schemas?: Record<string, Schema> };
}

/** One operation as the document has it. */
export interface DocumentedOperation {
  operationId: string;
  summary?: string;
  parameters?: { $ref?: string }[];
  requestBody?: { content?: Record<string, { schema?: Schema }> };
  "x-columns"?: string[];
}

export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  format?: string;
  description?: string;
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
  default?: unknown;
}

export type FieldKind = "line" | "text" | "secret" | "number" | "boolean" | "choice" | "list" | "json";

/** One field of a form. */
export interface FormField {
  name: string;
  kind: FieldKind;
  required: boolean;
  choices: string[];
  hint: string;
}

/** The fields of a body, in the schema's order. */
export function fieldsOf(document: Document, name: string): FormField[] {
  const schema = resolve(document, { $ref: `#/components/schemas/${name}` });
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([property, found]) => {
    const resolved = resolve(document, found);
    const kind = kindOf(property, resolved);
    return {
      name: property,
      kind,
      required: required.has(property),
      choices: kind === "boolean" ? ["true", "false"] : (resolved.enum ?? []).map(String),
      hint: hintOf(found.description ?? resolved.description ?? "", kind),
    };
  });
}

/** The body the texts of a form stand for; an empty text is an absent field. */
export function bodyOf(fields: FormField[], values: Record<string, string>): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const field of fields) {
    const text = values[field.name] ?? "";
    if (text === "" && !field.required) continue;
    body[field.name] = valueOf(field, text);
  }
  return body;
}

function valueOf(field: FormField, text: string): unknown {
  switch (field.kind) {
    case "number":
      return Number(text);
    case "boolean":
      return text === "true";
    case "list":
      return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
    case "json":
      try {
        return JSON.parse(text);
      } catch (error) {
        throw new Error(`${field.name}: ${error instanceof Error ? error.message : "not JSON"}`);
      }
    default:
      return text;
  }
}

function kindOf(name: string, schema: Schema): FieldKind {
  if (schema.enum) return "choice";
  const type = Array.isArray(schema.type) ? schema.type.find((one) => one !== "null") : schema.type;
  if (type === "integer" || type === "number") return "number";
  if (type === "boolean") return "boolean";
  if (type === "array" && plain(schema.items)) return "list";
  if (type !== "string") return "json";
  if (name === "source") return "text";
  return name === "value" || name === "secret" ? "secret" : "line";
}

function plain(items: Schema | undefined): boolean {
  return items?.type === "string";
}

function hintOf(description: string, kind: FieldKind): string {
  const form = kind === "list" ? "Separated by commas." : kind === "json" ? "As JSON." : "";
  return [description, form].filter((part) => part !== "").join(" ");
}

/** Follows references, and looks through what only adds null. */
function resolve(document: Document, schema: Schema): Schema {
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop() ?? "";
    return resolve(document, document.components?.schemas?.[name] ?? {});
  }
  const parts = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  const real = parts?.filter((part) => part.type !== "null");
  return real?.length === 1 && real[0] ? resolve(document, real[0]) : schema;
}
