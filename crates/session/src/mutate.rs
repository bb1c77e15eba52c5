//! Broken rules, for the tests of the simulator only: a test that cannot fail proves nothing.
//!
//! The rules are a type parameter of the machines, so product code cannot switch one off by a value, a configuration or a
//! cargo feature: [`Gateway`](crate::Gateway) and [`Client`](crate::Client) are the machines with [`Sound`] rules.

/// Which rules a machine keeps.
pub trait Rules: Clone + std::fmt::Debug {
    /// `R.start` is the client's `rx + 1`, whatever was acked since.
    const START_FROM_RX: bool = false;
    /// Acks and answers state what was received, not what was taken.
    const ACK_ON_RECEIPT: bool = false;
    /// A duplicate does not move the count of its link.
    const SKIP_COUNT: bool = false;
    /// Every unit is delivered, whatever its number.
    const NO_DEDUPE: bool = false;
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident { $($rule:ident)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;
        impl Rules for $name { $(const $rule: bool = true;)? }
    )*};
}

rules! {
    /// The protocol as it is.
    Sound {}
    /// See [`Rules::START_FROM_RX`].
    StartFromRx { START_FROM_RX }
    /// See [`Rules::ACK_ON_RECEIPT`].
    AckOnReceipt { ACK_ON_RECEIPT }
    /// See [`Rules::SKIP_COUNT`].
    SkipCount { SKIP_COUNT }
    /// See [`Rules::NO_DEDUPE`].
    NoDedupe { NO_DEDUPE }
}
