//! A host that does not keep to the rules, for the tests of the daemon's side. What it does is told by the run's params
//! (`{"do": "flood_logs"}`), or by its first argument where it misbehaves before it is asked for anything.

use std::{
    io::Write as _,
    os::{fd::FromRawFd as _, unix::net::UnixStream},
    process,
    thread::sleep,
    time::Duration,
};

use serde_json::{Value, json};
use sl_js_protocol::{
    Action, Compiled, Done, Ending, FetchRequest, HOST_SOCKET_FD, Hello, Log, LogLevel, PROTOCOL_VERSION,
    Run, RunId, Source, ToDaemon, ToHost, Usage, read_frame, write_frame,
};

fn main() {
    let socket = socket();
    let manner = std::env::args().nth(1).unwrap_or_default();
    let mut host = Rogue { socket, account: String::new() };
    match manner.as_str() {
        "silent" => sleep(Duration::from_mins(1)),
        "garbage" => host.bytes(b"\x05\x00\x00\x00hello"),
        "other_version" => host.hello(PROTOCOL_VERSION + 1),
        "complaining" => {
            eprintln!("no V8 here");
            process::exit(70);
        }
        _ => {
            host.hello(PROTOCOL_VERSION);
            host.serve();
        }
    }
    sleep(Duration::from_mins(1));
}

#[expect(unsafe_code, reason = "the socket is inherited by its number")]
fn socket() -> UnixStream {
    // SAFETY: the daemon leaves this descriptor to us; nothing else in the process knows it.
    unsafe { UnixStream::from_raw_fd(HOST_SOCKET_FD) }
}

struct Rogue {
    socket: UnixStream,
    account: String,
}

impl Rogue {
    fn hello(&mut self, protocol: u16) {
        self.say(&ToDaemon::Hello(Hello { protocol, v8: "none".to_owned(), jit: false, walls: Vec::new() }));
    }

