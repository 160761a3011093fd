import createClient, { type Client, type Middleware } from "openapi-fetch";

import { ProblemError } from "./problem.ts";
import type { paths } from "./schema.ts";

/** The client: `GET`, `POST`, `PATCH`, `PUT` and `DELETE` over the paths of the API, typed by its document. */
export type ServiceLayer = Client<paths>;

export interface ServiceLayerOptions {
  /** Where the API is; empty for the page's own origin. */
  baseUrl?: string;
  /** The bearer token. */
  token: string;
  /** Another `fetch`, for tests and for platforms without one. */
  fetch?: (request: Request) => Promise<Response>;
}

const MUTATING = new Set(["POST", "PUT", "PATCH", "DELETE"]);

/** Makes a client. Every mutating request carries an `Idempotency-Key`, so that repeating it is safe. */
export function createServiceLayer(options: ServiceLayerOptions): ServiceLayer {
  const client = createClient<paths>({
    baseUrl: options.baseUrl ?? "",
    ...(options.fetch ? { fetch: options.fetch } : {}),
  });
  client.use(headers(options.token));
  return client;
}

function headers(token: string): Middleware {
  return {
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${token}`);
      if (MUTATING.has(request.method) && !request.headers.has("Idempotency-Key")) {
        request.headers.set("Idempotency-Key", crypto.randomUUID());
      }
      return request;
    },
  };
}

/** The body of a success; throws a {@link ProblemError} for everything else. */
export async function unwrap<T>(
  answer: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw await ProblemError.of(response, error);
  return data as T;
}
