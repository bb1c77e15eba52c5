//! One file to hand around: no script, nothing loaded from elsewhere, light and dark.

use std::fmt::Write;

use super::number::{bytes, is_invisible, milliseconds, percent, printable, rate, seconds, thousands};
use super::text::{
    cost_line, counted, distribution_rows, handshake_table, mode_lines, no_latency, proof_lines, slow,
    subject, survival,
};
use super::{Report, chart};

/// Rows of a table that others can make long.
const ROWS: usize = 50;

const STYLE: &str = "\
:root{color-scheme:light dark;--bg:#fdfdfc;--fg:#1d2125;--dim:#5d666f;--line:#e2e6ea;--card:#f4f5f6;\
--red:#b3261e;--yellow:#8a6100;--green:#1c7c45;--blue:#1f5fae;\
--k0:#c0392b;--k1:#d68910;--k2:#7d5bc4;--k3:#1a8f8f;--k4:#b03a82;--k5:#5b6f86;--k6:#a9b2bb}\
@media(prefers-color-scheme:dark){:root{--bg:#15181b;--fg:#e6e8ea;--dim:#9aa4ad;--line:#2b3138;--card:#1d2226;\
--red:#ff8a80;--yellow:#f0c35a;--green:#6ad39a;--blue:#82b4f5;\
--k0:#f0786c;--k1:#f0b860;--k2:#b49cf2;--k3:#5cc8c8;--k4:#ec86c0;--k5:#9db4cf;--k6:#6b747d}}\
*{box-sizing:border-box}body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:920px;background:var(--bg);color:var(--fg);\
font:16px/1.55 system-ui,sans-serif}h1{font-size:1.5rem;line-height:1.3;font-weight:650;margin:.4rem 0 .5rem;\
overflow-wrap:anywhere;color:var(--edge)}.subject{color:var(--dim);font-size:.92rem;overflow-wrap:anywhere;margin:0}\
h2{font-size:1.05rem;margin:2.4rem 0 .7rem}.good{--edge:var(--green)}.warn{--edge:var(--yellow)}.bad{--edge:var(--red)}\
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(11.5rem,1fr));gap:.8rem;margin:1.6rem 0 0}\
.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem;border-top:3px solid \
var(--edge,var(--line))}.tile b{display:block;font-size:1.35rem;font-weight:650;line-height:1.3;font-variant-numeric:\
tabular-nums}.tile span{color:var(--dim);font-size:.85rem;display:block}\
.say{border-left:3px solid var(--edge);background:var(--card);border-radius:0 6px 6px 0;padding:.5rem .9rem;margin:.8rem 0;\
font-size:.95rem;overflow-wrap:anywhere}\
figure{margin:0}figcaption,.key{color:var(--dim);font-size:.85rem;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:.3rem 0 0}\
.key i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.45em;background:var(--c)}\
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums;min-width:55%}\
th,td{text-align:right;vertical-align:top;padding:.32rem 0 .32rem 1.6rem;border-bottom:1px solid var(--line);white-space:nowrap}\
th:first-child,td:first-child{text-align:left;padding-left:0}th{color:var(--dim);font-weight:500}\
td.text{white-space:normal;overflow-wrap:anywhere;text-align:left;min-width:14rem}th.text{text-align:left}\
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(24rem,1fr));gap:0 2.5rem;align-items:start}\
.pair section{max-width:34rem}.pair table{width:100%}.pair th:not(:first-child),.pair td:not(:first-child){padding-left:1rem}@media(max-width:480px){.pair{display:block}}\
.yes{color:var(--green)}.no{color:var(--red)}\
svg{width:100%;min-width:36rem;height:auto;display:block}svg text{font:12px system-ui,sans-serif;fill:var(--dim)}svg .left,svg .end{text-anchor:end}\
svg .tick{text-anchor:middle}svg .grid{stroke:var(--line)}svg .mark{stroke:var(--dim)}svg .line{fill:none;stroke-width:2;\
stroke-linejoin:round;stroke:var(--c)}svg .dot{fill:var(--c)}svg .area{fill:var(--c);opacity:.14}svg .level{stroke:var(--dim);\
stroke-dasharray:4 4}.alive{--c:var(--green)}.corrected,.sent{--c:var(--blue)}.uncorrected,.received{--c:var(--k1)}\
.intended{--c:var(--dim)}svg .intended{stroke-dasharray:3 4;stroke-width:1.5}svg .received{stroke-width:6;opacity:.45}svg .uncorrected{stroke-dasharray:6 3}\
svg .k0,.k0{fill:var(--k0);--c:var(--k0)}svg .k1,.k1{fill:var(--k1);--c:var(--k1)}svg .k2,.k2{fill:var(--k2);--c:var(--k2)}\
svg .k3,.k3{fill:var(--k3);--c:var(--k3)}svg .k4,.k4{fill:var(--k4);--c:var(--k4)}svg .k5,.k5{fill:var(--k5);--c:var(--k5)}\
svg .k6,.k6{fill:var(--k6);--c:var(--k6)}\
footer{color:var(--dim);font-size:.85rem;margin-top:2.8rem;border-top:1px solid var(--line);padding-top:.8rem}\
@media print{body{max-width:none;padding:0}h2{break-after:avoid}figure,table{break-inside:avoid}}";

