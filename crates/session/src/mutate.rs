//! Rules that the simulator breaks on purpose: a test that cannot fail proves nothing.
//!
//! Only `undrop-testkit` breaks rules, through `break_rule` of the two machines.

/// A rule of the protocol that a machine can break for a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokenRule {
    /// `R.start` is the client's `rx + 1`, whatever was acked since.
    StartFromRx,
    /// Acks, hellos and `R` state what was received, not what was consumed.
    AckOnReceipt,
    /// A duplicate does not advance the count of its link.
    SkipCount,
    /// Every unit is delivered, whatever its number.
    NoDedupe,
}
