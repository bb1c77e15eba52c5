//! Explains close codes and HTTP statuses.

use undrop_frame::{CloseCode, Retry, Sender};
use undrop_infra::{HandshakeProblem, HandshakeRefusal, Intermediary, NoResponse};
use undrop_text::duration;

use super::explanation::{Explanation, Family};
use super::topic::{Book, Topic};

/// Explains a close code. Returns `None` for a number that is not one.
pub(super) fn close(book: &Book, number: u32) -> Option<Explanation> {
    let number = u16::try_from(number).ok().filter(|number| *number < 5000)?;
    let code = CloseCode::new(number);
    let own = number.to_string();
    let topic =
        book.topic(Family::CloseCode, &own).or_else(|| book.topic(Family::CloseCode, range(number)))?;
    let mut found = topic.explanation();
    if code.name() == "Unknown" {
        found.title = format!("{number}: not defined by the protocol");
    } else {
        found.title = code.to_string();
    }
    found.id = own;
    found.meaning = code.meaning().to_owned();
    found.sender = Some(sender(code));
    found.retry = Some(retry(code));
    Some(found)
}

fn range(number: u16) -> &'static str {
    match number {
        0..=999 => "0-999",
        1016..=2999 => "1016-2999",
        3000..=3999 => "3000-3999",
        4000..=4399 => "4000-4399",
        4400..=4499 => "4400-4499",
        4500..=4999 => "4500-4999",
        _ => "",
    }
}

fn sender(code: CloseCode) -> String {
    match code.sender() {
        Sender::Either => "client or server, in a Close frame",
        Sender::Client => "clients only, in a Close frame",
        Sender::Server => "servers only, in a Close frame",
        Sender::Neither if matches!(code.get(), 1005 | 1006 | 1015) => {
            "no peer: it is reported locally and never sent"
        }
        Sender::Neither => "no peer: it must not be sent",
    }
    .to_owned()
}

fn retry(code: CloseCode) -> String {
    match code.retry() {
        Retry::Final => "no: a new connection would end the same way",
        Retry::Retry => "yes, with backoff and jitter",
        Retry::AfterHint => "yes, after the delay in the reason, or with backoff if there is none",
    }
    .to_owned()
}

/// Explains a status. Returns `None` for a status without a meaning for WebSockets.
pub(super) fn status(book: &Book, status: u16) -> Option<Explanation> {
    let id = status.to_string();
    let topic = book.topic(Family::HttpStatus, &id);
    let parts = refusals(status);
    if topic.is_none() && parts.is_empty() {
        return None;
    }
    let mut found = topic.map(Topic::explanation).unwrap_or_else(|| Explanation {
        family: Family::HttpStatus,
        id: id.clone(),
        title: format!("{status} at the handshake"),
        meaning: "A response other than 101: the WebSocket was not opened.".to_owned(),
        sender: None,
        retry: None,
        parts: Vec::new(),
        seen: Vec::new(),
        causes: Vec::new(),
        fix: Vec::new(),
        example: None,
        see: Vec::new(),
    });
    if found.id != id {
        found.title = format!("{status}: {}", found.title);
        found.id = id;
    }
    if status != 101 {
        found.retry = Some(
            match status {
                0 | 408 | 425 | 429 | 460 | 499..=504 | 520..=524 | 530 => "yes, with backoff and jitter",
                _ => "no: the same request gets the same response",
            }
            .to_owned(),
        );
        found.seen.push("A page receives an 'error' and then a 'close' with 1006, but not the status, which the console and the network panel show.".to_owned());
    }
    found.parts = parts;
    Some(found)
}

/// Returns the products with this status, and when they respond with it.
fn refusals(status: u16) -> Vec<(String, String)> {
    undrop_infra::all()
        .iter()
        .flat_map(|entry| entry.refusals.iter().map(move |refusal| (entry, refusal)))
        .filter(|(_, refusal)| match refusal.status {
            Some(answer) => answer == status,
            None => status == 0,
        })
        .map(|(entry, refusal)| (entry.name.clone(), refused(entry, refusal)))
        .collect()
}

/// Describes when a product refuses a handshake.
pub(super) fn refused(entry: &Intermediary, refusal: &HandshakeRefusal) -> String {
    let mut text = match refusal.when {
        HandshakeProblem::UpstreamRefuses => "its backend does not listen",
        HandshakeProblem::UpstreamDies => "its backend ends the connection before it responds",
        HandshakeProblem::UpstreamHangs => "its backend does not respond",
        HandshakeProblem::NotConfigured => "it is not configured for WebSockets",
        HandshakeProblem::BadRequest => "the request is incomplete or not allowed",
        _ => "another error occurs",
    }
    .to_owned();
    match refusal.without {
        Some(NoResponse::Empty) => text.push_str(": the connection ends without a response"),
        Some(NoResponse::Hangs) => text.push_str(": there is no response at all"),
        Some(NoResponse::Rst) => text.push_str(": RST"),
        _ => {}
    }
    if let Some(after) = refusal.after {
        text.push_str(&format!(", after {}", duration::spell(after)));
    }
    text.push('.');
    if let Some(note) = &refusal.note {
        text.push(' ');
        text.push_str(note);
    }
    if entry.is_unsure() {
        text.push_str(" (not certain)");
    }
    text
}
