import { unwrap, type components } from "@service-layer/client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate, useParams } from "react-router";

import { Form } from "../parts/form.tsx";
import { Listing } from "../parts/listing.tsx";
import { Moment } from "../parts/moment.tsx";
import { Facts, Page, Section } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";
import { Trouble } from "../parts/trouble.tsx";
import { useSession } from "../session.tsx";

/** The account a page is about. */
export function useAccount(): string {
  const { account } = useParams();
  if (!account) throw new Error("the page's route names no account");
  return account;
}

/** Every account, for operators. */
export function AccountsPage() {
  const { client } = useSession();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [adding, setAdding] = useState(false);
  return (
    <Page
      title="Accounts"
      actions={
        <button type="button" onClick={() => setAdding(!adding)}>
          {adding ? "Close" : "New account"}
        </button>
      }
    >
      {adding ? (
        <Section title="New account">
          <Form
            schema="NewAccount"
            verb="Create"
            submit={(body) => unwrap(client.POST("/accounts", { body: body as { owner: string } }))}
            done={async (made) => {
              await queries.invalidateQueries({ queryKey: ["accounts"] });
              navigate(`/accounts/${made.id}`);
            }}
          />
        </Section>
      ) : null}
      <Listing
        name={["accounts"]}
        read={(cursor) => unwrap(client.GET("/accounts", { params: { query: { cursor } } }))}
        keyOf={(account) => account.id}
        empty="There is no account yet."
        columns={[
          { title: "Account", show: (account) => <Link to={`/accounts/${account.id}`}>{account.id}</Link> },
          { title: "Owner", show: (account) => account.owner },
          { title: "Status", show: (account) => <Status status={account.status} /> },
          { title: "Created", show: (account) => <Moment at={account.created_at} /> },
        ]}
      />
    </Page>
  );
}

/** One account: who it belongs to, and its limits with their use. */
export function AccountPage() {
  const { client } = useSession();
  const account = useAccount();
  const path = { params: { path: { account } } };
  const found = useQuery({
    queryKey: ["account", account],
    queryFn: () => unwrap(client.GET("/accounts/{account}", path)),
  });
  const limits = useQuery({
    queryKey: ["limits", account],
    queryFn: () => unwrap(client.GET("/accounts/{account}/limits", path)),
  });
  return (
    <Page title="Account">
      <Trouble error={found.error ?? limits.error} />
      <Section title="About">
        {found.data ? (
          <Facts
            facts={[
              ["id", found.data.id],
              ["owner", found.data.owner],
              ["status", <Status key="status" status={found.data.status} />],
              ["created", <Moment key="created" at={found.data.created_at} />],
            ]}
          />
        ) : null}
      </Section>
      <Section title="Limits">
        <LimitTable limits={limits.data?.items ?? []} />
      </Section>
    </Page>
  );
}

type Limit = components["schemas"]["LimitView"];

function LimitTable({ limits }: { limits: Limit[] }) {
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Limit</th>
            <th scope="col" className="numeric">
              In use
            </th>
            <th scope="col" className="numeric">
              Value
            </th>
            <th scope="col">Source</th>
          </tr>
        </thead>
        <tbody>
          {limits.map((limit) => (
            <tr key={limit.name}>
              <td>
                <code title={limit.doc}>{limit.name}</code>
              </td>
              <td className="numeric">{limit.current ?? "–"}</td>
              <td className="numeric">{limit.text}</td>
              <td>{limit.source}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
