use super::*;
use crate::layout::width;
use crate::{Bin, Confidence, Histogram, Lane, LaneState, Lanes, Measure};

fn lane(name: &str, to_s: f64, state: LaneState, ending: Option<&str>) -> Lane {
    Lane { name: name.to_owned(), from_s: 0.0, to_s, state, ending: ending.map(str::to_owned) }
}

fn sample() -> Report {
    let mut report = Report::new(
        "ws://127.0.0.1:8080/echo",
        "An idle timeout of 60.0 s on nginx ends connections that are quiet for that long.",
    );
    let fix = Fix::block("nginx", "proxy_read_timeout 120s;\n", "Lets a connection be silent for longer.");
    report.add(
        Finding::new(
            "idle-cut",
            Severity::Error,
            Confidence::High,
            "An idle timeout of 60.0 s ends quiet connections: longer than one line of eighty columns can hold.",
        )
        .at("nginx (proxy_pass)")
        .value(Measure { value: 60.0, spread: 0.05, unit: "s".to_owned(), samples: 4 })
        .evidence("silent: FIN without close frame after 60.0 s (a browser reports 1006)")
        .evidence("ping: alive after 130 s")
        .refuted_by("a direct connection to the origin that ends at the same age")
        .candidate("AWS Application Load Balancer")
        .fix(fix.validator("nginx -t"))
        .fix(Fix::words("Send a heartbeat every 25 s."))
        .preset("nginx"),
    );
    report.add(Finding::new("note", Severity::Note, Confidence::Low, "Something worth knowing."));
    report.charts.push(Chart::Lanes(Lanes {
        title: "Lifetimes".to_owned(),
        until_s: 130.0,
        lanes: vec![
            lane("silent", 60.0, LaneState::Ended, Some("FIN without close frame")),
            lane("message every 25 s", 130.0, LaneState::Alive, None),
            lane("not opened", 0.0, LaneState::Failed, Some("refused")),
        ],
    }));
    report.charts.push(Chart::Histogram(Histogram {
        title: "Ages".to_owned(),
        unit: "s".to_owned(),
        bins: vec![Bin { from: 59.5, to: 60.5, count: 1200 }, Bin { from: 60.5, to: 61.5, count: 12 }],
    }));
    let mut table = Table::new("Stages", &["stage", "outcome"]);
    table.row(["TCP", "127.0.0.1:8080 in 0.1 ms"]);
    table
        .row(["名前解決 🔌", "a sentence that is too long for one line of a narrow terminal and is wrapped"]);
    report.tables.push(table);
    report.notes.push("A second run may see what this one did not.".to_owned());
    report
}

fn without_colour(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    plain + rest
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for columns in [40, 56, 80, 120] {
        let text = terminal(&sample(), &Style { colour: false, width: columns });
        for line in text.lines() {
            assert!(width(line) <= columns, "{} of {columns} columns: {line}", width(line));
        }
    }
}

