#![allow(clippy::unwrap_used)]

use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use undrop_bench::{
    ConnectStage, FailureKind, Payload, Plan, RunPhase, SessionMode, Snapshot, Target, Times, Trust,
};
use undrop_frame::{CloseCode, Ending, ProtocolFault};

use super::draw::draw;
use super::model::Live;
use super::screen::{ViewCommand, command};
use super::*;

fn plan(mode: undrop_bench::Mode, rate: f64) -> Plan {
    Plan {
        target: Target {
            url: "ws://127.0.0.1:8080/echo?token=hidden".to_owned(),
            headers: Vec::new(),
            protocols: Vec::new(),
            compress: false,
            trust: Trust::Native,
            server_name: None,
            source: Vec::new(),
            addresses: Vec::new(),
            timeout: Duration::from_secs(10),
            proxy: None,
            max_message: 1 << 20,
        },
        mode,
        connections: 1000,
        ramp_up: Duration::ZERO,
        concurrency: 100,
        rate,
        duration: Duration::from_secs(60),
        payload: Payload::of_size(64, false),
        verify: false,
        session: SessionMode::Off,
        reconnect: None,
        ping: None,
        dead_after: Duration::from_secs(10),
        settle: Duration::from_secs(5),
        seed: 1,
        first: 0,
        epoch_us: 0,
        workers: 1,
    }
}

/// Half a minute of a run that loses a few connections; a slow spell after 20 s.
fn sample() -> Live {
    let mut live = Live::new(&plan(undrop_bench::Mode::Run, 100.0));
    snapshots().iter().for_each(|snapshot| live.update(snapshot));
    live
}

fn snapshots() -> Vec<Snapshot> {
    (1..=60)
        .map(|half: u64| {
            let at_s = half as f64 / 2.0;
            let lost = if half > 30 { (half - 30) * 4 } else { 0 };
            let mut recent = Times::default();
            for i in 0..100_u64 {
                let slow = if (40..46).contains(&half) { 4000 } else { 0 };
                recent.record_us(200 + (half * 37 + i * 11) % 150 + if i > 97 { 900 + slow } else { 0 });
            }
            let opening = 300 * half.min(4);
            let mut snapshot = Snapshot {
                at_s,
                phase: if half < 4 { RunPhase::Opening } else { RunPhase::Running },
                asked: 1000,
                alive: opening.min(1000) - lost,
                opening: if half < 4 { 40 } else { 0 },
                failed: 0,
                intended: half.saturating_sub(4) * 50_000,
                sent: half.saturating_sub(4) * 49_950,
                received: half.saturating_sub(4) * 49_900,
                bytes_sent: half * 49_950 * 64,
                bytes_received: half * 49_900 * 64,
                recent,
                ..Snapshot::default()
            };
            if lost > 0 {
                snapshot.endings.add(Ending::Reset, lost * 3 / 4);
                snapshot.endings.add(Ending::Fin, lost / 4);
            }
            snapshot
        })
        .collect()
}

fn screen(live: &Live, width: u16, height: u16, stopping: bool) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, live, stopping)).unwrap();
    terminal
}

#[test]
fn a_run_on_a_terminal_of_eighty_columns() {
    insta::assert_snapshot!(screen(&sample(), 80, 24, false).backend());
}

#[test]
fn a_run_on_a_large_terminal() {
    insta::assert_snapshot!(screen(&sample(), 120, 36, true).backend());
}

#[test]
fn a_run_on_small_terminals() {
    insta::assert_snapshot!("fifty_columns", screen(&sample(), 50, 20, false).backend());
    insta::assert_snapshot!("a_strip", screen(&sample(), 40, 6, false).backend());
}

#[test]
fn the_beginning() {
    let mut live = Live::new(&plan(undrop_bench::Mode::Hold, 0.0));
    live.update(&Snapshot {
        at_s: 0.5,
        asked: 1000,
        alive: 300,
        opening: 50,
        failed: 2,
        ..Snapshot::default()
    });
    insta::assert_snapshot!(screen(&live, 80, 24, false).backend());
}

