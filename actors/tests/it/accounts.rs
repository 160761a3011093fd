//! Accounts, their tokens, and their removal.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sl_actors::{
    Code, Fault, SYSTEM,
    caller::{Caller, Scope},
    duty::Outcome,
    page::PageRequest,
    services::{
        self,
        accounts::{
            AccountFilters, AccountRemoval, AmendAccount, CreateToken, CreatedToken, DeleteAccount,
            FetchAccount, FetchToken, Limit, ListAccounts, ListTokens, MAX_TOKENS, NewToken, PatchAccount,
            RevokeToken, Status, authenticate,
        },
        secrets::{CreateSecret, NewSecret},
    },
};
use sl_store::{Batch, EventQuery, NewWork, WorkQuery};
use uuid::Uuid;

use crate::script::{Script, enqueue, left};
use crate::world::{Ground, World, on_both, start, tenant, until};

on_both! {
    an_account_lives_and_is_told_of
    only_operators_change_status_and_limits
    limits_are_set_one_by_one_and_taken_away
    a_change_of_nothing_makes_no_version
    a_token_is_shown_once_and_lets_its_bearer_in
    a_revoked_token_is_refused_by_every_daemon_within_a_quarter_of_a_second
    nobody_makes_a_token_that_can_do_more_than_they_can
    a_suspended_account_reads_and_does_nothing_else
    a_deleted_account_leaves_nothing
    a_removal_stops_what_runs_and_goes_on_in_another_daemon
}

fn amend() -> AmendAccount {
    AmendAccount::default()
}

fn token(name: &str, scopes: &[Scope]) -> NewToken {
    NewToken { name: name.to_owned(), scopes: scopes.to_vec(), expires_at: None }
}

async fn made(world: &World, account: Uuid, name: &str) -> CreatedToken {
    world.act(account, CreateToken(token(name, &[Scope::Read, Scope::Run]))).await.expect("a token is made")
}

async fn an_account_lives_and_is_told_of(ground: Ground) {
    let world = World::on(ground).await;
    let made = world.account("Ada").await;
    let read = world.act(made.id, FetchAccount).await.expect("it can be read");
    assert_eq!((read.owner.as_str(), read.status, read.version), ("Ada", Status::Active, 1));
    let patch = AmendAccount { owner: Some("Grace".to_owned()), ..amend() };
    let changed = world.act(made.id, PatchAccount { expected: Some(1), patch: patch.clone() }).await;
    assert_eq!(changed.expect("it can be changed").owner, "Grace");
    let stale = world.act(made.id, PatchAccount { expected: Some(1), patch }).await;
    assert_eq!(stale.map(|_| ()).unwrap_err().code, Code::VersionMismatch);
    let blank = AmendAccount { owner: Some(" ".to_owned()), ..amend() };
    let refused = world.act(made.id, PatchAccount { expected: None, patch: blank }).await.unwrap_err();
    assert_eq!((refused.code, refused.fields[0].pointer.as_str()), (Code::Invalid, "/owner"));
    let list = ListAccounts { page: PageRequest::default(), filters: AccountFilters::default() };
    let all = world.act(SYSTEM, list.clone()).await.expect("they can be listed");
    assert_eq!(all.items.len(), 1);
    let other = world.account("Other").await;
    let own = world.act_as(SYSTEM, tenant(other.id, &[Scope::Read]), list).await.expect("a token may ask");
    assert_eq!(own.items.iter().map(|account| account.id).collect::<Vec<_>>(), [other.id]);
    until("both events are shown", async || world.events(made.id, "account.*").await.len() == 2).await;
    let unknown = world.act(Uuid::from_u128(7), FetchAccount).await.unwrap_err();
    assert_eq!(unknown.code, Code::NotFound);
}

