//! Pages for people: the dashboard, built into the program where it was built before it, and a viewer of the document.
//!
//! Every page holds under a content security policy that lets it load from this origin only and run no inline script.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web::Bytes,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rust_embed::{EmbeddedFile, RustEmbed};
use sl_actors::Fault;

use crate::errors_page;

/// The dashboard, as `ui/` builds it; empty where it was not built.
#[derive(RustEmbed)]
#[folder = "../ui/dist"]
#[allow_missing = true]
struct Dashboard;

/// The viewer of the document.
#[derive(RustEmbed)]
#[folder = "pages"]
struct Viewer;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The first steps of paths that belong to the API; no page lies below them.
const API: [&str; 5] = ["accounts", "system", "hooks", "api", "metrics"];

/// Answers what is no operation: a file, a page of the dashboard, or nothing.
///
/// # Errors
/// [`sl_actors::Code::NotFound`].
pub(crate) fn answer(request: &HttpRequest) -> Result<HttpResponse, Fault> {
    let missing = || Fault::not_found("path");
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(missing());
    }
    let path = request.path().trim_start_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    if API.contains(&first) {
        return Err(missing());
    }
    if path == "docs/errors" {
        let mut response = HttpResponse::Ok();
        response.insert_header((header::CONTENT_TYPE, media_type("errors.html")));
        response.insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
        return Ok(response.body(errors_page::page()));
    }
    if first == "docs" {
        let name = if path.contains('.') { path.trim_start_matches("docs/") } else { "index.html" };
        return Viewer::get(name).map(|file| served(request, name, file)).ok_or_else(missing);
    }
    if let Some(file) = Dashboard::get(path) {
        return Ok(served(request, path, file));
    }
    let wants_a_page = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_none_or(|value| value.contains("text/html") || value.contains("*/*"));
    let is_a_page = !path.contains('.') && wants_a_page;
    Dashboard::get("index.html")
        .filter(|_| is_a_page)
        .map(|file| served(request, "index.html", file))
        .ok_or_else(missing)
}

fn served(request: &HttpRequest, name: &str, file: EmbeddedFile) -> HttpResponse {
    let tag = format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&file.metadata.sha256_hash()[..16]));
    let caching = if is_hashed(name) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = HttpResponse::Ok();
    if crate::etag::is_known(request.headers(), &tag) {
        response = HttpResponse::NotModified();
    }
    response.insert_header((header::CONTENT_TYPE, media_type(name)));
    response.insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
    response.insert_header((header::CACHE_CONTROL, caching));
    response.insert_header((header::ETAG, tag.clone()));
    if crate::etag::is_known(request.headers(), &tag) {
        return response.finish();
    }
    response.body(match file.data {
        std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
    })
}

/// Vite names what never changes `assets/name-<hash>.ext`.
fn is_hashed(name: &str) -> bool {
    name.starts_with("assets/")
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