#[test]
fn no_size_is_too_small_or_too_odd() {
    let mut live = sample();
    for i in 0..40 {
        let fault = format!("{i} \u{1b}[31m{}", "x".repeat(200));
        live.now.endings.add(ProtocolFault::InvalidData(fault).into(), i);
        let ending = Ending::Close { code: CloseCode::new(i as u16), reason: String::new() };
        live.now.failures.add(FailureKind { stage: ConnectStage::Handshake, ending }, i);
    }
    let empty = Live::new(&plan(undrop_bench::Mode::Hold, 0.0));
    for width in (1..90).step_by(3).chain([43, 44, 45, 77, 78, 80, 130, 300]) {
        for height in [1, 2, 3, 5, 8, 12, 15, 16, 17, 20, 24, 60] {
            screen(&live, width, height, true);
            screen(&empty, width, height, false);
        }
    }
}

#[test]
fn what_others_sent_cannot_steer_the_terminal() {
    let mut live = sample();
    live.now.endings.add(ProtocolFault::InvalidData("\u{1b}[2J".to_owned()).into(), 9999);
    let buffer = screen(&live, 80, 24, false);
    assert!(buffer.backend().buffer().content().iter().all(|cell| !cell.symbol().contains('\u{1b}')));
    assert!(!live.line().contains('\u{1b}'));
}

#[test]
fn a_line_says_it_all() {
    let mut live = Live::new(&plan(undrop_bench::Mode::Run, 100.0));
    let all = snapshots();
    let (before, after) = all.split_at(50);
    before.iter().for_each(|snapshot| live.update(snapshot));
    live.line();
    after.iter().for_each(|snapshot| live.update(snapshot));
    assert_eq!(
        live.line(),
        "30.0 s  running  880/1,000 alive  99,900/s sent (99.9 %)  p99 1.174 ms  120 ended: 90 RST, 30 FIN without close frame"
    );
    let mut idle = Live::new(&plan(undrop_bench::Mode::Hold, 0.0));
    idle.update(&Snapshot {
        at_s: 5.0,
        asked: 10,
        alive: 10,
        phase: RunPhase::Running,
        ..Snapshot::default()
    });
    assert_eq!(idle.line(), "5.0 s  running  10/10 alive");
}

#[test]
fn history_is_bounded_and_rates_are_of_the_last_second() {
    let mut live = Live::new(&plan(undrop_bench::Mode::Run, 1.0));
    for i in 0..5000_u64 {
        let at_s = i as f64 / 2.0;
        live.update(&Snapshot {
            at_s,
            sent: i * 10,
            intended: i * 20,
            phase: RunPhase::Running,
            ..Snapshot::default()
        });
    }
    assert!(live.history.len() <= 480);
    let rates = live.rates();
    assert!((rates.sent - 20.0).abs() < 1e-6 && (rates.intended - 40.0).abs() < 1e-6, "{rates:?}");
}

#[test]
fn keys_mean_what_the_screen_says() {
    let key = |code, modifiers| command(&Event::Key(KeyEvent::new(code, modifiers)));
    assert_eq!(key(KeyCode::Char('q'), KeyModifiers::NONE), Some(ViewCommand::End));
    assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(ViewCommand::Interrupt));
    assert_eq!(key(KeyCode::Char('c'), KeyModifiers::NONE), None);
    assert_eq!(command(&Event::Resize(10, 10)), Some(ViewCommand::Redraw));
}

#[test]
fn quiet_and_silent_progress_shows_nothing() {
    let plan = plan(undrop_bench::Mode::Run, 1.0);
    for mut progress in [Progress::new(&plan, true, false), Progress::silent()] {
        progress.show(&Snapshot::default());
        assert!(matches!(progress.0, ProgressKind::Silent));
    }
    let lines = Progress::new(&plan, false, true);
    assert!(matches!(lines.0, ProgressKind::Lines { .. }));
}