/// The report as a page that needs nothing else.
pub fn html(report: &Report) -> String {
    let mut page = Page(String::with_capacity(48 * 1024));
    page.add(&format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>undrop bench · {0}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<p class=\"subject\">{1}</p>\n<h1 class=\"{2}\">{3}</h1>\n",
        escape(&report.target),
        escape(&subject(report)),
        tone(report),
        escape(&survival(report))
    ));
    page.tiles(report);
    page.thresholds(report);
    if let Some(warning) = slow(report) {
        page.say("bad", &warning);
    }
    if let Some(why) = no_latency(report) {
        page.say("bad", &format!("Latency: {why}."));
    }
    page.charts(report);
    page.endings(report);
    page.failures(report);
    for (title, lines) in mode_lines(report) {
        page.heading(title);
        lines.iter().for_each(|(line, bad)| page.say(if *bad { "bad" } else { "good" }, line));
    }
    page.figures(report);
    if report.messages.proof.is_some() {
        page.heading("Exactly once");
        let tone = if report.is_exactly_once() { "good" } else { "bad" };
        proof_lines(report).iter().for_each(|line| page.say(tone, line));
    }
    page.footer(report);
    page.0
}

fn tone(report: &Report) -> &'static str {
    let connections = &report.connections;
    match connections.survival {
        Some(survival) if survival >= 1.0 && connections.failed == 0 => "good",
        Some(survival) if survival > 0.5 => "warn",
        _ => "bad",
    }
}

struct Page(String);

impl Page {
    fn add(&mut self, text: &str) {
        self.0.push_str(text);
    }

    fn heading(&mut self, text: &str) {
        self.add(&format!("<h2>{}</h2>\n", escape(text)));
    }

    fn say(&mut self, tone: &str, text: &str) {
        self.add(&format!("<p class=\"say {tone}\">{}</p>\n", escape(text)));
    }

