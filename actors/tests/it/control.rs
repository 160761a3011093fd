//! What is told of the running system: limits, audit, events, why, dead letters, status; and that it tidies up.

use std::{collections::BTreeMap, time::Duration};

use sl_actors::{
    Code, Fault, SYSTEM,
    caller::{Caller, Scope},
    duty::Outcome,
    idempotency::{self, Admission, IdempotencyRecord, Keyed},
    page::PageRequest,
    pause::{Missed, NewPause, Pause, PauseWork, Resume, ResumeWork, Target},
    services::{
        accounts::{
            AmendAccount, CreateToken, Limit, ListTokens, MAX_TOKENS, NewToken, PatchAccount, Status,
        },
        automation::GRACE,
        control::{
            AccountLimits, AuditFilter, Descriptors, Duties, EVENTS_KEPT_FOR, EventFilter, Events, FetchDuty,
            ListAudit, SystemLimits, SystemStatus, TIDY_EVERY,
        },
        dead_letters::{
            DiscardDeadLetter, DiscardDeadLetters, FetchDeadLetter, LetterFilter, ListDeadLetters,
            ManyLetters, Reason, RedriveDeadLetter, RedriveDeadLetters,
        },
    },
    why::{Why, WhyView},
};
use sl_store::{Batch, NewWork};
use uuid::Uuid;

use crate::{
    script::{CONCURRENCY, DUTY, Script, dead, enqueue, left},
    world::{Ground, World, on_both, set, tenant, until},
};

on_both! {
    limits_tell_value_source_and_use
    the_audit_tells_who_did_what_from_where
    events_are_read_on_from_a_position
    letters_are_listed_redriven_and_discarded
    many_letters_are_treated_by_filter_after_a_dry_run
    why_tells_what_must_pass
    the_system_tells_how_it_is
    what_is_over_is_removed
}

fn failing() -> std::sync::Arc<Script> {
    Script::new(|_| async { Outcome::Dead(Fault::new(Code::Upstream, "the peer said no")) })
}

async fn limits_tell_value_source_and_use(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let limits = BTreeMap::from([(MAX_TOKENS.name.to_owned(), Limit::Number(7))]);
    let patch = AmendAccount { limits: Some(limits), ..AmendAccount::default() };
    world.act(account, PatchAccount { expected: None, patch }).await.expect("an operator may");
    let new = NewToken { name: "ci".to_owned(), scopes: vec![Scope::Read], expires_at: None };
    world.act(account, CreateToken(new)).await.expect("a token is made");
    let limits = AccountLimits { page: PageRequest::whole(), kept_elsewhere: world.runtime.uses(account) };
    let all = world.act(account, limits).await.expect("they are told").items;
    let tokens = all.iter().find(|limit| limit.name == MAX_TOKENS.name).expect("it is among them");
    assert_eq!((tokens.value, tokens.source, tokens.current), (7, "account", Some(1)));
    assert!(all.iter().all(|limit| !limit.doc.is_empty()));
    assert!(all.iter().all(|limit| limit.per_account || limit.current.is_some()), "each is of the account");
    let used = |name: &str| all.iter().find(|limit| limit.name == name).map(|limit| limit.current);
    for (name, current) in [
        ("accounts.queue", 0),
        ("automation.runs_kept", 0),
        ("executions.concurrency", 0),
        ("executions.kept", 0),
        ("executions.queue", 0),
        ("oracle.account_rate", 0),
        ("oracle.open_requests", 0),
        ("random.kept", 0),
        ("triggers.deliveries_kept", 0),
        ("webhooks.deliveries_kept", 0),
    ] {
        assert_eq!(used(name), Some(Some(current)), "{name}");
    }
    let size = all.iter().find(|limit| limit.name == "secrets.value_size").expect("it is among them");
    assert_eq!(
        (size.unit, size.text.as_str(), size.source, size.current),
        ("bytes", "64KiB", "default", None)
    );
    let daemon = world.act(SYSTEM, SystemLimits(PageRequest::whole())).await.expect("they are told").items;
    assert!(daemon.len() > all.len() && daemon.iter().any(|limit| limit.name == "duties.lease"));
    let (mut page, mut found) = (PageRequest { limit: 100, ..PageRequest::default() }, Vec::new());
    loop {
        let answer = world.act(SYSTEM, SystemLimits(page.clone())).await.expect("a page");
        assert!(answer.items.len() <= 100);
        found.extend(answer.items);
        page.cursor = answer.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, daemon, "page after page, each once");
}