async fn only_operators_change_status_and_limits(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await;
    let admin = tenant(account.id, &[Scope::Admin, Scope::Write]);
    let limits = BTreeMap::from([(MAX_TOKENS.name.to_owned(), Limit::Text("1".to_owned()))]);
    for patch in [
        AmendAccount { status: Some(Status::Suspended), ..amend() },
        AmendAccount { limits: Some(limits.clone()), ..amend() },
    ] {
        let refused = world.act_as(account.id, admin.clone(), PatchAccount { expected: None, patch }).await;
        assert_eq!(refused.map(|_| ()).unwrap_err().code, Code::Forbidden);
    }
    let patch = AmendAccount { limits: Some(limits), ..amend() };
    let changed =
        world.act(account.id, PatchAccount { expected: None, patch }).await.expect("an operator may");
    assert_eq!(changed.limits[MAX_TOKENS.name], "1");
    made(&world, account.id, "first").await;
    let full = world.act(account.id, CreateToken(token("second", &[Scope::Read]))).await.unwrap_err();
    assert_eq!(
        (full.code, full.limit.map(|limit| (limit.setting, limit.limit, limit.current))),
        (Code::QuotaExceeded, Some((MAX_TOKENS.name, 1.into(), 1.into())))
    );
    let unknown = BTreeMap::from([("duties.poll".to_owned(), Limit::Text("1s".to_owned()))]);
    let patch = AmendAccount { limits: Some(unknown), ..amend() };
    let refused = world.act(account.id, PatchAccount { expected: None, patch }).await.unwrap_err();
    assert_eq!(refused.fields[0].pointer, "/limits/duties.poll");
    let patch = AmendAccount { status: Some(Status::Deleting), ..amend() };
    let refused = world.act(account.id, PatchAccount { expected: None, patch }).await.unwrap_err();
    assert_eq!(refused.fields[0].pointer, "/status");
}

async fn limits_are_set_one_by_one_and_taken_away(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let patch = async |limits: serde_json::Value| {
        let patch = serde_json::from_value(serde_json::json!({"limits": limits})).expect("a patch");
        let changed = world.act(account, PatchAccount { expected: None, patch }).await?;
        Ok::<_, Fault>(serde_json::json!(changed.limits))
    };
    let number = serde_json::json!({"functions.count": 5, "secrets.value_size": 1024});
    let told = serde_json::json!({"functions.count": "5", "secrets.value_size": "1KiB"});
    assert_eq!(patch(number).await.expect("numbers are fine"), told);
    let told = serde_json::json!({"functions.count": "6", "secrets.value_size": "1KiB"});
    assert_eq!(patch(serde_json::json!({"functions.count": "6"})).await.expect("one by one"), told);
    let told = serde_json::json!({"secrets.value_size": "1KiB"});
    assert_eq!(patch(serde_json::json!({"functions.count": null})).await.expect("taken away"), told);
    let refused = patch(serde_json::json!({"functions.count": 0})).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.fields[0].pointer.as_str()),
        (Code::Invalid, "/limits/functions.count")
    );
}

async fn a_change_of_nothing_makes_no_version(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await;
    for patch in [amend(), AmendAccount { owner: Some("Ada".to_owned()), ..amend() }] {
        let same = world.act(account.id, PatchAccount { expected: None, patch }).await.expect("as it is");
        assert_eq!((same.version, same.updated_at), (1, account.updated_at));
    }
}

async fn a_token_is_shown_once_and_lets_its_bearer_in(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await;
    let made = made(&world, account.id, "ci").await;
    assert!(made.token.starts_with(&made.view.prefix) && made.view.prefix.starts_with("slk_"));
    let caller = authenticate(world.core(), &made.token).await.expect("it lets in");
    assert_eq!(caller.actor, format!("token:{}", made.view.id));
    assert_eq!((caller.account, caller.scopes), (Some(account.id), vec![Scope::Read, Scope::Run]));
    let listed = world.act(account.id, ListTokens(PageRequest::default())).await.expect("they can be listed");
    let told = serde_json::to_string(&listed).expect("json");
    assert!(!told.contains(&made.token), "a list shows no token");
    let seen = &listed.items[0];
    assert!(seen.last_used_at >= Some(seen.created_at), "its use is told, if not written yet: {seen:?}");
    assert_eq!(seen.updated_at, seen.created_at);
    let used = async || {
        let again = start(world.ground.parts().await, Some(Vec::new())).await;
        let caller = Caller::operator("alice");
        let seen = again.perform(account.id, Arc::new(caller), None, FetchToken(made.view.id)).await;
        seen.expect("another daemon reads it").last_used_at.is_some()
    };
    until("the use is written for other daemons", used).await;
    let twice = world.act(account.id, CreateToken(token("ci", &[Scope::Read]))).await.unwrap_err();
    assert_eq!(twice.code, Code::Conflict);
    for broken in ["", "slk_", "slk_AAAA", &made.token[..62], &format!("{}x", made.token), "operator-token"] {
        assert_eq!(
            authenticate(world.core(), broken).await.unwrap_err().code,
            Code::Unauthorized,
            "{broken}"
        );
    }
}

