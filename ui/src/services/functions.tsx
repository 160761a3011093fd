import { unwrap, type components } from "@service-layer/client";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { Link, useNavigate, useParams } from "react-router";

import { Form } from "../parts/form.tsx";
import { Listing } from "../parts/listing.tsx";
import { Moment } from "../parts/moment.tsx";
import { Facts, Page, Section } from "../parts/page.tsx";
import { Trouble } from "../parts/trouble.tsx";
import { useSession } from "../session.tsx";
import { useAccount } from "./accounts.tsx";
import { ExecutionList, ExecutionResult } from "./executions.tsx";

type NewFunction = components["schemas"]["NewFunction"];

/** The functions of an account. */
export function FunctionsPage() {
  const { client } = useSession();
  const account = useAccount();
  return (
    <Page title="Functions" actions={<Link className="button" to="new">New function</Link>}>
      <Listing
        name={["functions", account]}
        read={(cursor) =>
          unwrap(client.GET("/accounts/{account}/functions", { params: { path: { account }, query: { cursor } } }))
        }
        keyOf={(found) => found.id}
        empty="There is no function yet."
        columns={[
          { title: "Name", show: (found) => <Link to={found.id}>{found.name}</Link> },
          { title: "Description", show: (found) => found.description },
          { title: "Version", numeric: true, show: (found) => found.version },
          { title: "Changed", show: (found) => <Moment at={found.updated_at} /> },
        ]}
      />
    </Page>
  );
}

const EXAMPLE = "export default (params, context) => {\n  return { hello: params.name ?? \"world\" };\n};\n";

/** Creates a function. */
export function NewFunctionPage() {
  const { client } = useSession();
  const account = useAccount();
  const navigate = useNavigate();
  const queries = useQueryClient();
  return (
    <Page title="New function">
      <Section title="Definition">
        <Form
          schema="NewFunction"
          verb="Create"
          initial={{ source: EXAMPLE }}
          submit={(body) =>
            unwrap(
              client.POST("/accounts/{account}/functions", {
                params: { path: { account } },
                body: body as unknown as NewFunction,
              }),
            )
          }
          done={async (made) => {
            await queries.invalidateQueries({ queryKey: ["functions", account] });
            navigate(`../${made.id}`, { relative: "path" });
          }}
        />
      </Section>
    </Page>
  );
}

/** One function: its source, a form to run it, its executions. */
export function FunctionPage() {
  const { client } = useSession();
  const account = useAccount();
  const { id = "" } = useParams();
  const found = useQuery({
    queryKey: ["function", account, id],
    queryFn: () =>
      unwrap(
        client.GET("/accounts/{account}/functions/{function}", { params: { path: { account, function: id } } }),
      ),
  });
  if (found.isPending) return <p className="empty">Loading…</p>;
  if (found.isError) return <Trouble error={found.error} />;
  return (
    <Page title={found.data.name}>
      <Section title="About">
        <Facts
          facts={[
            ["id", found.data.id],
            ["description", found.data.description || "–"],
            ["version", found.data.version],
            ["secrets", found.data.secrets.join(", ") || "–"],
            ["changed", <Moment key="changed" at={found.data.updated_at} />],
          ]}
        />
      </Section>
      <RunForm functionId={id} />
      <Section title="Source">
        <pre className="code">{found.data.source}</pre>
      </Section>
      <Section title="Executions">
        <ExecutionList functionId={id} />
      </Section>
    </Page>
  );
}

function RunForm({ functionId }: { functionId: string }) {
  const { client } = useSession();
  const account = useAccount();
  const queries = useQueryClient();
  const [params, setParams] = useState('{\n  "name": "Neo"\n}');
  const run = useMutation({
    mutationFn: async () =>
      unwrap(
        client.POST("/accounts/{account}/functions/{function}/execute", {
          params: { path: { account, function: functionId }, query: { wait: "10s" } },
          body: JSON.parse(params) as Record<string, unknown>,
        }),
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: ["executions", account] }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    run.mutate();
  };
  return (
    <Section title="Run">
      <form className="form" onSubmit={submit}>
        <label className="field">
          <span>params</span>
          <textarea
            name="params"
            rows={5}
            spellCheck={false}
            value={params}
            onChange={(event) => setParams(event.target.value)}
          />
        </label>
        <Trouble error={run.error} />
        <button type="submit" disabled={run.isPending}>
          Run
        </button>
      </form>
      {run.data ? <ExecutionResult execution={run.data} /> : null}
    </Section>
  );
}
