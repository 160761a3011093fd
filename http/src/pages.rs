//! Pages for people: the dashboard, built into the program where it was built before it, and a viewer of the document.
//!
//! Every page holds under a content security policy that lets it load from this origin only and run no inline script.

use actix_web::{HttpRequest, HttpResponse, http::header, web::Bytes};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rust_embed::{EmbeddedFile, RustEmbed};

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

/// What a path that is no operation shows.
pub(crate) enum Page {
    /// The explanation of every code.
    Errors,
    /// A file of the viewer or of the dashboard.
    File(String, EmbeddedFile),
}

/// Finds what a path shows: a file, or the dashboard, which finds its own way. It is shown below any path, but only to who
/// asks for HTML, as browsers do when they go somewhere; for programs there is nothing.
pub(crate) fn find(request: &HttpRequest) -> Option<Page> {
    let path = request.path().trim_start_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    if API.contains(&first) {
        return None;
    }
    let file = |name: &str, file: Option<EmbeddedFile>| file.map(|file| Page::File(name.to_owned(), file));
    let below_docs = (first == "docs").then(|| path.trim_start_matches("docs").trim_start_matches('/'));
    match below_docs {
        Some("errors") => Some(Page::Errors),
        Some("") => file("index.html", Viewer::get("index.html")),
        Some(name) => file(name, Viewer::get(name)),
        None if path.is_empty() => file("index.html", Dashboard::get("index.html")),
        None => file(path, Dashboard::get(path)).or_else(|| {
            let is_a_page = !path.contains('.') && wants_html(request);
            file("index.html", Dashboard::get("index.html").filter(|_| is_a_page))
        }),
    }
}

fn wants_html(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// Shows it.
pub(crate) fn show(request: &HttpRequest, page: Page) -> HttpResponse {
    match page {
        Page::File(name, file) => served(request, &name, file),
        Page::Errors => {
            let mut response = HttpResponse::Ok();
            response.insert_header((header::CONTENT_TYPE, media_type("errors.html")));
            response.insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
            response.body(errors_page::page())
        }
    }
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
