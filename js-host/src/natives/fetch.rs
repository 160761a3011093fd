//! What the prelude's `fetch` asks of the daemon.

use super::{bytes::Bytes, shared, text, texts, throw_type_error};
use sl_js_protocol::{FetchRequest, MAX_FETCH_HEADERS};

/// `fetch(method, address, headers flat, body, follow) -> number`.
pub fn fetch(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    let Some(shared) = shared(scope) else { return };
    let headers = texts(scope, args.get(2));
    if headers.len() > MAX_FETCH_HEADERS * 2 {
        throw_type_error(scope, &format!("fetch: more than {MAX_FETCH_HEADERS} headers"));
        return;
    }
    let headers = headers.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    let (method, url) = (text(scope, &args, 0), text(scope, &args, 1));
    let body = Bytes::of(args.get(3)).map(|bytes| bytes.to_vec());
    let follow_redirects = args.get(4).boolean_value(scope);
    let id = shared.fetch(|run, id| FetchRequest { run, id, method, url, headers, body, follow_redirects });
    rv.set_uint32(id);
}

/// `forgetFetch(number)`: nobody waits for it any more.
pub fn forget(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, _: v8::ReturnValue<v8::Value>) {
    let id = args.get(0).uint32_value(scope).unwrap_or(0);
    if let Some(shared) = shared(scope)
        && let Some(mut active) = shared.active()
    {
        active.forget_fetch(id);
    }
}

/// `takeBody(array)`: copies the body of the answer that is being handed over.
pub fn take_body(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    _: v8::ReturnValue<v8::Value>,
) {
    if let Some(shared) = shared(scope)
        && let Some(mut active) = shared.active()
        && let Some(bytes) = Bytes::of(args.get(0))
    {
        bytes.write(&std::mem::take(&mut active.body));
    }
}

/// `checkHeader(text, is a name) -> whether HTTP allows it`.
pub fn check_header(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    let header = text(scope, &args, 0);
    let name = args.get(1).boolean_value(scope);
    rv.set_bool(if name { is_token(&header) } else { is_field_value(&header) });
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// RFC 9110, section 5.5, in Latin-1 as the Fetch standard has it, without control characters.
fn is_field_value(text: &str) -> bool {
    text.chars().all(|letter| letter == '\t' || (letter >= ' ' && letter != '\u{7f}' && letter <= '\u{ff}'))
}

#[cfg(test)]
mod tests {
    use super::{is_field_value, is_token};

    #[test]
    fn header_names_and_values_cannot_smuggle() {
        assert!(is_token("x-request-id"));
        assert!(["", "a b", "a:b", "a\r\nb", "\u{e9}"].iter().all(|name| !is_token(name)));
        assert!(is_field_value("Bearer a.b.c") && is_field_value("") && is_field_value("caf\u{e9}"));
        assert!(["a\r\nx: y", "a\nb", "\0", "\u{1F980}"].iter().all(|value| !is_field_value(value)));
    }
}
