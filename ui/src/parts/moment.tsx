/** A time, in the reader's own zone; the exact one on hover. */
export function Moment({ at }: { at: string | null | undefined }) {
  if (!at) return <span className="none">–</span>;
  return (
    <time dateTime={at} title={at}>
      {new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" })}
    </time>
  );
}
