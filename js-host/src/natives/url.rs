//! Addresses and forms, by the WHATWG rules of the `url` crate.

use super::{answer_text, answer_texts, text, texts};
use url::{Url, form_urlencoded, quirks};

/// `urlParse(address, base) -> parts`, or undefined.
pub fn parse(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    let address = text(scope, &args, 0);
    let parsed = if args.get(1).is_string() {
        Url::parse(&text(scope, &args, 1)).and_then(|base| base.join(&address))
    } else {
        Url::parse(&address)
    };
    if let Ok(url) = parsed {
        answer_parts(scope, &mut rv, &url);
    }
}

/// `urlSet(href, part, value) -> parts`, or undefined where the value is refused.
pub fn set(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    let (href, part, value) = (text(scope, &args, 0), args.get(1).uint32_value(scope), text(scope, &args, 2));
    if let (Ok(mut url), Some(part)) = (Url::parse(&href), part)
        && set_part(&mut url, part, &value)
    {
        answer_parts(scope, &mut rv, &url);
    }
}

fn set_part(url: &mut Url, part: u32, value: &str) -> bool {
    match part {
        0 => quirks::set_href(url, value).is_ok(),
        2 => quirks::set_protocol(url, value).is_ok(),
        3 => quirks::set_username(url, value).is_ok(),
        4 => quirks::set_password(url, value).is_ok(),
        5 => quirks::set_host(url, value).is_ok(),
        6 => quirks::set_hostname(url, value).is_ok(),
        7 => quirks::set_port(url, value).is_ok(),
        8 => {
            quirks::set_pathname(url, value);
            true
        }
        9 => {
            quirks::set_search(url, value);
            true
        }
        10 => {
            quirks::set_hash(url, value);
            true
        }
        _ => false,
    }
}

/// The order is the prelude's.
fn answer_parts(scope: &v8::PinScope, rv: &mut v8::ReturnValue<v8::Value>, url: &Url) {
    let origin = quirks::origin(url);
    let parts = [
        quirks::href(url),
        &origin,
        quirks::protocol(url),
        quirks::username(url),
        quirks::password(url),
        quirks::host(url),
        quirks::hostname(url),
        quirks::port(url),
        quirks::pathname(url),
        quirks::search(url),
        quirks::hash(url),
    ];
    answer_texts(scope, rv, parts);
}

/// `formParse(text) -> name, value, name, value, ...`.
pub fn form_parse(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    let query = text(scope, &args, 0);
    let query = query.strip_prefix('?').unwrap_or(&query);
    let flat: Vec<_> =
        form_urlencoded::parse(query.as_bytes()).flat_map(|(name, value)| [name, value]).collect();
    answer_texts(scope, &mut rv, flat.iter().map(AsRef::as_ref));
}

/// `formSerialize(name, value, name, value, ...) -> text`.
pub fn form_serialize(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    let flat = texts(scope, args.get(0));
    let mut form = form_urlencoded::Serializer::new(String::new());
    for pair in flat.chunks_exact(2) {
        form.append_pair(&pair[0], &pair[1]);
    }
    answer_text(scope, &mut rv, &form.finish());
}
