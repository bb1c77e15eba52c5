//! Connection attempts to several addresses, of which the first success is used: happy eyeballs (RFC 8305 §4, §5).

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep_until};

/// Tries the addresses in order. Each attempt starts `stagger` after the previous one or as soon as one failed. Returns the
/// first connection and drops the other attempts.
///
/// # Errors
/// All attempts failed; the error contains each failure.
pub(super) async fn race<T, F, C>(
    addresses: Vec<SocketAddr>,
    stagger: Duration,
    connect: C,
) -> Result<T, Vec<(SocketAddr, io::Error)>>
where
    C: Fn(SocketAddr) -> F,
    F: Future<Output = io::Result<T>>,
{
    let mut waiting = interleave(addresses);
    let mut failed = Vec::new();
    let mut running = FuturesUnordered::new();
    let mut next = pin!(sleep_until(Instant::now()));
    loop {
        tokio::select! {
            biased;
            Some((address, result)) = running.next() => match result {
                Ok(connection) => return Ok(connection),
                Err(error) => {
                    tracing::debug!(%address, %error, "connection attempt failed");
                    failed.push((address, error));
                    next.as_mut().reset(Instant::now());
                }
            },
            () = next.as_mut(), if !waiting.is_empty() => {
                if let Some(address) = waiting.pop_front() {
                    let attempt = connect(address);
                    running.push(async move { (address, attempt.await) });
                    next.as_mut().reset(Instant::now() + stagger);
                }
            }
            else => return Err(failed),
        }
    }
}

/// Orders the addresses so that families alternate, starting with the family of the first address. The order within a family
/// is kept.
fn interleave(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first, second);
    let mut ordered = VecDeque::with_capacity(first.len() + second.len());
    while let Some(address) = first.pop_front() {
        ordered.push_back(address);
        ordered.extend(second.pop_front());
    }
    ordered.extend(second);
    ordered
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::RefCell;

    use super::*;

    const STAGGER: Duration = Duration::from_millis(250);

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// Runs a race in virtual time; `plan` gives for each address how long it takes and whether it works. Returns the
    /// winner's port or the number of failures, when the race ended, and when each attempt started (ms).
    async fn run(list: &[&str], plan: fn(u16) -> (u64, bool)) -> (Result<u16, usize>, u64, Vec<(u16, u64)>) {
        let start = Instant::now();
        let begun = RefCell::new(Vec::new());
        let result = race(addresses(list), STAGGER, |address| {
            begun.borrow_mut().push((address.port(), start.elapsed().as_millis() as u64));
            async move {
                let (time, works) = plan(address.port());
                tokio::time::sleep(Duration::from_millis(time)).await;
                if works { Ok(address.port()) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
            }
        })
        .await;
        (result.map_err(|failed| failed.len()), start.elapsed().as_millis() as u64, begun.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_first_address_needs_no_second() {
        let (result, took, begun) = run(&["[::1]:6", "1.1.1.1:4"], |_| (100, true)).await;
        assert_eq!((result, took, begun), (Ok(6), 100, vec![(6, 0)]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_family_costs_one_stagger() {
        let plan = |port| if port < 10 { (60_000, true) } else { (30, true) };
        let (result, took, begun) = run(&["[::1]:1", "[::2]:2", "1.1.1.1:11", "1.1.1.2:12"], plan).await;
        assert_eq!(begun, [(1, 0), (11, 250)]);
        assert_eq!((result, took), (Ok(11), 280));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_starts_the_next_at_once() {
        let plan = |port| if port == 4 { (10, true) } else { (20, false) };
        let (result, took, begun) = run(&["[::1]:6", "1.1.1.1:4"], plan).await;
        assert_eq!((result, took), (Ok(4), 30));
        assert_eq!(begun, [(6, 0), (4, 20)]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_early_attempt_may_still_win_late() {
        let plan = |port| if port == 6 { (400, true) } else { (1000, false) };
        let (result, took, _) = run(&["[::1]:6", "1.1.1.1:4"], plan).await;
        assert_eq!((result, took), (Ok(6), 400));
    }

    #[tokio::test(start_paused = true)]
    async fn all_failures_are_reported() {
        let (result, took, _) = run(&["[::1]:6", "1.1.1.1:4", "1.1.1.2:5"], |_| (300, false)).await;
        // 0–300, 250–550, 500 is not reached: the failure at 300 starts the third.
        assert_eq!((result, took), (Err(3), 600));
        let (result, _, begun) = run(&[], |_| (0, true)).await;
        assert_eq!((result, begun.len()), (Err(0), 0));
    }

    #[test]
    fn families_take_turns() {
        let list = addresses(&["1.1.1.1:1", "1.1.1.2:2", "1.1.1.3:3", "[::1]:61", "[::2]:62"]);
        let ports: Vec<u16> = interleave(list).iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [1, 61, 2, 62, 3]);
    }
}
