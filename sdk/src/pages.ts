/** A page of a list. */
export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

/** Every item of a list, page after page; `read` asks for the page that begins at the cursor. */
export async function* pages<T>(read: (cursor?: string) => Promise<Page<T>>): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    yield* page.items;
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
}
