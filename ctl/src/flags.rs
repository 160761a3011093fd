//! The flags of an operation: made from its parameters and the properties of its body.

use clap::{Arg, ArgAction, builder::PossibleValuesParser};

use crate::{
    document::{Body, Operation},
    schema::{Kind, Property, Role},
};

/// Flags that exist everywhere or are ours; a parameter of such a name is told apart by where it goes: `--body-output`.
const RESERVED: [&str; 21] = [
    "account",
    "addr",
    "all",
    "attempts",
    "body",
    "ca-file",
    "color",
    "columns",
    "context",
    "help",
    "idempotency-key",
    "if-match",
    "interval",
    "last-event-id",
    "output",
    "params",
    "request-timeout",
    "token-file",
    "unset",
    "verbose",
    "watch",
];

/// Where a flag's value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Into the query.
    Query,
    /// Into the body.
    Body,
}

/// A flag made from the document.
#[derive(Debug)]
pub struct Flag<'a> {
    /// Where its value goes.
    pub place: Place,
    /// What it stands for.
    pub property: &'a Property,
    /// Its name, without the dashes before it.
    pub long: String,
}

impl Flag<'_> {
    /// The name by which clap knows it.
    pub fn id(&self) -> String {
        match self.place {
            Place::Query => format!("query:{}", self.property.name),
            Place::Body => format!("body:{}", self.property.name),
        }
    }

    /// The name by which clap knows its sister that reads a file.
    pub fn file_id(&self) -> String {
        format!("file:{}", self.property.name)
    }

    /// Whether its value must not stand on a command line, where every user of the machine sees it.
    pub fn is_secret(&self) -> bool {
        self.place == Place::Body && self.property.role == Role::Secret
    }
}

/// The properties of the body that have a flag each.
fn properties(body: Option<&Body>) -> &[Property] {
    match body {
        Some(Body { kind: Kind::Object(properties), .. }) => properties,
        _ => &[],
    }
}

/// All flags of an operation that come from the document. No two have the same name.
pub fn of(operation: &Operation) -> Vec<Flag<'_>> {
    let query = operation.query.iter().map(|property| (Place::Query, property));
    let body = properties(operation.body.as_ref()).iter().map(|property| (Place::Body, property));
    let mut flags: Vec<Flag> = Vec::new();
    for (place, property) in query.chain(body) {
        let plain = property.flag();
        let taken = RESERVED.contains(&plain.as_str()) || flags.iter().any(|flag| flag.long == plain);
        let long = match place {
            _ if !taken => plain,
            Place::Query => format!("query-{plain}"),
            Place::Body => format!("body-{plain}"),
        };
        flags.push(Flag { place, property, long });
    }
    flags
}

/// The clap arguments of an operation, its own and those that its kind brings.
pub fn arguments(operation: &Operation) -> Vec<Arg> {
    let mut arguments = positional(operation);
    for flag in of(operation) {
        arguments.extend(flag.is_secret().then(|| file_argument(&flag)));
        arguments.push(argument(operation, &flag));
    }
    arguments.extend(body_argument(operation));
    arguments.extend(by_method(operation));
    arguments
}

fn positional(operation: &Operation) -> Vec<Arg> {
    let itself = operation.is_about_account();
    let wanted = operation.path_parameters.iter().filter(|property| property.name != "account" || itself);
    wanted
        .map(|property| {
            Arg::new(format!("path:{}", property.name))
                .value_name(property.name.to_uppercase())
                .help(property.description.clone())
                .required(property.name != "account")
        })
        .collect()
}

fn argument(operation: &Operation, flag: &Flag) -> Arg {
    let property = flag.property;
    let mut arg = Arg::new(flag.id()).long(flag.long.clone()).help(help(flag)).allow_hyphen_values(true);
    if property.name.contains('_') && flag.long == property.flag() {
        arg = arg.alias(property.name.clone());
    }
    arg = match &property.kind {
        Kind::Boolean => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        Kind::List(_) | Kind::Map(_) | Kind::Object(_) => arg.action(ArgAction::Append),
        Kind::Text(words) if !words.is_empty() => arg.value_parser(PossibleValuesParser::new(words)),
        _ => arg,
    };
    arg = arg.value_name(value_name(property));
    match flag.place {
        _ if !property.required => arg,
        Place::Query => arg.required(true),
        Place::Body if flag.is_secret() => {
            arg.required_unless_present_any(["body".to_owned(), flag.file_id()])
        }
        Place::Body if operation.body.is_some() => arg.required_unless_present("body"),
        Place::Body => arg,
    }
}

