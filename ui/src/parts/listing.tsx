import type { Page } from "@service-layer/client";
import { useInfiniteQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { Table, type Column } from "./table.tsx";
import { Trouble } from "./trouble.tsx";

interface ListingProps<T> {
  /** What the list is cached under. */
  name: readonly unknown[];
  /** Asks for the page that begins at the cursor. */
  read: (cursor: string | undefined) => Promise<Page<T>>;
  columns: Column<T>[];
  keyOf: (item: T) => string;
  empty: ReactNode;
  /** Milliseconds after which the list is read again. */
  refresh?: number;
}

/** A list of the API: its items in a table, its further pages behind a button. */
export function Listing<T>({ name, read, columns, keyOf, empty, refresh }: ListingProps<T>) {
  const list = useInfiniteQuery({
    queryKey: name,
    queryFn: ({ pageParam }) => read(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: Page<T>) => page.next_cursor ?? undefined,
    refetchInterval: refresh ?? false,
  });
  if (list.isPending) return <p className="empty">Loading…</p>;
  if (list.isError) return <Trouble error={list.error} />;
  return (
    <>
      <Table columns={columns} items={list.data.pages.flatMap((page) => page.items)} keyOf={keyOf} empty={empty} />
      {list.hasNextPage ? (
        <button type="button" className="quiet" disabled={list.isFetching} onClick={() => list.fetchNextPage()}>
          More
        </button>
      ) : null}
    </>
  );
}
