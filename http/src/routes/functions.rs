//! Functions and their versions.

use actix_web::http::Method;
use sl_actors::{
    caller::Scope,
    pause::{NewPause, Resume, Target},
    services::{
        executions::{
            Execute, ExecutionFilters, ExecutionView, FetchExecution, FetchExecutionOf, ListExecutions,
        },
        functions::{FetchFunction, FetchVersion, Function, FunctionVersionView, ListVersions},
    },
};

use crate::{
    input::Input,
    operation::{Operation, operation},
    raw::Params,
    resource::{Place, resource},
    routes::{
        executions::{self, Wait},
        system::{pause, resume},
    },
    settings::SOURCE_BODY_LIMIT,
};

const ONE: &str = "/accounts/{account}/functions/{function}";
const VERSIONS: &str = "/accounts/{account}/functions/{function}/versions";
const VERSION: &str = "/accounts/{account}/functions/{function}/versions/{version}";
const EXECUTE: &str = "/accounts/{account}/functions/{function}/execute";
const EXECUTIONS: &str = "/accounts/{account}/functions/{function}/executions";
const EXECUTION: &str = "/accounts/{account}/functions/{function}/executions/{execution}";
const ANY_EXECUTION: &str = "/accounts/{account}/functions/executions/{execution}";
const PAUSE: &str = "/accounts/{account}/functions/{function}/pause";
const RESUME: &str = "/accounts/{account}/functions/{function}/resume";

const PLACE: Place = Place {
    id: "functions",
    one: "a function",
    path: ONE,
    columns: &["id", "name", "version", "description", "updated_at"],
};

pub(super) fn table() -> Vec<Operation> {
    let mut all = resource::<Function>(PLACE);
    // A source of the size allowed is longer where JSON writes it.
    for operation in all.iter_mut().filter(|operation| operation.mutates() && operation.takes_body()) {
        operation.body_limit = Some(&SOURCE_BODY_LIMIT);
    }
    // One is answered with its source, which lists leave out.
    all.retain(|operation| operation.id != "functions.get");
    all.extend([
        operation(Method::GET, ONE, "functions.get", "Read a function")
            .action(|input: Input| Ok(FetchFunction(input.id("function")?))),
        operation(Method::GET, VERSIONS, "functions.versions.list", "List the versions of a function")
            .with::<FunctionVersionView>()
            .pages(&["version", "name", "source_sha256", "created_at"])
            .action(|input: Input| Ok(ListVersions { function_id: input.id("function")?, page: input.page })),
        operation(Method::GET, VERSION, "functions.versions.get", "Read a version of a function").action(
            |input: Input| {
                Ok(FetchVersion { function_id: input.id("function")?, version: input.number("version")? })
            },
        ),
        operation(Method::POST, EXECUTE, "functions.execute", "Run a function")
            .told("The body is the params. Waits for the end; a wait that runs out answers the execution as it stands.")
            .scope(Scope::Run)
            .also(202, "The execution goes on.")
            .action_with(
                |input: Input<Wait, Params>| {
                    let wait = input.query.read()?;
                    Ok(Execute { function_id: input.id("function")?, params: input.body.into_text(), wait })
                },
                executions::status,
            ),
        operation(Method::GET, EXECUTIONS, "functions.executions.list", "List the executions of a function")
            .with::<ExecutionView>()
            .pages(executions::COLUMNS)
            .action(|input: Input<ExecutionFilters>| {
                Ok(ListExecutions {
                    function_id: Some(input.id("function")?),
                    page: input.page,
                    filters: input.query,
                })
            }),
        operation(Method::GET, EXECUTION, "functions.executions.get", "Read an execution of a function").action(
            |input: Input| {
                let (function_id, execution_id) = (input.id("function")?, input.id("execution")?);
                Ok(FetchExecutionOf { function_id, execution_id })
            },
        ),
        operation(Method::GET, ANY_EXECUTION, "functions.execution", "Read an execution of whatever function")
            .action(|input: Input| Ok(FetchExecution(input.id("execution")?))),
        operation(Method::POST, PAUSE, "functions.pause", "Pause a function")
            .told("Its queued executions wait; what runs goes on.")
            .scope(Scope::Write)
            .with::<NewPause>()
            .action(|input: Input<(), Option<NewPause>>| {
                Ok(pause(Target::of::<Function>(input.id("function")?), input.body))
            }),
        operation(Method::POST, RESUME, "functions.resume", "Resume a function").scope(Scope::Write).with::<Resume>().action(
            |input: Input<(), Option<Resume>>| {
                Ok(resume(Target::of::<Function>(input.id("function")?), input.body))
            },
        ),
    ]);
    all
}
