import { unwrap } from "@service-layer/client";
import { useQuery } from "@tanstack/react-query";

import { Facts, Page, Section } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";
import { Trouble } from "../parts/trouble.tsx";
import { useSession } from "../session.tsx";

/** How the daemon is, for operators. */
export function OverviewPage() {
  const { client } = useSession();
  const status = useQuery({
    queryKey: ["status"],
    queryFn: () => unwrap(client.GET("/system/status")),
    refetchInterval: 2_000,
  });
  const version = useQuery({ queryKey: ["version"], queryFn: () => unwrap(client.GET("/system/version")) });
  return (
    <Page title="Overview">
      <Trouble error={status.error ?? version.error} />
      <Section title="Daemon">
        {status.data ? <Facts facts={facts(status.data)} /> : <p className="empty">Loading…</p>}
      </Section>
      <Section title="Version">{version.data ? <Facts facts={facts(version.data)} /> : null}</Section>
    </Page>
  );
}

/** The plain values of an answer, nested ones by their path. */
function facts(value: unknown, prefix = ""): [string, React.ReactNode][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([name, found]): [string, React.ReactNode][] => {
    const path = prefix === "" ? name : `${prefix}.${name}`;
    if (Array.isArray(found)) return [[path, `${found.length}`]];
    if (typeof found === "object" && found !== null) return facts(found, path);
    return [[path, name === "status" ? <Status key={path} status={String(found)} /> : String(found ?? "–")]];
  });
}
