//! A function's `fetch`, made through the egress guard.

use futures_util::future::BoxFuture;
use sl_js_protocol::{FetchRequest, FetchResponse};
use sl_store::{Code, Fault};
use uuid::Uuid;

use crate::egress::{Egress, HeaderMap, HeaderName, HeaderValue, Method, Redirects, Request, Response};

/// Makes a function's request for its account.
#[must_use]
pub fn fetch(
    egress: &Egress,
    account: Uuid,
    request: FetchRequest,
) -> BoxFuture<'static, Result<FetchResponse, Fault>> {
    let egress = egress.clone();
    Box::pin(async move {
        let response = egress.send(translate(account, request)?).await?;
        Ok(answer(response))
    })
}

fn translate(account: Uuid, request: FetchRequest) -> Result<Request, Fault> {
    let FetchRequest { method, url, headers, body, follow_redirects, .. } = request;
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| Fault::new(Code::Invalid, format!("{method:?} is no HTTP method")))?;
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let invalid = || Fault::new(Code::Invalid, format!("the header {name:?} cannot be sent"));
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        let mut value = HeaderValue::from_str(&value).map_err(|_| invalid())?;
        value.set_sensitive(true);
        map.append(key, value);
    }
    Ok(Request {
        headers: map,
        body: body.unwrap_or_default().into(),
        redirects: if follow_redirects { Redirects::Follow } else { Redirects::Manual },
        ..Request::new(account, method, url)
    })
}

fn answer(response: Response) -> FetchResponse {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    FetchResponse {
        status: response.status.as_u16(),
        status_text: response.status.canonical_reason().unwrap_or_default().to_owned(),
        url: response.url.into(),
        redirected: response.redirected,
        headers: response
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), text(value)))
            .collect(),
        body: response.body.into(),
    }
}
