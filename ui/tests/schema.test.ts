import { expect, test } from "vitest";

import { bodyOf, fieldsOf, type Document } from "../src/parts/schema.ts";

const document: Document = {
  components: {
    schemas: {
      Mode: { type: "string", enum: ["fast", "safe"] },
      NewThing: {
        type: "object",
        required: ["name", "source"],
        properties: {
          name: { type: "string", description: "What it is called." },
          source: { type: "string" },
          secrets: { type: "array", items: { type: "string" } },
          limits: { oneOf: [{ type: "null" }, { type: "object" }] },
          mode: { oneOf: [{ type: "null" }, { $ref: "#/components/schemas/Mode" }] },
          retries: { type: ["integer", "null"] },
          enabled: { type: ["boolean", "null"] },
        },
      },
    },
  },
};

test("the fields of a form are those of the body's schema", () => {
  const kinds = fieldsOf(document, "NewThing").map((field) => [field.name, field.kind, field.required]);
  expect(kinds).toEqual([
    ["name", "line", true],
    ["source", "text", true],
    ["secrets", "list", false],
    ["limits", "json", false],
    ["mode", "choice", false],
    ["retries", "number", false],
    ["enabled", "boolean", false],
  ]);
});

test("a body carries typed values, and nothing for what was left empty", () => {
  const fields = fieldsOf(document, "NewThing");
  const values = { name: "a", source: "() => 1", secrets: "x, y,", limits: '{"wall":"1s"}', retries: "3", enabled: "false" };
  expect(bodyOf(fields, values)).toEqual({
    name: "a",
    source: "() => 1",
    secrets: ["x", "y"],
    limits: { wall: "1s" },
    retries: 3,
    enabled: false,
  });
  expect(() => bodyOf(fields, { ...values, limits: "{" })).toThrow(/^limits: /);
});