    fn say(&mut self, message: &ToDaemon) {
        if write_frame(&mut self.socket, message).is_err() {
            process::exit(0);
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if self.socket.write_all(bytes).is_err() {
            process::exit(0);
        }
    }

    fn hear(&mut self) -> ToHost {
        match read_frame(&mut self.socket) {
            Ok(Some(message)) => message,
            Ok(None) | Err(_) => process::exit(0),
        }
    }

    fn serve(&mut self) {
        loop {
            match self.hear() {
                ToHost::Assign(assign) if self.account.is_empty() => self.account = assign.account_id,
                ToHost::Assign(_) => process::exit(9),
                ToHost::Run(run) => self.run(&run),
                ToHost::Compile(compile) => {
                    let answer = if compile.source == "lie" {
                        returned(compile.id, &json!({}))
                    } else {
                        ToDaemon::Compiled(Compiled { id: compile.id, fault: None, leaving: false })
                    };
                    self.say(&answer);
                }
                ToHost::Quit => process::exit(0),
                ToHost::FetchReply(_) | ToHost::Cancel(_) | ToHost::Ping(_) => {}
            }
        }
    }

    fn run(&mut self, run: &Run) {
        let params: Value = serde_json::from_str(&run.params_json).unwrap_or_default();
        let number = |name: &str| params[name].as_u64().unwrap_or(0);
        match params["do"].as_str().unwrap_or_default() {
            "sleep" => sleep(Duration::from_millis(number("millis"))),
            "hang" => sleep(Duration::from_mins(10)),
            "obey" => loop {
                if matches!(self.hear(), ToHost::Cancel(cancelled) if cancelled == run.id) {
                    return self.say(&done(run.id, Ending::Cancelled));
                }
            },
            "die" => process::abort(),
            "die_later" => {
                let answer = returned(run.id, &json!({}));
                self.say(&answer);
                sleep(Duration::from_millis(20));
                process::exit(3);
            }
            "leave" => {
                let ToDaemon::Done(mut last) = returned(run.id, &json!({})) else { return };
                last.leaving = true;
                return self.say(&ToDaemon::Done(last));
            }
            "eat" => {
                let memory = vec![1_u8; usize::try_from(number("bytes")).unwrap_or(0)];
                sleep(Duration::from_mins(1));
                drop(memory);
            }
            "forget" if matches!(run.source, Source::Known) => {
                return self.say(&done(run.id, Ending::SourceUnknown));
            }
            "fetch" => return self.fetch(run, &params),
            "lie" => return self.lie(run, params["how"].as_str().unwrap_or_default()),
            _ => {}
        }
        let source = if matches!(run.source, Source::Known) { "known" } else { "text" };
        let answer = json!({
            "pid": process::id(), "account": self.account, "params": params, "source": source,
            "secrets": run.secrets.0.keys().collect::<Vec<_>>(), "environment": environment_bytes(),
        });
        let answer = returned(run.id, &answer);
        self.say(&answer);
    }

    fn fetch(&mut self, run: &Run, params: &Value) {
        let url = params["url"].as_str().unwrap_or_default().to_owned();
        let count = u32::try_from(params["count"].as_u64().unwrap_or(1)).unwrap_or(1);
        for id in 1..=count {
            self.say(&request(run.id, id, &url));
        }
        let mut replies = Vec::new();
        for _ in 0..count {
            if let ToHost::FetchReply(reply) = self.hear() {
                replies.push(json!({ "id": reply.id, "outcome": format!("{:?}", reply.outcome) }));
            }
        }
        let answer = returned(run.id, &json!({ "replies": replies }));
        self.say(&answer);
    }

    fn lie(&mut self, run: &Run, how: &str) {
        let id = run.id;
        match how {
            "flood_logs" => (1..=1_000_000).for_each(|sequence| self.say(&log(id, sequence, "line"))),
            "huge_log" => self.say(&log(id, 1, &"x".repeat(4 << 20))),
            "log_out_of_order" => self.say(&log(id, 7, "line")),
            "log_of_another_run" => self.say(&log(RunId(id.0 + 1), 1, "line")),
            "flood_fetches" => {
                (1..=1_000_000).for_each(|fetch| self.say(&request(id, fetch, "http://x.test/")));
            }
            "fetch_of_another_run" => self.say(&request(RunId(0), 1, "http://x.test/")),
            "fetch_twice" => (0..2).for_each(|_| self.say(&request(id, 1, "http://x.test/"))),
            "pong" => self.say(&ToDaemon::Pong(1)),
            "hello" => self.hello(PROTOCOL_VERSION),
            "compiled" => self.say(&ToDaemon::Compiled(Compiled { id, fault: None, leaving: false })),
            "done_of_another_run" => self.say(&done(RunId(id.0 + 1), Ending::Cancelled)),
            "huge_frame" => self.bytes(&[0xff; 64]),
            "garbage" => self.bytes(&[4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
            "half_a_frame" => {
                self.bytes(&[100, 0, 0, 0, 1, 2, 3]);
                process::exit(0);
            }
            "no_json" => self.say(&done(id, Ending::Returned { output_json: "{\"a\":".to_owned() })),
            "no_object" => self.say(&done(id, Ending::Returned { output_json: "[1]".to_owned() })),
            "large_output" => {
                let output_json = json!({ "x": "x".repeat(2 << 20) }).to_string();
                self.say(&done(id, Ending::Returned { output_json }));
            }
            "source_unknown" => return self.say(&done(id, Ending::SourceUnknown)),
            "action_flood" => self.act(id, 5_000, "{}"),
            "action_without_json" => self.act(id, 1, "{"),
            "action_out_of_order" => self.act_from(id, 2, 1, "{}"),
            "large_actions" => self.act(id, 3, &json!({ "x": "x".repeat(1 << 20) }).to_string()),
            "last_word_twice" => {
                let answer = [done(id, Ending::Cancelled), done(id, Ending::Cancelled)];
                let frames: Vec<u8> =
                    answer.iter().filter_map(|done| sl_js_protocol::encode(done).ok()).flatten().collect();
                self.bytes(&frames);
            }
            _ => {}
        }
        sleep(Duration::from_mins(1));
    }

    fn act(&mut self, run: RunId, count: usize, params: &str) {
        self.act_from(run, 1, count, params);
    }

    fn act_from(&mut self, run: RunId, first: usize, count: usize, params: &str) {
        let ToDaemon::Done(mut last) = returned(run, &json!({})) else { return };
        last.actions = (first..first + count)
            .map(|place| Action {
                id: format!("action_{place}"),
                kind: "gasbank.withdraw".to_owned(),
                params_json: params.to_owned(),
            })
            .collect();
        self.say(&ToDaemon::Done(last));
    }
}

fn done(run: RunId, ending: Ending) -> ToDaemon {
    let usage = Usage::default();
    ToDaemon::Done(Box::new(Done { run, ending, actions: Vec::new(), usage, leaving: false }))
}

fn returned(run: RunId, output: &Value) -> ToDaemon {
    done(run, Ending::Returned { output_json: output.to_string() })
}

/// How large the environment was with which the process was started.
fn environment_bytes() -> usize {
    std::fs::read("/proc/self/environ").map_or(0, |environment| environment.len())
}

fn log(run: RunId, sequence: u32, text: &str) -> ToDaemon {
    let text = text.to_owned();
    ToDaemon::Log(Log { run, sequence, level: LogLevel::Info, text, at: Duration::ZERO })
}

fn request(run: RunId, id: u32, url: &str) -> ToDaemon {
    let (method, url) = ("GET".to_owned(), url.to_owned());
    let (headers, body) = (Vec::new(), None);
    ToDaemon::FetchRequest(FetchRequest { run, id, method, url, headers, body, follow_redirects: true })
}
