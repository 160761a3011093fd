//! One message of every kind.

use sl_js_protocol::*;
use std::time::Duration;

pub fn to_host() -> Vec<ToHost> {
    let run = Run {
        id: RunId(7),
        code: CodeKey([9; 16]),
        source: Source::Text("() => 1".to_owned()),
        params_json: "{\"a\":\"\u{1F980}\"}".to_owned(),
        secrets: Secrets([("key".to_owned(), "swordfish".to_owned())].into()),
        context: RunContext { phase: Some("check".to_owned()), ..RunContext::default() },
        limits: RunLimits::default(),
        options: Options { keep_context: true, ..Options::default() },
    };
    let response = FetchResponse {
        status: 200,
        headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
        body: vec![0, 255],
        ..FetchResponse::default()
    };
    let failed = FetchOutcome::Failed { code: "egress_denied".to_owned(), message: "no".to_owned() };
    vec![
        ToHost::Assign(Assign { account_id: "a".to_owned() }),
        ToHost::Compile(Compile { id: RunId(1), source: String::new(), limits: RunLimits::default() }),
        ToHost::Run(Box::new(run.clone())),
        ToHost::Run(Box::new(Run { source: Source::Known, ..run })),
        ToHost::FetchReply(FetchReply { run: RunId(7), id: 1, outcome: FetchOutcome::Response(response) }),
        ToHost::FetchReply(FetchReply { run: RunId(7), id: 2, outcome: failed }),
        ToHost::Cancel(RunId(7)),
        ToHost::Ping(u64::MAX),
        ToHost::Quit,
    ]
}

fn endings() -> Vec<Ending> {
    let stack = vec![Frame { function: "inner".to_owned(), line: 2, column: 5 }];
    let thrown = Thrown { class: "TypeError".to_owned(), message: "x".to_owned(), stack: stack.clone() };
    let fault = CompileFault { class: "SyntaxError".to_owned(), message: "y".to_owned(), line: 1, column: 1 };
    vec![
        Ending::Returned { output_json: "{}".to_owned() },
        Ending::Threw(thrown.clone()),
        Ending::Limit(LimitHit { limit: LimitKind::Cpu, bound: 5_000_000, stack }),
        Ending::Denied(thrown),
        Ending::Unsettled,
        Ending::Uncompilable(fault),
        Ending::SourceUnknown,
        Ending::Cancelled,
    ]
}

pub fn to_daemon() -> Vec<ToDaemon> {
    let wall = Wall { name: WallName::Landlock, missing: Some("kernel without Landlock".to_owned()) };
    let hello =
        Hello { protocol: PROTOCOL_VERSION, v8: "15.2.124.1".to_owned(), jit: true, walls: vec![wall] };
    let mut all = vec![
        ToDaemon::Hello(hello),
        ToDaemon::Compiled(Compiled { id: RunId(1), fault: None, leaving: false }),
        ToDaemon::Log(Log {
            run: RunId(7),
            sequence: 1,
            level: LogLevel::Warn,
            text: "line".to_owned(),
            at: Duration::from_micros(1),
        }),
        ToDaemon::FetchRequest(FetchRequest {
            run: RunId(7),
            id: 1,
            method: "POST".to_owned(),
            url: "https://example.org/".to_owned(),
            headers: vec![],
            body: Some(vec![1]),
            follow_redirects: true,
        }),
        ToDaemon::Pong(0),
    ];
    all.extend(endings().into_iter().map(|ending| {
        let action = Action {
            id: "action_1".to_owned(),
            kind: "gasbank.withdraw".to_owned(),
            params_json: "{}".to_owned(),
        };
        ToDaemon::Done(Box::new(Done {
            run: RunId(7),
            ending,
            actions: vec![action],
            usage: Usage::default(),
            leaving: false,
        }))
    }));
    all
}
