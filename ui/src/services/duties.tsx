import { unwrap } from "@service-layer/client";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { Page } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";
import { Table } from "../parts/table.tsx";
import { Trouble } from "../parts/trouble.tsx";
import { useSession } from "../session.tsx";

/** The duties of the daemon, paused and resumed live. */
export function DutiesPage() {
  const { client } = useSession();
  const queries = useQueryClient();
  const duties = useQuery({
    queryKey: ["duties"],
    queryFn: () => unwrap(client.GET("/system/duties")),
    refetchInterval: 1_000,
  });
  const turn = useMutation({
    mutationFn: async ({ duty, pause }: { duty: string; pause: boolean }) => {
      const path = { path: { duty } };
      if (pause) {
        const body = { reason: "paused from the dashboard" };
        await unwrap(client.POST("/system/duties/{duty}/pause", { params: path, body }));
      } else {
        await unwrap(client.POST("/system/duties/{duty}/resume", { params: path, body: { missed: "all" } }));
      }
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["duties"] }),
  });
  return (
    <Page title="Duties">
      <Trouble error={duties.error ?? turn.error} />
      <Table
        items={duties.data?.items ?? []}
        keyOf={(duty) => duty.name}
        empty="No duty runs in this daemon."
        columns={[
          { title: "Duty", show: (duty) => <span title={duty.doc}>{duty.name}</span> },
          { title: "Status", show: (duty) => <Status status={duty.status} /> },
          { title: "In progress", numeric: true, show: (duty) => `${duty.in_progress} of ${duty.concurrency}` },
          { title: "Done", numeric: true, show: (duty) => duty.done },
          { title: "Retried", numeric: true, show: (duty) => duty.retried },
          { title: "Dead", numeric: true, show: (duty) => duty.dead },
          {
            title: "",
            show: (duty) => (
              <button
                type="button"
                className="quiet"
                disabled={turn.isPending}
                onClick={() => turn.mutate({ duty: duty.name, pause: duty.status !== "paused" })}
              >
                {duty.status === "paused" ? "Resume" : "Pause"}
              </button>
            ),
          },
        ]}
      />
    </Page>
  );
}
