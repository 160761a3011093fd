//! What a function must be to be admitted.

use sl_store::Fault;

use super::{MAX_SECRETS, MAX_SOURCE, entity::Definition};
use crate::{action::Tenant, check::Check, services::secrets};

/// Checks everything but whether the source compiles; every broken rule is told.
pub(super) async fn check(
    definition: &Definition,
    source: Option<&str>,
    tenant: &Tenant,
) -> Result<(), Fault> {
    let settings = &tenant.settings;
    let mut check = Check::new();
    check.text("/name", &definition.name, 1..=128).text("/description", &definition.description, 0..=2_000);
    if let Some(source) = source {
        check_source(source, settings.size(&MAX_SOURCE), &mut check);
    }
    definition.limits.check(settings, &mut check);
    let most = settings.size(&MAX_SECRETS);
    if definition.secrets.len() > most {
        let found = definition.secrets.len();
        check.broken("/secrets", "entries", format!("must name at most {most} secrets, not {found}"));
    }
    check.finish()?;
    for name in secrets::missing(&tenant.core, tenant.account_id, &definition.secrets).await? {
        check.broken("/secrets", "missing", format!("there is no secret {name:?}"));
    }
    check.finish()
}

fn check_source(source: &str, most: usize, check: &mut Check) {
    check.bytes("/source", source.len(), &MAX_SOURCE, most);
    if source.trim().is_empty() {
        check.broken("/source", "blank", "must not be blank");
    } else if source.contains('\0') {
        check.broken("/source", "characters", "must not contain U+0000");
    }
}

/// Compiles the source in a host of the account.
///
/// # Errors
/// [`sl_store::Code::Invalid`] at `/source` with line and column; the sandbox's own faults.
pub(super) async fn compile(source: &str, tenant: &Tenant) -> Result<(), Fault> {
    let Err(error) = tenant.core.sandbox.compile(tenant.account_id, source.into()).await? else {
        return Ok(());
    };
    let detail = format!("{} (line {}, column {})", error.message, error.line, error.column);
    Err(Fault::field("/source", "syntax", detail))
}
