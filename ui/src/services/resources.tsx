import { unwrap, type Page as Answered } from "@service-layer/client";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { Link, NavLink, useNavigate, useParams } from "react-router";

import { useDocument } from "../parts/document.ts";
import { Form } from "../parts/form.tsx";
import { Listing } from "../parts/listing.tsx";
import { heading, itemPath, operationsOf, parameterOf, placeOf, verbOf, type Operation } from "../parts/operations.ts";
import { Facts, Page, Section } from "../parts/page.tsx";
import { Trouble } from "../parts/trouble.tsx";
import { Value } from "../parts/value.tsx";
import { useSession } from "../session.tsx";
import { useAccount } from "./accounts.tsx";

type Item = Record<string, unknown>;
type Parameters = Record<string, string>;

/** What the dashboard shows of an account besides its functions: where it stands in the API, and what it is called. */
export const RESOURCES: { segment: string; title: string; one: string }[] = [
  { segment: "secrets", title: "Secrets", one: "secret" },
  { segment: "workspace-wallets", title: "Wallets", one: "wallet" },
  { segment: "automation/jobs", title: "Jobs", one: "job" },
  { segment: "triggers", title: "Triggers", one: "trigger" },
  { segment: "oracle/sources", title: "Oracle sources", one: "source" },
  { segment: "oracle/requests", title: "Oracle requests", one: "request" },
  { segment: "pricefeeds", title: "Price feeds", one: "price feed" },
  { segment: "gasbank", title: "Gas bank", one: "gas account" },
  { segment: "random", title: "Randomness", one: "random value" },
];

const ROOT = "/accounts/{account}";

/** The operations of the API, as the daemon's document says them. */
function useOperations(): Operation[] {
  const document = useDocument();
  return document.data ? operationsOf(document.data) : [];
}

type Sent<T> = Promise<{ data?: T; error?: unknown; response: Response }>;

/** Performs an operation of the document. */
function usePerform() {
  const { client } = useSession();
  return async <T,>(operation: Operation, path: Parameters, more: { query?: object; body?: object } = {}): Promise<T> => {
    // The pages follow the daemon's document, which may know more than the one this was built with.
    const untyped = client as unknown as Record<string, (path: string, init: object) => Sent<T>>;
    const send = untyped[operation.method];
    if (!send) throw new Error(`no method ${operation.method}`);
    return unwrap(send(operation.path, { params: { path, query: more.query }, body: more.body }));
  };
}

/** Links to what of it this daemon has. */
export function ResourceLinks({ account }: { account: string }) {
  const operations = useOperations();
  const there = RESOURCES.filter(({ segment }) =>
    operations.some((one) => one.method === "GET" && one.path === `${ROOT}/${segment}`),
  );
  return there.map(({ segment, title }) => (
    <NavLink key={segment} to={`/accounts/${account}/${segment}`}>
      {title}
    </NavLink>
  ));
}

/** All of a kind: a table, a form that adds one, and what else can be done with all of them. */
export function CollectionPage({ segment, title, one }: { segment: string; title: string; one: string }) {
  const account = useAccount();
  const operations = useOperations();
  const perform = usePerform();
  const path = `${ROOT}/${segment}`;
  const place = placeOf(operations, path);
  const beneath = itemPath(operations, path);
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<Item>();
  const queries = useQueryClient();
  if (!place.read) return <p className="empty">Loading…</p>;
  const add = place.create;
  return (
    <Page
      title={title}
      actions={
        add?.body ? (
          <button type="button" onClick={() => setAdding(!adding)}>
            {adding ? "Close" : `New ${one}`}
          </button>
        ) : null
      }
    >
      {adding && add?.body ? (
        <Section title={`New ${one}`}>
          <Form
            schema={add.body}
            verb="Create"
            submit={(body) => perform<Item>(add, { account }, { body })}
            done={async (answer) => {
              setMade(answer);
              setAdding(false);
              await queries.invalidateQueries({ queryKey: [account] });
            }}
          />
        </Section>
      ) : null}
      {made ? <AnswerSection title={`The new ${one}`} answer={made} /> : null}
      <Items operation={place.read} path={{ account }} link={beneath ? parameterOf(beneath) : undefined} />
      <Below place={place} path={{ account }} />
    </Page>
  );
}

