import { Moment } from "./moment.tsx";
import { Status } from "./status.tsx";

/** A value of an answer, as its name and type suggest. */
export function Value({ name, value }: { name: string; value: unknown }) {
  if (value === null || value === undefined || value === "") return <span className="none">–</span>;
  if (name === "status" && typeof value === "string") return <Status status={value} />;
  if (typeof value === "string" && /(_at|_for|_until|^since|^until|_since)$/.test(name)) return <Moment at={value} />;
  if (typeof value === "boolean") return <>{value ? "yes" : "no"}</>;
  if (Array.isArray(value) && value.every((part) => typeof part === "string")) return <>{value.join(", ") || "–"}</>;
  if (typeof value === "object") return <pre className="code">{JSON.stringify(value, null, 2)}</pre>;
  return <>{String(value)}</>;
}
