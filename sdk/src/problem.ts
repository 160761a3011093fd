/** One field at fault: an RFC 6901 pointer into the body, or `?name` for a query parameter. */
export interface FieldProblem {
  pointer: string;
  code: string;
  detail: string;
}

/** An RFC 9457 problem document as the API answers it. */
export interface Problem {
  type?: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  errors?: FieldProblem[];
  request_id?: string;
  limit?: number;
  current?: number;
  setting?: string;
}

/** Thrown for every answer that is not a success. */
export class ProblemError extends Error {
  readonly problem: Problem;
  /** Seconds after which the same request may succeed, where the server said so. */
  readonly retryAfter: number | undefined;

  constructor(problem: Problem, retryAfter?: number) {
    super(problem.detail);
    this.name = "ProblemError";
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  /** Reads the problem out of an answer; an answer that carries none becomes one by its status. */
  static async of(response: Response, body?: unknown): Promise<ProblemError> {
    const found = body ?? (await response.json().catch(() => undefined));
    const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
    const retryAfter = Number.isFinite(seconds) ? seconds : undefined;
    if (isProblem(found)) return new ProblemError(found, retryAfter);
    const detail = response.statusText || `the server answered ${response.status}`;
    return new ProblemError({ title: detail, status: response.status, code: "unknown", detail }, retryAfter);
  }
}

function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "code" in value && "detail" in value && "status" in value;
}
