//! The bounds of the front end, each a named setting.

use sl_actors::settings::Setting;

/// The largest body.
pub const BODY_LIMIT: Setting = Setting::bytes(
    "http.body_limit",
    1 << 20,
    1 << 10,
    64 << 20,
    "The largest request body; a larger one is answered 413 before it is read.",
);
/// The largest body of a function's source.
pub const SOURCE_BODY_LIMIT: Setting = Setting::bytes(
    "http.source_body_limit",
    8 << 20,
    1 << 10,
    64 << 20,
    "The largest body of a request that makes or changes a function: its source as JSON writes it, escapes and all.",
);
/// The deepest JSON.
pub const JSON_DEPTH: Setting = Setting::count(
    "http.json_depth",
    64,
    4,
    120,
    "How deep arrays and objects of a request body may lie within each other.",
);
/// How long a body may take.
pub const BODY_DEADLINE: Setting = Setting::millis(
    "http.body_deadline",
    15_000,
    100,
    600_000,
    "How long a request body may take to arrive; later it is answered 408 and the connection ends.",
);
/// How long a head may take.
pub const HEAD_DEADLINE: Setting = Setting::millis(
    "http.head_deadline",
    10_000,
    100,
    600_000,
    "How long the head of a request may take to arrive before the connection ends.",
);
/// How long an idle connection is kept.
pub const KEEP_ALIVE: Setting = Setting::millis(
    "http.keep_alive",
    75_000,
    1_000,
    3_600_000,
    "How long a connection without a request is kept.",
);
/// How long a daemon that drains goes on answering.
pub const DRAIN_GRACE: Setting = Setting::millis(
    "http.drain_grace",
    500,
    0,
    60_000,
    "How long a daemon that drains goes on answering, each answer closing its connection, before it stops listening.",
);
/// How long a reader may take nothing.
pub const WRITE_DEADLINE: Setting = Setting::millis(
    "http.write_deadline",
    30_000,
    1_000,
    600_000,
    "How long a client may leave an answer or a live stream unread before its connection is cut.",
);
/// The largest set of header fields.
pub const HEADER_LIMIT: Setting = Setting::bytes(
    "http.header_limit",
    32 << 10,
    1 << 10,
    96 << 10,
    "How large all header fields of a request may be together; more are answered 431.",
);
/// How many connections one worker holds.
pub const CONNECTIONS: Setting = Setting::count(
    "http.connections",
    10_000,
    1,
    1_000_000,
    "How many connections the daemon holds; more wait in the kernel's queue.",
);
/// How many requests a token has in a second.
pub const TOKEN_RATE: Setting = Setting::rate(
    "http.token_rate",
    1_000,
    1,
    10_000_000,
    "How many requests a second one token may make on average; more are answered 429.",
);
/// How many requests an account has in a second.
pub const ACCOUNT_RATE: Setting = Setting::rate(
    "http.account_rate",
    2_000,
    1,
    10_000_000,
    "How many requests a second all tokens of one account may make on average; more are answered 429.",
);
/// How many requests an address has in a second.
pub const PEER_RATE: Setting = Setting::rate(
    "http.peer_rate",
    1_000,
    1,
    10_000_000,
    "How many requests a second that carry a proof instead of a token (inbound webhooks, oracle callbacks) one address, or \
     one /64 of IPv6 addresses, may make; behind a proxy all of them come from its address.",
);
/// For how many seconds' worth of requests a token or account may save up.
pub const RATE_BURST: Setting = Setting::count(
    "http.rate_burst",
    2,
    1,
    600,
    "How many seconds' worth of its rate a token, an account or an address may spend at once.",
);
/// How many live streams one daemon holds.
pub const STREAMS: Setting = Setting::count(
    "http.streams",
    4_096,
    1,
    1_000_000,
    "How many live streams one daemon holds; more are answered 503.",
);
/// How many live streams one account holds.
pub const ACCOUNT_STREAMS: Setting = Setting::count(
    "http.account_streams",
    64,
    1,
    100_000,
    "How many live streams one account holds in one daemon; more are answered 429.",
);
/// How often a quiet stream says that it lives.
pub const STREAM_KEEP_ALIVE: Setting = Setting::millis(
    "http.stream_keep_alive",
    15_000,
    100,
    300_000,
    "How often a live stream without news sends a comment, so that both ends know of each other.",
);
/// How often a stream looks without a hint.
pub const STREAM_POLL: Setting = Setting::millis(
    "http.stream_poll",
    1_000,
    20,
    60_000,
    "How often a live stream looks at the event log without having been told of news.",
);

/// Every setting of the front end; the daemon adds them to the runtime's catalogue.
pub const SETTINGS: &[&Setting] = &[
    &BODY_LIMIT,
    &SOURCE_BODY_LIMIT,
    &JSON_DEPTH,
    &BODY_DEADLINE,
    &HEAD_DEADLINE,
    &KEEP_ALIVE,
    &DRAIN_GRACE,
    &WRITE_DEADLINE,
    &HEADER_LIMIT,
    &CONNECTIONS,
    &TOKEN_RATE,
    &ACCOUNT_RATE,
    &PEER_RATE,
    &RATE_BURST,
    &STREAMS,
    &ACCOUNT_STREAMS,
    &STREAM_KEEP_ALIVE,
    &STREAM_POLL,
];