    /// The figures that matter most.
    fn tiles(&mut self, report: &Report) {
        let connections = &report.connections;
        self.add("<div class=\"tiles\">\n");
        let survival = connections.survival.map_or_else(|| "—".to_owned(), percent);
        let of =
            format!("survived: {} of {}", thousands(connections.alive_at_end), thousands(connections.opened));
        self.tile(tone(report), &survival, &of);
        if let Some(rates) = &report.rate {
            let (tone, note) = match rates.ratio {
                Some(ratio) => (
                    if report.is_slow() { "bad" } else { "good" },
                    format!("sent: {} of asked", percent(ratio)),
                ),
                None => ("", "sent".to_owned()),
            };
            self.tile(tone, &format!("{}/s", rate(rates.achieved_per_s)), &note);
        }
        if let Some(latency) = &report.latency_ms {
            let (name, value) = match latency.p99 {
                Some(p99) => ("p99", p99),
                None => ("highest", latency.max),
            };
            let kind = if report.latency_is_corrected { ", corrected" } else { "" };
            self.tile("", &milliseconds(value), &format!("{name} latency{kind}"));
        }
        if let Some(proof) = &report.messages.proof {
            let wrong: u64 =
                proof.directions.iter().map(|d| d.lost + d.doubled + d.reordered + d.corrupted).sum();
            let (tone, value) = match (proof.holds(), wrong) {
                (true, _) => ("good", "exactly once".to_owned()),
                (false, 0) => ("bad", "not proven".to_owned()),
                (false, wrong) => ("bad", format!("{} wrong", thousands(wrong))),
            };
            let sent = proof.directions.iter().map(|d| d.sent).sum();
            self.tile(tone, &value, &format!("of {}", counted(sent, "message")));
        }
        if report.resumes.count > 0 {
            let away = report.resumes.away_ms.as_ref();
            let longest = away.map_or_else(|| "—".to_owned(), |away| milliseconds(away.max));
            self.tile("", &thousands(report.resumes.count), &format!("came back; longest away {longest}"));
        }
        if let Some(total) = &report.handshake_ms.total {
            let (name, value) = match total.p99 {
                Some(p99) => ("p99", p99),
                None => ("longest", total.max),
            };
            self.tile("", &milliseconds(value), &format!("{name} of handshakes"));
        }
        self.add("</div>\n");
    }

    fn tile(&mut self, tone: &str, value: &str, note: &str) {
        self.add(&format!(
            "<div class=\"tile {tone}\"><b>{}</b><span>{}</span></div>\n",
            escape(value),
            escape(note)
        ));
    }

    fn thresholds(&mut self, report: &Report) {
        if report.thresholds.is_empty() {
            return;
        }
        self.heading("Conditions");
        self.add("<div class=\"scroll\"><table>\n");
        for outcome in &report.thresholds {
            let (class, sign) = if outcome.passed { ("yes", "✓ holds") } else { ("no", "✗ missed") };
            self.add(&format!(
                "<tr><td>{}</td><td class=\"{class}\">{sign}</td><td class=\"text\">{}</td></tr>\n",
                escape(&outcome.condition),
                escape(&outcome.found())
            ));
        }
        self.add("</table></div>\n");
    }

    fn charts(&mut self, report: &Report) {
        if let Some(svg) = chart::survival(report) {
            self.figure("Connections alive", &svg, &[]);
        }
        if let Some(svg) = chart::endings(report) {
            let mut key: Vec<(String, String)> = report
                .endings
                .iter()
                .take(chart::COLOURS)
                .enumerate()
                .map(|(at, group)| (format!("k{at}"), printable(&group.ending, 60)))
                .collect();
            if report.endings.len() > chart::COLOURS {
                key.push((format!("k{}", chart::COLOURS), "others".to_owned()));
            }
            self.figure("Endings over time", &svg, &key);
        }
        if let Some(svg) = chart::messages(report) {
            let names = ["intended", "sent", "received"].into_iter();
            let names = names.filter(|name| *name != "intended" || report.messages.intended.is_some());
            let key: Vec<_> = names.map(|name| (name.to_owned(), name.to_owned())).collect();
            self.figure("Messages per second", &svg, &key);
        }
        if let Some(svg) = chart::percentiles(report) {
            let key: &[(String, String)] = &if report.latency_is_corrected {
                vec![
                    (
                        "corrected".to_owned(),
                        "corrected: from when a message should have been sent".to_owned(),
                    ),
                    ("uncorrected".to_owned(), "uncorrected: from when it was sent".to_owned()),
                ]
            } else {
                vec![("corrected".to_owned(), "from send to answer".to_owned())]
            };
            self.figure("Latency by percentile", &svg, key);
        }
    }

