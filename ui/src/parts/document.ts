import { useQuery, type UseQueryResult } from "@tanstack/react-query";

import type { Document } from "./schema.ts";

/** The API's own document, read once. */
export function useDocument(): UseQueryResult<Document> {
  return useQuery({ queryKey: ["openapi"], queryFn: read, staleTime: Number.POSITIVE_INFINITY });
}

async function read(): Promise<Document> {
  const response = await fetch("/openapi.json");
  if (!response.ok) throw new Error(`the API's document cannot be read (${response.status})`);
  return (await response.json()) as Document;
}
