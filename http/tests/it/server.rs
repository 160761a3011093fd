//! A server on a free port, and a client of it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sl_actors::{
    Core, KeyRing, Parts, Runtime, Store,
    egress::{AllowList, Egress, EgressLimits, SystemResolver},
    sandbox::{HostProgram, Sandbox, SandboxLimits},
    settings::{Setting, Settings, Source},
    signing::Signer,
};
use sl_http::{Config, Operator, Server, Service, serve};
use sl_store::{OsChance, SeededChance, SystemClock, memory::Memory};
use tokio_util::sync::CancellationToken;

/// The operator's token.
pub const OPERATOR: &str = "operator-token-of-the-tests";

/// A running server.
pub struct Running {
    pub runtime: Runtime,
    pub address: SocketAddr,
    pub draining: CancellationToken,
    pub server: Option<Server>,
    client: reqwest::Client,
}

/// Starts a server with the defaults.
pub async fn start() -> Running {
    start_with(&[], Config::default()).await
}

/// Starts a server with these settings.
pub async fn start_with(settings: &[(&Setting, u64)], config: Config) -> Running {
    let clock = Arc::new(SystemClock);
    let chance = Arc::new(SeededChance::new(1));
    let store = Store::new(Memory::start(clock.clone()).await.expect("the store starts"));
    let settings = settings
        .iter()
        .fold(Settings::default(), |all, (setting, value)| all.with(setting, *value, Source::Flag));
    let keys = Arc::new(KeyRing::ephemeral(&*chance));
    let limits = SandboxLimits { warm: 0, ..SandboxLimits::from(&settings) };
    let sandbox = Sandbox::new(limits, host_program()).expect("the sandbox starts");
    let resolver = Arc::new(SystemResolver::new(4));
    let egress = Egress::new(EgressLimits::from(&settings), AllowList::default(), resolver);
    let egress = egress.expect("the egress guard starts");
    let core = Core::new(Parts {
        store,
        clock,
        chance,
        keys,
        settings,
        catalogue: sl_actors::settings::catalogue(),
        sandbox,
        egress,
        signer: Some(Signer::ephemeral(&OsChance)),
        peers: sl_actors::peers::Peers::default(),
        actions: sl_actors::services::executions::ActionKinds::default(),
    });
    let runtime = Runtime::start(core).await.expect("the runtime starts");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let draining = CancellationToken::new();
    let server = serve(Service {
        runtime: runtime.clone(),
        config: Config { operators: vec![Operator::new("tests", OPERATOR)], ..config },
        listener,
        draining: draining.clone(),
        drain_within: Duration::from_secs(5),
    });
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    Running { runtime, address, draining, server: Some(server.expect("the server starts")), client }
}

/// The JavaScript host, which lies one folder above the tests' programs.
fn host_program() -> HostProgram {
    let this = std::env::current_exe().expect("this program has a path");
    let folder = this.parent().and_then(std::path::Path::parent).expect("two folders up");
    HostProgram { path: folder.join("sl-js-host"), arguments: Vec::new() }
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn read(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.expect("a body") }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} is JSON", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The problem's code; the answer must be a well-formed problem.
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16(), "{self:?}");
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"), "{self:?}");
        problem["code"].as_str().expect("a code").to_owned()
    }
}

impl Running {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request with a token.
    pub fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.client.request(method, self.url(path)).bearer_auth(token)
    }

    /// A request without a token.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path, OPERATOR)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path, OPERATOR).json(&body)).await
    }

    /// A new account's path.
    pub async fn account(&self) -> String {
        let made = self.post("/accounts", json!({"owner": "tests"})).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        format!("/accounts/{}", made.json()["id"].as_str().expect("an id"))
    }

    /// A new token of the account with these scopes.
    pub async fn token(&self, account: &str, scopes: &[&str]) -> String {
        let name = format!("{}-{}", scopes.join("-"), self.runtime.core().ids.next());
        let made = self.post(&format!("{account}/tokens"), json!({"name": name, "scopes": scopes})).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        made.json()["token"].as_str().expect("a token").to_owned()
    }

    pub async fn stop(mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
        self.runtime.drain(Duration::from_secs(1)).await;
    }
}

/// Sends a request.
pub async fn send(request: RequestBuilder) -> Answer {
    Answer::read(request.send().await.expect("an answer")).await
}