/** One of a kind: what it is, what can be done with it, what it has. */
export function ItemPage({ segment, title, one }: { segment: string; title: string; one: string }) {
  const account = useAccount();
  const { item = "" } = useParams();
  const operations = useOperations();
  const perform = usePerform();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const beneath = itemPath(operations, `${ROOT}/${segment}`);
  const place = placeOf(operations, beneath ?? "");
  const path = { account, [parameterOf(beneath ?? "")]: item };
  const [changing, setChanging] = useState(false);
  const read = place.read;
  const found = useQuery({
    queryKey: [account, beneath, item],
    queryFn: () => perform<Item>(read as Operation, path),
    enabled: read !== undefined,
    refetchInterval: 3_000,
  });
  const remove = useMutation({
    mutationFn: () => perform<void>(place.remove as Operation, path),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: [account] });
      navigate(`/accounts/${account}/${segment}`);
    },
  });
  if (found.isError) return <Trouble error={found.error} />;
  if (!found.data) return <p className="empty">Loading…</p>;
  const change = place.update;
  return (
    <Page
      title={`${title}: ${nameOf(found.data) ?? one}`}
      actions={
        <>
          {change?.body ? (
            <button type="button" className="quiet" onClick={() => setChanging(!changing)}>
              {changing ? "Close" : "Change"}
            </button>
          ) : null}
          {place.remove ? (
            <button type="button" className="quiet" disabled={remove.isPending} onClick={() => remove.mutate()}>
              Remove
            </button>
          ) : null}
        </>
      }
    >
      <Trouble error={remove.error} />
      {changing && change?.body ? (
        <Section title="Change">
          <Form
            schema={change.body}
            verb="Save"
            submit={(body) => perform<Item>(change, path, { body })}
            done={async () => {
              setChanging(false);
              await queries.invalidateQueries({ queryKey: [account] });
            }}
          />
        </Section>
      ) : null}
      <AnswerSection title="About" answer={found.data} />
      <Below place={place} path={path} />
    </Page>
  );
}

/** What a thing is called, where it has a name of some kind. */
function nameOf(item: Item): string | undefined {
  const name = item.name ?? item.pair ?? item.label ?? item.wallet_address ?? item.id;
  return typeof name === "string" ? name : undefined;
}

/** The lists one step below a place, and what can be asked of it. */
function Below({ place, path }: { place: ReturnType<typeof placeOf>; path: Parameters }) {
  return (
    <>
      <div className="verbs">
        {place.verbs.filter((verb) => !place.lists.some((list) => list.path === verb.path)).map((verb) => (
          <Verb key={verb.id} operation={verb} path={path} label={heading(verbOf(verb))} />
        ))}
      </div>
      {place.lists.map((list) => (
        <Section key={list.id} title={heading(verbOf(list))}>
          <div className="verbs">
            {place.verbs.filter((verb) => verb.path === list.path).map((verb) => (
              <Verb key={verb.id} operation={verb} path={path} label="Add" />
            ))}
          </div>
          <Items operation={list} path={path} />
        </Section>
      ))}
    </>
  );
}

/** The items of a list in its own columns; the first leads to the item, where it has a page. */
function Items({ operation, path, link }: { operation: Operation; path: Parameters; link?: string }) {
  const perform = usePerform();
  const columns = operation.columns ?? ["id"];
  const read = async (cursor: string | undefined): Promise<Answered<Item>> => {
    if (operation.pages) return perform<Answered<Item>>(operation, path, { query: { cursor } });
    const items = await perform<Item[]>(operation, path);
    return { items: Array.isArray(items) ? items : [items] };
  };
  const keyOf = (item: Item) => String(item.id ?? item.name ?? item.round_id ?? JSON.stringify(item));
  return (
    <Listing
      name={[path.account, operation.id, ...Object.values(path)]}
      refresh={3_000}
      read={read}
      keyOf={keyOf}
      empty="There is nothing yet."
      columns={columns.map((column, position) => ({
        title: heading(column),
        show: (item: Item) => {
          const shown = <Value name={column} value={item[column]} />;
          return link && position === 0 ? <Link to={String(item[link === "name" ? "name" : "id"])}>{shown}</Link> : shown;
        },
      }))}
    />
  );
}

/** One thing to do: a button, or a form where it takes a body. */
function Verb({ operation, path, label }: { operation: Operation; path: Parameters; label: string }) {
  const perform = usePerform();
  const queries = useQueryClient();
  const [open, setOpen] = useState(false);
  const [answer, setAnswer] = useState<Item>();
  const done = async (told: Item) => {
    setAnswer(told);
    setOpen(false);
    await queries.invalidateQueries({ queryKey: [path.account] });
  };
  const press = useMutation({ mutationFn: () => perform<Item>(operation, path), onSuccess: done });
  const act = () => (operation.body ? setOpen(!open) : press.mutate());
  return (
    <div className="verb">
      <button type="button" className="quiet" disabled={press.isPending} title={operation.summary} onClick={act}>
        {open ? "Close" : label}
      </button>
      <Trouble error={press.error} />
      {open && operation.body ? (
        <Section title={operation.summary}>
          <Form
            schema={operation.body}
            verb={label}
            submit={(body) => perform<Item>(operation, path, { body })}
            done={done}
          />
        </Section>
      ) : null}
      {answer ? <AnswerSection title={operation.summary} answer={answer} /> : null}
    </div>
  );
}

/** An answer as facts. */
function AnswerSection({ title, answer }: { title: string; answer: Item }) {
  const facts = Object.entries(answer).map(
    ([name, value]): [string, ReactNode] => [heading(name), <Value key={name} name={name} value={value} />],
  );
  return (
    <Section title={title}>
      <Facts facts={facts} />
    </Section>
  );
}
