//! One file to hand around: no script, nothing loaded from elsewhere, light and dark.

use std::fmt::Write;

use crate::{Finding, Fix, Report, Severity, Table, svg};

const STYLE: &str = "\
:root{color-scheme:light dark;--bg:#fdfdfc;--fg:#1d2125;--dim:#5d666f;--line:#dde1e5;--card:#f4f5f6;\
--red:#b3261e;--yellow:#8a6100;--green:#1c7c45;--blue:#1f5fae}\
@media(prefers-color-scheme:dark){:root{--bg:#15181b;--fg:#e6e8ea;--dim:#9aa4ad;--line:#323940;--card:#1d2226;\
--red:#ff8a80;--yellow:#f0c35a;--green:#6ad39a;--blue:#82b4f5}}\
*{box-sizing:border-box}body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:920px;background:var(--bg);color:var(--fg);\
font:16px/1.55 system-ui,sans-serif}h1{font-size:1rem;font-weight:600;color:var(--dim);overflow-wrap:anywhere;margin:0}\
.verdict{font-size:1.5rem;line-height:1.3;font-weight:650;margin:.5rem 0 2rem}h2{font-size:1.05rem;margin:2.2rem 0 .6rem}\
article{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--edge);border-radius:8px;\
padding:1rem 1.2rem;margin:1rem 0}article h3{margin:.2rem 0 .8rem;font-size:1.05rem;line-height:1.35}\
.meta{color:var(--dim);font-size:.85rem}.meta b{color:var(--edge)}.error{--edge:var(--red)}.warning{--edge:var(--yellow)}\
.note{--edge:var(--blue)}.good{--edge:var(--green)}.verdict{color:var(--edge)}\
dl{display:grid;grid-template-columns:8rem minmax(0,1fr);gap:.4rem 1rem;margin:0}dt{color:var(--dim);font-size:.9rem}\
dd{margin:0;overflow-wrap:anywhere}dd ul{margin:0;padding-left:1.1rem}dd p{margin:0 0 .4rem}\
pre{background:var(--bg);border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem;overflow-x:auto;margin:.3rem 0;\
font:13px/1.5 ui-monospace,monospace}code{font:13px ui-monospace,monospace}\
table{border-collapse:collapse;width:100%;font-size:.92rem}th,td{text-align:left;vertical-align:top;padding:.35rem .8rem .35rem 0;\
border-bottom:1px solid var(--line);overflow-wrap:anywhere}th{color:var(--dim);font-weight:500}\
svg{width:100%;height:auto;display:block}svg text{font:12px system-ui,sans-serif;fill:var(--fg)}svg .name{text-anchor:end}\
svg .tick{text-anchor:middle;fill:var(--dim);font-size:11px}svg .outcome{fill:var(--dim)}svg .grid{stroke:var(--line)}\
svg .alive{fill:var(--green)}svg .ended{fill:var(--red)}svg .failed{fill:var(--yellow)}svg .bar{fill:var(--blue)}\
footer{color:var(--dim);font-size:.85rem;margin-top:2.5rem}";

