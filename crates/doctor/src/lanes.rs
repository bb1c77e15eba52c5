//! Which connections are watched at the same time, and for how long.
//!
//! *Arms* tell what keeps a connection, the *comb* finds what drops it silently, a *fleet* opened at different times tells
//! a reload (all end at one moment) from a cap of age (all end at one age).

pub(crate) mod lane;
mod plan;

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;
use undrop_transport::Keepalive;

use crate::caller::Caller;
use crate::events::{Listener, News};
use crate::lanes::lane::{Script, watch};
use crate::stop::Stop;
use undrop_diagnosis::observations::{Arm, Life};
use undrop_frame::{Ending, LocalFault};

pub(crate) use plan::{Known, Seat, refined, seats};

/// The kernel's probes of the lane that has nothing else; more often than any timer worth finding.
const KEEPALIVE: Keepalive =
    Keepalive { idle: Duration::from_secs(1), interval: Duration::from_secs(1), count: 9 };

/// Watches all of them, and returns them in the order of `seats`.
pub(crate) async fn run(
    caller: &Caller<'_>,
    seats: &[Seat],
    first: usize,
    stop: &Stop,
    listener: &dyn Listener,
) -> Vec<Life> {
    let lanes = seats.iter().enumerate().map(|(i, seat)| lane(caller, seat, first + i, stop, listener));
    join_all(lanes).await
}

async fn lane(caller: &Caller<'_>, seat: &Seat, number: usize, stop: &Stop, listener: &dyn Listener) -> Life {
    let Script { arm, .. } = &seat.script;
    let name = arm.name();
    tokio::select! {
        () = sleep(seat.opens_after) => {}
        () = stop.stopped() => {}
    }
    let failed = |end: Ending| {
        listener.hear(News::Failed { lane: number, name: &name, end: &end });
        Life::failed(arm.clone(), caller.clock.now_s(), end)
    };
    if stop.is_set() {
        return failed(LocalFault::Stopped.into());
    }
    let keepalive = (*arm == Arm::TcpKeepalive).then_some(KEEPALIVE);
    let ask = caller.asked();
    let opened = tokio::select! {
        opened = caller.open(keepalive, &ask) => opened,
        () = stop.stopped() => return failed(LocalFault::Stopped.into()),
    };
    let wire = match opened {
        Ok(opened) => opened.wire(),
        Err(end) => return failed(end),
    };
    listener.hear(News::Opened { lane: number, name: &name });
    let life = watch(wire, &seat.script, caller.clock.now_s(), stop).await;
    if let Some(question) = &life.question {
        listener.hear(News::Asked { lane: number, answered: question.answered_after_s.is_some() });
    }
    match &life.end {
        Some(end) => listener.hear(News::Ended { lane: number, age_s: life.age_s, end }),
        None => listener.hear(News::Released { lane: number }),
    }
    life
}