#[test]
fn a_terminal_shows_everything() {
    let text = terminal(&sample(), &Style::plain());
    for part in [
        "✗ error idle-cut · confidence high",
        "  where             nginx (proxy_pass)",
        "  value             60.0 s ± 0.1 s (4 times)",
        "  other candidates  · AWS Application Load Balancer",
        "                    proxy_read_timeout 120s;",
        "  check with        nginx -t",
        "  reproduce         undrop chaos --preset nginx",
        "130.0 s alive",
        "59.5 to 60.5 s",
        "  TCP           127.0.0.1:8080 in 0.1 ms",
        "  · A second run may see what this one did not.",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
    assert!(!text.contains('\x1b'));
}

#[test]
fn wide_characters_do_not_shift_columns() {
    let mut table = Table::new("T", &["name", "value"]);
    for name in ["ascii", "日本語", "🔌🔌", "e\u{301}te\u{301}"] {
        table.row([name, "|"]);
    }
    let mut report = Report::new("ws://x", "v");
    report.tables.push(table);
    let lanes = vec![lane("日本語", 1.0, LaneState::Alive, None), lane("ascii", 1.0, LaneState::Alive, None)];
    report.charts.push(Chart::Lanes(Lanes { title: "L".to_owned(), until_s: 1.0, lanes }));
    let text = terminal(&report, &Style::plain());
    for mark in ["|", "━"] {
        let columns: Vec<usize> =
            text.lines().filter_map(|line| line.split_once(mark)).map(|(before, _)| width(before)).collect();
        assert!(columns.len() >= 2 && columns.iter().all(|at| *at == columns[0]), "{columns:?} in\n{text}");
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    let coloured = terminal(&sample(), &Style { colour: true, width: 80 });
    assert!(coloured.contains("\u{1b}[31m"));
    assert_eq!(without_colour(&coloured), terminal(&sample(), &Style::plain()));
}

/// A report in which every text is hostile.
fn hostile(evil: &str) -> Report {
    let mut report = Report::new(evil, evil);
    let finding = Finding::new(evil, Severity::Error, Confidence::High, evil);
    let fix = Fix::block(evil, evil, evil).validator(evil);
    let finding = finding.at(evil).evidence(evil).refuted_by(evil).candidate(evil);
    report.add(finding.fix(fix).fix(Fix::words(evil)).preset(evil));
    let mut table = Table::new(evil, &[evil, evil]);
    table.row([evil, evil]);
    report.tables.push(table);
    report.notes.push(evil.to_owned());
    let lanes = vec![lane(evil, 2.0, LaneState::Ended, Some(evil))];
    report.charts.push(Chart::Lanes(Lanes { title: evil.to_owned(), until_s: 3.0, lanes }));
    let bins = vec![Bin { from: 0.0, to: 1.0, count: 1 }];
    report.charts.push(Chart::Histogram(Histogram { title: evil.to_owned(), unit: evil.to_owned(), bins }));
    report
}

#[test]
fn text_of_a_server_stays_text_and_a_page_loads_nothing() {
    let page = html(&hostile("<script>alert(1)</script>\"'&\u{1b}"));
    for bad in ["<script", "alert(1)</", "src=", "href=", "@import", "url(", "\u{1b}"] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert!(page.contains("&lt;script&gt;") && page.contains("prefers-color-scheme:dark"));
}

#[test]
fn invisible_characters_of_a_server_are_made_visible() {
    // A terminal command, a change of direction, a zero-width space, a zero-width joiner and a byte order mark.
    for c in ['\u{1b}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{200d}', '\u{feff}'] {
        let report = hostile(&format!("a{c}b"));
        let shown = format!("{{{:x}}}", u32::from(c));
        for (form, text) in [
            ("terminal", terminal(&report, &Style::plain())),
            ("narrow terminal", terminal(&report, &Style { colour: false, width: 40 })),
            ("HTML", html(&report)),
            ("Markdown", markdown(&report)),
        ] {
            assert!(!text.contains(c), "{form} contains U+{:04X}", u32::from(c));
            assert!(text.contains(&shown), "{form} does not show U+{:04X}", u32::from(c));
        }
    }
}

#[test]
fn tables_and_blocks_of_markdown_keep_their_shape() {
    let mut report = Report::new("ws://x", "v");
    let fix = Fix::block("sh", "a ``` b", "Because.");
    report.add(Finding::new("i", Severity::Error, Confidence::Low, "c\nd <b>").fix(fix).evidence("e"));
    let mut table = Table::new("T", &["a", "b"]);
    table.row(["1|2", "3"]);
    report.tables.push(table);
    let text = markdown(&report);
    for part in ["## c d &lt;b>\n", "````sh\na ``` b\n````", "| a | b |\n|---|---|\n| 1\\|2 | 3 |", "- e\n"] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
}

#[test]
fn equal_reports_give_equal_bytes() {
    assert_eq!(html(&sample()), html(&sample()));
}
