//! Landlock: no file may be opened, no port bound or connected to, nobody outside signalled.

use super::Outcome;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetError,
    RulesetStatus, Scope,
};

/// What is asked for; older kernels give what they have. Files are forbidden since the first version, ports and
/// signals since later ones.
const NEWEST: ABI = ABI::V6;

/// Forbids files, ports and signals to this thread and those it will start.
pub fn forbid() -> Outcome {
    match restrict() {
        Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced) => Ok(()),
        Ok(RulesetStatus::NotEnforced) => Err("the kernel has no Landlock, or it is switched off".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn restrict() -> Result<RulesetStatus, RulesetError> {
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?;
    Ok(ruleset.create()?.restrict_self()?.ruleset)
}
