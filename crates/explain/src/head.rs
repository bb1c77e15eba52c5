//! Explains a pasted response head: status, header fields, the start of the body.

use undrop_infra::{Evidence, ProductKind, identify};

use super::codes;
use super::explanation::{Explanation, Family};
use super::topic::Book;

/// The maximum number of products that are named.
const NAMED: usize = 4;

/// Returns whether the text starts with a status line.
pub(super) fn looks_like(text: &str) -> bool {
    text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("HTTP/"))
}

pub(super) fn explain(book: &Book, text: &str) -> Vec<Explanation> {
    let Some(evidence) = read(text) else { return Vec::new() };
    let Some(status) = evidence.status else { return Vec::new() };
    let mut found = codes::status(book, status).unwrap_or_else(|| Explanation {
        family: Family::HttpStatus,
        id: status.to_string(),
        title: format!("{status} at the handshake"),
        meaning: "A response other than 101 with an unusual status: see the documentation of the server."
            .to_owned(),
        sender: None,
        retry: None,
        parts: Vec::new(),
        seen: Vec::new(),
        causes: Vec::new(),
        fix: vec!["Read the documentation of the server that sent it; `undrop doctor URL` compares the routes to it.".to_owned()],
        example: None,
        see: Vec::new(),
    });
    let products = identify(&evidence);
    let seen: Vec<_> =
        products.iter().filter(|product| product.entry.kind != ProductKind::Browser).take(NAMED).collect();
    if !seen.is_empty() {
        // If the response identifies products, the behaviour of other products is not relevant.
        found.parts.clear();
    }
    for product in seen {
        let marks: Vec<String> = product.found.iter().map(|mark| mark.matcher.to_string()).collect();
        found.parts.push((
            product.entry.name.clone(),
            format!("is on the path ({} of 100): {}", product.score, marks.join(", ")),
        ));
        for refusal in product.entry.refusals.iter().filter(|refusal| refusal.status == Some(status)) {
            found.parts.push((
                product.entry.name.clone(),
                format!("responds with {status} when {}", codes::refused(product.entry, refusal)),
            ));
        }
    }
    if let Some((_, location)) = header(&evidence, "location") {
        found.parts.push(("Location".to_owned(), location.clone()));
    }
    if status == 101 {
        for missing in ["upgrade", "connection", "sec-websocket-accept"] {
            if header(&evidence, missing).is_none() {
                found
                    .parts
                    .push((missing.to_owned(), "is missing: browsers refuse this response".to_owned()));
            }
        }
    }
    vec![found]
}

fn header<'a>(evidence: &'a Evidence, name: &str) -> Option<&'a (String, String)> {
    evidence.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))
}

fn read(text: &str) -> Option<Evidence> {
    let mut lines = text.lines();
    let status = lines
        .next()?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
        .filter(|status| (100..=999).contains(status))?;
    let mut evidence = Evidence { status: Some(status), ..Evidence::default() };
    let mut body = false;
    for line in lines {
        if body {
            evidence.body.push_str(line);
            evidence.body.push('\n');
        } else if let Some((name, value)) = line.split_once(':') {
            evidence.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        } else {
            body = true;
            // The empty line of a pasted head may be missing.
            if !line.trim().is_empty() {
                evidence.body.push_str(line);
                evidence.body.push('\n');
            }
        }
    }
    Some(evidence)
}
