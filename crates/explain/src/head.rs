//! A pasted response head: status, headers, the beginning of the body.

use undrop_infra::{Evidence, ProductKind, identify};

use super::topic::{Book, Family};
use super::{Explanation, codes};

/// Products that are named, at most.
const NAMED: usize = 4;

/// It begins with a status line.
pub(super) fn looks_like(text: &str) -> bool {
    text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("HTTP/"))
}

pub(super) fn explain(book: &Book, text: &str) -> Vec<Explanation> {
    let Some(evidence) = read(text) else { return Vec::new() };
    let Some(status) = evidence.status else { return Vec::new() };
    let mut found = codes::status(book, status).unwrap_or_else(|| Explanation {
        family: Family::Answer,
        id: status.to_string(),
        title: format!("{status} at the handshake"),
        meaning: "An answer other than 101, and no usual one: the server's own documentation has it."
            .to_owned(),
        sender: None,
        retry: None,
        parts: Vec::new(),
        seen: Vec::new(),
        causes: Vec::new(),
        fix: vec!["Ask whoever sent it; `undrop doctor URL` compares the ways to it.".to_owned()],
        example: None,
        see: Vec::new(),
    });
    let products = identify(&evidence);
    let seen: Vec<_> =
        products.iter().filter(|product| product.entry.kind != ProductKind::Browser).take(NAMED).collect();
    if !seen.is_empty() {
        // What the answer itself shows comes first; what other products do is no longer of interest.
        found.parts.clear();
    }
    for product in seen {
        let marks: Vec<String> = product.found.iter().map(|mark| mark.matcher.to_string()).collect();
        found.parts.push((
            product.entry.name.clone(),
            format!("was in the way ({} of 100): {}", product.score, marks.join(", ")),
        ));
        for refusal in product.entry.refusals.iter().filter(|refusal| refusal.status == Some(status)) {
            found.parts.push((
                product.entry.name.clone(),
                format!("gives {status} when {}", codes::refused(product.entry, refusal)),
            ));
        }
    }
    if let Some((_, location)) = header(&evidence, "location") {
        found.parts.push(("Location".to_owned(), location.clone()));
    }
    if status == 101 {
        for missing in ["upgrade", "connection", "sec-websocket-accept"] {
            if header(&evidence, missing).is_none() {
                found.parts.push((missing.to_owned(), "is missing: browsers refuse this answer".to_owned()));
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
            // A pasted head may have lost its empty line.
            if !line.trim().is_empty() {
                evidence.body.push_str(line);
                evidence.body.push('\n');
            }
        }
    }
    Some(evidence)
}