fn file_argument(flag: &Flag) -> Arg {
    Arg::new(flag.file_id())
        .long(format!("{}-file", flag.long))
        .value_name("FILE")
        .help(format!(
            "Read --{} from a file, - for standard input; a line feed at its end is taken off",
            flag.long
        ))
        .conflicts_with(flag.id())
}

fn help(flag: &Flag) -> String {
    let must = if flag.property.required && flag.place == Place::Body { " [required]" } else { "" };
    let told = format!("{}{must}", flag.property.description.trim_end_matches('.'));
    match (&flag.property.kind, flag.property.name.as_str()) {
        (Kind::Text(_), "source") => format!("{told} [also: @FILE, - for standard input]"),
        (Kind::List(item), _) => format!("{told} [{}repeatable, or with commas]", choices(item)),
        (Kind::Map(_) | Kind::Object(_), _) => format!("{told} [key=value, JSON, @FILE]"),
        _ if flag.is_secret() => format!("{told} [seen by others on this machine: rather use the file]"),
        _ => told,
    }
}

/// The words that an item of a list can be.
fn choices(item: &Kind) -> String {
    match item {
        Kind::Text(words) if !words.is_empty() => format!("{}; ", words.join(", ")),
        _ => String::new(),
    }
}

fn value_name(property: &Property) -> &'static str {
    match &property.kind {
        Kind::Integer | Kind::Number => "N",
        Kind::Boolean => "BOOL",
        Kind::List(_) => "LIST",
        Kind::Map(_) | Kind::Object(_) => "KEY=VALUE",
        Kind::Any => "JSON",
        Kind::Text(_) => "TEXT",
    }
}

/// The flag that gives the whole body; where the body has no properties of its own it is `--params`.
fn body_argument(operation: &Operation) -> Option<Arg> {
    let body = operation.body.as_ref()?;
    let arg = Arg::new("body").value_name("JSON|@FILE|-").allow_hyphen_values(true);
    Some(if matches!(body.kind, Kind::Object(_)) {
        arg.long("body").help("The whole body; flags beside it win")
    } else {
        arg.long("params").visible_alias("body").help("The body, a JSON object").default_value("{}")
    })
}

fn by_method(operation: &Operation) -> Vec<Arg> {
    let mut arguments = Vec::new();
    if operation.streams {
        let help = "Begin after the event of this id";
        arguments.push(Arg::new("last-event-id").long("last-event-id").value_name("ID").help(help));
    } else if operation.is_read() {
        arguments.push(switch("watch", "Show it again whenever it changes"));
        let interval = Arg::new("interval").long("interval").value_name("DURATION").default_value("2s");
        arguments.push(interval.help("How often to look").requires("watch"));
    }
    if operation.is_list() {
        arguments.push(switch("all", "Follow the pages to the end"));
        let columns = Arg::new("columns").long("columns").value_name("LIST").value_delimiter(',');
        arguments.push(columns.help("The columns of the table"));
    }
    if ["PUT", "PATCH", "DELETE"].contains(&operation.method.as_str()) {
        let help = "Only if it still has this ETag or version";
        arguments.push(Arg::new("if-match").long("if-match").value_name("ETAG").help(help));
    }
    if operation.idempotent {
        let help = "Instead of a key of our own: repeating the command with it has no further effect";
        arguments.push(Arg::new("idempotency-key").long("idempotency-key").value_name("KEY").help(help));
    }
    let nullable = properties(operation.body.as_ref()).iter().filter(|property| property.nullable);
    let nullable: Vec<String> = nullable.map(Property::flag).collect();
    if operation.method == "PATCH" && !nullable.is_empty() {
        let unset = Arg::new("unset").long("unset").value_name("FIELD").action(ArgAction::Append);
        arguments.push(unset.value_parser(PossibleValuesParser::new(nullable)).help("Set a field to null"));
    }
    arguments
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}
