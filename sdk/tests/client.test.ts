import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, expect, test } from "vitest";

import { EventParser, streamEvents } from "../src/stream.ts";
import { ProblemError, createServiceLayer, pages, unwrap } from "../src/index.ts";

let server: Server | undefined;

async function peer(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  server = createServer(answer);
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

test("a mutating request carries the token and an idempotency key of its own", async () => {
  const seen: IncomingMessage["headers"][] = [];
  const baseUrl = await peer((request, response) => {
    seen.push(request.headers);
    response.writeHead(201, { "content-type": "application/json" }).end('{"id":"a"}');
  });
  const client = createServiceLayer({ baseUrl, token: "secret" });
  await unwrap(client.POST("/accounts", { body: { owner: "alice" } }));
  await unwrap(client.POST("/accounts", { body: { owner: "alice" } }));
  expect(seen.map((headers) => headers.authorization)).toEqual(["Bearer secret", "Bearer secret"]);
  expect(seen[0]?.["idempotency-key"]).toMatch(/^[0-9a-f-]{36}$/);
  expect(seen[0]?.["idempotency-key"]).not.toBe(seen[1]?.["idempotency-key"]);
});

test("a problem is thrown with its code, its fields and when to try again", async () => {
  const problem = { title: "Invalid", status: 422, code: "invalid", detail: "/owner: must not be blank" };
  const errors = [{ pointer: "/owner", code: "blank", detail: "must not be blank" }];
  const baseUrl = await peer((_, response) => {
    response
      .writeHead(422, { "content-type": "application/problem+json", "retry-after": "3" })
      .end(JSON.stringify({ ...problem, errors }));
  });
  const client = createServiceLayer({ baseUrl, token: "t" });
  const thrown = await unwrap(client.GET("/accounts")).catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(ProblemError);
  expect((thrown as ProblemError).problem).toEqual({ ...problem, errors });
  expect((thrown as ProblemError).retryAfter).toBe(3);
});

test("pages follow the cursor to the end", async () => {
  const read = async (cursor?: string) =>
    cursor === undefined ? { items: [1, 2], next_cursor: "x" } : { items: [3], next_cursor: null };
  const items: number[] = [];
  for await (const item of pages(read)) items.push(item);
  expect(items).toEqual([1, 2, 3]);
});

test("events are read whatever the chunks they come in", () => {
  const text = ": hello\r\nid: 1-2\nevent: function.created\ndata: {\"a\":\ndata: 1}\n\ndata: plain\n\n";
  for (let size = 1; size < text.length; size += 1) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)));
    expect(events).toEqual([
      { id: "1-2", event: "function.created", data: { a: 1 } },
      { id: "1-2", event: "message", data: "plain" },
    ]);
  }
});

test("a stream that breaks is opened again after the last event seen", async () => {
  const resumed: (string | undefined)[] = [];
  const baseUrl = await peer((request, response) => {
    resumed.push(request.headers["last-event-id"] as string | undefined);
    response.writeHead(200, { "content-type": "text/event-stream" });
    if (resumed.length === 1) response.end("id: 7\ndata: 1\n\n");
    else response.end("id: 8\ndata: 2\n\nevent: ended\ndata: 3\n\n");
  });
  const seen: unknown[] = [];
  for await (const event of streamEvents(baseUrl, { token: "t", reconnectAfter: 1 })) seen.push(event.data);
  expect(seen).toEqual([1, 2, 3]);
  expect(resumed).toEqual([undefined, "7"]);
});

test("a stream that is refused says why", async () => {
  const baseUrl = await peer((_, response) => {
    response.writeHead(404, { "content-type": "application/problem+json" });
    response.end('{"title":"Not found","status":404,"code":"not_found","detail":"no such execution"}');
  });
  await expect(streamEvents(baseUrl, { token: "t" }).next()).rejects.toThrow("no such execution");
});
