import { expect, test } from "vitest";

import { heading, itemPath, operationsOf, parameterOf, placeOf, verbOf } from "../src/parts/operations.ts";
import type { Document } from "../src/parts/schema.ts";

const cursor = { $ref: "#/components/parameters/cursor" };
const body = (name: string) => ({ content: { "application/json": { schema: { $ref: `#/components/schemas/${name}` } } } });

const document: Document = {
  paths: {
    "/a/{account}/feeds": {
      get: { operationId: "feeds.list", parameters: [cursor], "x-columns": ["id", "pair"] },
      post: { operationId: "feeds.create", requestBody: body("NewFeed") },
    },
    "/a/{account}/feeds/{feed}": {
      get: { operationId: "feeds.get" },
      patch: { operationId: "feeds.update", requestBody: body("AmendFeed") },
      delete: { operationId: "feeds.delete" },
    },
    "/a/{account}/feeds/{feed}/rounds": { get: { operationId: "feeds.rounds.list", "x-columns": ["round_id"] } },
    "/a/{account}/feeds/{feed}/rounds/{round}": { get: { operationId: "feeds.rounds.get" } },
    "/a/{account}/feeds/{feed}/latest": { get: { operationId: "feeds.latest" } },
    "/a/{account}/feeds/{feed}/pause": {
      post: {
        operationId: "feeds.pause",
        requestBody: {
          content: {
            "application/json": { schema: { oneOf: [{ type: "null" }, { $ref: "#/components/schemas/NewPause" }] } },
          },
        },
      },
    },
    "/a/{account}/feeds/{feed}/refresh": { post: { operationId: "feeds.refresh" } },
  },
};

const operations = operationsOf(document);

test("a collection has its list, its form and the path of one", () => {
  const place = placeOf(operations, "/a/{account}/feeds");
  expect([place.read?.id, place.read?.pages, place.create?.body]).toEqual(["feeds.list", true, "NewFeed"]);
  expect([place.lists, place.verbs]).toEqual([[], []]);
  const item = itemPath(operations, "/a/{account}/feeds");
  expect([item, parameterOf(item ?? "")]).toEqual(["/a/{account}/feeds/{feed}", "feed"]);
});

test("an item has what is one step below it, and nothing deeper", () => {
  const place = placeOf(operations, "/a/{account}/feeds/{feed}");
  expect([place.read?.id, place.update?.body, place.remove?.id]).toEqual(["feeds.get", "AmendFeed", "feeds.delete"]);
  expect(place.lists.map((list) => list.id)).toEqual(["feeds.rounds.list"]);
  expect(place.verbs.map((verb) => [verb.id, verb.body])).toEqual([
    ["feeds.pause", "NewPause"],
    ["feeds.refresh", undefined],
  ]);
});

test("words are those of the paths and fields", () => {
  expect(heading("created_at")).toBe("Created at");
  expect(placeOf(operations, "/a/{account}/feeds/{feed}").verbs.map(verbOf)).toEqual(["pause", "refresh"]);
});