async fn a_revoked_token_is_refused_by_every_daemon_within_a_quarter_of_a_second(ground: Ground) {
    let mut parts = ground.parts().await;
    // As it comes, not as tests have it.
    parts.settings = parts.settings.with(&sl_actors::mirror::POLL, 200, sl_actors::settings::Source::Default);
    let elsewhere =
        start(sl_actors::Parts { store: ground.other().await, ..parts.clone() }, Some(Vec::new())).await;
    let world = World::of(ground, parts, Some(Vec::new())).await;
    let account = world.account("Ada").await;
    let made = made(&world, account.id, "ci").await;
    for core in [world.core(), elsewhere.core()] {
        authenticate(core, &made.token).await.expect("it lets in");
    }
    world.act(account.id, RevokeToken { id: made.view.id, expected: None }).await.expect("it is revoked");
    let revoked = tokio::time::Instant::now();
    assert!(authenticate(world.core(), &made.token).await.is_err(), "here at once");
    while authenticate(elsewhere.core(), &made.token).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let took = revoked.elapsed();
    assert!(took < Duration::from_millis(250), "{took:?}");
    let gone = world.act(account.id, FetchToken(made.view.id)).await.unwrap_err();
    assert_eq!(gone.code, Code::NotFound);
}

async fn nobody_makes_a_token_that_can_do_more_than_they_can(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await;
    let admin = tenant(account.id, &[Scope::Read, Scope::Admin]);
    let refused = world.act_as(account.id, admin.clone(), CreateToken(token("a", &[Scope::Write]))).await;
    assert_eq!(refused.map(|_| ()).unwrap_err().code, Code::Forbidden);
    let scopes = [Scope::Admin, Scope::Read, Scope::Read];
    let made = world.act_as(account.id, admin, CreateToken(token("b", &scopes))).await.expect("it may");
    assert_eq!(made.view.scopes, [Scope::Read, Scope::Admin]);
    for (new, pointer) in [
        (token("", &[Scope::Read]), "/name"),
        (token("c", &[]), "/scopes"),
        (NewToken { expires_at: Some(world.now()), ..token("d", &[Scope::Read]) }, "/expires_at"),
    ] {
        let refused = world.act(account.id, CreateToken(new)).await.unwrap_err();
        assert_eq!(refused.fields[0].pointer, pointer);
    }
}

async fn a_suspended_account_reads_and_does_nothing_else(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await;
    let made = made(&world, account.id, "ci").await;
    let suspend = AmendAccount { status: Some(Status::Suspended), ..amend() };
    world.act(account.id, PatchAccount { expected: None, patch: suspend }).await.expect("it is suspended");
    authenticate(world.core(), &made.token).await.expect("its tokens still let in");
    world.act(account.id, ListTokens(PageRequest::default())).await.expect("it can be read");
    let refused = world.act(account.id, CreateToken(token("x", &[Scope::Read]))).await.unwrap_err();
    assert_eq!(refused.code, Code::Suspended);
    let patch = AmendAccount { owner: Some("Eve".to_owned()), ..amend() };
    let own = tenant(account.id, &[Scope::Admin]);
    let refused = world.act_as(account.id, own, PatchAccount { expected: None, patch }).await.unwrap_err();
    assert_eq!(refused.code, Code::Suspended);
    world.act(account.id, RevokeToken { id: made.view.id, expected: None }).await.expect("a removal works");
    let resume = AmendAccount { status: Some(Status::Active), ..amend() };
    world.act(account.id, PatchAccount { expected: None, patch: resume }).await.expect("it is resumed");
    world.act(account.id, CreateToken(token("x", &[Scope::Read]))).await.expect("it works again");
    let mut kinds: Vec<String> = Vec::new();
    until("readers are shown all three events", async || {
        kinds = world.events(account.id, "account.*").await.into_iter().map(|event| event.kind).collect();
        kinds.len() >= 3
    })
    .await;
    assert_eq!(kinds, ["account.created", "account.suspended", "account.resumed"]);
}

