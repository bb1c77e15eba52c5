//! Rendering of the live view.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, LineGauge, Paragraph, RenderDirection, Sparkline, Wrap};
use undrop_text::number::{bytes, milliseconds, percent, rate, seconds, thousands};
use undrop_text::printable;

use super::model::{Live, sorted};

/// The minimum size for boxes; a smaller terminal shows a summary in words.
const MIN_SIZE: (u16, u16) = (44, 16);
/// The width of the box with the endings.
const ENDINGS_WIDTH: u16 = 34;

const DIM: Style = Style::new().fg(Color::DarkGray);
const GOOD: Style = Style::new().fg(Color::Green);
const BAD: Style = Style::new().fg(Color::Red);
const WARN: Style = Style::new().fg(Color::Yellow);
const BLUE: Style = Style::new().fg(Color::Cyan);

/// Draws the state. `stopping` is whether the user has requested the end of the run.
pub(super) fn draw(frame: &mut Frame, live: &Live, stopping: bool) {
    let area = frame.area();
    if area.width < MIN_SIZE.0 || area.height < MIN_SIZE.1 {
        frame.render_widget(Paragraph::new(live.summary()).wrap(Wrap { trim: true }), area);
        return;
    }
    let below = if live.is_quiet() { Constraint::Length(0) } else { Constraint::Fill(2) };
    let [head, progress, _, connections, messages, latency, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(3),
        below,
        below,
        Constraint::Length(1),
    ])
    .areas(area);
    title(frame, head, live);
    elapsed(frame, progress, live);
    if connections.width >= 44 + ENDINGS_WIDTH {
        let [left, right] =
            Layout::horizontal([Constraint::Fill(1), Constraint::Length(ENDINGS_WIDTH)]).areas(connections);
        alive(frame, left, live);
        endings(frame, right, live);
    } else if connections.height >= 8 {
        let [top, below] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(connections);
        alive(frame, top, live);
        endings(frame, below, live);
    } else {
        alive(frame, connections, live);
    }
    if !live.is_quiet() {
        sending(frame, messages, live);
        round_trip(frame, latency, live);
    }
    let foot_text = if stopping {
        Span::styled(" ending early; press Ctrl-C again to quit at once", WARN)
    } else {
        Span::styled(" press q to end early, with a report", DIM)
    };
    frame.render_widget(Line::from(foot_text), foot);
}

fn title(frame: &mut Frame, area: Rect, live: &Live) {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let line = Line::from(vec![
        Span::styled(" undrop bench ", bold),
        Span::styled(format!("{} ", live.mode), BLUE),
        Span::raw(printable::truncated(&live.target, 200)),
    ]);
    frame.render_widget(line, area);
}

fn elapsed(frame: &mut Frame, area: Rect, live: &Live) {
    let now = seconds(live.now.at_s);
    let Some((over, all)) = live.progress() else {
        let tried = live.now.alive + live.now.failed;
        let part = if live.now.asked > 0 { tried as f64 / live.now.asked as f64 } else { 0.0 };
        gauge(frame, area, part, format!(" {} {now}", live.phase()), BLUE);
        return;
    };
    let part = if all > 0.0 { over / all } else { 1.0 };
    let left = (all - over).max(0.0);
    let label = if left > 0.0 {
        format!(" {} {now}, {} left", live.phase(), seconds(left))
    } else {
        format!(" {} {now}", live.phase())
    };
    gauge(frame, area, part, label, GOOD);
}

fn gauge(frame: &mut Frame, area: Rect, part: f64, label: String, style: Style) {
    let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
    let gauge = LineGauge::default()
        .ratio(part)
        .label(format!("{label:<30}"))
        .filled_style(style)
        .unfilled_style(DIM)
        .filled_symbol("━")
        .unfilled_symbol("─");
    let inner = Rect { width: area.width.saturating_sub(1), ..area };
    frame.render_widget(gauge, inner);
}

/// Draws a box with one line of text and a sparkline whose right end is the present.
fn panel(
    frame: &mut Frame,
    area: Rect,
    name: &str,
    line: Line,
    values: &[u64],
    most: Option<u64>,
    style: Style,
) {
    let block = boxed(name);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if inner.height == 0 {
        return;
    }
    frame.render_widget(line, Rect { height: 1, ..inner });
    let below = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
    if below.height == 0 {
        return;
    }
    // The newest value is at the right edge.
    let newest: Vec<u64> = values.iter().rev().take(usize::from(below.width)).copied().collect();
    let mut spark = Sparkline::default().data(&newest).direction(RenderDirection::RightToLeft).style(style);
    if let Some(most) = most.filter(|most| *most > 0) {
        spark = spark.max(most);
    }
    frame.render_widget(spark, below);
}