    fn figure(&mut self, title: &str, svg: &str, key: &[(String, String)]) {
        self.heading(title);
        self.add(&format!("<figure><div class=\"scroll\">{svg}</div>"));
        if !key.is_empty() {
            self.add("<figcaption class=\"key\">");
            for (class, name) in key {
                self.add(&format!("<span><i class=\"{class}\"></i>{}</span>", escape(name)));
            }
            self.add("</figcaption>");
        }
        self.add("</figure>\n");
    }

    fn endings(&mut self, report: &Report) {
        if report.endings.is_empty() {
            return;
        }
        self.heading("How connections ended");
        let rows = report.endings.iter().take(ROWS).map(|group| {
            vec![
                printable(&group.ending, 120),
                thousands(group.count),
                seconds(group.age_min_s),
                seconds(group.age_median_s),
                seconds(group.age_max_s),
                group.browser.to_string(),
            ]
        });
        let rows: Vec<_> = rows.collect();
        self.table(&["ending", "count", "age min", "median", "max", "in a browser"], &rows);
        for group in &report.endings {
            for (reason, count) in &group.reasons {
                let text = format!(
                    "{}: “{}” × {}",
                    printable(&group.ending, 60),
                    printable(reason, 200),
                    thousands(*count)
                );
                self.add(&format!("<p class=\"subject\">{}</p>\n", escape(&text)));
            }
        }
        for group in &report.endings {
            if let Some(hint) = &group.hint {
                self.say("warn", &format!("Hint, {}: {hint}", printable(&group.ending, 60)));
            }
        }
    }

    fn failures(&mut self, report: &Report) {
        if report.failures.is_empty() {
            return;
        }
        self.heading("Not opened");
        self.add(
            "<div class=\"scroll\"><table>\n<tr><th>ending</th><th>stage</th><th>count</th><th>first at</th>",
        );
        self.add("<th class=\"text\">one of them</th></tr>\n");
        for failure in report.failures.iter().take(ROWS) {
            self.add(&format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"text\">{}</td></tr>\n",
                escape(&printable(&failure.ending, 120)),
                escape(&failure.stage),
                thousands(failure.count),
                seconds(failure.first_at_s),
                escape(&printable(&failure.example, 300))
            ));
        }
        self.add("</table></div>\n");
    }

    /// Everything in figures.
    fn figures(&mut self, report: &Report) {
        if let Some(rates) = &report.rate {
            self.heading("Messages");
            let row = |name: &str, count: u64, per_second: f64, size: Option<u64>| {
                let size = size.map_or_else(String::new, |size| bytes(size as f64));
                vec![name.to_owned(), thousands(count), format!("{}/s", rate(per_second)), size]
            };
            let mut rows = Vec::new();
            if let (Some(intended), Some(per_second)) = (report.messages.intended, rates.intended_per_s) {
                rows.push(row("asked", intended, per_second, None));
            }
            rows.push(row("sent", report.messages.sent, rates.achieved_per_s, Some(report.bytes.sent)));
            let received = report.messages.received;
            rows.push(row("received", received, rates.received_per_s, Some(report.bytes.received)));
            self.table(&["", "messages", "rate", "payload"], &rows);
        }
        self.add("<div class=\"pair\">\n");
        if let Some(latency) = &report.latency_ms {
            self.add("<section>\n");
            self.heading("Latency");
            let (uncorrected, lag) =
                (report.latency_uncorrected_ms.as_ref(), report.schedule_lag_ms.as_ref());
            if report.latency_is_corrected {
                let rows = distribution_rows(&[Some(latency), uncorrected, lag]);
                self.table(&["", "corrected", "uncorrected", "sent late by"], &rows);
            } else {
                self.table(&["", "from send to answer"], &distribution_rows(&[Some(latency)]));
            }
            self.add("</section>\n");
        }
        if let Some((names, rows)) = handshake_table(report) {
            self.add("<section>\n");
            self.heading("Handshake");
            self.table(&names, &rows);
            self.add("</section>\n");
        }
        self.add("</div>\n");
        if let Some(away) = &report.resumes.away_ms {
            self.heading("Time from a lost link until messages flow again");
            self.table(&["", "away"], &distribution_rows(&[Some(away)]));
        }
    }

    fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        let cells = |row: &mut dyn Iterator<Item = &str>, tag: &str| {
            let mut line = String::from("<tr>");
            for cell in row {
                // Writing to a String cannot fail.
                let _ = write!(line, "<{tag}>{}</{tag}>", escape(cell));
            }
            line + "</tr>\n"
        };
        self.add("<div class=\"scroll\"><table>\n");
        self.add(&cells(&mut head.iter().copied(), "th"));
        for row in rows {
            self.add(&cells(&mut row.iter().map(String::as_str), "td"));
        }
        self.add("</table></div>\n");
    }

    fn footer(&mut self, report: &Report) {
        self.add("<footer>");
        let cost = cost_line(report);
        if !cost.is_empty() {
            self.add(&format!("<p>Cost of the load: {}.</p>", escape(&cost)));
        }
        if report.latency_is_corrected && report.latency_ms.is_some() {
            self.add(
                "<p>Corrected latency counts from when a message should have been sent, so that waiting for a slow \
                 target is not left out (coordinated omission). A dash stands where there are too few values.</p>",
            );
        }
        self.add(&format!(
            "<p>undrop bench {}, seed {}</p></footer>\n</body>\n</html>\n",
            report.version, report.seed
        ));
    }
}

