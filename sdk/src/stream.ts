import { ProblemError } from "./problem.ts";

/** One server-sent event; `data` is parsed where it is JSON. */
export interface ServerEvent {
  id: string | undefined;
  event: string;
  data: unknown;
}

export interface StreamOptions {
  token: string;
  /** Ends the stream. */
  signal?: AbortSignal;
  /** Continues after this event. */
  lastEventId?: string;
  fetch?: typeof globalThis.fetch;
  /** Milliseconds to wait before a broken stream is opened again. */
  reconnectAfter?: number;
}

/**
 * Follows a stream of server-sent events with a bearer token (which `EventSource` cannot send). A broken connection is
 * opened again after the last event seen; an event `ended`, or a `204`, is the last.
 */
export async function* streamEvents(url: string, options: StreamOptions): AsyncGenerator<ServerEvent> {
  let last = options.lastEventId;
  while (!options.signal?.aborted) {
    try {
      for await (const event of connection(url, options, last)) {
        if (event.id !== undefined) last = event.id;
        yield event;
        if (event.event === "ended") return;
      }
    } catch (error) {
      if (error instanceof ProblemError && error.problem.status < 500 && error.problem.status !== 429) throw error;
      if (options.signal?.aborted) return;
    }
    await wait(options.reconnectAfter ?? 1_000, options.signal);
  }
}

async function* connection(url: string, options: StreamOptions, last?: string): AsyncGenerator<ServerEvent> {
  const headers: Record<string, string> = { Authorization: `Bearer ${options.token}`, Accept: "text/event-stream" };
  if (last !== undefined) headers["Last-Event-ID"] = last;
  const request = options.fetch ?? globalThis.fetch;
  const response = await request(url, { headers, ...(options.signal ? { signal: options.signal } : {}) });
  if (!response.ok) throw await ProblemError.of(response);
  if (response.status === 204 || !response.body) {
    yield { id: undefined, event: "ended", data: undefined };
    return;
  }
  const parser = new EventParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) yield* parser.push(chunk.value);
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/** Reads the lines of an event stream (WHATWG HTML, section 9.2.6), whatever the chunks they come in. */
export class EventParser {
  private rest = "";
  private id: string | undefined;
  private event = "";
  private data: string[] = [];

  *push(text: string): Generator<ServerEvent> {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      const event = this.line(line);
      if (event) yield event;
    }
  }

  private line(line: string): ServerEvent | undefined {
    if (line === "") return this.dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id") this.id = value;
    else if (field === "event") this.event = value;
    else if (field === "data") this.data.push(value);
    return undefined;
  }

  private dispatch(): ServerEvent | undefined {
    const text = this.data.join("\n");
    const event = { id: this.id, event: this.event || "message", data: parsed(text) };
    const complete = this.data.length > 0 || this.event !== "";
    this.event = "";
    this.data = [];
    return complete ? event : undefined;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
