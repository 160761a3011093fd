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
  published: "good",
  enabled: "good",
  completed: "good",
  open: "busy",
  pending: "busy",
  submitted: "busy",
  pending_approval: "warn",
  needs_reconcile: "warn",
  inactive: "warn",
  disabled: "warn",
  expired: "warn",
  missed: "warn",
  revoked: "bad",
  dead: "bad",
  deleting: "bad",
};

/** The lifecycle state of anything. */
export function Status({ status }: { status: string }) {
  return <span className={`status ${TONES[status] ?? "plain"}`}>{status.replaceAll("_", " ")}</span>;
}