/// Returns the line with one more part if the box has room for it.
fn with_room<'a>(spans: Vec<Span<'a>>, more: Span<'a>, area: Rect) -> Line<'a> {
    let mut line = Line::from(spans);
    if line.width() + more.width() + 2 <= usize::from(area.width) {
        line.push_span(more);
    }
    line
}

fn boxed(name: &str) -> Block<'_> {
    Block::bordered().border_type(BorderType::Rounded).border_style(DIM).title(format!(" {name} "))
}

fn alive(frame: &mut Frame, area: Rect, live: &Live) {
    let now = &live.now;
    let mut spans = vec![
        Span::styled(thousands(now.alive), if now.alive >= now.asked { GOOD } else { WARN }),
        Span::raw(format!(" of {} alive", thousands(now.asked))),
    ];
    if now.opening > 0 {
        spans.push(Span::styled(format!(" · {} opening", thousands(now.opening)), BLUE));
    }
    if now.failed > 0 {
        spans.push(Span::styled(format!(" · {} failed", thousands(now.failed)), BAD));
    }
    if now.resumes > 0 {
        spans.push(Span::styled(format!(" · {} reconnected", thousands(now.resumes)), GOOD));
    }
    let values: Vec<u64> = live.history.iter().map(|point| point.alive).collect();
    let most =
        values.iter().copied().max().unwrap_or(0).max(now.asked.min(now.alive.saturating_mul(4).max(1)));
    panel(frame, area, "Connections", Line::from(spans), &values, Some(most), GOOD);
}

fn endings(frame: &mut Frame, area: Rect, live: &Live) {
    let block = boxed("Endings");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let kinds = sorted(&live.now.endings);
    let failures = sorted(&live.now.failures);
    if kinds.is_empty() && failures.is_empty() {
        frame.render_widget(Line::styled("none so far", DIM), inner);
        return;
    }
    let width = usize::from(inner.width);
    let room = usize::from(inner.height);
    let row = |(kind, count): &(String, u64), style: Style| {
        let count = thousands(*count);
        let kind = printable::truncated(kind, width.saturating_sub(count.len() + 1));
        let gap = width.saturating_sub(kind.chars().count() + count.len());
        Line::from(vec![Span::raw(kind), Span::raw(" ".repeat(gap)), Span::styled(count, style)])
    };
    let mut lines: Vec<Line> = kinds.iter().map(|kind| row(kind, WARN)).collect();
    lines.extend(failures.iter().map(|kind| row(kind, BAD)));
    if lines.len() > room && room > 0 {
        let rest = lines.len() - (room - 1);
        lines.truncate(room - 1);
        lines.push(Line::styled(format!("and {rest} other kinds"), DIM));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

fn sending(frame: &mut Frame, area: Rect, live: &Live) {
    let rates = live.rates();
    let line = if live.now.sent == 0 && live.now.received == 0 {
        Line::styled("none so far", DIM)
    } else {
        let mut spans = vec![Span::raw(format!("{}/s sent", rate(rates.sent)))];
        if live.scheduled && rates.intended > 0.0 {
            let part = (rates.sent / rates.intended * 1e3).round() / 1e3;
            let style = if part >= undrop_bench::report::FULL_RATE { GOOD } else { BAD };
            spans.push(Span::raw(format!(" of {}/s ", rate(rates.intended))));
            spans.push(Span::styled(format!("({})", percent(part)), style));
        }
        spans.push(Span::raw(format!(" · {}/s received", rate(rates.received))));
        let (sent, received) = (live.now.bytes_sent as f64, live.now.bytes_received as f64);
        let total = format!(" · {} out, {} in", bytes(sent), bytes(received));
        with_room(spans, Span::styled(total, DIM), area)
    };
    let values: Vec<u64> = live.history.iter().map(|point| point.sent_per_s.round() as u64).collect();
    panel(frame, area, "Messages", line, &values, None, BLUE);
}

fn round_trip(frame: &mut Frame, area: Rect, live: &Live) {
    let newest = live.history.iter().rev().find(|point| point.p99.is_some());
    let line = match newest.and_then(|point| Some((point.p50?, point.p99?))) {
        None => Line::styled("no reply so far", DIM),
        Some((p50, p99)) => {
            let ms = |time: std::time::Duration| milliseconds(time.as_secs_f64() * 1e3);
            let spans = vec![Span::raw(format!("p50 {} · p99 {}", ms(p50), ms(p99)))];
            let worst = live.history.iter().filter_map(|point| point.p99).max().unwrap_or(p99);
            with_room(spans, Span::styled(format!(" · worst p99 shown {}", ms(worst)), DIM), area)
        }
    };
    let values: Vec<u64> = live
        .history
        .iter()
        .map(|point| point.p99.map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)))
        .collect();
    let name = if live.scheduled { "Round trip (corrected), p99" } else { "Round trip, p99" };
    panel(frame, area, name, line, &values, None, WARN);
}
