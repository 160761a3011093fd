//! Accounts and their tokens.

use actix_web::http::Method;
use sl_actors::{
    caller::Scope,
    services::accounts::{
        AccountFilters, AccountView, AmendAccount, CreateAccount, CreateToken, DeleteAccount, FetchAccount,
        FetchToken, ListAccounts, ListTokens, NewAccount, NewToken, PatchAccount, RevokeToken, TokenView,
    },
};

use crate::{
    input::Input,
    operation::{Operation, operation},
};

const ACCOUNT: &str = "/accounts/{account}";
const TOKENS: &str = "/accounts/{account}/tokens";
const TOKEN: &str = "/accounts/{account}/tokens/{token}";

pub(super) fn table() -> Vec<Operation> {
    vec![
        operation(Method::POST, "/accounts", "accounts.create", "Create an account")
            .operator()
            .status(201)
            .action(|input: Input<(), NewAccount>| Ok(CreateAccount(input.body))),
        operation(Method::GET, "/accounts", "accounts.list", "List the accounts")
            .told("Operators see all of them, a token its own.")
            .with::<AccountView>()
            .pages(&["id", "owner", "status", "created_at"])
            .action(|input: Input<AccountFilters>| {
                Ok(ListAccounts { page: input.page, filters: input.query })
            }),
        operation(Method::GET, ACCOUNT, "accounts.get", "Read an account")
            .action(|_: Input| Ok(FetchAccount)),
        operation(Method::PATCH, ACCOUNT, "accounts.update", "Change an account")
            .told("Status and limits are changed by operators only.")
            .scope(Scope::Admin)
            .action(|input: Input<(), AmendAccount>| {
                Ok(PatchAccount { expected: input.expected, patch: input.body })
            }),
        operation(Method::DELETE, ACCOUNT, "accounts.delete", "Delete an account")
            .told("Its work drains, then everything of it is removed.")
            .operator()
            .status(204)
            .action(|input: Input| Ok(DeleteAccount { expected: input.expected })),
        operation(Method::POST, TOKENS, "tokens.create", "Create a token")
            .told("The token itself is in this answer and never again.")
            .scope(Scope::Admin)
            .status(201)
            .action(|input: Input<(), NewToken>| Ok(CreateToken(input.body))),
        operation(Method::GET, TOKENS, "tokens.list", "List the tokens")
            .scope(Scope::Admin)
            .with::<TokenView>()
            .pages(&["id", "name", "prefix", "scopes", "last_used_at", "expires_at"])
            .action(|input: Input| Ok(ListTokens(input.page))),
        operation(Method::GET, TOKEN, "tokens.get", "Read a token's particulars")
            .scope(Scope::Admin)
            .action(|input: Input| Ok(FetchToken(input.id("token")?))),
        operation(Method::DELETE, TOKEN, "tokens.revoke", "Revoke a token")
            .scope(Scope::Admin)
            .status(204)
            .action(|input: Input| Ok(RevokeToken { id: input.id("token")?, expected: input.expected })),
    ]
}