async fn the_audit_tells_who_did_what_from_where(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let other = world.account("Eve").await.id;
    for number in 0..7 {
        let caller = Caller {
            request_id: Some(format!("request-{number}")),
            origin: Some("192.0.2.7".to_owned()),
            ..tenant(account, &[Scope::Admin, Scope::Read])
        };
        let new = NewToken { name: format!("t{number}"), scopes: vec![Scope::Read], expires_at: None };
        world.act_as(account, caller, CreateToken(new)).await.expect("a token is made");
    }
    until("all are shown", async || world.events(account, "*").await.len() == 8).await;
    let mut page = PageRequest { limit: 3, ..PageRequest::default() };
    let mut entries = Vec::new();
    loop {
        let list = ListAudit { page: page.clone(), filter: AuditFilter::default() };
        let answer = world.act(account, list).await.expect("a page");
        assert!(answer.items.len() <= 3);
        entries.extend(answer.items);
        page.cursor = answer.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    assert_eq!(entries.len(), 8);
    assert_eq!(
        (entries[0].action.as_str(), entries[0].request_id.as_deref()),
        ("token.created", Some("request-6"))
    );
    assert_eq!((entries[0].actor.as_str(), entries[0].origin.as_deref()), ("token:test", Some("192.0.2.7")));
    assert_eq!(
        (entries[7].action.as_str(), entries[7].actor.as_str()),
        ("account.created", "operator:alice")
    );
    assert!(entries.iter().all(|entry| entry.outcome == "succeeded"));
    let by = |actor: &str| AuditFilter { actor: Some(actor.to_owned()), ..AuditFilter::default() };
    let list = ListAudit { page: PageRequest::default(), filter: by("operator:alice") };
    assert_eq!(world.act(account, list).await.expect("a page").items.len(), 1);
    let within = AuditFilter { request_id: Some("request-3".to_owned()), ..AuditFilter::default() };
    let list = ListAudit { page: PageRequest::default(), filter: within };
    assert_eq!(world.act(account, list).await.expect("a page").items.len(), 1);
    let stolen = PageRequest { limit: 3, ..PageRequest::default() };
    let first = ListAudit { page: stolen.clone(), filter: AuditFilter::default() };
    let cursor = world.act(account, first).await.expect("a page").next_cursor;
    let list = ListAudit { page: PageRequest { cursor, ..stolen }, filter: AuditFilter::default() };
    assert_eq!(
        world.act(other, list).await.unwrap_err().code,
        Code::Malformed,
        "a cursor is its account's own"
    );
}

async fn events_are_read_on_from_a_position(ground: Ground) {
    let world = World::on(ground).await;
    let (ada, eve) = (world.account("Ada").await.id, world.account("Eve").await.id);
    let read = |after| Events { after, filter: EventFilter::default(), limit: 2 };
    let beginning = Some(sl_actors::Position::default());
    until("both are shown", async || world.events(eve, "*").await.len() == 1).await;
    let first = world.act(ada, read(beginning)).await.expect("a page");
    assert_eq!(first.items.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["account.created"]);
    let nothing = world.act(ada, read(Some(first.next))).await.expect("a page");
    assert!(nothing.items.is_empty() && nothing.next >= first.next);
    let now = world.act(ada, read(None)).await.expect("a position");
    assert!(now.items.is_empty());
    for name in ["a", "b", "c"] {
        let new = NewToken { name: name.to_owned(), scopes: vec![Scope::Read], expires_at: None };
        world.act(ada, CreateToken(new)).await.expect("a token is made");
    }
    let (mut after, mut kinds) = (Some(now.next), Vec::new());
    let whole = async || {
        let page = world.act(ada, read(after)).await.expect("a page");
        after = Some(page.next);
        kinds.extend(page.items.into_iter().map(|event| event.kind));
        kinds.len() == 3
    };
    until("what came since is shown", whole).await;
    let refused = world.act_as(SYSTEM, tenant(ada, &[Scope::Read]), read(beginning)).await.unwrap_err();
    assert_eq!(refused.code, Code::Forbidden);
    let all = Events { limit: 100, ..read(beginning) };
    let all = world.act(SYSTEM, all).await.expect("an operator reads everybody's");
    assert!(all.items.iter().any(|event| event.account == eve));
}

async fn letters_are_listed_redriven_and_discarded(ground: Ground) {
    let world = World::with(ground, vec![failing()]).await;
    let (ada, eve) = (world.account("Ada").await.id, world.account("Eve").await.id);
    let items = enqueue(&world, ada, None, 3).await;
    until("they are given up", async || dead(&world, ada).await == 3).await;
    let list = |duty: &str, reason| ListDeadLetters {
        page: PageRequest::default(),
        duty: Some(duty.to_owned()),
        reason,
    };
    let all = world.act(ada, list(DUTY, None)).await.expect("a page");
    assert_eq!(all.items.len(), 3);
    assert_eq!(
        (all.items[0].reason, all.items[0].code.as_str(), all.items[0].attempts),
        (Reason::Permanent, "upstream", 1)
    );
    assert!(world.act(ada, list("other", None)).await.expect("a page").items.is_empty());
    assert!(world.act(ada, list(DUTY, Some(Reason::Exhausted))).await.expect("a page").items.is_empty());
    for action in [
        world.act(eve, FetchDeadLetter(items[0])).await.map(|_| ()),
        world.act(eve, RedriveDeadLetter(items[0])).await,
    ] {
        assert_eq!(action.unwrap_err().code, Code::NotFound, "foreign is missing");
    }
    let why = world.act(ada, Why(items[0])).await.expect("it is told");
    assert_eq!((why.kind.as_str(), codes(&why)), ("dead_letter", vec!["dead_letter"]));
    world.act(ada, DiscardDeadLetter(items[0])).await.expect("it is discarded");
    until("the duty was asked", async || world.events(ada, "item.discarded").await.len() == 1).await;
    world.act(ada, RedriveDeadLetter(items[1])).await.expect("it is redriven");
    until("the duty was told", async || world.events(ada, "item.revived").await.len() == 1).await;
    until("and it failed again", async || world.events(ada, "dead_letter.created").await.len() == 4).await;
    assert_eq!(dead(&world, ada).await, 2);
    assert_eq!(world.act(ada, FetchDeadLetter(items[0])).await.unwrap_err().code, Code::NotFound);
}

async fn many_letters_are_treated_by_filter_after_a_dry_run(ground: Ground) {
    let world = World::with(ground, vec![failing()]).await;
    let account = world.account("Ada").await.id;
    enqueue(&world, account, None, 250).await;
    until("they are given up", async || dead(&world, account).await == 250).await;
    let many = |duty: Option<&str>, dry_run| ManyLetters {
        filter: LetterFilter { duty: duty.map(ToOwned::to_owned), ..LetterFilter::default() },
        dry_run,
    };
    let dry = world.act(account, DiscardDeadLetters(many(None, true))).await.expect("they are counted");
    assert_eq!((dry.matched, dry.treated, dry.more, dry.dry_run), (250, 0, false, true));
    let none = world.act(account, DiscardDeadLetters(many(Some("other"), false))).await.expect("none match");
    assert_eq!((none.matched, none.treated), (0, 0));
    world.act(SYSTEM, PauseWork { target: Target::System, new: NewPause::default() }).await.expect("paused");
    let redriven = world.act(account, RedriveDeadLetters(many(Some(DUTY), false))).await.expect("redriven");
    assert_eq!((redriven.matched, redriven.treated), (250, 250));
    assert_eq!((dead(&world, account).await, left(&world).await), (0, 250));
    let drop = ResumeWork { target: Target::System, how: Resume { missed: Missed::All } };
    world.act(SYSTEM, drop).await.expect("resumed");
    until("they are given up again", async || dead(&world, account).await == 250).await;
    let gone = world.act(account, DiscardDeadLetters(many(Some(DUTY), false))).await.expect("discarded");
    assert_eq!((gone.treated, dead(&world, account).await), (250, 0));
}

fn codes(view: &WhyView) -> Vec<&'static str> {
    view.causes.iter().map(|cause| cause.code).collect()
}

