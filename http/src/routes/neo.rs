//! How far the Neo chain was read, for operators.

use actix_web::http::Method;
use sl_actors::{
    Fault,
    services::neo::{FetchNeo, NeoRestart, RestartNeo},
};

use crate::{
    input::Input,
    operation::{Operation, operation},
};

pub(super) fn table() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/system/neo", "neo.get", "How far the Neo chain was read")
            .told("Where NEO_RPC_URL names no node the status is unconfigured.")
            .operator()
            .action(|_: Input| Ok::<_, Fault>(FetchNeo)),
        operation(Method::POST, "/system/neo/restart", "neo.restart", "Begin to read the Neo chain anew")
            .told(
                "For a node of another network, or of a chain that was made anew: how far the chain was read is \
                 forgotten, and reading begins at the height given. What was told stays told.",
            )
            .operator()
            .with::<NeoRestart>()
            .action(|input: Input<(), Option<NeoRestart>>| {
                Ok::<_, Fault>(RestartNeo(input.body.unwrap_or_default()))
            }),
    ]
}