/// Text for HTML, in content and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if (c.is_control() && c != '\n' && c != '\t') || is_invisible(c) => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metrics::tally::EndingRecord;
    use crate::report::samples;

    fn all() -> Vec<(&'static str, (crate::Plan, crate::Tally))> {
        vec![
            ("run", samples::run()),
            ("slow", samples::slow()),
            ("hold", samples::hold(1000)),
            ("hold-100000", samples::hold(100_000)),
            ("one", samples::quiet(1)),
            ("two", samples::quiet(2)),
            ("refused", samples::refused()),
            ("storm", samples::storm()),
            ("sessions", samples::sessions()),
            ("sink", samples::sink()),
            ("flood", samples::flood()),
            ("broadcast", samples::broadcast()),
            ("ramp", samples::ramp()),
            ("churn", samples::churn()),
            ("scenario", samples::scenario()),
        ]
    }

    #[test]
    fn pages_are_deterministic_small_and_need_nothing() {
        for (name, (plan, tally)) in all() {
            let mut report = Report::new(&plan, &tally);
            report.check(&["p99<50ms".parse().unwrap(), "survival>=99.9%".parse().unwrap()]);
            let page = html(&report);
            assert_eq!(page, html(&report), "{name}");
            assert!(page.len() < 120_000, "{name}: {}", page.len());
            for bad in ["<script", "src=", "href=", "@import", "url(", "NaN", "inf ", "\u{1b}"] {
                assert!(!page.contains(bad), "{name}: {bad}");
            }
            assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
            if let Some(directory) = std::env::var_os("UNDROP_SAMPLE_PAGES") {
                let file = std::path::Path::new(&directory).join(format!("{name}.html"));
                std::fs::write(file, page).unwrap();
            }
        }
    }

    #[test]
    fn what_others_sent_stays_text() {
        let evil = "<script>alert(1)</script>\"'&\u{1b}\u{202e}";
        let (mut plan, mut tally) = samples::run();
        plan.target.url = evil.to_owned();
        plan.verify = true;
        tally.ended(EndingRecord { reason: evil.to_owned(), ..samples::ending(evil, 1.0, 1.0) });
        tally.failed(evil, evil, evil, 1.0);
        let (_, users) = samples::scenario();
        tally.users = users.users;
        tally.users.failed.insert(evil.to_owned(), 1);
        plan.mode = samples::scenario().0.mode;
        let page = html(&Report::new(&plan, &tally));
        for bad in ["<script", "alert(1)</", "\"'&", "\u{1b}", "\u{202e}"] {
            assert!(!page.contains(bad), "{bad}");
        }
        assert!(page.matches("&lt;script&gt;").count() >= 6, "{}", page.matches("&lt;script&gt;").count());
        let text = crate::report::text(&Report::new(&plan, &tally), false);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    }
}
