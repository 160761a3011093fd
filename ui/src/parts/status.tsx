const TONES: Record<string, string> = {
  active: "good",
  running: "busy",
  succeeded: "good",
  ok: "good",
  queued: "busy",
  paused: "warn",
  draining: "warn",
  suspended: "warn",
  cancelled: "warn",
  timed_out: "bad",
  failed: "bad",
  degraded: "bad",
  deleting: "bad",
};

/** The lifecycle state of anything. */
export function Status({ status }: { status: string }) {
  return <span className={`status ${TONES[status] ?? "plain"}`}>{status.replaceAll("_", " ")}</span>;
}