async fn why_tells_what_must_pass(ground: Ground) {
    let script = Script::new(|attempt| async move {
        tokio::select! {
            () = attempt.cancel.cancelled() => Outcome::Release,
            () = tokio::time::sleep(Duration::from_mins(10)) => Outcome::Done(Batch::new()),
        }
    });
    let mut parts = ground.parts().await;
    set(&mut parts, &CONCURRENCY, 1);
    let world = World::of(ground, parts, Some(vec![script.clone()])).await;
    let account = world.account("Ada").await.id;
    let gate = Uuid::from_u128(77);
    let first = enqueue(&world, account, Some(gate), 1).await[0];
    until("one runs", async || script.running() == 1).await;
    let others = enqueue(&world, account, Some(gate), 3).await;

    let running = world.act(account, Why(first)).await.expect("it is told");
    assert_eq!(
        (codes(&running), running.kind.as_str(), running.status.as_str()),
        (vec!["running"], "work", "pending")
    );
    assert_eq!(running.causes[0].numbers["holder"], world.core().daemon_id.to_string());
    let waiting = world.act(account, Why(others[2])).await.expect("it is told");
    assert_eq!(codes(&waiting), ["waiting_for_slot", "behind"]);
    assert_eq!(
        (&waiting.causes[0].numbers["concurrency"], &waiting.causes[1].numbers["behind"]),
        (&1.into(), &2.into())
    );
    let behind = world.act(account, Why(gate)).await.expect("it is told");
    assert_eq!((codes(&behind), &behind.causes[0].numbers["waiting"]), (vec!["queued"], &3.into()));

    let later = world.core().ids.next();
    let due = world.now() + Duration::from_hours(1);
    let mut batch = Batch::new();
    batch.enqueue(NewWork::new(world.core().ids.next(), DUTY, account, later, due));
    batch.enqueue(NewWork::new(world.core().ids.next(), "nobodys", account, Uuid::from_u128(8), world.now()));
    world.core().store.commit(batch).await.expect("work is added");
    let scheduled = world.act(account, Why(later)).await.expect("it is told");
    assert_eq!((codes(&scheduled), scheduled.causes[0].until), (vec!["scheduled"], Some(due)));
    let nobodys = world.act(account, Why(Uuid::from_u128(8))).await.expect("it is told");
    assert_eq!(codes(&nobodys), ["unknown_duty"]);

    let new = NewPause { reason: "an audit".to_owned(), until: Some(due) };
    world.act(account, PauseWork { target: Target::Account, new }).await.expect("paused");
    let suspend = AmendAccount { status: Some(Status::Suspended), ..AmendAccount::default() };
    world.act(account, PatchAccount { expected: None, patch: suspend }).await.expect("suspended");
    let held = world.act(account, Why(later)).await.expect("it is told");
    assert_eq!(codes(&held), ["suspended", "paused", "scheduled"]);
    let paused = &held.causes[1];
    assert_eq!((paused.until, &paused.numbers["actor"]), (Some(due), &"operator:alice".into()));
    assert!(paused.detail.contains("an audit"));

    let known = world.act(account, Why(account)).await.expect("an account can be asked about");
    assert_eq!((known.kind.as_str(), known.status.as_str()), ("account", "suspended"));
    assert_eq!(world.act(account, Why(Uuid::from_u128(1))).await.unwrap_err().code, Code::NotFound);
    let other = world.account("Eve").await.id;
    assert_eq!(world.act(other, Why(first)).await.unwrap_err().code, Code::NotFound, "foreign is missing");
    world.runtime.drain(Duration::ZERO).await;
}

