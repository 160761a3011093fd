/** The typed client of the Service Layer's HTTP API. */
export { createServiceLayer, unwrap, type ServiceLayer, type ServiceLayerOptions } from "./client.ts";
export { ProblemError, type FieldProblem, type Problem } from "./problem.ts";
export { pages, type Page } from "./pages.ts";
export { streamEvents, type ServerEvent, type StreamOptions } from "./stream.ts";
export type { components, operations, paths } from "./schema.ts";
