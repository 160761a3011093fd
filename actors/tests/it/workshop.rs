//! A daemon with real JavaScript hosts, and an account that has functions.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use sl_actors::{
    Action, Code, Core, Fault, Parts, Runtime,
    caller::Caller,
    egress::{Egress, EgressLimits, SystemResolver},
    idempotency::{self, Admission, Keyed},
    resource::Create,
    services::{
        executions::{ActionKind, ActionKinds, Execute, ExecutionView, FetchExecution, Status},
        functions::{Function, FunctionView, NewFunction},
        secrets::{CreateSecret, NewSecret},
    },
    settings::Setting,
    signing::Signer,
};
use sl_store::{Event, EventQuery};
use uuid::Uuid;

use crate::{
    sandbox::program,
    world::{self, Ground, World},
};

/// A daemon, and an account for which it acts.
pub struct Workshop {
    pub world: World,
    pub account: Uuid,
}

/// What a workshop is made with.
pub struct Plan(Parts);

impl Plan {
    /// The usual.
    pub async fn on(ground: &Ground) -> Self {
        program("sl-js-host", "--bin", "sl-js-host");
        Self(ground.parts().await)
    }

    pub fn with(mut self, setting: &Setting, value: u64) -> Self {
        world::set(&mut self.0, setting, value);
        self
    }

    pub fn signer(mut self, key: &str) -> Self {
        self.0.signer = Some(Signer::parse(key).unwrap());
        self
    }

    /// Gives functions these actions and no others.
    pub fn actions(mut self, kinds: &'static [ActionKind]) -> Self {
        self.0.actions = ActionKinds::of(kinds);
        self
    }

    /// Opens the egress guard for a host.
    pub fn allow(mut self, host: &str) -> Self {
        let limits = EgressLimits::from(&self.0.settings);
        let resolver = Arc::new(SystemResolver::new(4));
        self.0.egress = Egress::new(limits, host.parse().unwrap(), resolver).unwrap();
        self
    }

    pub async fn start(self, ground: Ground) -> Workshop {
        let world = World::of(ground, self.0, None).await;
        let account = world.account("a tenant").await.id;
        Workshop { world, account }
    }
}

impl Workshop {
    pub async fn on(ground: Ground) -> Self {
        Plan::on(&ground).await.start(ground).await
    }

    /// What another daemon on the same store is made of.
    pub async fn parts(&self) -> Parts {
        let core = self.core();
        let (keys, settings, actions) = (core.keys.clone(), core.settings.clone(), core.actions.clone());
        Parts { keys, settings, actions, ..self.world.ground.parts().await }
    }

    /// Another daemon on the same store.
    pub async fn another(&self) -> Runtime {
        world::start(self.parts().await, None).await
    }

    /// Stops the daemon and goes on with one of these parts.
    pub async fn move_to(&mut self, parts: Parts) {
        self.world.runtime.drain(Duration::from_secs(5)).await;
        self.world.runtime = world::start(parts, None).await;
    }

    pub fn core(&self) -> &Arc<Core> {
        self.world.core()
    }

    pub async fn perform<A: Action>(&self, action: A) -> Result<A::Output, Fault> {
        self.world.act(self.account, action).await
    }

    pub async fn perform_for<A: Action>(&self, account: Uuid, action: A) -> Result<A::Output, Fault> {
        self.world.act(account, action).await
    }

    /// Performs with an idempotency key, as [`perform_keyed`] does.
    pub async fn perform_keyed<A>(&self, key: &str, action: A) -> Result<(bool, u16, Value), Fault>
    where
        A: Action<Output: serde::Serialize>,
    {
        perform_keyed(&self.world.runtime, self.account, key, action).await
    }

    pub async fn function(&self, name: &str, source: &str) -> FunctionView {
        self.create(new_function(name, source)).await.unwrap()
    }

    pub async fn create(&self, new: NewFunction) -> Result<FunctionView, Fault> {
        self.perform(Create::<Function>(new)).await
    }

