//! Secrets: write-only, versioned, pinned and rolled back.

use actix_web::http::Method;
use sl_actors::{
    Fault,
    caller::Scope,
    services::secrets::{
        CreateSecret, DeleteSecret, DeleteVersion, FetchSecret, ListSecrets, ListVersions, NewSecret,
        NewValue, Pin, PinSecret, PutSecret, RollBack, RollBackSecret, RotateSecrets, RotationStatus,
        SecretVersionView, SecretView,
    },
};

use crate::{
    input::Input,
    operation::{Operation, operation},
};

const ALL: &str = "/accounts/{account}/secrets";
const ONE: &str = "/accounts/{account}/secrets/{name}";
const VERSIONS: &str = "/accounts/{account}/secrets/{name}/versions";
const VERSION: &str = "/accounts/{account}/secrets/{name}/versions/{version}";
const PIN: &str = "/accounts/{account}/secrets/{name}/pin";
const ROLLBACK: &str = "/accounts/{account}/secrets/{name}/rollback";

pub(super) fn table() -> Vec<Operation> {
    vec![
        operation(Method::POST, ALL, "secrets.create", "Create a secret")
            .told("Its value is never answered again.")
            .scope(Scope::Write)
            .status(201)
            .action(|input: Input<(), NewSecret>| Ok(CreateSecret(input.body))),
        operation(Method::GET, ALL, "secrets.list", "List the secrets")
            .with::<SecretView>()
            .pages(&["name", "version", "pinned", "used_by", "updated_at"])
            .action(|input: Input| Ok(ListSecrets(input.page))),
        operation(Method::GET, ONE, "secrets.get", "Read a secret's particulars")
            .action(|input: Input| Ok(FetchSecret { name: input.name("name")? })),
        operation(Method::PUT, ONE, "secrets.update", "Give a secret a new value")
            .scope(Scope::Write)
            .action(|input: Input<(), NewValue>| {
                Ok(PutSecret { name: input.name("name")?, expected: input.expected, new: input.body })
            }),
        operation(Method::DELETE, ONE, "secrets.delete", "Remove a secret")
            .scope(Scope::Write)
            .status(204)
            .action(|input: Input| Ok(DeleteSecret { name: input.name("name")?, expected: input.expected })),
        operation(Method::GET, VERSIONS, "secrets.versions.list", "List the versions of a secret")
            .with::<SecretVersionView>()
            .pages(&["version", "active", "created_at"])
            .action(|input: Input| Ok(ListVersions { name: input.name("name")?, page: input.page })),
        operation(Method::DELETE, VERSION, "secrets.versions.delete", "Remove a version of a secret")
            .scope(Scope::Write)
            .status(204)
            .action(|input: Input| {
                let (name, number) = (input.name("name")?, input.number("version")?);
                Ok::<_, Fault>(DeleteVersion { name, number, expected: input.expected })
            }),
        operation(Method::POST, PIN, "secrets.pin", "Pin a secret to a version")
            .scope(Scope::Write)
            .versioned()
            .action(|input: Input<(), Pin>| {
                Ok(PinSecret { name: input.name("name")?, expected: input.expected, pin: input.body })
            }),
        operation(Method::POST, ROLLBACK, "secrets.rollback", "Roll a secret back to a version")
            .scope(Scope::Write)
            .versioned()
            .action(|input: Input<(), RollBack>| {
                Ok(RollBackSecret { name: input.name("name")?, expected: input.expected, to: input.body })
            }),
        operation(
            Method::GET,
            "/system/secrets/rotation",
            "system.secrets.rotation",
            "How far the rotation of the root key is",
        )
        .operator()
        .action(|_: Input| Ok(RotationStatus)),
        operation(
            Method::POST,
            "/system/secrets/rotate",
            "system.secrets.rotate",
            "Seal again what is under an older root key",
        )
        .operator()
        .action(|_: Input| Ok(RotateSecrets)),
    ]
}
