//! `docs/errors.md` as a page, so that the `type` of a problem leads to its explanation.

use std::fmt::Write as _;

const TEXT: &str = include_str!("../../docs/errors.md");

/// The page. It reads headings, tables, code and paragraphs, which is what the document is made of.
pub fn page() -> String {
    let mut body = String::new();
    let mut code = false;
    for line in TEXT.lines() {
        if line.starts_with("```") {
            body.push_str(if code { "</pre>\n" } else { "<pre>" });
            code = !code;
            continue;
        }
        let text = escape(line);
        // Strings take all that is written to them.
        let _written = match (code, line.split_once(' ')) {
            (true, _) => writeln!(body, "{text}"),
            (false, Some(("#", _))) => writeln!(body, "<h1>{}</h1>", &text[2..]),
            (false, Some(("##", name))) => {
                let name = name.trim_matches('`');
                writeln!(body, "<h2 id=\"{name}\"><code>{name}</code></h2>")
            }
            (false, _) if line.starts_with("|--") || line.is_empty() => Ok(()),
            (false, _) => writeln!(body, "<p>{}</p>", text.trim_matches('|').replace(" | ", ": ")),
        };
    }
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Errors</title>\
         <link rel=\"stylesheet\" href=\"/docs/errors.css\"></head><body>{body}</body></html>"
    )
}

fn escape(line: &str) -> String {
    line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_anchor() {
        let page = page();
        for code in sl_actors::Code::ALL {
            assert!(page.contains(&format!("<h2 id=\"{code}\">")), "{code}");
        }
        assert!(!page.contains("```"));
    }
}
