import { streamEvents, unwrap, type components } from "@service-layer/client";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link, useParams } from "react-router";

import { Listing } from "../parts/listing.tsx";
import { Moment } from "../parts/moment.tsx";
import { Facts, Page, Section } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";
import { Trouble } from "../parts/trouble.tsx";
import { useSession } from "../session.tsx";
import { useAccount } from "./accounts.tsx";

export type Execution = components["schemas"]["ExecutionView"];

/** One line of a log; the level is known while it is followed live. */
interface LogLine {
  level?: string;
  message: string;
}

const OPEN = new Set(["queued", "running"]);

/** The executions of an account, or of one function. */
export function ExecutionList({ functionId }: { functionId?: string }) {
  const { client } = useSession();
  const account = useAccount();
  return (
    <Listing
      name={["executions", account, functionId ?? "all"]}
      refresh={3_000}
      read={(cursor) =>
        functionId === undefined
          ? unwrap(client.GET("/accounts/{account}/executions", { params: { path: { account }, query: { cursor } } }))
          : unwrap(
              client.GET("/accounts/{account}/functions/{function}/executions", {
                params: { path: { account, function: functionId }, query: { cursor } },
              }),
            )
      }
      keyOf={(execution) => execution.id}
      empty="Nothing has run yet."
      columns={[
        {
          title: "Execution",
          show: (execution) => <Link to={`/accounts/${account}/executions/${execution.id}`}>{execution.id}</Link>,
        },
        { title: "Status", show: (execution) => <Status status={execution.status} /> },
        { title: "Version", numeric: true, show: (execution) => execution.function_version },
        { title: "CPU", numeric: true, show: (execution) => execution.cpu_time ?? "–" },
        { title: "Started", show: (execution) => <Moment at={execution.started_at} /> },
      ]}
    />
  );
}

export function ExecutionsPage() {
  return (
    <Page title="Executions">
      <ExecutionList />
    </Page>
  );
}

/** One execution, live while it runs. */
export function ExecutionPage() {
  const { client } = useSession();
  const account = useAccount();
  const { id = "" } = useParams();
  const queries = useQueryClient();
  const path = { params: { path: { account, execution: id } } };
  const found = useQuery({
    queryKey: ["execution", account, id],
    queryFn: () => unwrap(client.GET("/accounts/{account}/executions/{execution}", path)),
    refetchInterval: (query) => (query.state.data && !OPEN.has(query.state.data.status) ? false : 500),
  });
  const cancel = useMutation({
    mutationFn: () => unwrap(client.POST("/accounts/{account}/executions/{execution}/cancel", path)),
    onSettled: () => queries.invalidateQueries({ queryKey: ["execution", account, id] }),
  });
  if (found.isPending) return <p className="empty">Loading…</p>;
  if (found.isError) return <Trouble error={found.error} />;
  const open = OPEN.has(found.data.status);
  return (
    <Page
      title="Execution"
      actions={
        open ? (
          <button type="button" disabled={cancel.isPending} onClick={() => cancel.mutate()}>
            Cancel
          </button>
        ) : null
      }
    >
      <Trouble error={cancel.error} />
      <Section title="About">
        <Facts
          facts={[
            ["id", found.data.id],
            [
              "function",
              <Link key="function" to={`/accounts/${account}/functions/${found.data.function_id}`}>
                {found.data.function_id}
              </Link>,
            ],
            ["version", found.data.function_version],
            ["attempts", found.data.attempts],
            ["started", <Moment key="started" at={found.data.started_at} />],
            ["completed", <Moment key="completed" at={found.data.completed_at} />],
          ]}
        />
      </Section>
      <Section title="Input">
        <Json value={found.data.input} />
      </Section>
      <Section title="Result">
        <ExecutionResult execution={found.data} live={open} />
      </Section>
    </Page>
  );
}

/** How an execution ended, or stands: status, output or error, logs. */
export function ExecutionResult({ execution, live = false }: { execution: Execution; live?: boolean }) {
  const streamed = useLogs(execution.id, live);
  const logs = live ? streamed : execution.logs.map((message): LogLine => ({ message }));
  return (
    <div className="result" data-status={execution.status}>
      <p>
        <Status status={execution.status} /> <span className="hint">{execution.cpu_time ?? ""}</span>
      </p>
      {execution.error ? (
        <div className="trouble">
          <strong>
            {execution.error.class}: {execution.error.message}
          </strong>
          {execution.error.stack.map(({ function: name, line, column }) => (
            <code key={`${line}:${column}`}>
              at {name || "<top level>"} (line {line}, column {column})
            </code>
          ))}
        </div>
      ) : null}
      {execution.output !== null && execution.output !== undefined ? <Json value={execution.output} /> : null}
      {logs.length > 0 ? <Logs lines={logs} /> : null}
    </div>
  );
}

function Logs({ lines }: { lines: LogLine[] }) {
  return (
    <ol className="logs" aria-label="Logs">
      {lines.map((line, position) => (
        // Lines have no identity but their place: the log only grows.
        <li key={position} data-level={line.level}>
          {line.message}
        </li>
      ))}
    </ol>
  );
}

/** The log lines of an execution as they come. */
function useLogs(id: string, live: boolean): LogLine[] {
  const { token } = useSession();
  const account = useAccount();
  const [lines, setLines] = useState<LogLine[]>([]);
  useEffect(() => {
    if (!live) return undefined;
    const ended = new AbortController();
    setLines([]);
    const follow = async () => {
      const url = `/accounts/${account}/executions/${id}/logs`;
      for await (const event of streamEvents(url, { token, signal: ended.signal })) {
        if (event.event === "log") setLines((before) => [...before, event.data as LogLine]);
      }
    };
    follow().catch(() => undefined);
    return () => ended.abort();
  }, [account, id, live, token]);
  return lines;
}

function Json({ value }: { value: unknown }) {
  return <pre className="code">{JSON.stringify(value, null, 2)}</pre>;
}