async fn a_deleted_account_leaves_nothing(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await;
    let kept = world.account("Grace").await;
    let mut tokens = Vec::new();
    for number in 0..12 {
        tokens.push(made(&world, account.id, &format!("t{number}")).await);
    }
    made(&world, kept.id, "kept").await;
    let secret = NewSecret { name: "key".to_owned(), value: "value-of-it".into() };
    world.act(account.id, CreateSecret(secret)).await.expect("a secret is made");
    let mut batch = Batch::new();
    for _ in 0..20 {
        let id = world.core().ids.next();
        batch.enqueue(NewWork::new(id, "somebody-elses", account.id, id, world.now()));
    }
    world.core().store.commit(batch).await.expect("work is added");

    let refused =
        world.act_as(account.id, tenant(account.id, &[Scope::Admin]), DeleteAccount { expected: None }).await;
    assert_eq!(refused.unwrap_err().code, Code::Forbidden);
    world.act(account.id, DeleteAccount { expected: None }).await.expect("it is deleted");
    assert!(authenticate(world.core(), &tokens[0].token).await.is_err(), "its tokens are refused at once");
    let gone =
        async || world.act(account.id, FetchAccount).await.is_err_and(|fault| fault.code == Code::NotFound);
    until("the row goes", gone).await;

    for table in services::ALL.iter().flat_map(|service| service.tables.iter().copied()) {
        let left = world.core().store.count_rows(table, Some(account.id), Vec::new()).await.expect("a count");
        assert_eq!(left, 0, "{}", table.name);
    }
    let work = WorkQuery { account: Some(account.id), ..WorkQuery::default() };
    let work = world.core().store.work_count(work).await.expect("a count");
    assert_eq!((work.waiting, work.later, work.running), (0, 0, 0));
    let events = EventQuery { account: Some(account.id), limit: 10, ..EventQuery::default() };
    assert_eq!(world.core().store.events(events).await.expect("a page").len(), 0);
    let told = world.events(SYSTEM, "account.removed").await;
    assert_eq!(told.iter().map(|event| event.subject).collect::<Vec<_>>(), [account.id]);
    let others =
        world.act(kept.id, ListTokens(PageRequest::default())).await.expect("the other is untouched");
    assert_eq!(others.items.len(), 1);
    let again = world.act(account.id, DeleteAccount { expected: None }).await.unwrap_err();
    assert_eq!(again.code, Code::NotFound);
}

async fn a_removal_stops_what_runs_and_goes_on_in_another_daemon(ground: Ground) {
    let script = Script::new(|attempt| async move {
        attempt.cancel.cancelled().await;
        Outcome::Release
    });
    let parts = ground.parts().await;
    let other = sl_actors::Parts { store: ground.other().await, ..parts.clone() };
    // This daemon runs the account's work and does no removals, as one does that dies before it begins.
    let world = World::of(ground, parts, Some(vec![script.clone()])).await;
    let account = world.account("Ada").await.id;
    enqueue(&world, account, None, 30).await;
    until("some run", async || script.running() == 8).await;
    world.act(account, DeleteAccount { expected: None }).await.expect("it is deleted");
    world.act(account, DeleteAccount { expected: None }).await.expect("and again, to no further effect");
    until("what ran was stopped", async || script.running() == 0).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(script.begun(), 8, "and nothing else begins");
    world.act(account, FetchAccount).await.expect("it is still being deleted");
    let refused = world.act(account, CreateToken(token("x", &[Scope::Read]))).await.unwrap_err();
    assert_eq!(refused.code, Code::InvalidState);

    let elsewhere = start(other, Some(vec![Arc::new(AccountRemoval)])).await;
    let gone =
        async || world.act(account, FetchAccount).await.is_err_and(|fault| fault.code == Code::NotFound);
    until("another daemon removes it", gone).await;
    assert_eq!(left(&world).await, 0);
    elsewhere.drain(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_token_ends_when_it_says() {
    let world = World::on(Ground::memory().await).await;
    let account = world.account("Ada").await;
    let ends = world.now() + Duration::from_mins(1);
    let new = NewToken { expires_at: Some(ends), ..token("short", &[Scope::Read]) };
    let made = world.act(account.id, CreateToken(new)).await.expect("a token is made");
    world.pass(Duration::from_secs(59));
    authenticate(world.core(), &made.token).await.expect("it lets in");
    world.pass(Duration::from_secs(1));
    assert_eq!(authenticate(world.core(), &made.token).await.unwrap_err().code, Code::Unauthorized);
}