/// The report as a page that needs nothing else.
pub fn html(report: &Report) -> String {
    let mut out = String::with_capacity(16 * 1024);
    let tone = report.worst().map_or("good", class);
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{0}</title>\n<style>{STYLE}</style>\n\
         </head>\n<body>\n<h1>{0}</h1>\n<p class=\"verdict {tone}\">{1}</p>\n",
        escape(&report.subject),
        escape(&report.verdict)
    );
    for item in &report.findings {
        finding(&mut out, item);
    }
    for chart in &report.charts {
        let title = match chart {
            crate::Chart::Lanes(lanes) => &lanes.title,
            crate::Chart::Histogram(histogram) => &histogram.title,
        };
        let _ = writeln!(out, "<h2>{}</h2>\n{}", escape(title), svg::chart(chart));
    }
    for item in report.tables.iter().filter(|table| !table.rows.is_empty()) {
        table(&mut out, item);
    }
    if !report.notes.is_empty() {
        out.push_str("<footer>");
        for note in &report.notes {
            let _ = write!(out, "<p>{}</p>", escape(note));
        }
        out.push_str("</footer>\n");
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn class(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn finding(out: &mut String, finding: &Finding) {
    let _ = write!(
        out,
        "<article class=\"{0}\">\n<div class=\"meta\"><b>{0}</b> · {1} · confidence {2}</div>\n<h3>{3}</h3>\n<dl>\n",
        class(finding.severity),
        escape(&finding.id),
        finding.confidence,
        escape(&finding.cause)
    );
    if let Some(hop) = &finding.hop {
        item(out, "where", &escape(hop));
    }
    if let Some(value) = &finding.value {
        item(out, "value", &escape(&value.to_string()));
    }
    list(out, "evidence", &finding.evidence);
    list(out, "refuted by", &finding.refuted_by);
    list(out, "or else", &finding.candidates);
    for one in &finding.fixes {
        fix(out, one);
    }
    if let Some(rule) = &finding.rule {
        item(out, "lint rule", &format!("<code>{}</code>", escape(rule)));
    }
    if let Some(preset) = &finding.preset {
        item(out, "reproduce", &format!("<code>undrop chaos --preset {}</code>", escape(preset)));
    }
    out.push_str("</dl>\n</article>\n");
}

fn fix(out: &mut String, fix: &Fix) {
    let mut content = String::new();
    if fix.language == "text" {
        let _ = write!(content, "<p>{}</p>", escape(&fix.text));
    }
    if !fix.reason.is_empty() {
        let _ = write!(content, "<p>{}</p>", escape(&fix.reason));
    }
    if fix.language != "text" {
        let _ = write!(content, "<pre>{}</pre>", escape(fix.text.trim_matches('\n')));
    }
    if let Some(command) = &fix.validator {
        let _ = write!(content, "<p>Check it with <code>{}</code></p>", escape(command));
    }
    item(out, "fix", &content);
}

fn item(out: &mut String, label: &str, content: &str) {
    let _ = writeln!(out, "<dt>{label}</dt><dd>{content}</dd>");
}

fn list(out: &mut String, label: &str, items: &[String]) {
    if !items.is_empty() {
        let items: String = items.iter().map(|text| format!("<li>{}</li>", escape(text))).collect();
        item(out, label, &format!("<ul>{items}</ul>"));
    }
}

fn table(out: &mut String, table: &Table) {
    let _ = write!(out, "<h2>{}</h2>\n<table>\n", escape(&table.title));
    let cells = |row: &[String], tag: &str| {
        let cells: String = row.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    if table.has_head() {
        out.push_str(&cells(&table.columns, "th"));
    }
    for row in &table.rows {
        out.push_str(&cells(row, "td"));
    }
    out.push_str("</table>\n");
}

/// Text for HTML, in content and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() && c != '\n' && c != '\t' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Chart, Confidence, Lane, LaneState, Lanes};

    #[test]
    fn what_a_server_sent_stays_text_and_nothing_is_loaded() {
        let evil = "<script>alert(1)</script>\"'&\u{1b}";
        let mut report = Report::new(evil, evil);
        let fix = Fix::block("nginx", evil, evil).validator(evil);
        let finding = Finding::new(evil, Severity::Error, Confidence::High, evil);
        report.add(finding.at(evil).evidence(evil).fix(fix).rule(evil).preset(evil));
        let mut table = Table::new(evil, &[evil]);
        table.row([evil]);
        report.tables.push(table);
        report.notes.push(evil.to_owned());
        let lane = Lane {
            name: evil.to_owned(),
            from_s: 0.0,
            to_s: 2.0,
            state: LaneState::Ended,
            ending: Some(evil.to_owned()),
        };
        report.charts.push(Chart::Lanes(Lanes { title: evil.to_owned(), until_s: 3.0, lanes: vec![lane] }));
        let page = html(&report);
        for bad in ["<script", "alert(1)</", "src=", "href=", "@import", "url(", "\u{1b}"] {
            assert!(!page.contains(bad), "{bad}");
        }
        assert!(page.contains("&lt;script&gt;") && page.contains("prefers-color-scheme:dark"));
    }
}
