//! Workspace wallets: registered, proved, suspended, revoked.

use actix_web::http::Method;
use sl_actors::{
    caller::Scope,
    services::wallets::{NewProof, ProveWallet, RenewChallenge, Wallet},
};

use crate::{
    input::Input,
    operation::{Operation, operation},
    resource::{Place, resource},
};

const PROOF: &str = "/accounts/{account}/workspace-wallets/{wallet}/proof";
const CHALLENGE: &str = "/accounts/{account}/workspace-wallets/{wallet}/challenge";

const PLACE: Place = Place {
    id: "wallets",
    one: "a workspace wallet",
    path: "/accounts/{account}/workspace-wallets/{wallet}",
    columns: &["id", "wallet_address", "label", "threshold", "status", "proved_at"],
};

pub(super) fn table() -> Vec<Operation> {
    let mut all = resource::<Wallet>(PLACE);
    all.extend([
        operation(Method::POST, PROOF, "wallets.prove", "Prove a workspace wallet")
            .told("As many of its keys as its threshold says sign the message of its challenge; it is active then.")
            .scope(Scope::Write)
            .action(|input: Input<(), NewProof>| {
                Ok(ProveWallet { wallet_id: input.id("wallet")?, proof: input.body })
            }),
        operation(Method::POST, CHALLENGE, "wallets.challenge", "Give a pending wallet a fresh challenge")
            .told("Signatures of the one before prove nothing any more.")
            .scope(Scope::Write)
            .action(|input: Input| Ok(RenewChallenge(input.id("wallet")?))),
    ]);
    all
}