    pub async fn secret(&self, name: &str, value: &str) {
        let secret = NewSecret { name: name.to_owned(), value: value.to_owned().into() };
        self.perform(CreateSecret(secret)).await.unwrap();
    }

    /// Executes and waits as long as is usual.
    pub async fn execute(&self, function: Uuid, params: &str) -> ExecutionView {
        self.perform(execute(function, params, None)).await.unwrap()
    }

    /// Executes without waiting.
    pub async fn begin(&self, function: Uuid, params: &str) -> ExecutionView {
        self.perform(execute(function, params, Some(Duration::ZERO))).await.unwrap()
    }

    pub async fn fetch(&self, execution: Uuid) -> ExecutionView {
        self.perform(FetchExecution(execution)).await.unwrap()
    }

    /// Looks at an execution until it stands so.
    pub async fn until(&self, execution: Uuid, status: Status) -> ExecutionView {
        let mut found = None;
        world::until(&format!("{execution} is {status:?}"), async || {
            found = match self.perform(FetchExecution(execution)).await {
                Err(fault) if fault.code == Code::NotFound => None,
                answer => Some(answer.unwrap()),
            };
            found.as_ref().is_some_and(|found| found.status == status)
        })
        .await;
        found.unwrap()
    }

    /// The events about something, in order.
    pub async fn events(&self, subject: Uuid) -> Vec<Event> {
        let query = EventQuery {
            account: Some(self.account),
            subject: Some(subject),
            limit: 100,
            ..EventQuery::default()
        };
        self.core().store.events(query).await.unwrap()
    }

    /// Waits until exactly these kinds of event were told about something; on PostgreSQL readers see an event when no
    /// transaction of the whole server can precede it any more.
    pub async fn told(&self, subject: Uuid, kinds: &[&str]) {
        let mut found = Vec::new();
        let give_up = tokio::time::Instant::now() + Duration::from_secs(10);
        while found != kinds && tokio::time::Instant::now() < give_up {
            tokio::time::sleep(Duration::from_millis(5)).await;
            found = self.events(subject).await.into_iter().map(|event| event.kind).collect::<Vec<_>>();
        }
        assert_eq!(found, kinds);
    }

    pub async fn stop(self) {
        self.world.runtime.drain(Duration::from_secs(5)).await;
    }
}

/// Performs with an idempotency key, as the front end does; answers whether it is a stored answer, its status, and the
/// answer as JSON.
pub async fn perform_keyed<A>(
    runtime: &Runtime,
    account: Uuid,
    key: &str,
    action: A,
) -> Result<(bool, u16, Value), Fault>
where
    A: Action<Output: serde::Serialize>,
{
    let keyed = Keyed { route: "POST /test", key, body: b"", status: 200 };
    match idempotency::admit(runtime.core(), account, keyed).await? {
        Admission::Replay(stored) => Ok((true, stored.status, serde_json::from_slice(&stored.body).unwrap())),
        Admission::Fresh(ticket) => {
            let caller = Arc::new(Caller::operator("alice"));
            let done = runtime.perform(account, caller, Some(ticket), action).await?;
            Ok((false, 0, serde_json::to_value(done).unwrap()))
        }
    }
}

pub fn new_function(name: &str, source: &str) -> NewFunction {
    serde_json::from_value(serde_json::json!({"name": name, "source": source})).unwrap()
}

pub fn execute(function_id: Uuid, params: &str, wait: Option<Duration>) -> Execute {
    Execute { function_id, params: params.to_owned(), wait }
}

/// The output of an execution that returned.
pub fn output(execution: &ExecutionView) -> Value {
    let output = execution.output.as_ref().unwrap_or_else(|| panic!("no output: {execution:?}"));
    serde_json::from_str(output.get()).unwrap()
}

/// Why an execution did not return.
pub fn error(execution: &ExecutionView) -> Value {
    let error = execution.error.as_ref().unwrap_or_else(|| panic!("no error: {execution:?}"));
    serde_json::from_str(error.get()).unwrap()
}