async fn the_system_tells_how_it_is(ground: Ground) {
    let mut parts = ground.parts().await;
    set(&mut parts, &CONCURRENCY, 3);
    let world = World::of(ground, parts, Some(vec![Script::done()])).await;
    world.core().health.note("sandbox", serde_json::json!({"seccomp": true}));
    let account = world.account("Ada").await.id;
    world.act(account, ListTokens(PageRequest::default())).await.expect("an actor is started");
    let status = world.act(SYSTEM, SystemStatus).await.expect("it is told");
    assert_eq!((status.status, status.duties.len(), status.account_actors), ("ok", 1, 2));
    assert_eq!(status.parts["sandbox"]["seccomp"], true);
    assert_eq!(status.secret_rotation.map(|rotation| rotation.remaining), Some(0));
    assert_eq!(status.duties[0].status.concurrency, 3);
    world.core().health.degrade("accounts", "for a test");
    assert_eq!(world.act(SYSTEM, SystemStatus).await.expect("it is told").status, "degraded");
    let duties = world.act(SYSTEM, Duties::default()).await.expect("they are told");
    assert_eq!((duties.items.len(), duties.next_cursor), (1, None));
    assert_eq!(world.act(SYSTEM, FetchDuty(DUTY.to_owned())).await.expect("it is told").status.name, DUTY);
    assert_eq!(world.act(SYSTEM, FetchDuty("nothing".to_owned())).await.unwrap_err().code, Code::NotFound);
    let all = world.act(SYSTEM, Descriptors).await.expect("they are told");
    assert_eq!(all.len(), sl_actors::services::ALL.len());
    assert!(all.is_sorted_by_key(|service| (service.layer, service.name)));
}

