//! Functions: JavaScript that a tenant brings.
//!
//! A function has one number, its `version`: each change of it (`PATCH` with anything in it) raises the number and
//! makes an immutable version under it, with source, secrets and limits as they were. The `ETag` is that number, and an
//! execution says which one ran. An amendment can roll back to the code of an earlier version, which makes a new one.
//!
//! The source is compiled before it is admitted; a syntax error is answered with line and column. Secrets a function
//! names must exist at that moment. Its limits lie within the account's (`executions.*`); where the account's are
//! lowered later, the lower one holds.
//!
//! Removing a function removes its versions. Its executions stay, as history; those still queued are cancelled, and
//! one that runs goes on to its end.

mod catalogue;
mod entity;
mod explain;
pub mod limits;
mod resource;
mod rules;
mod versions;

pub use self::{
    catalogue::{BELIEVED_FOR, Catalogue, Ready},
    entity::{Definition, Function, FunctionSource, FunctionVersion},
    limits::{Limits, Size, Span},
    resource::{AmendFunction, FunctionFilters, FunctionView, NewFunction},
    versions::{FetchFunction, FetchVersion, FunctionVersionView, ListVersions},
};
use sl_store::Entity as _;

use super::Service;
use crate::settings::Setting;

/// How many functions an account may have.
pub const MAX_FUNCTIONS: Setting =
    Setting::count("functions.count", 1_000, 1, 100_000, "How many functions an account may have.")
        .per_account();
/// How large a source may be.
pub const MAX_SOURCE: Setting =
    Setting::bytes("functions.source", 1 << 20, 1_024, 4 << 20, "How large the source of a function may be.")
        .per_account();
/// How many versions of a function are kept.
pub const MAX_VERSIONS: Setting = Setting::count(
    "functions.versions",
    100,
    1,
    10_000,
    "How many versions of a function are kept; a further change forgets the oldest.",
)
.per_account();
/// How many secrets a function may name.
pub const MAX_SECRETS: Setting =
    Setting::count("functions.secrets", 50, 0, 1_000, "How many secrets a function may name.").per_account();
/// How much a daemon keeps of functions.
pub const CATALOGUE_BYTES: Setting = Setting::bytes(
    "functions.catalogue",
    32 << 20,
    1 << 20,
    16 << 30,
    "How much memory a daemon uses to keep versions of functions ready.",
);

const OWN: [&Setting; 5] = [&MAX_FUNCTIONS, &MAX_SOURCE, &MAX_VERSIONS, &MAX_SECRETS, &CATALOGUE_BYTES];

pub(crate) const SETTINGS: &[&Setting] = &OWN;
pub(crate) const LIMIT_SETTINGS: &[&Setting] = &limits::SETTINGS;

/// The service.
pub const SERVICE: Service = Service {
    name: "functions",
    domain: "compute",
    layer: "engine",
    capabilities: &["create", "amend", "versions", "roll_back", "remove"],
    tables: &[Function::TABLE, FunctionVersion::TABLE, FunctionSource::TABLE],
    quotas: &[(&MAX_FUNCTIONS, Function::TABLE)],
    secret_users: Some(resource::secret_users),
    explain: Some(explain::explain),
    ..Service::NOTHING
};
