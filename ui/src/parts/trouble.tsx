import { ProblemError } from "@service-layer/client";

/** What went wrong, with the fields at fault and the request id that finds it in the log. */
export function Trouble({ error }: { error: unknown }) {
  if (error === undefined || error === null) return null;
  if (!(error instanceof ProblemError)) {
    return (
      <div className="trouble" role="alert">
        <strong>{error instanceof Error ? error.message : String(error)}</strong>
      </div>
    );
  }
  const { problem, retryAfter } = error;
  const fields = problem.errors ?? [];
  return (
    <div className="trouble" role="alert">
      <strong>{fields.length > 0 ? problem.title : problem.detail}</strong>
      {fields.length > 0 ? (
        <ul>
          {fields.map((field) => (
            <li key={`${field.pointer} ${field.code}`}>
              <code>{field.pointer}</code> {field.detail}
            </li>
          ))}
        </ul>
      ) : null}
      <small>
        {problem.code}
        {problem.setting ? ` · ${problem.setting}: ${problem.current} of ${problem.limit}` : ""}
        {retryAfter === undefined ? "" : ` · try again in ${retryAfter} s`}
        {problem.request_id ? ` · request ${problem.request_id}` : ""}
      </small>
    </div>
  );
}