async fn what_is_over_is_removed(ground: Ground) {
    let mut parts = ground.parts().await;
    set(&mut parts, &TIDY_EVERY, 100);
    set(&mut parts, &GRACE, GRACE.min);
    set(&mut parts, &EVENTS_KEPT_FOR, 0);
    set(&mut parts, &idempotency::KEPT_FOR, 0);
    let world = World::of(ground, parts, None).await;
    let account = world.account("Ada").await.id;
    let keyed = Keyed { route: "POST /tokens", key: "k", body: b"{}", status: 201 };
    let Admission::Fresh(ticket) = idempotency::admit(world.core(), account, keyed).await.expect("admitted")
    else {
        panic!("it is the first");
    };
    let new = NewToken { name: "ci".to_owned(), scopes: vec![Scope::Read], expires_at: None };
    let caller = std::sync::Arc::new(Caller::operator("alice"));
    world.runtime.perform(account, caller, Some(ticket), CreateToken(new)).await.expect("a token is made");
    let soon = Some(world.now() + Duration::from_millis(50));
    let new = NewPause { reason: String::new(), until: soon };
    world.act(account, PauseWork { target: Target::Account, new }).await.expect("paused");
    let gone = async || {
        let records = world.core().store.count::<IdempotencyRecord>(None, Vec::new()).await.expect("a count");
        let pauses = world.core().store.count::<Pause>(None, Vec::new()).await.expect("a count");
        records == 0 && pauses == 0 && world.events(account, "*").await.is_empty()
    };
    until("answers, pauses and events go", gone).await;
}
